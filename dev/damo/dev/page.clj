(ns damo.dev.page
  "Pages whose examples the program prints itself. A block of code in a page, between ```clojure and
  ```, is evaluated up to its line ;; =>, and what it gives stands below that line.
  (renewed text) is the page with every value printed anew."
  (:require [clojure.pprint :as pprint]
            [clojure.string :as str])
  (:import [clojure.lang Compiler]
           [java.io StringReader]))

(set! *warn-on-reflection* true)

(def ^:private block #"(?s)```clojure\n(.*?)```")

(def ^:private arrow "\n;; =>\n")

(defn- printed
  "A value as the page shows it: text as it is, data in lines of 100 columns."
  [value]
  (if (string? value)
    (str (str/trimr value) "\n")
    (binding [pprint/*print-right-margin* 100, pprint/*print-miser-width* 60
              *print-namespace-maps* false, *print-length* nil, *print-level* nil
              *print-meta* false]
      (-> (if (coll? value) (with-out-str (pprint/pprint value)) (pr-str value))
          (str/replace #" +\n" "\n") str/trimr (str "\n")))))

(defn- evaluated
  "The value of the last form of `code`, as the lines from `line` on of a file page.clj, so that
  what names a place names one that a reader finds by counting lines of code."
  [code line]
  (Compiler/load (StringReader. (str (str/join (repeat (dec (long line)) "\n")) code))
                 "page.clj" "page.clj"))

(defn- lines [text] (count (filter #{\newline} text)))

(defn renewed
  "The text of a page with the values of its blocks printed anew. They are evaluated in order, in a
  namespace of their own; a block without an arrow shows no value."
  [text]
  (let [line (volatile! 1)]
    (binding [*ns* (create-ns 'damo.dev.page.code), *warn-on-reflection* false
              *unchecked-math* false]
      (refer-clojure)
      (try
        (str/replace text block
                     (fn [[_ body]]
                       (let [[code shown?] (str/split body #"\n;; =>\n" 2)
                             code (cond-> code (not (str/ends-with? code "\n")) (str "\n"))
                             value (evaluated code @line)]
                         (vswap! line + (lines code))
                         (str "```clojure\n" (str/trimr code)
                              (if shown? (str arrow (printed value)) "\n") "```"))))
        (finally (remove-ns 'damo.dev.page.code))))))
