(ns damo.dev.prose-test
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.dev.prose :as prose]))

(set! *warn-on-reflection* true)

(deftest comments-are-broken
  (are [path text better] (= better (prose/rewrapped path text 12))
    "a.clj"  ";; one two three\n"            ";; one two\n;; three\n"
    "a.clj"  "  ; aaaa bbbb cccc\n  ; dd\n"  "  ; aaaa\n  ; bbbb\n  ; cccc dd\n"
    "A.java" " * one two three\n * xx\n"     " * one two\n * three xx\n"
    "A.java" "// one two three\nint i;\n"    "// one two\n// three\nint i;\n"
    "a.clj"  ";; abcdefghijklmn\n"           ";; abcdefghijklmn\n"
    "a.edn"  ";; one two three\n"            ";; one two three\n")
  (testing "lists and tags begin a paragraph of their own"
    (is (= " * one two\n * three\n * @return x\n"
           (prose/rewrapped "A.java" " * one two three\n * @return x\n" 12)))))

(deftest docstrings-are-broken
  (is (= "(defn f\n  \"one two\n  three\"\n  [x] x)\n"
         (prose/rewrapped "a.clj" "(defn f\n  \"one two three\"\n  [x] x)\n" 12)))
  (is (= "(ns a\n  \"one two\n  three four\n  five\"\n  (:use b))\n"
         (prose/rewrapped "a.clj" "(ns a\n  \"one two three\n  four five\"\n  (:use b))\n" 12))))

(deftest nothing-else-is-touched
  (are [text] (= text (prose/rewrapped "a.clj" text 12))
    "(def message\n  \"one two three four\")\n"
    "(f x)      ; one two three four\n"
    "(defn f [x] (one two three four))\n"
    "(defn f [x]\n  \"one two three four\")\n"
    "(g\n  \"one two three four\"\n  1)\n"))
