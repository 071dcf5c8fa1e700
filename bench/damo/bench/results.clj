(ns damo.bench.results
  "Results that the project keeps: bench/results/MACHINE/SUITE.jsonl, one file for each suite on
  each machine. The first line is about the run, {:about \"paper\" :processor …}, the others are
  flat maps, one result each. (read-line-of \"{\\\"row\\\":\\\"add\\\",\\\"ns\\\":1.5}\") =>
  {:row \"add\", :ns 1.5}."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [damo.bench.machine :as machine]
            [damo.bench.stats :as stats]
            [damo.data.fail :as fail :refer [fail!]])
  (:import [java.io File]))

(set! *warn-on-reflection* true)

;; ## Lines of JSON, flat maps of texts and numbers

(def ^:private token #"\"((?:[^\"\\]|\\.)*)\"|(-?\d[\d.eE+-]*)|(null|true|false)|([:,{}])")

(def ^:private escapes {\n \newline, \r \return, \t \tab})

(defn- unescaped [text]
  (str/replace text #"\\(.)" (fn [[_ c]] (str (escapes (first c) (first c))))))

(defn- value-of [[_ text number word]]
  (cond text (unescaped text)
        number (or (parse-long number) (parse-double number))
        :else ({"true" true, "false" false} word)))

(defn read-line-of
  "The map of a line that `stats/json-line` wrote; keys are keywords. Fails with ::bad-line when it
  is none."
  [line]
  (let [parts (remove #(= "," (peek %)) (re-seq token line))
        inner (butlast (rest parts))]
    (when-not (and (= ["{" "}"] (map peek [(first parts) (last parts)]))
                   (zero? (rem (count inner) 3)))
      (fail! ::bad-line (str "a result is a flat map on one line; got " line) {:line line}))
    (into {} (for [[k _ v] (partition 3 inner)] [(keyword (second k)) (value-of v)]))))

;; ## Files

(def folder "Where results are kept." "bench/results")

(defn about
  "The first line of a run of a suite, of what is known of the machine and of the programs:
  {program version}."
  [suite versions]
  (merge {:about suite} (machine/description)
         {:versions (str/join ", " (for [[k v] (sort versions)] (str (name k) " " v)))}))

(defn write!
  "Writes the results of a suite, in place of those of the last run on such a machine; returns the
  file."
  ^File [about rows]
  (let [file (io/file folder (machine/folder-name about) (str (:about about) ".jsonl"))]
    (io/make-parents file)
    (spit file (str/join (map #(str (stats/json-line %) "\n") (cons about rows))))
    file))

(defn- read-file [^File file]
  (let [[about & rows] (map read-line-of (str/split-lines (slurp file)))]
    [(:about about) {:about about, :rows (vec rows)}]))

(defn read-all
  "All results: {machine's folder {suite {:about map, :rows [map …]}}}, sorted."
  ([] (read-all folder))
  ([folder]
   (into (sorted-map)
         (for [^File machine (.listFiles (io/file folder)) :when (.isDirectory machine)]
           [(.getName machine)
            (into (sorted-map)
                  (for [^File file (.listFiles machine)
                        :when (str/ends-with? (.getName file) ".jsonl")]
                    (read-file file)))]))))
