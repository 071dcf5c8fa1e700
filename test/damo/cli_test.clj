(ns damo.cli-test
  "Command lines: what is accepted, what is refused and how, and the status a program ends with."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.cli :as cli])
  (:import [damo DamoException]
           [java.io File FileNotFoundException]
           [java.nio.file NoSuchFileException]))

(def ^:private options
  [["--epochs" {:key :epochs, :read (cli/whole 1 100), :default 10, :hint "N", :doc "passes"}]
   ["--rate" {:key :rate, :read (cli/positive), :doc "step size"}]
   ["--file" {:key :file, :read (cli/path), :doc "a file"}]
   ["--batches" {:key :batches, :read (cli/each-of (cli/whole 1 60)), :default [1 10], :doc "b"}]
   ["--task" {:key :task, :read (cli/one-of "mlp" "deep"), :doc "t"}]
   ["--line" {:key :line, :doc "a flag"}]])

(deftest values-are-read
  (doseq [[args expected] [[[] {}]
                           [["--epochs" "3"] {:epochs 3}]
                           [["--rate" "0.5" "--line"] {:rate 0.5, :line true}]
                           [["--batches" "1,60" "--task" "mlp"] {:batches [1 60], :task "mlp"}]
                           [["--epochs" "3" "--epochs" "4"] {:epochs 4}]
                           [["--file" "a b"] {:file "a b"}]]]
    (testing (pr-str args)
      (is (= (merge {:epochs 10, :batches [1 10]} expected) (cli/parse options args))))))

(deftest help-wins-over-everything-after-it
  (is (= {:help true} (cli/parse options ["--epochs" "3" "--help" "--nonsense"])))
  (is (= {:help true} (cli/parse options ["-h"]))))

(deftest bad-lines-are-refused
  (doseq [[args message] [[["--epoch" "3"] #"no option --epoch"]
                          [["3"] #"unexpected argument \"3\""]
                          [["--epochs"] #"--epochs needs a value: a whole number from 1 to 100"]
                          [["--epochs" "0"] #"--epochs needs a whole number .* got \"0\""]
                          [["--epochs" "3.5"] #"got \"3.5\""]
                          [["--rate" "-1"] #"--rate needs a number above 0, and got \"-1\""]
                          [["--rate" "NaN"] #"a number above 0"]
                          [["--rate" "Infinity"] #"a number above 0"]
                          [["--file" " "] #"the name of a file"]
                          [["--batches" "1,,60"] #"a list of values"]
                          [["--batches" "1,61"] #"a list of values"]
                          [["--task" "nlp"] #"one of mlp, deep"]]]
    (testing (pr-str args)
      (is (thrown-with-msg? Exception message (cli/parse options args))))))

(deftest help-lists-every-option
  (let [text (cli/help "intro" options)]
    (is (str/starts-with? text "intro"))
    (doseq [[option] options] (is (str/includes? text option)))
    (is (str/includes? text "(default 1,10)"))))

(defn- status-and-message [f]
  (let [message (java.io.StringWriter.)]
    [(binding [*err* message] (cli/run "prog" f)) (str message)]))

(deftest a-program-ends-with-a-status-and-one-line
  (doseq [[thrown status message]
          [[(ex-info "a usage" {:damo/error ::cli/usage}) 2 "prog: a usage\n"]
           [(ex-info "bad data" {:damo/error ::other}) 1 "prog: bad data\n"]
           [(DamoException. "bad-file" "cut short") 1 "prog: cut short\n"]
           [(RuntimeException. "x" (DamoException. "k" "inner")) 1 "prog: inner\n"]
           [(NoSuchFileException. "f.bin") 1 "prog: there is no file or folder f.bin\n"]
           [(FileNotFoundException. "g (gone)") 1 "prog: g (gone)\n"]]]
    (testing message
      (is (= [status message] (status-and-message #(throw thrown))))))
  (is (= [0 ""] (status-and-message (constantly nil)))))

(deftest a-bug-shows-its-stack-trace
  (let [[status message] (status-and-message #(throw (IllegalStateException. "oops")))]
    (is (= 1 status))
    (is (str/includes? message "oops"))))

(deftest a-folder-is-made-or-refused
  (let [file (File/createTempFile "damo" ".txt")
        folder (str file ".d/inner")]
    (is (.isDirectory (cli/folder! folder)))
    (is (thrown-with-msg? Exception #"is a file, not a folder" (cli/folder! (str file))))
    (is (thrown-with-msg? Exception #"cannot be made" (cli/folder! (str file "/inner"))))
    (run! #(.delete (File. ^String %)) [folder (str file ".d") (str file)])))
