(ns damo.fail
  "The one way to throw, and where in the user's code an expression was written.
  In: a keyword of the thrower's namespace, a message, data. Out: an ex-info whose data has the
  keyword under
  :damo/error. (fail! ::bad-axis \"axis 3 of a matrix\" {:axis 3})."
  (:require [clojure.string :as str])
  (:import [clojure.lang Compiler]
           [java.lang StackWalker StackWalker$StackFrame]
           [java.util Optional]
           [java.util.function Function Predicate]
           [java.util.stream Stream]))

(set! *warn-on-reflection* true)

(defn fail!
  "Throws an ex-info with that message; its data is `data` with `kind` under :damo/error. Never
  returns."
  ([kind message] (fail! kind message {} nil))
  ([kind message data] (fail! kind message data nil))
  ([kind message data cause]
   (throw (ex-info message (assoc data :damo/error kind) cause))))

(defn explain!
  "Throws the failure `e` again with a fuller message and more data, of the same kind and from the
  same place. It takes the place of `e` rather than having it as a cause: a REPL shows the innermost
  cause alone, and the user would miss the expression, the file and the line. Never returns."
  [e message more]
  (let [fuller (ex-info message (merge (ex-data e) more) (ex-cause e))]
    (.setStackTrace ^Throwable fuller (.getStackTrace ^Throwable e))
    (throw fuller)))

(defn- internal?
  "Is a class of that name part of Damo (its tests, demo and benchmarks are users) or of the
  platform?"
  [^String class-name]
  (or (str/starts-with? class-name "clojure.")
      (str/starts-with? class-name "java.")
      (str/starts-with? class-name "jdk.")
      (and (str/starts-with? class-name "damo.")
           (not (str/starts-with? class-name "damo.demo"))
           (not (str/starts-with? class-name "damo.bench"))
           (not (re-find #"_test(\$|$|__init)" class-name)))))

(defn- loading-position
  "The position of the top-level form that is being loaded: the compiler runs simple ones without a
  stack frame."
  []
  (let [line @Compiler/LINE]
    (when (and *file* (integer? line) (pos? line))
      {:file (last (str/split *file* #"/")), :line line})))

(defn source-position
  "{:file \"model.clj\" :line 12} of the innermost caller outside Damo, or nil when there is none."
  []
  (let [user? (reify Predicate
                (test [_ frame] (not (internal? (.getClassName ^StackWalker$StackFrame frame)))))
        first-user (reify Function
                     (apply [_ frames] (.findFirst (.filter ^Stream frames user?))))
        ^Optional found (.walk (StackWalker/getInstance) first-user)]
    (if (.isPresent found)
      (let [^StackWalker$StackFrame frame (.get found)]
        {:file (.getFileName frame), :line (.getLineNumber frame)})
      (loading-position))))

(defn position-text
  "\"model.clj:12\" for a source position, \"an unknown place\" for nil."
  [{:keys [file line]}]
  (if file (str file ":" line) "an unknown place"))
