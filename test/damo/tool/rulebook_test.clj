(ns damo.tool.rulebook-test
  "The page on all rules is current, and tells of every rule."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.compile.modes :as modes]
            [damo.tool.rulebook :as rulebook]))

(set! *warn-on-reflection* true)

(deftest the-page-is-current
  (let [root (System/getProperty "damo.root" "."), known (slurp (io/file root "docs/rules.md"))
        text (rulebook/text)
        differs (remove (fn [[a b]] (= a b))
                        (map vector (str/split-lines known) (str/split-lines text)))]
    (is (= known text)
        (str "renew it by bin/damo script dev/rules_page.clj; it differs at " (first differs)))))

(deftest every-rule-is-told-of-once-in-its-family
  (let [told (for [[_ families] (rulebook/rules), [family rules] families, rule rules]
               [(:name rule) family])]
    (is (= (frequencies (map :name (set (modes/rules)))) (frequencies (map first told))))
    (is (every? (comp :doc second) told))))

(deftest a-rule-is-told
  (let [page (rulebook/text)]
    (doseq [text ["#### log1p\n\n`[:log [:add 1 ?x]]` → `[:log1p ?x]`."
                  "Promises `:stabilizes`. 1 + x loses an x below 1e-16."
                  "- `[:log [:add x 1]]` ⇒ `[:log1p x]`"
                  "- When `(rule/float? m ?x)`"
                  "; wherever the two stand in one product"
                  "Promises `:drops-nan`, except `[:eq ?x 0]`, `:overflow`, `:underflow`."]]
      (testing text (is (str/includes? page text))))))
