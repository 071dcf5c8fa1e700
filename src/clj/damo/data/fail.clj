(ns damo.data.fail
  "The one way to throw, and where in the user's code an expression was written.
  In: a keyword of the thrower's namespace, a message, data. Out: an ex-info whose message ends with
  what to try and whose data has the keyword under :damo/error; docs/errors.md lists the other keys.
  (fail! :damo.fail/bad-axis \"axis 3 of a matrix\" {:axis 3})."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str])
  (:import [clojure.lang Compiler]
           [java.lang ClassValue StackWalker StackWalker$Option StackWalker$StackFrame]
           [java.util Optional]
           [java.util.function Function Predicate]
           [java.util.stream Stream]))

(set! *warn-on-reflection* true)

;; ## Throwing

(def ^:private advice-by-kind
  (delay (edn/read-string (slurp (io/resource "damo/advice.edn")))))

(defn advice
  "What a user may try after a failure of that kind, a text of resources/damo/advice.edn; nil where
  there is none."
  [kind]
  (@advice-by-kind kind))

(defn- advice-text [advice] (if advice (str "\n  try: " advice) ""))

(defn fail!
  "Throws an ex-info with that message, behind which stands what to try: `(:try data)`, or the
  advice for that kind. Its data is `data` with `kind` under :damo/error. Never returns."
  ([kind message] (fail! kind message {} nil))
  ([kind message data] (fail! kind message data nil))
  ([kind message data cause]
   (let [advice (:try data (advice kind))]
     (throw (ex-info (str message (advice-text advice))
                     (cond-> (assoc data :damo/error kind) advice (assoc :try advice))
                     cause)))))

(defn what
  "The message of a failure without what to try."
  [e]
  (let [message (str (ex-message e)), advice (advice-text (:try (ex-data e)))]
    (if (str/ends-with? message advice)
      (subs message 0 (- (count message) (count advice)))
      message)))

(defn explain!
  "Throws the failure `e` again with the texts `before` and `after` around what it says and with
  more data, of the same kind and from the same place. It takes the place of `e` rather than having
  it as a cause: a REPL shows the innermost cause alone, and the user would miss the expression, the
  file and the line. Never returns."
  [e before after more]
  (let [data (merge (ex-data e) more)
        ^Throwable fuller (ex-info (str before (what e) after (advice-text (:try data))) data
                                   (ex-cause e))]
    (.setStackTrace fuller (.getStackTrace ^Throwable e))
    (doseq [s (.getSuppressed ^Throwable e)] (.addSuppressed fuller s))
    (throw fuller)))

(defn facts-text
  "The lines of a message for :arguments (texts, else :types), :expr, :file and :line, where there
  are any; each begins a new line."
  [{:keys [arguments types expr file line]}]
  (str (if arguments
         (apply str (map-indexed #(str "\n  argument " %1 ": " %2) arguments))
         (when types (str "\n  argument types: " (pr-str types))))
       (when expr (str "\n  expression: " expr))
       (when file (str "\n  written at: " file ":" line))))

;; ## Texts of values

(defn short-text
  "The text, cut with ... behind 160 characters."
  [text]
  (if (< 160 (count text)) (str (subs text 0 157) "...") text))

(defn value-text
  "What a user gave as one line for a message: long data and endless sequences are cut."
  [x]
  (let [s (binding [*print-length* 8, *print-level* 4] (pr-str x))]
    (if (fn? x) "#function" (short-text (str/trim (first (str/split-lines s)))))))

(defn bounded
  "What a user gave as data of a failure: of a sequence that may be endless the first elements."
  [x]
  (if (and (sequential? x) (not (counted? x))) (vec (take 64 x)) x))

;; ## Names that are nearly right

(defn- distance
  "How many characters must be inserted, removed or replaced to make text b of text a (Levenshtein,
  row by row)."
  [a b]
  (peek (reduce (fn [row c]
                  (reduce (fn [next-row [i d]]
                            (conj next-row (min (inc (row (inc i))) (inc (peek next-row))
                                                (+ (row i) (if (= c d) 0 1)))))
                          [(inc (first row))] (map-indexed vector b)))
                (vec (range (inc (count b)))) a)))

(defn nearest
  "Up to three of the names `known` (keywords, symbols or strings) that are written much like x or
  begin with it."
  [x known]
  (let [text #(if (instance? clojure.lang.Named %) (name %) (str %))
        given (text x), allowed (max 2 (quot (count given) 3))
        near (for [k known :let [d (distance given (text k))]
                   :when (or (<= d allowed) (str/starts-with? (text k) given))]
               [d (str k) k])]
    (mapv peek (take 3 (sort-by (juxt first second) near)))))

(defn did-you-mean
  "\"did you mean :sum or :cumsum?\" for the names that are written much like x; nil without any."
  [x known]
  (when-let [near (seq (nearest x known))]
    (str "did you mean " (str/join " or " near) "?")))

(defn check-name!
  "Nil when `given` is one of the names `known`; else fails with a list of them, unless they are
  many, and the nearest ones. `about` is {:kind, of the failure, :what an \"option\" or so :of \" of
  a function\" or nil, :key, of the name in the data of the failure, :data more of it}."
  [{:keys [kind what of key data]} known given]
  (when-not (some #{given} known)
    (let [near (did-you-mean given known), names (sort-by str known)]
      (fail! kind (str "there is no " what " " (value-text given) of
                       (cond (empty? names) "; there is none"
                             (< (count names) 20) (str "; there are " (str/join ", " names))))
             (cond-> (merge {key given, :known (vec names)} data) near (assoc :try near))))))

;; ## Positions

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

(def ^:private ^ClassValue internal-class
  "For each class whether it is `internal?`; a walk up the stack asks that of every frame."
  (proxy [ClassValue] []
    (computeValue [^Class c] (boolean (internal? (.getName c))))))

(defn- file-name
  "The name of a source file as the user knows it: what is typed is in no file."
  [file]
  (if (contains? #{"NO_SOURCE_FILE" "NO_SOURCE_PATH"} file) "REPL" file))

(defn- loading-position
  "The position of the top-level form that is being loaded: the compiler runs simple ones without a
  stack frame."
  []
  (let [line @Compiler/LINE]
    (when (and *file* (integer? line) (pos? line))
      {:file (file-name (last (str/split *file* #"/"))), :line line})))

(defn- loads?
  "Does the compiler load a file in that frame? What called it did not write what is in the file."
  [^StackWalker$StackFrame frame]
  (and (identical? Compiler (.getDeclaringClass frame)) (= "load" (.getMethodName frame))))

(def ^:private first-user
  "The first frame of a stream that is of a user, or in which the compiler loads a file."
  (let [user? (reify Predicate
                (test [_ frame]
                  (let [^StackWalker$StackFrame frame frame]
                    (or (loads? frame)
                        (not (.get internal-class (.getDeclaringClass frame)))))))]
    (reify Function
      (apply [_ frames] (.findFirst (.filter ^Stream frames user?))))))

(def ^:private ^StackWalker walker
  (StackWalker/getInstance StackWalker$Option/RETAIN_CLASS_REFERENCE))

(defn source-position
  "{:file \"model.clj\" :line 12} of the innermost caller outside Damo, or nil when there is none."
  []
  (let [^Optional found (.walk walker first-user)]
    (if (and (.isPresent found) (not (loads? (.get found))))
      (let [^StackWalker$StackFrame frame (.get found)]
        {:file (file-name (.getFileName frame)), :line (.getLineNumber frame)})
      (loading-position))))

(defn position-text
  "\"model.clj:12\" for a source position, \"an unknown place\" for nil."
  [{:keys [file line]}]
  (if file (str file ":" line) "an unknown place"))
