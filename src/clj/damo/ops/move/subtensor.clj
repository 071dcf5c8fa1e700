(ns damo.ops.move.subtensor
  "Reading and writing parts of an array, NumPy's x[…]: (index x spec …), (set-at x spec … v) and
  (inc-at x spec … v), one spec an axis. A spec is
  - an integer or a dim such as 'k, which picks an element and drops the axis
  - [start stop] or [start stop step], a slice; nil: open; negative steps run backwards; bounds may
    be 0-d integer expressions whose distance depends on no value, [(mul i 9) (mul (add i 1) 9)]
  - {:start e :size k}: the k elements from the 0-d integer expression e on
  - :all the whole axis, :ellipsis as many of them as there are axes left, :new an axis of extent 1
  - an expression, tensor or Java array of integers; several broadcast, and their axes stand where
    NumPy has them; with them, integers count as arrays
  - an expression, tensor or Java array of booleans, of the shape of the axes that it stands for.
  An access is a sequence of stages {:read f} with {:set f :add f}, functions of an array and what
  is written to the part read, or {:back f} when the stage only rearranges."
  (:require [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.op.typing :as typing]
            [damo.ops.move.bounds :as bounds]
            [damo.ops.move.index :as index]
            [damo.ops.move.mask :as mask]
            [damo.ops.move.slice :as slice]
            [damo.ops.move.view :as view]
            [damo.ops.move.write :as write])
  (:import [damo.tensor Tensor]))

(set! *warn-on-reflection* true)

;; ## Specs

(defn- array-spec? [spec]
  (or (expr/expr? spec) (instance? Tensor spec) (and (some? spec) (.isArray (class spec)))))

(defn- bad-spec! [spec why]
  (fail! :damo.op.subtensor/bad-index
         (str why "; an index is an integer, a dim, [start stop step?], {:start e :size"
          " k}, :all, :ellipsis, :new, or an expression, tensor or Java array of"
          " integers or booleans; got " (pr-str spec))
         {:given spec}))

(defn- array-entry [spec]
  (let [e (expr/whole spec), [dtype shape] (expr/type-of e)]
    (cond (and (= dtype :bool) (seq shape)) {:kind :mask, :mask e}
          (type/int-dtype? dtype) {:kind :array, :array e}
          :else (bad-spec! e "arrays as indices are of integers, or booleans with an axis"))))

(defn- bound-of
  "A bound that is an expression which depends on no value as a dim; else itself."
  [b]
  (if (array-spec? b)
    (let [e (expr/whole b), [dtype shape] (expr/type-of e)]
      (when-not (and (empty? shape) (type/int-dtype? dtype))
        (bad-spec! b "the bounds of a slice are 0-d integers"))
      (or (bounds/as-dim e) e))
    b))

(defn- value-slice
  "The entry of a slice one of whose bounds depends on a value: its length must not."
  [start stop step]
  (let [as-expr #(if (or (integer? %) (expr/expr? %)) (expr/whole %) (op/node :dim {:dim %} []))
        size (when (and (some? start) (some? stop)) (apply bounds/span (map as-expr [start stop])))]
    (when-not (and size (integer? step) (pos? step))
      (bad-spec! [start stop step]
                 (str "the length of a slice is the same at each call, as from (mul i 600) to (mul"
                      " (add i 1) 600), and its step is at least 1; {:start e :size k} gives k"
                      " elements from the expression e on")))
    {:kind :dynamic, :start (as-expr start), :size size, :step step, :front true}))

(defn- slice-entry [[start stop step :as spec]]
  (when-not (<= (count spec) 3)
    (bad-spec! spec "a vector is a slice"))
  (let [start (bound-of start), stop (bound-of stop), step (or step 1)]
    (if (some expr/expr? [start stop])
      (value-slice start stop step)
      {:kind :slice, :start start, :stop stop, :step step})))

(defn- entry-of [spec]
  (cond (array-spec? spec) (array-entry spec)
        (or (integer? spec) (symbol? spec)) {:kind :pick, :at spec}
        (vector? spec) (slice-entry spec)
        (and (map? spec) (= #{:start :size} (set (keys spec)))) (assoc spec :kind :dynamic)
        (= spec :all) {:kind :slice, :step 1}
        (#{:new :ellipsis} spec) {:kind spec}
        :else (bad-spec! spec "this is no index")))

(defn- axes-taken [{:keys [kind mask]}]
  (case kind (:new :ellipsis) 0, :mask (count (expr/shape-of mask)), 1))

(defn- completed
  "The entries with whole slices for the axes that no entry names."
  [shape entries]
  (let [missing (- (count shape) (reduce + (map axes-taken entries)))
        [before [dots & after]] (split-with #(not= :ellipsis (:kind %)) entries)]
    (when (or (neg? missing) (some #(= :ellipsis (:kind %)) after))
      (fail! :damo.op.subtensor/too-many-indices
             (if (neg? missing)
               (str "there are more indices than axes: the shape is " (pr-str shape))
               ":ellipsis stands at most once among the indices")
             {:shape shape}))
    (let [whole (repeat missing {:kind :slice, :step 1})]
      (if dots (concat before whole after) (concat before whole)))))

(defn- placed
  "The entries with :axis, the first axis of x that each one stands for."
  [entries]
  (mapv #(assoc %1 :axis %2) entries (reductions + 0 (map axes-taken entries))))

;; ## Stages

(defn- backwards? [{:keys [kind step]}] (and (= kind :slice) (integer? step) (neg? step)))

(defn- turned-bound
  "The bound counted from the end of an axis of extent n, for an axis turned around."
  [n b]
  (cond (nil? b) nil
        (integer? b) (- -1 b)
        :else (type/dim- (type/dim- n 1) b)))

(defn- turned
  "A slice with a negative step as a slice of the axis turned around."
  [shape {:keys [axis start stop step] :as entry}]
  (let [n (nth shape axis)]
    (assoc entry :start (turned-bound n start), :stop (turned-bound n stop), :step (- step))))

(defn- flip-stage [entries]
  (when-let [axes (seq (map :axis (filter backwards? entries)))]
    (let [turn #(slice/flip % :axis (vec axes))]
      {:read turn, :back turn})))

(defn- picked-bounds [shape {:keys [axis at]}]
  (let [extent (nth shape axis)]
    (when (and (integer? extent) (integer? at) (not (< (- (inc extent)) at extent)))
      (fail! :damo.op.subtensor/out-of-bounds (str "the index " at " is out of range: axis " axis
                                               " has the extent " extent)
             {:axis axis, :index at, :extent extent}))
    (slice/normal-bounds extent at
                         (cond (= -1 at) nil, (integer? at) (inc at), :else (type/dim+ at 1))
                         1)))

(defn- cut-axes
  "The bounds {:axis :start :stop :step} of the axes that are not kept whole."
  [shape entries arrays?]
  (for [{:keys [kind axis start stop step] :as e} entries
        :when (or (= kind :slice) (and (= kind :pick) (not arrays?)))
        :let [bounds (if (= kind :pick)
                       (picked-bounds shape e)
                       (slice/written-bounds (nth shape axis) start stop step))]
        :when (not= bounds {:start 0, :stop (nth shape axis), :step 1})]
    (assoc bounds :axis axis)))

(defn- block-writer [op cuts]
  (fn [x y]
    (let [rank (count (expr/shape-of x))
          along (fn [k default] (reduce (fn [v {:keys [axis] :as c}] (assoc v axis (c k)))
                                        (vec (repeat rank default)) cuts))]
      (op/node op {:start (along :start 0), :stop (along :stop nil), :step (along :step 1)}
               [x y]))))

(defn- cut-stage [cuts]
  (when (seq cuts)
    {:read (fn [x]
             (reduce (fn [x {:keys [axis start stop step]}]
                       (op/node :slice {:axis axis, :start start, :stop stop, :step step} [x]))
                     x cuts))
     :set (block-writer :set-slice cuts)
     :add (block-writer :inc-slice cuts)}))

(defn- emitted
  "The expression of a template over expressions by name."
  [bindings template]
  (let [build (fn build [t]
                (cond (symbol? t) (bindings t)
                      (not (vector? t)) t
                      :else (let [[head attrs & args] (if (map? (second t))
                                                        t
                                                        (into [(first t) {}] (rest t)))]
                              (op/node head attrs (mapv build args)))))]
    (build template)))

(defn- dynamic-stages
  "The stages of the elements from where a value says; :front when that counts from the front."
  [{:keys [axis start size step front]}]
  (let [start-in (fn [x]
                   (let [starts (slice/starts-of (nth (expr/shape-of x) axis) size)]
                     (if front (op/node :check-index {:extent starts} [start]) start)))
        indices (fn [x]
                  (emitted {'?start (start-in x)}
                           (slice/dynamic-indices '?start (nth (expr/shape-of x) axis) size)))]
    [{:read #(slice/dynamic-slice % (start-in %) :axis axis :size size)
      :set #(write/set-at %1 (indices %1) %2 :axis axis)
      :add #(write/inc-at %1 (indices %1) %2 :axis axis)}
     (when-not (= 1 (or step 1))
       (cut-stage [{:axis axis, :start 0, :stop size, :step step}]))]))

(defn- shape-stage
  "Drops the axes of picked elements and adds new ones."
  [entries arrays?]
  (let [pick? #(and (= :pick (:kind %)) (not arrays?))
        dropped (mapv :axis (filter pick? entries))
        kept (remove pick? entries)
        width #(if (= :new (:kind %)) 1 (axes-taken %))
        added (vec (keep (fn [[e at]] (when (= :new (:kind e)) at))
                         (map vector kept (reductions + 0 (map width kept)))))]
    (when (or (seq dropped) (seq added))
      {:read #(view/expand-dims (view/squeeze % :axis dropped) :axis added)
       :back #(view/expand-dims (view/squeeze % :axis added) :axis dropped)})))

(defn- array-stage
  "Reads and writes at index arrays; integers beside them are 0-d arrays."
  [entries]
  (let [width #(if (= :new (:kind %)) 1 (axes-taken %))
        found (keep (fn [[{:keys [kind array at]} axis]]
                      (case kind
                        :array [axis array]
                        :pick [axis (if (integer? at) (expr/whole at) (op/node :dim {:dim at} []))]
                        nil))
                    (map vector entries (reductions + 0 (map width entries))))
        axes (mapv first found), arrays (map second found)]
    {:read #(apply index/take % (concat arrays [:axis axes]))
     :set #(apply write/set-at %1 (concat arrays [%2 :axis axes]))
     :add #(apply write/inc-at %1 (concat arrays [%2 :axis axes]))}))

(defn- flat-axes
  "The shape with the `rank` axes from `axis` on as one."
  [shape axis rank]
  (-> (subvec shape 0 axis)
      (conj (type/size (subvec shape axis (+ axis rank))))
      (into (subvec shape (+ axis rank)))))

(defn- mask-stage
  "Reads and writes where the mask is true, the only array among the entries; the same value for all
  of them, :uniform, needs no count."
  [entries]
  (let [width #(if (= :new (:kind %)) 1 (axes-taken %))
        [{:keys [mask]} axis] (first (filter #(= :mask (:kind (first %)))
                                             (map vector entries
                                                  (reductions + 0 (map width entries)))))
        rank (count (expr/shape-of mask))
        flat (fn [x] (view/reshape x :shape (flat-axes (expr/shape-of x) axis rank)))
        flat-mask (if (= 1 rank) mask (view/reshape mask :shape [-1]))
        writer (fn [op]
                 (fn [x y]
                   (view/reshape (op (flat x) (mask/flatnonzero flat-mask) y :axis axis)
                                 :shape (expr/shape-of x))))]
    {:read #(mask/compress flat-mask (flat %) :axis axis)
     :set (writer write/set-at)
     :add (writer write/inc-at)
     :uniform (fn [how x v]
                (let [behind (- (count (expr/shape-of x)) axis rank)
                      wide (view/reshape mask :shape (into (expr/shape-of mask) (repeat behind 1)))]
                  (op/node :where {} [wide (if (= how :set) v (op/node :add {} [x v])) x])))}))

(defn- check-mask [shape {:keys [mask axis]}]
  (typing/unify-shapes "a mask has the shape of the axes that it stands for"
                       (subvec shape axis (+ axis (count (expr/shape-of mask))))
                       (expr/shape-of mask)))

(defn- masks-as-arrays
  "The entries with each mask as the index arrays of its true elements."
  [entries]
  (placed (mapcat (fn [{:keys [kind mask] :as e}]
                    (if (= kind :mask)
                      (map #(hash-map :kind :array, :array %) (mask/nonzero mask))
                      [e]))
                  entries)))

(defn- entries-of [shape specs]
  (let [entries (placed (completed shape (map entry-of specs)))
        kinds (frequencies (map :kind entries))]
    (run! #(check-mask shape %) (filter #(= :mask (:kind %)) entries))
    (if (or (< 1 (:mask kinds 0)) (and (:mask kinds) (or (:array kinds) (:pick kinds))))
      (masks-as-arrays entries)
      entries)))

(defn- stages [x specs]
  (let [shape (expr/shape-of x)
        entries (entries-of shape specs)
        arrays? (boolean (some #(= :array (:kind %)) entries))
        forward (mapv #(if (backwards? %) (turned shape %) %) entries)]
    (filterv some? (concat [(flip-stage entries) (cut-stage (cut-axes shape forward arrays?))]
                           (mapcat dynamic-stages (filter #(= :dynamic (:kind %)) entries))
                           [(shape-stage entries arrays?)
                            (cond arrays? (array-stage entries)
                                  (some #(= :mask (:kind %)) entries) (mask-stage entries))]))))

;; ## Reading and writing

(defn- through [x stages] (reduce (fn [x {:keys [read]}] (read x)) x stages))

(defn- written
  "x with v, of the shape of the part that the stages read, written to that part."
  [how x stages v]
  (let [[{:keys [read back] :as stage} & more] stages]
    (cond (nil? stage) (if (= how :set) v (op/node :add {} [x v]))
          (every? :back stages) (let [v (reduce #(%2 %1) v (map :back (reverse stages)))]
                                  (written how x nil v))
          back (back (written how (read x) more v))
          (and (nil? more) (:uniform stage) (empty? (expr/shape-of v))) ((:uniform stage) how x v)
          (every? :back more) ((stage how) x (reduce #(%2 %1) v (map :back (reverse more))))
          :else ((:set stage) x (written how (read x) more v)))))

(defn index
  "The part of x that the specs name, one an axis: an integer or a dim; a slice, [start stop] or
  [start stop step], nil for an open end; {:start e :size k}, k elements from the expression e on;
  :all, :ellipsis, :new; an expression, tensor or Java array of integers, or of booleans.
  (index x 0 [1 nil]) is NumPy's x[0, 1:], (index x :all rows) x[:, rows], and
  (index x (tensor [2 0])) x[[2, 0]]: a vector is a slice. What is known to be out of range fails at
  once, the rest when the function runs. The bounds of a slice are clipped to the axis as NumPy does
  when they are numbers; those that are dims or expressions must lie inside."
  [x & specs]
  (let [x (expr/whole x)]
    (through x (stages x specs))))

(defn- value-of-dtype
  "What is to be written as an expression: numbers, nested vectors and Java arrays in that dtype."
  [dtype v]
  (cond (or (number? v) (boolean? v))
        (op/node :const {:type [dtype []], :value (expr/const-value dtype v)} [])
        (or (expr/expr? v) (instance? Tensor v)) (expr/whole v)
        :else (expr/tensor-constant (expr/tensor-of v dtype))))

(defn- of-dtype
  "v as an expression of that dtype; fails when it would lose precision."
  [dtype v]
  (let [v (value-of-dtype dtype v), [given :as type] (expr/type-of v)]
    (when-not (or (= dtype (type/promote dtype (if (type/made-of type)
                                                 (type/beside type dtype)
                                                 given)))
                  (and (type/float-dtype? dtype) (not (type/float-dtype? given))))
      (fail! :damo.op.subtensor/dtype-mismatch
             (str "what is written must fit into an array of " dtype "; it is "
              given ", cast it first")
             {:expected dtype, :given given}))
    (if (= dtype given) v (op/node :cast {:dtype dtype} [v]))))

(defn- fitted
  "v broadcast to the part that the stages read; 0-d where they take it so."
  [x stages v]
  (let [[dtype shape] (expr/type-of (through x stages)), v (of-dtype dtype v)]
    (if (or (= shape (expr/shape-of v)) (and (:uniform (peek stages)) (empty? (expr/shape-of v))))
      v
      (view/broadcast-to v :shape shape))))

(defn- write-to [how x specs-and-value]
  (when (empty? specs-and-value)
    (fail! :damo.op.subtensor/no-value "the last argument is what to write: (set-at x [1 3] 0)"))
  (let [x (expr/whole x)
        stages (stages x (butlast specs-and-value))]
    (written how x stages (fitted x stages (last specs-and-value)))))

(defn set-at
  "x with the part that the specs name, as index has it, replaced by v, the last argument, which
  broadcasts to the part: (set-at x [1 3] :all 0) is Theano's set_subtensor(x[1:3, :], 0). Where an
  index array has an index several times, the last one wins, and the gradient of v is zero for the
  others. x itself stays; as an update of shared state only the part is written."
  [x & specs-and-v]
  (write-to :set x specs-and-v))

(defn inc-at
  "x with v, the last argument, added to the part that the specs name, as index has it; v broadcasts
  to the part. Where an index array has an index several times, all count. (inc-at x rows 1) is
  Theano's inc_subtensor(x[rows], 1)."
  [x & specs-and-v]
  (write-to :add x specs-and-v))
