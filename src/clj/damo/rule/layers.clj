(ns damo.rule.layers
  "Views and readings at indices as layers around what they show: elements that are moved, and not
  computed with. A layer is a node without its first argument, [op attrs & further-ids]; a path is a
  vector of layers, the outermost first. (layer b 3) is [:transpose {:axes [1 0]}], and
  (coordinates b path shape) tells where along each axis of the innermost array the elements of the
  outermost one stand."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.op.indexing :as indexing]))

(set! *warn-on-reflection* true)

(def ^:private readings
  "Ops, besides views, that only move elements of their first argument."
  #{:take :take-along-axis :dynamic-slice :roll :tile :repeat})

(defn moves?
  "Do nodes of an op only move elements of their first argument?"
  [op]
  (or (= :view (op/kind op)) (contains? readings op)))

(defn layer
  "The layer that node `id` of a builder is around its first argument, or nil."
  [b id]
  (let [[op attrs _ & more] (graph/node b id)]
    (when (moves? op) (into [op attrs] more))))

(defn under
  "[path id]: the layers of node `id` that `layer?` accepts, down to the first node that is none."
  [b id layer?]
  (loop [path [], id id]
    (if (layer? id)
      (recur (conj path (or (layer b id) (subvec (graph/node b id) 0 2)))
             (first (graph/args-of (graph/node b id))))
      [path id])))

(defn wrapped
  "The id of node `id` with a path around it; `emit` as `op/emitter` has it."
  [emit path id]
  (reduce (fn [id [op attrs & more]] (emit op attrs (into [(op/->Id id)] (map op/->Id) more)))
          id (rseq path)))

(defn result-type
  "The type of an argument of that type under a layer."
  [b [op attrs & more] arg-type]
  (op/result-type (op/entry op) attrs (into [arg-type] (map #(graph/node-type b %)) more)))

;; ## Numbers that count
;; Indices such as k + [0 1 2 …]: along one axis they go on by a fixed step.

(defn- shifted [counted c]
  (when (and counted (integer? c)) (update counted :start type/signed+ c)))

(defn- scaled [counted c]
  (when (and counted (integer? c))
    (-> counted (update :start type/signed* c) (update :step type/signed* c))))

(defn- ones-apart
  "For each axis of shape `from` the axis of `to` that it is, nil on axes of extent 1, when the two
  differ by such axes alone; else nil."
  [from to]
  (let [others (fn [shape] (keep-indexed (fn [i d] (when-not (= 1 d) [i d])) shape))
        pairs (map vector (others from) (others to))]
    (when (= (map second (others from)) (map second (others to)))
      (let [of (into {} (map (fn [[[i] [j]]] [i j])) pairs)]
        (mapv of (range (count from)))))))

(defn- whole-number
  "The integer that all elements of a node are: a constant's, or an extent, as a dim."
  [b id]
  (let [[op {:keys [value dim]} arg] (graph/node b id)]
    (cond (= op :const) (when (integer? value) value)
          (= op :dim) dim
          (or (= op :cast) (moves? op)) (recur b arg))))

(defn- in-steps
  "The same of a constant vector of at least two integers."
  [value]
  (let [steps (when (vector? value) (distinct (map - (rest value) value)))]
    (when (and (= 1 (count steps)) (every? integer? value))
      {:axis 0, :rank 1, :start (first value), :step (first steps)})))

(defn counted
  "{:axis :rank :start :step} of integers that are start + step·i along one axis of their shape, of
  that rank, and alike along others; nil of others. Start and step are dims or integers."
  [b id]
  (let [[op attrs x y] (graph/node b id)
        with (fn [f] (or (f (counted b x) (whole-number b y))
                         (f (counted b y) (whole-number b x))))]
    (case op
      :const (when (= 1 (count (type/shape-of (graph/node-type b id)))) (in-steps (:value attrs)))
      :iota {:axis (:axis attrs), :rank (count (:shape attrs)), :start 0, :step 1}
      :add (with #(when (and %1 %2) (update %1 :start type/signed+ %2)))
      :mul (with scaled)
      :sub (shifted (counted b x) (some-> (whole-number b y) (as-> c (when (integer? c) (- c)))))
      :cast (when (type/holds? (:dtype attrs) (type/dtype-of (graph/node-type b x))) (counted b x))
      :reshape (when-let [{:keys [axis] :as found} (counted b x)]
                 (when-let [to (some-> (ones-apart (type/shape-of (graph/node-type b x))
                                                   (:shape attrs))
                                       (nth axis))]
                   (assoc found :axis to, :rank (count (:shape attrs)))))
      nil)))

;; ## Where elements come from
;; A coordinate along an axis is {:axis j :start s :step k}, s + k·i along axis j of the result,
;; {:at s}, or {:read x …}, what index array x says.

(defn- along ([j] (along j 0 1)) ([j start step] {:axis j, :start start, :step step}))

(defn- reshaped [from to]
  (some->> (ones-apart from to) (mapv #(if % (along %) {:at 0}))))

(defn- stretched [from to]
  (let [extra (- (count to) (count from))]
    (vec (map-indexed (fn [i d] (let [j (+ i extra)] (if (= d (nth to j)) (along j) {:at 0})))
                      from))))

(defn- on-axes
  "A coordinate for each of the n axes: what `own` has for an axis, and the others in their places
  among `left`, axes of the result."
  [n own left]
  (loop [axis 0, left left, out []]
    (cond (= axis n) out
          (own axis) (recur (inc axis) left (conj out (own axis)))
          :else (recur (inc axis) (rest left) (conj out (along (first left)))))))

(defn- index-coordinate [b id from-axis rank]
  (let [n (whole-number b id), {:keys [axis start step] own :rank} (counted b id)]
    (cond (and (integer? n) (<= 0 n)) {:at n}
          axis (along (+ from-axis (- rank own) axis) start step)
          :else {:read id, :over (range from-axis (+ from-axis rank))})))

(defn- taken [b axes indices from to]
  (let [rank (count (indexing/index-shape (map #(graph/node-type b %) indices)))
        at (indexing/place axes)]
    (on-axes (count from)
             (zipmap axes (map #(index-coordinate b % at rank) indices))
             (remove (set (range at (+ at rank))) (range (count to))))))

(defn- taken-along [b axis indices from to]
  (assoc (stretched from to) axis (index-coordinate b indices 0 (count to))))

(defn- one-layer
  "The coordinates under one layer, of the shapes `from` and `to`; nil when they are none of single
  axes."
  [b [op {:keys [axes axis axis1 axis2 start step offset]} & more] from to]
  (let [n (count from)]
    (case op
      :transpose (mapv #(along (.indexOf ^java.util.List axes %)) (range n))
      (:reshape :expand-dims :squeeze) (reshaped from to)
      :broadcast-to (stretched from to)
      :slice (assoc (mapv along (range n)) axis (along axis start step))
      :flip (mapv #(if (some #{%} axis) (along % (type/signed+ (nth from %) -1) -1) (along %))
                  (range n))
      :diagonal (on-axes n {axis1 (along (- n 2) (max 0 (- offset)) 1)
                            axis2 (along (- n 2) (max 0 offset) 1)}
                         (range n))
      (:specify-shape :cast) (mapv along (range n))
      :take (taken b axis more from to)
      :take-along-axis (taken-along b axis (first more) from to)
      nil)))

(defn- behind
  "A coordinate along axes whose own coordinates are `layer`."
  [{:keys [axis start step read over] :as c} layer]
  (cond axis (let [{at :at, s :start, k :step, :as outer} (nth layer axis)]
               (cond at {:at (type/signed+ start (type/signed* step at))}
                     (:axis outer) (assoc outer :start (type/signed+ start (type/signed* step s))
                                          :step (type/signed* step k))
                     (= [0 1] [start step]) outer
                     :else {:read [outer start step], :over nil}))
        read (let [outer (map #(nth layer %) over)]
               (if (every? #(= [0 1] [(:start %) (:step %)]) outer)
                 (assoc c :over (map :axis outer))
                 {:read [c outer], :over nil}))
        :else c))

(defn composed
  "The coordinates along axes whose own coordinates are `layer`."
  [coordinates layer]
  (mapv #(behind % layer) coordinates))

(defn put-back
  "The coordinates with something of their own for axes that were reduced."
  [coordinates axes]
  (reduce (fn [v a] (into (conj (subvec v 0 a) {:read [:reduced a]}) (subvec v a)))
          coordinates (sort axes)))

(defn coordinates
  "For each axis of an array of that type its coordinate in terms of the axes of the array with the
  path around it; nil when there is none of single axes. An axis of extent 1 is {:at 0}."
  [b path [_ shape :as arg-type]]
  (loop [layers (rseq path), inner arg-type, found (mapv along (range (count shape)))]
    (if-let [[layer & more] (seq layers)]
      (let [outer (result-type b layer inner)]
        (when-let [own (one-layer b layer (type/shape-of inner) (type/shape-of outer))]
          (recur more outer (composed found own))))
      (mapv #(if (= 1 %1) {:at 0} %2) shape found))))

(defn whole-axis
  "The axis of what a path makes of an array of that type along which all of axis `a` stands, as it
  was, and nothing else; nil when there is none."
  [b path arg-type a]
  (when-let [found (coordinates b path arg-type)]
    (let [{:keys [axis] :as c} (nth found a)
          to (type/shape-of (reduce #(result-type b %2 %1) arg-type (rseq path)))]
      (when (and axis (= (along axis) c)
                 (= (nth to axis) (nth (type/shape-of arg-type) a))
                 (not-any? #(or (= axis (:axis %)) (some #{axis} (:over %)))
                           (concat (subvec found 0 a) (subvec found (inc a))))
                 (every? #(or (not (:read %)) (:over %)) found))
        axis))))
