(ns damo.dev.layout
  "The layout rules of the project's files, as functions from text to offences. What can be decided
  without taste: blanks at line ends, tabs, line lengths, brackets, where a line may begin, and how
  long files and functions may grow. An offence is {:line n :message s}."
  (:require [clojure.string :as str]
            [damo.dev.lexer :as lexer]))

(set! *warn-on-reflection* true)

(def caps
  "The longest lines in columns, functions in lines of code, and files in lines. Rows of tables
  may be wider than code, and tables longer."
  {:columns 100, :row 140, :fn 25, :file 400, :table 500})

(defn- offence [line & words]
  {:line line :message (str/join words)})

;; ## Lines

(defn lines
  "Offences of the single lines of any text file. `columns` is the longest line allowed, or nil."
  [text columns]
  (for [[n ^String line] (map vector (iterate inc 1) (str/split text #"\n" -1))
        offence [(when (str/includes? line "\t") (offence n "a tab"))
                 (when (str/includes? line "\r") (offence n "a carriage return"))
                 (when (re-find #"[ \t]$" line) (offence n "blanks at the end of the line"))
                 (when (and columns (< columns (.codePointCount line 0 (count line))))
                   (offence n "longer than " columns " columns"))]
        :when offence]
    offence))

(defn ending
  "The offence of a text that does not end in exactly one line break, as a sequence."
  [text]
  (let [n (count (str/split-lines text))]
    (cond (= "" text) nil
          (not (str/ends-with? text "\n")) [(offence n "no line break at the end of the file")]
          (str/ends-with? text "\n\n") [(offence n "empty lines at the end of the file")])))

(defn size
  "The offence of a text with more than `cap` lines, as a sequence."
  [text cap]
  (let [n (count (str/split-lines text))]
    (when (< cap n) [(offence n "the file has " n " lines; the cap is " cap)])))

;; ## Where a line of Clojure may begin

(defn- list-columns
  "The columns at which a line inside a list may begin: below the first argument when that is on
  the line of the bracket, else one or two columns further in than the bracket."
  [{:keys [text line col inside items]}]
  (let [argument (second items)
        starts (distinct [col (dec inside)])]
    (cond-> (set (concat (map inc starts) (when (= "(" (str (last text))) (map #(+ 2 %) starts))))
      (and argument (= line (:line argument))) (conj (:col argument)))))

(defn- vector-columns
  "Below the first item; in a vector that reads as a call, [:add x y], also below its argument."
  [{:keys [text line items]}]
  (let [[head argument] items]
    (when (and head (= line (:line head)))
      (cond-> #{(:col head)}
        (and (= "[" text) (str/starts-with? (:text head) ":") (= line (:line argument)))
        (conj (:col argument))))))

(defn- columns-allowed
  "The columns at which an element that is first on its line may begin in `frame`; nil = anywhere."
  [{:keys [text] :as frame}]
  (cond (nil? frame) #{1}
        (str/ends-with? text "(") (list-columns frame)
        :else (vector-columns frame)))

(defn misplaced
  "The elements of an outline that are first on their line and begin where none of the usual
  conventions would put them: {:element e, :allowed #{columns}}, in order."
  [{:keys [elements]}]
  (for [{:keys [first-on-line frame col] :as element} elements
        :let [allowed (columns-allowed frame)]
        :when (and first-on-line allowed (not (allowed col)))]
    {:element element :allowed allowed}))

(defn brackets
  "Offences in an outline: brackets that do not pair, or that close on a line of their own."
  [outline]
  (for [{:keys [line fault]} (:faults outline)] (offence line fault)))

(defn indentation
  "Offences in an outline: lines of Clojure that begin in a wrong column."
  [outline]
  (for [{:keys [element allowed]} (misplaced outline)]
    (offence (:line element) "begins in column " (:col element) "; expected "
             (str/join " or " (sort allowed)))))

;; ## Lengths of functions

(def ^:private defining #{"defn" "defn-" "defmacro" "defmethod"})

(defn- code-lines
  "The number of lines from `line` to `end` that hold code: no docstring, comment or empty line."
  [text-lines {:keys [line end items]}]
  (let [doc (first (filter #(= :string (:kind %)) (take 4 (drop 2 items))))
        doc-lines (if doc (count (str/split (:text doc) #"\n" -1)) 0)]
    (- (count (remove #(re-matches #"\s*(;.*)?" %) (subvec text-lines (dec line) end)))
       ;; A docstring's own empty lines were not counted above.
       (- doc-lines (count (filter str/blank? (when doc (str/split-lines (:text doc)))))))))

(defn fn-sizes
  "Offences of the functions that are longer than the cap, docstring and comments not counted, in a
  text and its outline."
  [text outline]
  (let [text-lines (vec (str/split-lines text))]
    (for [{:keys [items line] :as form} (:closed outline)
          :when (defining (:text (first items)))
          :let [n (code-lines text-lines form)]
          :when (< (:fn caps) n)]
      (offence line (:text (second items)) " has " n " lines; the cap is " (:fn caps)))))

;; ## A file

(defn- table? [path]
  (or (str/ends-with? path ".edn") (re-find #"/damo/(ops|rules)/" path)))

(defn of-file
  "All offences of the file at `path`, with the text given, each with its :path. What applies is
  decided by the file's name: prose may have long lines, and data its own indentation."
  [path text]
  (let [code? (re-find #"\.cljc?$" path)
        prose? (re-find #"\.(md|txt)$|LICENSE$" path)
        columns (cond prose? nil, (str/ends-with? path ".edn") (:row caps), :else (:columns caps))
        outline (when (or code? (str/ends-with? path ".edn")) (lexer/outline text))]
    (map #(assoc % :path path)
         (concat (lines text columns)
                 (ending text)
                 (when-not prose? (size text (if (table? path) (:table caps) (:file caps))))
                 (when outline (brackets outline))
                 (when code? (concat (indentation outline) (fn-sizes text outline)))))))
