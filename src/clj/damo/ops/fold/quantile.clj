(ns damo.ops.fold.quantile
  "Quantiles and medians: elements in the middle of sorted lines. Integers give floats; NaN in a
  line makes its quantiles NaN."
  (:require [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

(def ^:private attributes
  {:axis {:default nil, :is :axis-or-all
          :doc "the axis along which the lines lie; nil: all elements are one line"}
   :keepdims {:default false, :doc "true: the axis stays, with extent 1"}})

(defn- axes [{:keys [axis]} shape]
  (type/axis-indices (count shape) axis))

(defn- rule [{:keys [q keepdims] :as attrs} [[dtype shape]]]
  (let [axes (axes attrs shape)]
    (when-not (and (number? q) (<= 0 q 1))
      (fail! :damo.op.quantile/bad-quantile
             (str "a quantile is a number from 0 to 1; got " (pr-str q)) {:given q}))
    (typing/check-nonempty shape axes)
    [(type/float-of dtype) (array/reduced-shape shape axes keepdims)]))

;; ## Meaning: linear interpolation between the two nearest elements of the sorted line

(defn- between [^double low ^double high ^double part]
  (if (or (= low high) (zero? part)) low (+ low (* part (- high low)))))

(defn- of-line [q]
  (typing/choosing
   (fn [xs]
     (if (some #(Double/isNaN %) xs)
       ##NaN
       (let [line (vec (sort xs)), at (* (double q) (dec (count line))), i (long (Math/floor at))]
         (between (line i) (line (min (inc i) (dec (count line)))) (- at i)))))))

(defn- value [{:keys [q keepdims] :as attrs} {:keys [dtype shape] :as x}]
  (let [wide (type/float-of dtype)]
    (array/reduce-axes wide (of-line q) (array/cast wide x) (axes attrs shape) keepdims)))

(defn- line-quantile
  "The template of the quantile along an axis of `line`, a template of floats of that dtype."
  [q axis n dtype line]
  (let [sorted [:sort {:axis axis} line]
        last-one [:sub [:dim {:dim n}] 1]
        at [:mul (typing/const :f64 q) [:cast {:dtype :f64} last-one]]
        i [:cast {:dtype :i64} [:floor at]]
        part [:cast {:dtype dtype} [:sub at [:floor at]]]
        low [:take {:axis axis} sorted i]
        high [:take {:axis axis} sorted [:minimum [:add i 1] last-one]]
        largest [:take {:axis axis} sorted -1]]
    [:where [:isnan largest] largest
     [:where [:logical-or [:eq part 0] [:eq low high]] low
      [:add low [:mul part [:sub high low]]]]]))

(defn- expansion [{{:keys [q axis]} :attrs, [[from shape]] :types, [dtype out] :type}]
  (let [x (typing/as-dtype dtype from '?x)
        [axis n line] (if axis
                        [axis (nth shape axis) x]
                        [0 (type/size shape) [:reshape {:shape [(type/size shape)]} x]])]
    [:reshape {:shape out} (line-quantile q axis n dtype line)]))

(defn- line-cases [{:keys [dtype size] :as ctx}]
  (let [[shape axis] (gens/variant ctx [[[size] nil] [[size 3] 0] [[2 size] -1] [[2 size] nil]])]
    {:attrs {:axis axis, :keepdims (gens/choose ctx [true false])}
     :args [(gens/random-array ctx dtype shape [-50 50])]}))

(defop quantile
  "The element at the part :q of the way through the sorted elements along an axis, by linear
  interpolation between its neighbours; fails over no elements."
  {:kind :composite, :args [?x]
   :attrs (assoc attributes :q {:doc "a number from 0, the smallest, to 1, the largest element"})
   :type rule, :eval value, :expand expansion
   :gen (gens/with-choices line-cases :q [0 0.1 0.5 0.75 1])
   :examples [[[:quantile {:q 0.25} [:iota {:shape [5] :axis 0}]] 1.0]
              [[:quantile {:q 0.5} [:iota {:shape [4] :axis 0}]] 1.5]]})

(defop median
  "The median along an axis, the mean of the middle two of an even number of elements; fails over no
  elements."
  {:kind :composite, :args [?x], :attrs attributes
   :type (fn [attrs types] (rule (assoc attrs :q 0.5) types))
   :eval (fn [attrs x] (value (assoc attrs :q 0.5) x))
   :expand (fn [{:keys [attrs]}] [:quantile (assoc attrs :q 0.5) ?x])
   :gen line-cases
   :examples [[[:median [:iota {:shape [4] :axis 0}]] 1.5]]})
