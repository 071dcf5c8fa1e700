(ns damo.dev.mutants-test
  "What a run of tests says of a mutant, and what is no mutant."
  (:require [clojure.test :refer [deftest is]]
            [damo.dev.mutants :as mutants]))

(set! *warn-on-reflection* true)

(def ^:private root (System/getProperty "damo.root" "."))

(def ^:private output
  "Testing a.b-test\n\nFAIL in (one) (b_test.clj:3)\nERROR in (two) (b_test.clj:9)\n
Testing c.d-test\n\nERROR in c.d-test: its JVM ended with exit status 134 while c.d-test/x ran\n
3 passed, 3 failed")

(deftest failed-tests-are-read-from-the-output
  (is (= '#{a.b-test/one a.b-test/two c.d-test} (mutants/failed output)))
  (is (= #{} (mutants/failed "Testing a.b-test\n\n3 passed, 0 failed"))))

(deftest a-mutant-is-caught-by-the-tests-it-names
  (is (= {:caught 'a.b-test/two} (mutants/verdict '{:fails [a.b-test/two]} output)))
  (is (= {:caught 'c.d-test/x} (mutants/verdict '{:fails [c.d-test/x]} output)))
  (is (= '{:survived #{a.b-test/one a.b-test/two c.d-test}}
         (mutants/verdict '{:fails [a.b-test/three]} output)))
  (is (= {:broken "bin/damo: damo.x does not compile: no such var"}
         (mutants/verdict '{:fails [a.b-test/one]}
                          "bin/damo: damo.x does not compile: no such var"))))

(deftest what-is-no-mutant-is-told
  (let [mutant {:name :m, :file "deps.edn", :replace ":paths [\"src/clj\"", :with ":paths ["
                :fails '[damo.data.type-test/shapes-broadcast], :why "Nothing is found."}
        fault (fn [change] (first (mutants/faults root [(merge mutant change)])))]
    (is (nil? (fault {})))
    (is (= ":m: its text stands 0 times in deps.edn" (fault {:replace "nowhere in this file"})))
    (is (= ":m: its text stands 0 times in no-file" (fault {:file "no-file"})))
    (is (= ":m: it changes nothing" (fault {:with (:replace mutant)})))
    (doseq [fails '[[one] [damo.data.type-test/there-is-none] [damo.there-is-none/one]]]
      (is (= ":m: its :fails are no names of tests" (fault {:fails fails}))))
    (is (= ":m: it has no :why" (fault {:why ""})))
    (is (= [":m is there 2 times"] (mutants/faults root [mutant mutant])))))
