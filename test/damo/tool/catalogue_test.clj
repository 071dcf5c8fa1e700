(ns damo.tool.catalogue-test
  "The page on all ops is current, and no op lacks anything."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.op :as op]
            [damo.tool.catalogue :as catalogue]))

(set! *warn-on-reflection* true)

(deftest the-page-is-current
  (let [root (System/getProperty "damo.root" "."), known (slurp (io/file root "docs/ops.md"))
        differs (remove (fn [[a b]] (= a b)) (map vector (str/split-lines known)
                                                  (str/split-lines (catalogue/text))))]
    (is (= known (catalogue/text))
        (str "renew it by bin/damo script dev/ops_page.clj; it differs at " (first differs)))))

(deftest there-are-no-holes
  (is (= [] (catalogue/holes)))
  (testing "and one would be seen"
    (with-redefs [op/registry (atom (update @op/registry :cumsum dissoc :eval :examples :expand))]
      (is (= ["the op :cumsum has nothing for meaning" "the op :cumsum has nothing for examples"]
             (catalogue/holes))))))

(deftest an-op-is-described
  (let [page (catalogue/text)]
    (doseq [line ["### cumsum" "`(d/cumsum x :acc-dtype nil :axis nil :dtype nil :reverse false)`"
                  "- Derivative: partial derivatives: `[[:div 1 [:add 1 ?x]]]`"]]
      (is (str/includes? page line) line))))
