(ns damo.dev.lexer-test
  (:require [clojure.test :refer [are deftest is testing]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [damo.dev.lexer :as lexer]))

(set! *warn-on-reflection* true)

(defn- kinds [text]
  (mapv (juxt :kind :text) (lexer/tokens text)))

(deftest tokens-of-each-kind
  (are [text expected] (= expected (kinds text))
    "(a)"            [[:open "("] [:atom "a"] [:close ")"]]
    "#{:a/b}"        [[:open "#{"] [:atom ":a/b"] [:close "}"]]
    "#:a{b 1.5}"     [[:open "#:a{"] [:atom "b"] [:atom "1.5"] [:close "}"]]
    "#(f %)"         [[:open "#("] [:atom "f"] [:atom "%"] [:close ")"]]
    "#?@(:clj x)"    [[:open "#?@("] [:atom ":clj"] [:atom "x"] [:close ")"]]
    "\\( \\newline"  [[:char "\\("] [:char "\\newline"]]
    "\"a\\\"; (\" b" [[:string "\"a\\\"; (\""] [:atom "b"]]
    "#\"[)]\""       [[:string "#\"[)]\""]]
    "; (x\ny"        [[:comment "; (x"] [:atom "y"]]
    "'x @y ~@z ##Inf" [[:prefix "'"] [:atom "x"] [:prefix "@"] [:atom "y"] [:prefix "~@"]
                       [:atom "z"] [:prefix "##"] [:atom "Inf"]]
    "a'b#"           [[:atom "a'b#"]]))

(deftest places-of-tokens
  (is (= [[1 1] [1 2] [2 3] [2 4]]
         (map (juxt :line :col) (lexer/tokens "(\"a\n\" x)"))))
  (is (= [2 1] ((juxt :line :col) (second (lexer/tokens "\"a\"\nb"))))))

(deftest a-long-string-does-not-overflow-the-stack
  (is (= 1 (count (lexer/tokens (str \" (apply str (repeat 200000 "a\\n")) \"))))))

(deftest faults-are-found
  (are [text fault] (= [fault] (map :fault (:faults (lexer/outline text))))
    "(a"      "'(' is never closed"
    "a)"      "')' closes nothing"
    "(a\n)"   "a closing bracket stands alone"
    "\"a"     "'\"' begins no form")
  (testing "after a comment a bracket may stand alone"
    (is (empty? (:faults (lexer/outline "(a ; b\n)"))))))

(deftest frames-know-their-items
  (let [{:keys [elements]} (lexer/outline "(f 'x\n   {:a 1})")
        in-map (last elements)]
    (is (= ["(" "f" "'" "{" ":a" "1"] (map :text elements)))
    (is (= 2 (:depth in-map)))
    (is (= [true false false true false false] (map :first-on-line elements)))))

(defspec printed-data-is-well-formed 60
  (prop/for-all [x gen/any-printable]
    (empty? (:faults (lexer/outline (pr-str x))))))
