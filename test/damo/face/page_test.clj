(ns damo.face.page-test
  "docs/loops.md and docs/sparse.md: their blocks run, and give what they say."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]))

(set! *warn-on-reflection* true)

(defn- pieces
  "[code expected] of the blocks of a page: what stands before each line \";; => value\", and that."
  [page]
  (for [[_ block] (re-seq #"(?s)```clojure\n(.*?)```" page)
        piece (str/split (str block "\n;; => \n") #"(?<=\n;; => [^\n]{0,200}\n)")
        :let [[code expected] (str/split piece #"\n;; => ")]]
    [code (str/trim (str expected))]))

(defn- evaluated
  "The value of the last form of a text."
  [text]
  (let [reader (java.io.PushbackReader. (java.io.StringReader. text))]
    (loop [value nil]
      (let [form (read {:eof ::end} reader)]
        (if (= ::end form) value (recur (eval form)))))))

(defn- check-page!
  "Runs a page, which states more than `least` values."
  [file least]
  (let [page (slurp (io/file (System/getProperty "damo.root" ".") file))
        found (pieces page), stated (remove (comp str/blank? second) found)]
    (is (< least (count stated)))
    (binding [*ns* (create-ns 'damo.face.page)]
      (refer-clojure)
      (doseq [[code expected] found :let [value (evaluated code)]
              :when (not (str/blank? expected))]
        (testing code
          (is (= (edn/read-string expected) value)))))))

(deftest the-page-about-loops-says-what-is
  (check-page! "docs/loops.md" 15))

(deftest the-page-about-sparse-matrices-says-what-is
  (check-page! "docs/sparse.md" 10))
