(ns damo.ops.nn.normalize
  "Normalization: `standardize` brings a group of elements to mean 0 and variance 1; layer-norm and
  batch-norm are functions made of it. (layer-norm x :scale g :shift b) works along the last axis."
  (:require [damo.data.array :as array]
            [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

(defn- kept [{:keys [axis]}]
  {:axis axis, :keepdims true})

(defn- rule [_ [[dtype shape]]]
  (typing/check-dtype :float dtype)
  [dtype shape])

(defn- standardized [{:keys [axis epsilon]} {:keys [dtype] :as x}]
  (let [x (array/cast :f64 x)
        mean #(/ (double (reduce + 0.0 %)) (double (count %)))
        mean-of (fn [a] (array/reduce-axes :f64 mean a axis true))
        low (array/map-elements :f64 - [x (mean-of x)])
        variance (mean-of (array/map-elements :f64 #(* % %) [low]))]
    (array/map-elements dtype (fn [d v] (/ d (Math/sqrt (+ v (double epsilon))))) [low variance])))

(defn- operand
  "The template of the argument in the dtype it is computed in."
  [{[[dtype]] :types}]
  (typing/as-dtype (type/computed dtype) dtype '?x))

(defn- scale
  "The template of 1 / √(variance + epsilon)."
  [{{:keys [epsilon] :as attrs} :attrs :as node}]
  [:div 1 [:sqrt [:add [:var (kept attrs) (operand node)] epsilon]]])

(defn- projected
  "The template of the derivative along t, which is its own transpose: what t has in common with a
  shift and with a scaling of x is lost."
  [{:keys [attrs] :as node} t]
  [:mul (scale node)
   [:sub [:sub t [:mean (kept attrs) t]] [:mul '?out [:mean (kept attrs) [:mul t '?out]]]]])

(defop standardize
  "(x - mean) / √(variance + epsilon) over the axes, of the same shape: mean 0, variance about 1."
  {:kind :composite, :args [?x], :type rule
   :attrs {:axis {:default -1, :doc "the axis or axes over which the mean is taken; nil: all"}
           :epsilon {:default 1e-5, :doc "added to the variance, a number above 0"}}
   :eval standardized
   :expand (fn [{:keys [attrs], [dtype] :type :as node}]
             (let [x (operand node)]
               (typing/as-dtype dtype (type/computed dtype)
                                [:mul [:sub x [:mean (kept attrs) x]] (scale node)])))
   :lop (fn [node] [(projected node ?g)])
   :rop (fn [node] (projected node ?dx))
   :gen (gens/on-shapes (fn [n] [[{} [3 n]] [{:axis 0, :epsilon 0.1} [n 2]] [{:axis [0 2]} [2 3 n]]
                                 [{:axis nil} [n]]]))
   :examples [[[:standardize {:epsilon 0.0} [:mul 2 [:iota {:shape [2] :axis 0 :dtype :f64}]]]
               [-1.0 1.0]]]})

;; ## Functions

(defn- scaled [x scale shift]
  (let [x (if (some? scale) (op/call :mul [x scale]) x)]
    (if (some? shift) (op/call :add [x shift]) x)))

(def ^:private epsilon {:default 1e-4, :is :number})

(def ^:private layer-options
  {:axis {:default -1, :is :axes}, :epsilon (assoc epsilon :default 1e-5)
   :scale {:default nil}, :shift {:default nil}})

(defn layer-norm
  "x standardized over an axis or axes (default the last), then times `scale` plus `shift`, which
  broadcast against x, when these are given: (layer-norm x gamma beta), or by keywords, (layer-norm
  x :scale gamma :shift beta). Options: :axis, :epsilon (default 1e-5)."
  [x & scale-shift-and-options]
  (let [{:keys [axis epsilon scale shift]}
        (attribute/options layer-options [:scale :shift] scale-shift-and-options)]
    (scaled (op/call :standardize [x :axis axis :epsilon epsilon]) scale shift)))

(defn- per-channel
  "A parameter of batch norm so that it broadcasts against x: one with as many axes as x stays; else
  its axes are those of x over which no mean is taken."
  [what param rank axes]
  (let [param (expr/whole param), given (type/rank-of (expr/type-of param))]
    (cond (or (= given rank) (= given 0)) param
          (= given (- rank (count axes))) (op/call :expand-dims [param :axis axes])
          :else (fail! :damo.op.normalize/rank-mismatch
                       (str what " has " given " axes; for x with " rank
                            " axes and means over the axes " axes " it must have "
                            (- rank (count axes)) " or " rank)
                       {:given given, :rank rank, :axes axes}))))

(defn- batch-axes
  "The axes over which batch norm takes means: those named, or all but axis 1 (or the last of two)."
  [rank axes]
  (if (some? axes) (type/axis-indices rank axes) (vec (remove #{1} (range rank)))))

(def ^:private test-options {:axes {:default nil, :is :axes}, :epsilon epsilon})

(def ^:private train-options
  (assoc test-options :momentum {:default 0.1, :is :number}
         :running-mean {:default nil}, :running-var {:default nil}))

(defn batch-norm-train
  "{:out :mean :var} of batch normalization in training: x standardized over :axes (default all but
  axis 1, the channels), times gamma plus beta; the mean and variance of the batch, without those
  axes. Parameters have the shape of the mean, or x's with 1 for the axes. With :running-mean and
  :running-var, of that shape too, also their new values :new-mean and :new-var, for updates:
  old·(1 - momentum) + batch·momentum (default 0.1), the variance as an estimate, n/(n-1).
  Option :epsilon (default 1e-4)."
  [x gamma beta & options]
  (let [{:keys [axes epsilon momentum running-mean running-var]}
        (attribute/options train-options [] options)
        x (expr/whole x), rank (type/rank-of (expr/type-of x)), axes (batch-axes rank axes)
        param #(per-channel %1 %2 rank axes)
        out (scaled (op/call :standardize [x :axis axes :epsilon epsilon])
                    (param "gamma" gamma) (param "beta" beta))
        moment (fn [op & options] (op/call op (into [x :axis axes] options)))
        moving (fn [old new] (op/call :add [(op/call :mul [(- 1.0 (double momentum)) old])
                                            (op/call :mul [momentum new])]))
        like (fn [old m] (if (= rank (type/rank-of (expr/type-of (expr/whole old))))
                           (op/call :expand-dims [m :axis axes]) m))]
    (cond-> {:out out, :mean (moment :mean), :var (moment :var)}
      running-mean (assoc :new-mean (moving running-mean (like running-mean (moment :mean))))
      running-var (assoc :new-var
                         (moving running-var (like running-var (moment :var :ddof 1)))))))

(defn batch-norm-test
  "Batch normalization with a known mean and variance: gamma·(x - mean)/√(variance + epsilon) +
  beta; parameters and options :axes and :epsilon as for batch-norm-train."
  [x gamma beta mean variance & options]
  (let [{:keys [axes epsilon]} (attribute/options test-options [] options)
        x (expr/whole x), rank (type/rank-of (expr/type-of x)), axes (batch-axes rank axes)
        param #(per-channel %1 %2 rank axes)
        scale (op/call :div [(param "gamma" gamma)
                             (op/call :sqrt [(op/call :add [(param "the variance" variance)
                                                            epsilon])])])]
    (op/call :add [(op/call :mul [(op/call :sub [x (param "the mean" mean)]) scale])
                   (param "beta" beta)])))
