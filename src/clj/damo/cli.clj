(ns damo.cli
  "Command lines of the project's programs: options as data in, a map of values out, and one way to
  end a program. An option is [\"--epochs\" {:key :epochs, :read (cli/whole 1 1000), :default 10,
  :hint \"N\", :doc \"passes\"}]; one without :read is a flag. (parse options [\"--epochs\"
  \"2\"]) => {:epochs 2}."
  (:require [clojure.string :as str]
            [damo.data.fail :as fail :refer [fail!]])
  (:import [clojure.lang ExceptionInfo]
           [damo DamoException]
           [java.io File FileNotFoundException IOException PrintWriter Writer]
           [java.nio.file AccessDeniedException FileSystemException NoSuchFileException]))

(set! *warn-on-reflection* true)

(defn- usage! [message]
  (fail! ::usage (str message "; --help lists the options")))

;; ## Readers of values
;; A reader is {:expects text, :value (fn [text] value-or-nil)}.

(defn whole
  "A reader of whole numbers from lo to hi, both included."
  [lo hi]
  {:expects (str "a whole number from " lo " to " hi)
   :value #(when-let [n (parse-long %)] (when (<= lo n hi) n))})

(defn positive
  "A reader of finite numbers above zero."
  []
  {:expects "a number above 0"
   :value #(when-let [x (parse-double %)] (when (and (< 0.0 x) (< x ##Inf)) x))})

(defn path
  "A reader of names of files and folders: any text that is not blank."
  []
  {:expects "the name of a file or folder", :value #(when-not (str/blank? %) %)})

(defn each-of
  "A reader of lists such as 1,10,60: every part must be a value of `reader`; gives a vector."
  [{:keys [expects value]}]
  {:expects (str "a list of values separated by commas, each " expects)
   :value #(let [values (map value (str/split % #"," -1))]
             (when (every? some? values) (vec values)))})

(defn one-of
  "A reader of the words given."
  [& words]
  {:expects (str "one of " (str/join ", " words)), :value (set words)})

;; ## Parsing

(defn- value-of [option {:keys [value expects]} text]
  (when (nil? text)
    (usage! (str option " needs a value: " expects)))
  (let [v (value text)]
    (when (nil? v)
      (usage! (str option " needs " expects ", and got " (pr-str text))))
    v))

(defn- defaults [options]
  (into {} (for [[_ {:keys [key default]}] options :when (some? default)] [key default])))

(defn parse
  "The values of `args` by :key, defaults filled in; {:help true} as soon as --help or -h is among
  them. Fails with ::usage on an option that is not among `options`, an argument that is none, and
  values that do not fit."
  [options args]
  (let [known (into {} (map vec) options)]
    (loop [values (defaults options), [arg & more] args]
      (cond
        (nil? arg) values
        (#{"--help" "-h"} arg) {:help true}
        (not (str/starts-with? arg "--")) (usage! (str "unexpected argument " (pr-str arg)))
        (not (known arg)) (usage! (str "there is no option " arg
                                       (some->> (fail/did-you-mean arg (keys known)) (str "; "))))
        :else (let [{:keys [key read]} (known arg)]
                (if read
                  (recur (assoc values key (value-of arg read (first more))) (rest more))
                  (recur (assoc values key true) more)))))))

(defn- default-text [default]
  (cond (nil? default) ""
        (vector? default) (str " (default " (str/join "," default) ")")
        :else (str " (default " default ")")))

(defn- help-line [[option {:keys [hint doc default]}]]
  (format "  %-17s %s%s" (str option (when hint (str " " hint))) doc (default-text default)))

(defn help
  "The text for --help: what the program does, and a line an option."
  [intro options]
  (str/join "\n" (concat [intro ""] (map help-line options))))

;; ## Ending a program

(defn- io-message [^IOException e]
  (let [file (if (instance? FileSystemException e) (.getFile ^FileSystemException e) nil)]
    (cond (instance? NoSuchFileException e) (str "there is no file or folder " file)
          (instance? AccessDeniedException e) (str "no permission for " file)
          (instance? FileNotFoundException e) (ex-message e)
          file (str file ": " (or (.getReason ^FileSystemException e) (.getSimpleName (class e))))
          :else (str "reading or writing failed: " (ex-message e)))))

(defn problem
  "{:status 1 or 2, :message text} of an exception that bad input explains: a failure of Damo, an
  IOException, memory that ran out. nil for any other, which is a bug. Looks through wrapping
  exceptions that say nothing themselves."
  [^Throwable e]
  (cond
    (= ::usage (:damo/error (ex-data e))) {:status 2, :message (ex-message e)}
    (:damo/error (ex-data e)) {:status 1, :message (ex-message e)}
    (instance? DamoException e) {:status 1, :message (ex-message e)}
    (instance? IOException e) {:status 1, :message (io-message e)}
    (instance? OutOfMemoryError e) {:status 1, :message (str "not enough memory: " (ex-message e))}
    (and (.getCause e) (not (instance? ExceptionInfo e))) (recur (.getCause e))
    :else nil))

(defn run
  "Calls f and returns the exit status: 0, or the one of the problem that f threw, told on standard
  error as `program: message`. A bug is told with its stack trace, status 1."
  [program f]
  (try
    (f)
    (flush)
    0
    (catch Throwable e
      (flush)
      (binding [*out* *err*]
        (if-let [{:keys [status message]} (problem e)]
          (do (println (str program ": " message)) status)
          (do (println (str program ": this is a bug in the program"))
              (.printStackTrace e (PrintWriter. ^Writer *err* true)) 1))))))

(defn folder!
  "The folder `name` as a File, made if need be; fails unless files can be written there."
  ^File [name]
  (let [folder (File. (str name))]
    (.mkdirs folder)
    (when-not (and (.isDirectory folder) (.canWrite folder))
      (fail! ::unwritable (str "cannot write into " name ": "
                               (cond (.isFile folder) "it is a file, not a folder"
                                     (.isDirectory folder) "no permission"
                                     :else "the folder cannot be made"))
             {:folder (str name)}))
    folder))
