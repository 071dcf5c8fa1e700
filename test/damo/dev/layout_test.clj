(ns damo.dev.layout-test
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [damo.dev.format :as format]
            [damo.dev.layout :as layout]
            [damo.dev.lexer :as lexer]))

(set! *warn-on-reflection* true)

(defn- places [offences] (map :line offences))

(defn- indentation [text] (layout/indentation (lexer/outline text)))

(defn- fn-sizes [text] (layout/fn-sizes text (lexer/outline text)))

(deftest single-lines
  (are [text found] (= found (places (layout/lines text 10)))
    "a\nb\n"            []
    "a\tb\n"            [1]
    "a\nb \n"           [2]
    "a\r\n"             [1]
    "0123456789\n"      []
    "0123456789a\n"     [1]
    "012345678\u00e9\n" [])
  (is (empty? (layout/lines "0123456789a\n" nil))))

(deftest ends-of-files
  (are [text found] (= found (places (layout/ending text)))
    "a\n" [], "" [], "a" [1], "a\n\n" [1]))

(deftest sizes-of-files
  (is (empty? (layout/size "a\nb\n" 2)))
  (is (= ["the file has 3 lines; the cap is 2"] (map :message (layout/size "a\nb\nc\n" 2)))))

(deftest good-indentation
  (are [text] (empty? (indentation text))
    "(defn f\n  [x]\n  x)"
    "(f x\n   y)"
    "(f\n x)"
    "#(do\n   x)"
    "(let [a 1\n      b 2]\n  a)"
    "{:a 1\n :b 2}"
    "#{a\n  b}"
    "[:add x\n      y]"
    "[:add x\n y]"
    "(f \"a\n b\"\n   c)"
    "(cond-> x\n  y z)"
    "(a)\n\n(b)"))

(deftest bad-indentation
  (are [text line] (= [line] (places (indentation text)))
    "(f x\n      y)"      2
    " (f)"                1
    "{:a 1\n  :b 2}"      2
    "[a\n  b]"            2
    "(let [a 1\n b 2]\n  a)" 2))

(deftest sizes-of-functions
  (let [f (fn [n] (str "(defn f\n  \"Doc.\n\n  More.\"\n  [x]\n  ;; why\n\n"
                       (apply str (repeat n "  (g x)\n")) "  x)"))]
    (testing "docstring, comments and empty lines are not counted"
      (is (empty? (fn-sizes (f 22)))))
    (is (= ["f has 26 lines; the cap is 25"] (map :message (fn-sizes (f 23)))))
    (is (= [1] (places (fn-sizes (f 23)))))))

(deftest files-by-their-names
  (let [long-text (str (str/join (repeat 401 "x\n")))
        wide (str (str/join (repeat 101 "x")) "\n")]
    (are [path text n] (= n (count (layout/of-file path text)))
      "src/clj/damo/data/graph.clj"    long-text 1
      "src/clj/damo/ops/math/arith.clj" long-text 0
      "docs/a.md"                 long-text 0
      "docs/a.md"                 wide      0
      "src/java/A.java"           wide      1
      "examples/a.edn"            wide      0
      "examples/a.edn"            "[a\n  b]\n" 0
      "examples/a.edn"            "[a\n"    1)))

(deftest mending
  (are [text better] (= better (format/mended "a.clj" text))
    "(f x)  \n\n"              "(f x)\n"
    "(f x\n      y)"           "(f x\n   y)\n"
    "(f x\n (g a\n    b))\n"   "(f x\n (g a\n    b))\n"
    "{:a 1\n   :b (g a\n         b)}\n" "{:a 1\n :b (g a\n       b)}\n"
    "[a\n   \"x\n  y\"\n   b]" "[a\n \"x\n  y\"\n b]\n")
  (testing "a text whose brackets do not pair is left as it is"
    (is (= "(f x\n      y\n" (format/mended "a.clj" "(f x\n      y\n")))))
