(ns damo.lib.lazy-test
  "Values made once, when first asked for."
  (:require [clojure.test :refer [deftest is testing]])
  (:import (damo.lib Lazy)
           (java.util.function Supplier)))

(set! *warn-on-reflection* true)

(defn- lazy ^Lazy [f]
  (Lazy. (reify Supplier (get [_] (f)))))

(deftest once-test
  (let [calls (atom 0)
        value (lazy #(do (Thread/sleep 5) (swap! calls inc)))]
    (is (not (.made value)))
    (is (= [1 1 1 1] (map deref (doall (repeatedly 4 #(future (.get value)))))))
    (is (.made value))
    (is (= 1 @calls))))

(deftest failure-test
  (testing "each caller sees the failure itself, and a later call may succeed"
    (let [calls (atom 0)
          value (lazy #(if (< (swap! calls inc) 3) (throw (ex-info "not yet" {})) :there))]
      (is (thrown-with-msg? Exception #"not yet" (.get value)))
      (is (thrown-with-msg? Exception #"not yet" (.get value)))
      (is (= :there (.get value))))))
