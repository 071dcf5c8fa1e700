(ns damo.ops.watch.guard
  "The op of the mode :nan-guard: a value that passes through unless it is NaN, infinite or too
  large. damo.compile.pass.guard inserts it after the rules; users do not call it."
  (:require [damo.data.array :as array]
            [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

(defn bad?
  "Is the double x what a guard with these attributes refuses?"
  [{:keys [nan inf big]} ^double x]
  (or (and nan (Double/isNaN x))
      (and inf (Double/isInfinite x))
      (and big (not (Double/isInfinite x)) (< (double big) (Math/abs x)))))

(defn- guarded [attrs x]
  (when-let [at (first (filter #(bad? attrs (array/element x %)) (range (array/size (:shape x)))))]
    (fail! :damo.op.guard/not-finite (str "element " at " of " (pr-str (array/type-of x)) " is "
                                      (array/element x at))
           {:element at, :value (array/element x at)}))
  x)

(defop guard
  "x itself, after a check of every element; a call stops at the first that is NaN (:nan),
  infinite (:inf) or finite and larger than :big."
  {:internal true
   :kind :guard, :args [?x]
   :attrs {:nan {:default true, :doc "refuse NaN"}
           :inf {:default true, :doc "refuse infinities"}
           :big {:default nil, :is :number, :doc "refuse finite values of a larger magnitude"}}
   :type (fn [_ [x]] (typing/check-dtype :float (type/dtype-of x)) x)
   :eval guarded
   :linear-in :all
   :transpose [?g]
   :gen (gens/on-shapes (fn [n] [[{} [n]] [{:big 100.0} [2 n]] [{:inf false} []]]))
   :examples [[[:guard 2.5] 2.5]]})
