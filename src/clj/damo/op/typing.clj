(ns damo.op.typing
  "Type rules that ops share: which dtypes an op takes, how axes are named, what is left of a shape.
  A rule is (fn [attrs types] type); it fails on misfits.
  ((same :num) {} [[:f32 [3 1]] [:f32 [4]]]) = [:f32 [3 4]]."
  (:require [clojure.walk :as walk]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

;; ## Dtypes

(def ^:private groups
  {:any [#{:bool :int :float} "any dtype"]
   :num [#{:int :float} "numbers; convert booleans with cast first, or use the logical ops"]
   :float [#{:float} "floats; convert with cast first"]
   :int [#{:int} "integers"]
   :integral [#{:bool :int} "integers or booleans"]
   :bool [#{:bool} "booleans, such as the result of a comparison: (ne x 0)"]})

(defn check-dtype
  "Nil when `dtype` belongs to the group, :any :num :float :int :integral :bool; fails otherwise."
  [group dtype]
  (let [[kinds text] (groups group)]
    (when-not (kinds (:kind (type/dtypes dtype)))
      (fail! ::bad-dtype (str "takes " text "; got " dtype) {:expected group, :given dtype}))))

(defn elementwise
  "A rule: the arguments have dtypes of these groups and broadcast; the result has the dtype that
  `result` gives for the argument dtypes."
  [groups result]
  (fn [_ types]
    (let [dtypes (mapv type/dtype-of types)]
      (dorun (map check-dtype groups dtypes))
      [(result dtypes) (apply type/broadcast-shapes (map type/shape-of types))])))

(defn same
  "A rule: arguments of one dtype of that group broadcast; the result has that dtype."
  [group]
  (elementwise (repeat group) peek))

(defn accumulator
  "The dtype in which elements of `dtype` are summed: integers and booleans in :i64."
  [dtype]
  (if (type/float-dtype? dtype) dtype :i64))

(def accumulation
  "The attributes of a call of a reduction that choose dtypes; see `accumulating`."
  {:dtype {:default nil, :doc "the dtype of the result; nil: the usual one"}
   :acc-dtype {:default nil, :doc "elements are converted to it first; nil: wide enough"}})

(defn- check-conversion
  "Nil when a reduction of elements of dtype `from` may be done in dtype `to`; fails when that is
  none of numbers or would make floats integers."
  [k from to]
  (when-not (or (nil? to) (type/float-dtype? to)
                (and (type/int-dtype? to) (not (type/float-dtype? from))))
    (fail! ::bad-dtype
           (str k " is a dtype of numbers, and of floats for floats; given " (pr-str to) " for "
                from " elements; cast the argument or the result")
           {:attribute k, :expected (if (type/float-dtype? from) :float :num), :given to})))

(defn accumulating
  "The :instead of a reduction with the attributes `accumulation`: its elements are converted to
  :acc-dtype, its result to :dtype. `usual` gives the dtype of its result for that of its argument;
  elements that become integers or floats of that dtype are converted before, so that
  (sum x :dtype :f64) of :f32 adds doubles."
  [op usual]
  (fn [{:keys [dtype acc-dtype] :as attrs} [[from _]]]
    (check-conversion :dtype from dtype)
    (check-conversion :acc-dtype from acc-dtype)
    (when (or dtype acc-dtype)
      (let [acc (or acc-dtype (type/promote (usual from) dtype))]
        [:cast {:dtype (or dtype (usual from))}
         [op (dissoc attrs :dtype :acc-dtype) [:cast {:dtype acc} '?x]]]))))

(defn lowest
  "The least element of a dtype: -Inf, the smallest integer, false."
  [dtype]
  (let [{:keys [kind lo]} (type/dtypes dtype)] (case kind :float ##-Inf, :int lo, :bool false)))

(defn highest
  "The greatest element of a dtype: Inf, the largest integer, true."
  [dtype]
  (let [{:keys [kind hi]} (type/dtypes dtype)] (case kind :float ##Inf, :int hi, :bool true)))

;; ## Axes

(defn normal-axes
  "Attributes with :axis, nil or an axis or several, as the sorted vector of axes of the argument."
  [{:keys [axis] :as attrs} [[_ shape]]]
  (assoc attrs :axis (type/axis-indices (count shape) axis)))

(defn normal-axis
  "Attributes with :axis, one axis of the first argument, counted from the front."
  [{:keys [axis] :as attrs} [[_ shape]]]
  (assoc attrs :axis (type/axis-index (count shape) axis)))

(defn replace-axis
  "The shape with its axis replaced by these dims, a sequence."
  [shape axis dims]
  (vec (concat (subvec shape 0 axis) dims (subvec shape (inc axis)))))

(defn check-shape
  "Nil when x is a vector of dims, integers ≥ 0 or symbols or arithmetic on them; fails otherwise."
  [x]
  (type/check [:f32 x])
  nil)

(defn unify-shapes
  "The common shape of two that must agree axis by axis; fails otherwise, saying `what` they are."
  [what a b]
  (when-not (= (count a) (count b))
    (fail! ::rank-mismatch (str what ": " (pr-str a) " has " (count a) " axes, " (pr-str b)
                                " has " (count b))
           {:expected a, :given b}))
  (vec (map-indexed (fn [i [x y]] (type/unify-dims (str what ", axis " i) x y)) (map vector a b))))

(defn check-nonempty
  "Nil unless one of these axes of the shape is empty for certain; then it fails, for no element can
  be chosen from none."
  [shape axes]
  (doseq [a axes]
    (when (= 0 (nth shape a))
      (fail! ::empty-reduction (str "there is no element to choose from: axis " a " of "
                                    (pr-str shape) " is empty")
             {:shape shape, :axis a}))))

(defn choosing
  "The function f of a vector of elements that fails on an empty one."
  [f]
  (fn [xs]
    (when (empty? xs)
      (fail! ::empty-reduction "there is no element to choose from: a reduced axis is empty"))
    (f xs)))

;; ## Templates of derivatives and expansions

(defn const
  "The template of a 0-d constant of that dtype; fails when x does not fit."
  [dtype x]
  [:const {:type [dtype []], :value (expr/const-value dtype x)}])

(defn filled
  "The template of an array of that dtype and shape, x everywhere."
  [dtype shape x]
  [:broadcast-to {:shape shape} (const dtype x)])

(defn count-of
  "The template of the product of dims as a 0-d float of that dtype; exact below 2^24 for :f32."
  [dtype dims]
  (let [n (apply type/dim* dims)]
    (if (integer? n)
      (const dtype n)
      [:cast {:dtype dtype} [:dim {:dim n}]])))

(defn as-dtype
  "The template t, of the dtype `from`, as `dtype`."
  [dtype from t]
  (if (= dtype from) t [:cast {:dtype dtype} t]))

(defn widened
  "The :scalar of a template that is evaluated in :f64 and rounded once: for :f32 that keeps it
  within two units in the last place, whatever the roundings inside."
  [template]
  (fn [_ [dtype]]
    (if (= dtype :f64)
      template
      [:cast dtype (walk/postwalk #(if (symbol? %) [:cast :f64 %] %) template)])))

(defn keep-axes
  "The template t of a reduction with these attributes (normal) where the reduced axes are back with
  extent 1, so that it broadcasts against the operand."
  [{:keys [axis keepdims]} t]
  (if (or keepdims (empty? axis)) t [:expand-dims {:axis axis} t]))
