(ns damo.examples-test
  "The examples run from top to bottom and print what they promise."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.core]
            [damo.op :as op])
  (:import [java.io File]
           [java.nio.file Files]
           [java.nio.file.attribute FileAttribute]))

(set! *warn-on-reflection* true)

(defn- output-of
  "What an example prints when it is loaded with these arguments, as bin/damo script does, in a
  namespace of its own."
  [file & args]
  (let [before @op/registry]
    (try
      (binding [*ns* (create-ns 'damo.examples-test.script), *command-line-args* args]
        (refer-clojure)
        (with-out-str
          (load-file (str (io/file (System/getProperty "damo.root" ".") "examples" file)))))
      (finally
        (reset! op/registry before)
        (remove-ns 'damo.examples-test.script)))))

(deftest native-functions
  (let [text (output-of "native_function.clj")]
    (doseq [line [":root #damo/tensor [:f64 [3]] [2.0 3.0 4.0]"
                  "kernel  add-cbrt-sqr-mul-div"
                  "the op :cbrt keeps "
                  "[#damo/tensor [:f64 []] 12.0 #damo/tensor [:f64 [3]] [1.0 -1.0 1.0]]"
                  "[3.0 3.0 4.0 4.0 5.0 9.0 9.0 9.0]"
                  "the kernel of the op fragile failed: java.lang.Exception: a negative number"
                  "expression: (fragile x)"
                  "[2.0 3.0]"]]
      (is (str/includes? text line)))))

(defn- in-folder
  "Calls f with the name of a new folder, and removes it after."
  [f]
  (let [folder (str (Files/createTempDirectory "example" (make-array FileAttribute 0)))]
    (try (f folder)
         (finally (run! #(.delete ^File %) (reverse (file-seq (io/file folder))))))))

(deftest hessian-free-training
  (in-folder
   (fn [folder]
     (let [text (output-of "hessian_free.clj" "4" "12" folder)
           wrong (fn [method] (parse-double (second (re-find (re-pattern (str method ".* (\\S+) %"))
                                                             text))))]
       (testing "it learns to add; how far the others come in as much time is no matter of tests"
         (is (< (wrong "Newton") 20.0))
         (is (every? wrong ["SGD" "Adam"])))
       (is (str/includes? (slurp (io/file folder "hessian-free.svg")) "polyline"))))))

(defn- lines-with [what text] (filter #(str/includes? % what) (str/split-lines text)))

(deftest characters
  (in-folder
   (fn [folder]
     (let [run (fn [name & args]
                 (apply output-of "char_rnn.clj" "--out" (str folder "/" name) args))
           small ["--cell" "gru" "--hidden" "8" "--batch" "4" "--window" "16" "--every" "20"
                  "--say" "5"]
           at-40 #(re-find #"step 40 .*character" %)
           whole (apply run "whole" "--steps" "40" small)
           begun (apply run "parts" "--steps" "20" small)
           resumed (run "parts" "--steps" "40")]
       (is (= 2 (count (lines-with "bits per character" whole))))
       (is (re-find #"it says: \".{5,9}\"" whole))
       (testing "what goes on from a checkpoint ends where an uninterrupted run does"
         (is (str/includes? begun "from the beginning"))
         (is (str/includes? resumed "going on from the checkpoint"))
         (is (= (at-40 whole) (at-40 resumed)))
         (is (some? (at-40 whole))))))))

(deftest gaussian-process
  (in-folder
   (fn [folder]
     (let [text (output-of "gaussian_process.clj" "30" "60" folder)
           number #(parse-double (second (re-find % text)))]
       (is (< (number #"closed form by (\S+)") 1e-10))
       (is (< (number #"(\S+) after 60 steps") (number #"likelihood (\S+) before")))
       (is (< 15 (number #"(\S+) % of the function lie")))
       (is (str/includes? (slurp (io/file folder "gaussian-process.svg")) "polygon"))))))

(deftest speakers-by-their-words
  (let [text (output-of "news.clj" "--steps" "20")]
    (is (str/includes? text "120 speeches of 3 speakers, 16 words"))
    (is (str/includes? text "the losses agree"))
    (is (every? #(< 90.0 (parse-double (second (re-find #"(\S+) % right" %))))
                (lines-with "right" text)))))
