(ns damo.op.home-test
  (:require [clojure.test :refer [deftest is]]
            [damo.core]
            [damo.op :as op]
            [damo.op.home :as home]))

(set! *warn-on-reflection* true)

(deftest folders-decide
  (is (= 'la/cholesky (home/called {:ns 'damo.ops.linalg.cholesky, :name :cholesky})))
  (is (= 'd/exp (home/called (op/entry :exp))))
  (is (= 'd/dot (home/called {:ns 'damo.ops.linear.product, :name :dot})))
  (is (= #'damo.core/exp (home/function-var :exp)))
  (is (nil? (home/function-var :copy)) "internal"))

(deftest every-op-is-a-function-of-its-namespace
  (doseq [[k {:keys [internal kind ns] :as entry}] @op/registry
          :when (and (re-find #"^damo\.ops\." (str ns))
                     (not (or internal (#{:leaf :part :tuple :loop :branch} kind))))
          :let [home (:ns (home/home entry))]]
    (require home)
    (is (var? (ns-resolve home (symbol (name k)))) (str k))))
