(ns damo.dev.prose
  "Breaks lines of prose that are too long: comment lines, and docstrings. Code and other strings
  are never touched, and a paragraph is only reflowed as far as its overflow reaches.
  (rewrapped \"a.clj\" \";; one two three\\n\" 10) => \";; one two\\n;; three\\n\""
  (:require [clojure.string :as str]
            [damo.dev.lexer :as lexer]))

(set! *warn-on-reflection* true)

(def ^:private comment-line
  "A line that is all comment, split into what repeats on each such line and the words."
  {:clj #"^(\s*;+ )(.*)$", :java #"^(\s*(?:\*|//) )(.*)$"})

(defn- docstrings
  "The places of the docstrings in Clojure text that have a line of their own: {:line :col :lines}."
  [text]
  (let [{:keys [closed]} (lexer/outline text)]
    (for [{[head & more] :items} closed
          :when (re-matches #"(ns|def.*)" (str (:text head)))
          ;; The last item is the value: a string there is data.
          {:keys [kind line col first-on-line text]} (butlast more)
          :when (and (= :string kind) first-on-line)]
      {:line line :col col :lines (count (str/split text #"\n" -1))})))

(defn- prefixes
  "{line-number prefix} for the lines of prose of a Clojure text, as a function of line and text."
  [text]
  (let [indents (into {} (for [{:keys [line col lines]} (docstrings text), n (range lines)]
                           [(+ line n) (str/join (repeat (dec col) \space))]))]
    (fn [n line]
      (or (second (re-matches (:clj comment-line) line))
          (when-let [indent (indents n)]
            (when (str/starts-with? line indent) indent))))))

(defn- prefix-fn [path text]
  (cond (re-find #"\.cljc?$" path) (prefixes text)
        (str/ends-with? path ".java") (fn [_ line]
                                        (second (re-matches (:java comment-line) line)))
        :else (constantly nil)))

(defn- broken
  "Splits a line at the last blank before `columns`: [line overflow], or nil when there is none."
  [^String line ^String prefix columns]
  (let [at (.lastIndexOf line " " (int columns))]
    (when (< (count (str/trimr prefix)) at)
      (let [head (str/trimr (subs line 0 at))]
        (when (< (count prefix) (count head)) [head (str/triml (subs line at))])))))

(defn- continues?
  "True when `line` is more of the same paragraph: the same prefix, then a word."
  [prefix line]
  (and line (str/starts-with? line prefix)
       (re-find #"^[A-Za-z\d`(\[{<=]" (subs line (count prefix)))
       (not (re-find #"^(\d+\.|\() " (subs line (count prefix))))))

(defn- step
  "Takes one line off `todo`, [[number line] …], and puts it, or its beginning, on `done`."
  [{[[n line] & more] :todo, :keys [done] :as state} prefix-of columns]
  (let [prefix (prefix-of n line)
        [head overflow] (when (and prefix (< columns (count line))) (broken line prefix columns))
        [m after] (first more)
        quote-ends? (and overflow (re-find #"\"\)*$" overflow))]
    (cond (nil? overflow) (assoc state :todo more :done (conj done line))
          (and (not quote-ends?) (prefix-of m (str after)) (continues? prefix after))
          (assoc state :done (conj done head)
                 :todo (cons [m (str prefix overflow " " (subs after (count prefix)))] (rest more)))
          :else (assoc state :done (conj done head)
                       :todo (cons [n (str prefix overflow)] more)))))

(defn rewrapped
  "The text of the file at `path` without lines of prose longer than `columns`, where words allow."
  [path text columns]
  (let [prefix-of (prefix-fn path text)]
    (->> {:todo (map vector (iterate inc 1) (str/split text #"\n" -1)) :done []}
         (iterate #(step % prefix-of columns))
         (drop-while (comp seq :todo))
         first :done (str/join "\n"))))
