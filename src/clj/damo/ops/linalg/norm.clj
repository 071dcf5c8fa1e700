(ns damo.ops.linalg.norm
  "Norms and condition numbers of matrices."
  (:refer-clojure :exclude [cond])
  (:require [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :refer [fail!]]
            [damo.op :as op :refer [defop]]
            [damo.ops.fold.stats]
            [damo.ops.linalg.forms :as forms]
            [damo.ops.linalg.svd]))

(set! *warn-on-reflection* true)

(def ^:private orders #{:fro :nuc 1 -1 2 -2 ##Inf ##-Inf})

(defn- check-order [{:keys [ord] :as attrs} _]
  (let [ord (if (and (number? ord) (== ord (Math/rint ord)) (< (abs ord) 3)) (long ord) ord)]
    (when-not (orders ord)
      (fail! :damo.op.linalg/bad-order
             (str "the order of a norm of matrices is :fro, :nuc, 1, -1, 2, -2, ##Inf or ##-Inf;"
                  " got "
                  (pr-str ord))
             {:given ord, :try "d/norm for all elements as one vector, of any order"}))
    (assoc attrs :ord ord)))

(def ^:private order-attr
  {:default :fro, :is orders, :own-check true
   :doc "which norm: :fro, the root of the sum of squares; :nuc, the sum of singular values; 2, -2,
  the largest and the smallest of them; 1, -1, the largest and smallest sum of sizes in a column;
  ##Inf, ##-Inf, in a row"})

(defn- norm-template [{{:keys [ord]} :attrs, [[_ shape]] :types}]
  (let [rank (count shape), row -1
        sums (fn [axis] [:sum {:axis axis} [:abs '?a]])]
    (case (str ord)
      ":fro" [:norm {:axis [(- rank 2) (dec rank)]} '?a]
      ":nuc" [:sum {:axis -1} [:svdvals '?a]]
      "2" [:max {:axis -1} [:svdvals '?a]]
      "-2" [:min {:axis -1} [:svdvals '?a]]
      "1" [:max {:axis row} (sums -2)]
      "-1" [:min {:axis row} (sums -2)]
      "Infinity" [:max {:axis row} (sums -1)]
      [:min {:axis row} (sums -1)])))

(defn- gen
  "Generated calls on the choices [attrs shape] that f gives for an extent of at least 1."
  [f]
  (forms/of-matrices forms/random-matrices (comp f (partial max 1))))

(defop matrix-norm
  "The norms of matrices [… m n], NumPy's: by default :fro, the root of the sum of the squares of
  all elements. Norms by singular values have the derivatives of these."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs {:ord order-attr}, :normalize check-order
   :internal "la/norm"
   :type (fn [_ [[dtype :as type]]] [dtype (first (forms/check-matrix type))])
   :expand norm-template
   :gen (gen (fn [n] [[{} [n n]] [{:ord :nuc} [n 3]] [{:ord 2} [2 n]] [{:ord -2} [2 n 4]]
                      [{:ord 1} [2 1 2 n]] [{:ord -1} [n 3]] [{:ord ##Inf} [5 n]]
                      [{:ord ##-Inf} [n 2]]]))
   :examples [[[:matrix-norm [:add 3.0 [:iota {:shape [1 2] :axis 1}]]] 5.0]
              [[:matrix-norm {:ord ##Inf} [:ones {:shape [2 3]}]] 3.0]]})

(defop cond
  "The condition numbers of matrices, NumPy's: the largest singular value over the smallest, :ord 2;
  for -2 the inverse of that; for another order, of square matrices, the norm times that of the
  inverse. Infinite for singular matrices."
  {:kind :composite, :args [?a], :matrices #{0}
   :attrs {:ord (assoc order-attr :default 2)}, :normalize check-order
   :type (fn [{:keys [ord]} [[dtype :as type]]]
           (when-not (#{2 -2} ord) (forms/check-square type))
           [dtype (first (forms/check-matrix type))])
   :expand (fn [{{:keys [ord] :as attrs} :attrs}]
             (let [s [:svdvals ?a], top [:max {:axis -1} s], end [:min {:axis -1} s]]
               (case (str ord)
                 "2" [:div top end]
                 "-2" [:div end top]
                 [:mul [:matrix-norm attrs ?a] [:matrix-norm attrs [:inv ?a]]])))
   :gen (gen (fn [n] [[{} [n n]] [{:ord -2} [n 3]] [{:ord :fro} [n n]] [{:ord 1} [2 n n]]]))
   :examples [[[:cond [:diag [:add 1.0 [:iota {:shape [2]}]]]] 2.0]]})

(defn call-norm
  "The norm of matrices [… m n], NumPy's :ord :fro (default), :nuc, 1, -1, 2, -2, ##Inf, ##-Inf; or
  of a vector [n], of the :ord that d/norm has."
  [a & options]
  (let [{:keys [ord]} (attribute/options {:ord {:default nil}} [] options)
        a (expr/lift a)]
    (if (= 1 (count (second (expr/type-of a))))
      (op/node :norm (if (contains? #{nil :fro} ord) {} {:ord ord}) [a])
      (op/node :matrix-norm (if (nil? ord) {} {:ord ord}) [a]))))
