(ns damo.program.edn-test
  "The core's own EDN reader and writer: what is read, what is refused and where, and that both
  agree with clojure.edn on generated data."
  (:require [clojure.edn :as edn]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [clojure.test.check :as check]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop])
  (:import (damo DamoException)
           (damo.edn Edn Edn$Keyword Edn$Symbol)
           (java.util List Map Set)))

(set! *warn-on-reflection* true)

(defn- ->clj
  "The reader's plain Java value as Clojure data."
  [x]
  (cond
    (instance? Edn$Keyword x) (keyword (.name ^Edn$Keyword x))
    (instance? Edn$Symbol x) (symbol (.name ^Edn$Symbol x))
    (instance? List x) (mapv ->clj x)
    (instance? Set x) (set (map ->clj x))
    (instance? Map x) (into {} (map (fn [[k v]] [(->clj k) (->clj v)])) x)
    :else x))

(defn- read-clj [text] (->clj (Edn/read text)))

(defn- refusal
  "The message with which the text is refused, or nil."
  [text]
  (try
    (Edn/read text)
    nil
    (catch DamoException e
      (is (= "bad-edn" (.kind e)))
      (.getMessage e))))

(def ^:private good
  [["nil" nil] ["true" true] ["false" false]
   ["0" 0] ["-7" -7] ["+7" 7] ["12N" 12]
   ["9223372036854775807" Long/MAX_VALUE] ["-9223372036854775808" Long/MIN_VALUE]
   ["1.5" 1.5] ["-0.0" -0.0] ["1." 1.0] ["1e3" 1000.0] ["2.5E-3" 0.0025] ["1e+2" 100.0]
   ["##Inf" ##Inf] ["##-Inf" ##-Inf]
   ["\"a\\n\\t\\\"\\\\ \\u00e9\"" "a\n\t\"\\ é"]
   ["\\a" \a] ["\\newline" \newline] ["\\space" \space] ["\\u0041" \A] ["\\(" \(]
   [":a" :a] [":a/b" :a/b] ["x" 'x] ["a/b" 'a/b] ["-" '-] ["+x" '+x] ["..." '...]
   ["[]" []] ["(1 2)" [1 2]] ["[1, [2] ; comment\n 3]" [1 [2] 3]]
   ["{:a 1, \"b\" {}}" {:a 1 "b" {}}] ["#{1 2}" #{1 2}]
   ["#_ 1 2" 2] ["[1 #_ [2 3] #_#_ 4 5]" [1]] ["; only\n7 ; after\n#_8" 7]])

(deftest reads-plain-values
  (doseq [[text value] good]
    (is (= value (read-clj text)) text))
  (is (Double/isNaN (Edn/read "##NaN"))))

(def ^:private bad
  [["" #"line 1, column 1: the text ends where a value was expected"]
   ["[1\n 2" #"line 1, column 1: the text ends before the \] that closes this \["]
   ["[1\n  }" #"line 2, column 3: expected \], found \}"]
   ["]" #"unmatched \]"] ["1 2" #"expected one value"]
   ["{:a}" #"the key :a has no value"] ["{:a 1 :a 2}" #"duplicate key :a"]
   ["#{1 1}" #"duplicate element 1"]
   ["9223372036854775808" #"beyond 64 bits"] ["1M" #"not a number"] ["1/2" #"not a number"]
   ["0x10" #"not a number"] ["1e" #"not a number"] ["1.2.3" #"not a number"]
   ["017" #"begin with 0"] ["1x" #"not a number"]
   ["\"abc" #"ends inside this string"] ["\"\\q\"" #"unknown escape"]
   ["\"\\u12g4\"" #"four hexadecimal digits"] ["\"\\u12" #"four hexadecimal digits"]
   ["\\bogus" #"unknown character"] ["##Nan" #"not EDN: ##Nan"]
   ["#inst \"2020-01-01\"" #"tagged literals"] ["#=(System/exit 1)" #"tagged literals"]
   ["#\"a\"" #"tagged literals"] ["^{:a 1} x" #"not EDN"] ["@x" #"not EDN"] ["'x" #"not EDN"]
   [".5" #"not EDN: .5"] [":" #"not a keyword"] ["::a" #"not a keyword"]
   ["[#_]" #"but none follows"]])

(deftest refuses-what-is-not-plain-edn
  (doseq [[text message] bad]
    (is (re-find message (str (refusal text))) text)))

(deftest hostile-nesting-is-an-exception
  (doseq [text [(apply str (repeat 100000 "[")) (apply str (repeat 100000 "{"))
                (apply str (repeat 100000 "#_")) (apply str (repeat 100000 "#{"))]]
    (is (re-find #"nested deeper than 512" (refusal text))))
  (testing "while 500 levels are read"
    (is (some? (Edn/read (str (str/join (repeat 500 "[")) (str/join (repeat 500 "]"))))))))

(deftest values-are-unmodifiable
  (doseq [text ["[1]" "{:a 1}" "#{1}"]]
    (is (thrown? UnsupportedOperationException
                 (let [v (Edn/read text)]
                   (if (instance? Map v) (.clear ^Map v) (.clear ^java.util.Collection v)))))))

(def ^:private gen-symbol
  "clojure.edn takes .5 for a symbol; the EDN specification does not, and neither do we."
  (gen/such-that #(not (re-find #"^\.\d" (name %))) gen/symbol))

(def ^:private gen-value
  (gen/recursive-gen
   (fn [inner]
     (gen/one-of [(gen/vector inner) (gen/set (gen/one-of [gen/small-integer gen/keyword]))
                  (gen/map gen/keyword inner)]))
   (gen/one-of [gen/large-integer (gen/double* {:NaN? false}) gen/string gen/boolean gen/keyword
                gen-symbol gen/char-ascii (gen/return nil)])))

(deftest agrees-with-clojure-edn
  (let [reads (prop/for-all [v gen-value]
                (= (edn/read-string (pr-str v)) (read-clj (pr-str v))))
        writes (prop/for-all [v gen-value]
                 (let [text (pr-str v)]
                   (= (read-clj text) (read-clj (Edn/write (Edn/read text)))
                      (edn/read-string (Edn/write (Edn/read text))))))]
    (is (:pass? (check/quick-check 200 reads :seed 1 :max-size 60)))
    (is (:pass? (check/quick-check 200 writes :seed 2 :max-size 60)))))

(deftest damaged-text-never-breaks-the-reader
  (let [text "{:a [1 2.5 #{:b \"c\\n\"} (d/e \\x ##Inf)] ; f\n :g #_h -1e9}"]
    (doseq [at (range (count text))
            c "[]{}()\"\\#;:@ \u0000é"]
      (let [damaged (str (subs text 0 at) c (subs text (inc at)))]
        (is (or (refusal damaged) true) damaged)))
    (doseq [end (range (count text))]
      (is (refusal (subs text 0 end)) "a text cut short is refused"))))

(deftest writer-refuses-what-edn-lacks
  (is (thrown-with-msg? DamoException #"EDN has no java.lang.Object" (Edn/write (Object.))))
  (is (= "[1 :a \"x\\\"y\" nil ##NaN]"
         (Edn/write [1 (Edn$Keyword. "a") "x\"y" nil ##NaN])))
  (is (<= (count (Edn/brief (vec (range 1000)))) 102)))
