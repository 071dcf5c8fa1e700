(ns damo.ops.region.bind
  "A size that data decides: a 0-d integer that is the value of a dim. [:bind-dim {:as k} n] is n,
  and k is n in all that mentions it."
  (:require [damo.data.array :as array]
            [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :refer [defop]]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

(defn- bound-type [{:keys [as]} [[dtype shape :as type]]]
  (typing/check-dtype :int dtype)
  (typing/check-shape [as])
  (when (seq shape)
    (fail! :damo.bind-dim/not-a-scalar
           (str "the value of a dim is one integer, without axes; got " (pr-str type))
           {:given type}))
  type)

(defn- bound
  "The number, which must be a size, no larger than :max, and what is known of the dim already."
  [{{:keys [as max]} :attrs, [n :as arrays] :arrays, :keys [dims]}]
  (let [k (array/element n 0), known (if (symbol? as) (get dims as) as)]
    (when-not (and (<= 0 k) (or (nil? max) (<= k max)) (or (nil? known) (= k known)))
      (fail! :damo.bind-dim/no-such-size
             (str "the dimension " as " is to be " k ", and is "
                  (cond known known, (neg? k) "at least 0", :else (str "at most " max)))
             {:dim as, :given k, :expected known, :max max}))
    (cond-> (first arrays) (symbol? as) (with-meta {:counted {as k}}))))

(defop bind-dim
  "The 0-d integer n itself; the dim :as is its value, which is at least 0 and at most :max. Made of
  numbers of steps that a value decides."
  {:internal "d/scan takes :n-steps"
   :kind :nest, :nest :bind-dim, :args [?n]
   :attrs {:as {:default nil, :is :counted
                :doc "the dim that is n: a new symbol; nil: one named after the argument"}
           :max {:default nil, :is :dim, :doc "n is not larger; nil: no bound is known"}}
   :instead (fn [attrs [[dtype shape]]]
              (when (and (type/int-dtype? dtype) (not= :i64 dtype))
                [:bind-dim attrs [:cast {:dtype :i64} ?n]]))
   :type bound-type
   :counts {:of "value", :by [0], :value-of 0, :dims (fn [{{:keys [as max]} :attrs}] {as max})}
   :run bound
   :lop [0], :rop 0
   :failure "a dim is at least 0, at most its :max, and one number wherever it stands"
   :gen (fn [_] {:attrs {:max 3}, :args [(array/of :i64 [] [2])]})
   :examples [[[:bind-dim {:as 'k} [:sub 5 2]] 3]]})
