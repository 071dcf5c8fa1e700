(ns damo.ops.linear.einsum-test
  "Tests of einsum and the products that are short for one: values, messages that name the letter,
  and what they are compiled to."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.core :as d]
            [damo.ops.linear.einsum :as einsum]
            [damo.ops.linear.tensordot :as tensordot]))

(set! *warn-on-reflection* true)

(def ^:private a [[1.0 2.0 3.0] [4.0 5.0 6.0]])
(def ^:private b [[1.0 0.0] [0.0 1.0] [2.0 2.0]])
(def ^:private s [[1.0 2.0] [3.0 4.0]])

(defn- same? [expected e] (= expected @(d/eval e)))

(deftest values-of-einsum
  (are [expected subscripts operands] (same? expected (apply d/einsum subscripts operands))
    [[7.0 8.0] [16.0 17.0]] "ij,jk->ik" [a b]
    [[7.0 16.0] [8.0 17.0]] "ij,jk->ki" [a b]
    [[7.0 8.0] [16.0 17.0]] "ij, jk" [a b]
    [[1.0 4.0] [2.0 5.0] [3.0 6.0]] "ij->ji" [a]
    [[1.0 4.0] [2.0 5.0] [3.0 6.0]] "ba" [a]
    21.0 "ij->" [a]
    5.0 "ii" [s]
    [1.0 4.0] "ii->i" [s]
    [[7.0 10.0] [15.0 22.0]] "...ij,...jk->...ik" [s s]
    [[[2.0]] [[2.0]] [[6.0]]] "i...,...->i..." [[[[1.0]] [[1.0]] [[3.0]]] [[2.0]]]
    [14.0 32.0] "ij,j->i" [a [1.0 2.0 3.0]]
    [[2.0 4.0 6.0] [8.0 10.0 12.0]] "ij,kj->ij" [a [[1.0 1.0 1.0] [1.0 1.0 1.0]]]
    [6.0 15.0] "ij,kj->i" [a [[1.0]]]
    112.0 "i,ij,j->" [[1.0 2.0] s [6.0 7.0]]))

(deftest types-and-dtypes
  (let [x (d/input 'x '[:f32 [b n 3]]), y (d/input 'y '[:f32 [b 3 m]])]
    (is (= '[:f32 [b m n]] (d/type-of (d/einsum "bij,bjk->bki" x y)))))
  (is (= [:i8 []] (d/type-of (d/einsum "i,i" (d/tensor [1 2] :i8) (d/tensor [1 2] :i8)))))
  (is (= [:f64 [2]] (d/type-of (d/einsum "i,i->i" (d/tensor [1 2] :i64) [0.5 0.5])))))

(defmacro ^:private message [form]
  `(try ~form nil (catch clojure.lang.ExceptionInfo e#
                    [(:damo/error (ex-data e#)) (first (re-seq #".*" (ex-message e#)))])))

(deftest misfits-name-the-letter
  (let [x (d/input 'x '[:f32 [n 3]]), y (d/input 'y '[:f32 [4 m]])]
    (are [error text form] (= [error (str "einsum: " text)] (message form))
      :damo.op.einsum/shape-mismatch
      "the letter j has the extents 3 and 4 (operand 1) in the subscripts \"ij,jk->ik\""
      (d/einsum "ij,jk->ik" x y)
      :damo.op.einsum/shape-mismatch
      "the letter i has the extents n and 3 (operand 0) in the subscripts \"ii\""
      (d/einsum "ii" x)
      :damo.op.einsum/bad-subscripts
      (str "operand 1 has 2 axes, [4 m], and 1 letters, j, in the subscripts \"ij,j\"; they look "
           "like \"ij,jk->ik\", one letter an axis")
      (d/einsum "ij,j" x y)
      :damo.op.einsum/bad-subscripts
      (str "the letter k of the output is named by no operand in the subscripts \"ij->k\"; they "
           "look like \"ij,jk->ik\", one letter an axis")
      (d/einsum "ij->k" x)
      :damo.op.einsum/bad-subscripts
      (str "the letter i appears twice in the output in the subscripts \"ij->ii\"; they look like "
           "\"ij,jk->ik\", one letter an axis")
      (d/einsum "ij->ii" x)
      :damo.op.einsum/bad-subscripts
      (str "there is \"1\", which is no letter, in the subscripts \"i1->i\"; they look like "
           "\"ij,jk->ik\", one letter an axis")
      (d/einsum "i1->i" x)
      :damo.op.einsum/bad-subscripts
      (str "there are 1 operands and 2 terms in the subscripts \"ij,jk\"; they look like "
           "\"ij,jk->ik\", one letter an axis")
      (d/einsum "ij,jk" x)
      :damo.op.einsum/bad-subscripts
      (str "the output lacks the ellipsis of the operands in the subscripts \"...j->j\"; they look "
           "like \"ij,jk->ik\", one letter an axis")
      (d/einsum "...j->j" x)
      :damo.op.einsum/bad-subscripts
      "the first argument of einsum is a string such as \"ij,jk->ik\"; got :ij"
      (d/einsum :ij x))))

(deftest short-forms
  (are [expected e] (same? expected e)
    [[7.0 8.0] [16.0 17.0]] (d/tensordot a b :axes 1)
    30.0 (d/tensordot s s)
    29.0 (d/tensordot s s :axes [[0 1] [1 0]])
    [[5.0 11.0] [11.0 25.0]] (d/inner s s)
    [[2.0 4.0] [6.0 8.0]] (d/inner s 2.0)
    [5.0 25.0] (d/batched-dot s s)
    [14.0 32.0] (d/vecdot a [1.0 2.0 3.0])
    [14.0 32.0] (d/matvec a [1.0 2.0 3.0])
    [9.0 12.0 15.0] (d/vecmat [1.0 2.0] a)
    [[1.0 1.0 2.0 2.0] [3.0 3.0 4.0 4.0]] (d/kron s [1.0 1.0]))
  (testing "misfits are refused, also where einsum would broadcast"
    (let [x (d/input 'x [:f32 [2 1]]), y (d/input 'y [:f32 [2 3]])]
      (are [error form] (= error (first (message form)))
        :damo.op.einsum/shape-mismatch (d/vecdot x y)
        :damo.op.einsum/shape-mismatch (d/tensordot x y :axes [[1] [1]])
        :damo.op.tensordot/bad-axes (d/tensordot x y :axes 3)
        :damo.op.tensordot/bad-axes (d/tensordot x y :axes [[0 1] [0]])
        :damo.op.tensordot/bad-axes (d/tensordot x y :axes [[0 0] [0 1]])
        :damo.op.tensordot/bad-axes (d/tensordot x y :axes :all)
        :damo.op.tensordot/rank-mismatch (d/batched-dot x [1.0])
        :damo.op.tensordot/rank-mismatch (d/matvec [1.0] [1.0])))))

;; ## What it is compiled to

(defn- steps [inputs e]
  (mapv :do (:steps (d/program (d/function inputs e)))))

(deftest a-product-of-matrices-is-one-gemm
  (let [x (d/input 'x '[:f32 [n m]]), y (d/input 'y '[:f32 [m k]]), z (d/input 'z '[:f32 [k m]])
        q (d/input 'q '[:f32 [b n h d]]), r (d/input 'r '[:f32 [b m h d]])]
    (are [inputs subscripts] (= [:gemm] (steps inputs (apply d/einsum subscripts inputs)))
      [x y] "ij,jk->ik"
      [x y] "ij,jk->ki"
      [x z] "ij,kj->ik"
      [z x] "kj,ij->ik"
      [q r] "bnhd,bmhd->bhnm")))

(deftest cheap-pairs-go-first
  (testing "a product of three with a vector never makes a matrix of two large axes"
    (let [x (d/input 'x [:f32 [500 500]]), y (d/input 'y [:f32 [500 500]])
          v (d/input 'v [:f32 [500]])
          f (d/function [x y v] (d/einsum "ij,jk,k->i" x y v))]
      (is (every? #(<= % 500) (for [{:keys [kind size]} (:buffers (d/program f))
                                    :when (= kind :temp)]
                                size))))))

(deftest inner-products-are-one-loop
  (let [x (d/input 'x '[:f32 [n m]])]
    (is (= [:kernel] (steps [x] (d/einsum "ij,ij->i" x (d/exp x)))))))
