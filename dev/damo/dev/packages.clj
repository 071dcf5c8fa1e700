(ns damo.dev.packages
  "Which Java package uses which: imports, and names written out with their package. No package may
  use itself by way of others: what is read first is read by itself.
  (cycles '{a #{b}, b #{c}, c #{a}}) => ((a b c a))"
  (:require [clojure.string :as str]
            [damo.dev.source :as source])
  (:import [java.io File]))

(set! *warn-on-reflection* true)

(defn- code
  "The text of a Java file without comments, and with strings emptied."
  [text]
  (str/replace text #"(?s)/\*.*?\*/|//[^\n]*|\"\"\".*?\"\"\"|\"(?:[^\"\\\n]|\\.)*\"" "\"\""))

(def ^:private facade
  "The class that applications begin with: it stands beside the exception, below everything, for its
  name's sake, and uses what is on top. Nothing of the core uses it."
  "Damo.java")

(defn uses
  "[package #{packages}] of the text of a Java file: its own, and those under `root` that it names."
  [root text]
  (let [text (code text), part "(?:\\.[a-z][\\w]*)*"
        named (re-pattern (str "(?<![.\\w])(" root part ")\\.(?:[A-Z]|\\*)"))
        [_ own] (re-find #"(?m)^\s*package\s+([\w.]+)\s*;" text)]
    [(symbol own) (disj (set (map (comp symbol second) (re-seq named text))) (symbol own))]))

(defn graph
  "{package #{packages that its files use}} of the Java files under a folder."
  [root folder]
  (apply merge-with into {}
         (for [^File f (source/files folder ".java") :when (not= facade (.getName f))]
           (conj {} (uses root (slurp f))))))

(defn- way
  "The shortest way from a package to another, both included, or nil."
  [graph from to]
  (loop [ways [[from]], seen #{from}]
    (when-let [fresh (seq (for [w ways, next (sort (graph (peek w)))
                                :when (or (= next to) (not (seen next)))]
                            (conj w next)))]
      (or (first (filter #(= to (peek %)) fresh))
          (recur fresh (into seen (map peek) fresh))))))

(defn cycles
  "The shortest way of each package back to itself, from the first of its names."
  [graph]
  (distinct (for [package (sort (keys graph))
                  :let [around (way graph package package)]
                  :when around]
              (let [ring (pop around), least (first (sort ring))
                    [before after] (split-with #(not= % least) ring)]
                (concat after before [least])))))
