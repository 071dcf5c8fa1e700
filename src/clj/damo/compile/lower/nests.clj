(ns damo.compile.lower.nests
  "Kernels of nodes that have a loop nest of their own: joins, writing at indices and to blocks,
  products of integers, what accumulates along an axis, copies of memory. (kernel cx unit) →
  {:kernel … :args [memory-key …] :scratch {key {:dtype :size}}}, as damo.compile.lower gives it."
  (:require [damo.compile.lower :as lower]
            [damo.compile.lower.blocks :as blocks]
            [damo.compile.lower.loops :as loops]
            [damo.compile.lower.running :as running]
            [damo.compile.lower.scalar :as scalar]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.op.indexing :as indexing]))

(set! *warn-on-reflection* true)

(defn- shape [{:keys [g]} id] (graph/shape-at g id))
(defn- dtype [{:keys [g]} id] (type/dtype-of (graph/type-of g id)))

(defn nest
  "Loops over a shape around the statements (f body positions) of a new body."
  [cx shape f]
  (let [vars (mapv (fn [_] (lower/fresh cx "i")) shape)
        body (lower/body {})]
    (f body vars)
    (first (reduce (fn [stmts [v extent]] [(into [:for v extent] stmts)])
                   @(:stmts body) (reverse (map vector vars shape))))))

(defn store
  "The statement that stores a value at these positions of a dense array of that shape."
  [p out-shape positions value]
  [:store p (lower/dense-index 0 (array/strides out-shape) positions) value])

(defn statements
  "The nest, or the bare statements when the shape has no axes, as a vector."
  [cx shape f]
  (if (empty? shape)
    (let [body (lower/body {})] (f body []) @(:stmts body))
    [(nest cx shape f)]))

(defn- copy-into [cx p out-shape id place]
  (statements cx (shape cx id)
              (fn [body positions]
                (lower/emit! body (store p out-shape (place positions)
                                         (lower/read-at cx body positions id positions))))))

(def ^:private most-terms
  "How many terms the offsets of the parts have that one kernel joins. LLVM's time grows faster than
  the number of loops with offsets that are long sums."
  256)

(defn- parts-of
  "The parts of a join, [[argument offset] …], in groups, each for one kernel."
  [cx id]
  (let [[_ {:keys [axis]} & args] (nth (:nodes (:g cx)) id)
        parts (map vector args (reductions type/dim+ 0 (map #(nth (shape cx %) axis) args)))
        terms (reductions + (map #(+ 4 (count (tree-seq vector? seq (second %)))) parts))]
    (map (partial map second)
         (partition-by (fn [[terms]] (quot terms most-terms)) (map vector terms parts)))))

(defn- join-body [cx id parts]
  (let [[_ {:keys [axis]}] (nth (:nodes (:g cx)) id)
        p (lower/param cx [:node id] (dtype cx id) :out)]
    (into [] (mapcat (fn [[a offset]]
                       (copy-into cx p (shape cx id) a #(update (vec %) axis type/dim+ offset))))
          parts)))

(defn- copied-first
  "The copy of the array that a node writes to, nothing when the two are one memory."
  [{:keys [g sched memory-of] :as cx} p id]
  (let [[_ _ x] (nth (:nodes g) id)]
    (when-not (and (= x (get-in sched [:layouts x :base])) (= (memory-of x) (memory-of id)))
      (copy-into cx p (shape cx id) x identity))))

(defn- write!
  "Adds the statement that writes `value` at the positions, or adds it to what is there."
  [{:keys [g] :as cx} body id p positions value]
  (let [index (lower/dense-index 0 (array/strides (shape cx id)) positions)
        {:keys [write]} (op/entry (graph/op-of (nth (:nodes g) id)))]
    (lower/emit! body [:store p index
                       (case write, :set value, :add [:add [:load p index] value])])))

(defn- written
  "The parameter of the memory of a node that is written in parts, reading it in between."
  [cx id]
  (lower/param cx [:node id] (dtype cx id) :in)
  (lower/param cx [:node id] (dtype cx id) :out))

;; ## Writing at indices

(defn- at-indices
  "The loops over what a scatter writes, around the statements (f body place at): place is where the
  element at `at` belongs."
  [cx id f]
  (let [[_ {:keys [axis] :as attrs} & args] (nth (:nodes (:g cx)) id)
        {:keys [indices value]} (indexing/in-nest attrs args)
        rank (reduce max (map #(count (shape cx %)) indices))]
    (statements
     cx (shape cx value)
     (fn [body at]
       (let [places (indexing/index-positions axis rank at)
             index! (fn [i axis]
                      (let [own (indexing/aligned (shape cx i) places)]
                        (lower/index-of! cx body i (lower/read-at cx body at i own)
                                         (nth (shape cx id) axis))))
             values (mapv index! indices axis)]
         (f body (indexing/source-positions axis rank at values) at))))))

(defn- scatter-body [cx id]
  (let [[_ attrs & args] (nth (:nodes (:g cx)) id), {:keys [value]} (indexing/in-nest attrs args)
        p (written cx id)]
    (into (vec (copied-first cx p id))
          (at-indices cx id (fn [body place at]
                              (write! cx body id p place
                                      (lower/read-at cx body at value at)))))))

(defn- fewer-places
  "The condition that a scatter writes to fewer places than its indexed axes have, [:if …] it holds:
  a function of statements; and one where it does not hold."
  [cx id]
  (let [[_ {:keys [axis] :as attrs} & args] (nth (:nodes (:g cx)) id)
        {:keys [indices]} (indexing/in-nest attrs args)
        size (fn [dims] [:size (apply type/dim* dims)])
        written (size (apply type/broadcast-shapes (map #(shape cx %) indices)))
        few [:lt written (size (map #(nth (shape cx id) %) axis))]]
    [(fn [stmts] [(into [:if few] stmts)]) (fn [stmts] [(into [:if [:not few]] stmts)])]))

(defn- step-body
  "[statements scratch] of x + s · sums at indices. The sums lie in an array as large as x, of which
  the places written alone are cleared, added to, and taken from, where these are few: a place is
  clear again once it was taken."
  [cx id]
  (let [[_ attrs & args] (nth (:nodes (:g cx)) id)
        {:keys [value factor]} (indexing/in-nest attrs args)
        d (dtype cx id), all (shape cx id), p (written cx id), sums [:scratch id]
        q (do (lower/param cx sums d :in) (lower/param cx sums d :out))
        index #(lower/dense-index 0 (array/strides all) %), zero [:const d 0.0]
        clear! (fn [body place] (lower/emit! body [:store q (index place) zero]))
        step! (fn [body place at]
                (let [s (lower/read-at cx body at factor []), i (index place)]
                  (lower/emit! body [:store p i [:add [:load p i] [:mul s [:load q i]]]])))
        [few many] (fewer-places cx id)]
    [(vec (concat
           (copied-first cx p id)
           (few (at-indices cx id (fn [body place _] (clear! body place))))
           (many (statements cx all clear!))
           (at-indices cx id (fn [body place at]
                               (let [v (lower/read-at cx body at value at), i (index place)]
                                 (lower/emit! body [:store q i [:add [:load q i] v]]))))
           (few (at-indices cx id (fn [body place at]
                                    (step! body place at)
                                    (clear! body place))))
           (many (statements cx all (fn [body at] (step! body at at))))))
     {sums {:dtype d, :size (type/size all)}}]))

(defn- patch-body [cx id]
  (let [[_ {:keys [start step]} _ y] (nth (:nodes (:g cx)) id)
        ;; Of a dim that is counted it must be plain that no index is below 0.
        start (mapv #(type/dim-max 0 %) start), p (written cx id)]
    (into (vec (copied-first cx p id))
          (statements cx (shape cx y)
                      (fn [body at]
                        (write! cx body id p
                                (mapv #(type/dim+ %1 (type/dim* %2 %3)) start step at)
                                (lower/read-at cx body at y at)))))))

(defn- broadcast-positions [operand-shape at]
  (let [lead (drop-last 2 operand-shape), outer (take-last (count lead) (drop-last 2 at))]
    (vec (concat (map #(if (= 1 %1) 0 %2) lead outer)))))

(defn- contract-body [cx id]
  (let [[_ _ x y] (nth (:nodes (:g cx)) id)
        d (dtype cx id), p (lower/param cx [:node id] d :out)
        k-extent (peek (shape cx x))]
    (statements
     cx (shape cx id)
     (fn [body at]
       (let [[i j] (take-last 2 at), k (lower/fresh cx "i"), acc (lower/fresh cx "a")
             inner (lower/body {})
             a (lower/read-at cx inner at x (into (broadcast-positions (shape cx x) at) [i k]))
             b (lower/read-at cx inner at y (into (broadcast-positions (shape cx y) at) [k j]))]
         (lower/emit! inner [:acc (if (= d :bool) :or :add) acc [(if (= d :bool) :and :mul) a b]])
         (lower/emit! body [:var acc [:const d (if (= d :bool) false 0)]])
         (lower/emit! body (into [:for k k-extent] @(:stmts inner)))
         (lower/emit! body (store p (shape cx id) at acc)))))))

;; ## Accumulation along an axis
;; What is accumulated lies in a variable when the axis is the innermost, else in scratch memory,
;; one element for each line that runs beside the others in the inner loops.

(defn- acc-dtype [{:keys [wide]} d]
  (if (and wide (type/float-dtype? d)) :f64 (type/computed d)))

(defn- cast-to [from to e] (if (= from to) e [:cast to e]))

(defn- step!
  "Emits one step at these positions: the element stored, and the new value `acc` written by the
  function `set!` to a statement; :before stores what was accumulated before."
  [cx body id positions acc write]
  (let [[op _ & args] (nth (:nodes (:g cx)) id)
        {:keys [step before] :as entry} (op/entry op)
        d (dtype cx id), wide (acc-dtype entry d)
        operand (fn [a] [(cast-to (dtype cx a) wide (lower/read-at cx body positions a positions))
                         wide])
        env (zipmap (:args entry) (map operand args))
        old (lower/fresh cx "v"), new (lower/fresh cx "v")]
    (lower/emit! body [:let old acc])
    (lower/emit! body [:let new (scalar/of-template step (assoc env '?acc [old wide]) wide)])
    (lower/emit! body (write new))
    (lower/emit! body (store (lower/param cx [:node id] d :out) (shape cx id) positions
                             (cast-to wide d (if before old new))))))

(defn- steps
  "The loop along the axis of a node, around the statements (f body position)."
  [cx id f]
  (let [[_ {:keys [axis reverse]}] (nth (:nodes (:g cx)) id)
        n (nth (shape cx id) axis), k (lower/fresh cx "i"), inner (lower/body {})]
    (f inner (if reverse [:- [:- n 1] k] k))
    (into [:for k n] @(:stmts inner))))

(defn- in-blocks
  "The statements of a line in a variable by blocks, nil where there are none for it."
  [{:keys [fixed] :as cx} id acc whole]
  (let [[op {:keys [axis reverse]} x] (nth (:nodes (:g cx)) id)
        {:keys [step sums] :as entry} (op/entry op)
        d (dtype cx id), wide (acc-dtype entry d), n (nth (shape cx id) axis)]
    (when (and (not= 0 n) (blocks/along? fixed n))
      (running/blocks
       {:n n, :step step, :sums sums, :wide wide, :acc acc, :fresh #(lower/fresh cx %)
        :at (fn [k] (whole (if reverse [:- [:- n 1] k] k)))
        :value (fn [body at] (cast-to (dtype cx x) wide (lower/read-at cx body at x at)))
        :write! (fn [body at v]
                  (lower/emit! body (store (lower/param cx [:node id] d :out) (shape cx id) at
                                           (cast-to wide d v))))
        :step! (fn [body at] (step! cx body id at acc (fn [v] [:set acc v])))}))))

(defn- in-variable [cx body id lead initial]
  (let [acc (lower/fresh cx "a")
        ones (vec (repeat (- (count (shape cx id)) (count lead) 1) 0))
        whole (fn [at] (into (conj lead at) ones))]
    (lower/emit! body [:var acc initial])
    (run! #(lower/emit! body %)
          (or (in-blocks cx id acc whole)
              [(steps cx id (fn [inner at]
                              (step! cx inner id (whole at) acc (fn [v] [:set acc v]))))]))))

(defn- in-scratch [cx body id lead tail wide initial]
  (let [p (lower/param cx [:scratch id] wide :out)
        index #(lower/dense-index 0 (array/strides tail) %)]
    (lower/param cx [:scratch id] wide :in)
    (lower/emit! body (nest cx tail (fn [b at] (lower/emit! b [:store p (index at) initial]))))
    (lower/emit! body
                 (steps cx id
                        (fn [inner at]
                          (lower/emit!
                           inner
                           (nest cx tail
                                 (fn [b beside]
                                   (step! cx b id (into (conj lead at) beside)
                                          [:load p (index beside)]
                                          (fn [v] [:store p (index beside) v]))))))))))

(defn- cumulate-body
  "[statements scratch] of a node that accumulates along an axis."
  [cx id]
  (let [[op {:keys [axis] :as attrs}] (nth (:nodes (:g cx)) id)
        {:keys [init] :as entry} (op/entry op)
        d (dtype cx id), wide (acc-dtype entry d), all (shape cx id)
        initial [:const wide (array/convert wide (init attrs wide))]
        tail (subvec all (inc axis)), beside? (not-every? #{1} tail)]
    [(statements cx (subvec all 0 axis)
                 (fn [body lead]
                   (if beside?
                     (in-scratch cx body id (vec lead) tail wide initial)
                     (in-variable cx body id (vec lead) initial))))
     (if beside? {[:scratch id] {:dtype wide, :size (type/size tail)}} {})]))

(defn- own-body
  "[statements scratch] of a node with a loop nest of its own."
  [cx id op]
  (case (op/kind op)
    :scatter (if (= :step (:write (op/entry op))) (step-body cx id) [(scatter-body cx id) {}])
    :patch [(patch-body cx id) {}]
    :contract [(contract-body cx id) {}]
    :cumulate (cumulate-body cx id)))

(defn- written-kernel
  "The kernel of a unit of one node, and of what its nest computes, whose body and scratch (write
  cx) gives."
  [cx unit write]
  (let [cx (assoc (lower/writing cx) :unit unit, :paths {}, :stored #{}, :scratch {})
        [body scratch] (write cx)]
    (assoc (lower/finished cx (lower/kernel-name cx unit) (loops/arranged cx body))
           :scratch scratch)))

(defn kernels
  "The kernels of a unit of kind :own, one after the other: several for a join of many parts."
  [{:keys [g] :as cx} {:keys [nodes] :as unit}]
  (let [id (peek nodes), op (graph/op-at g id)]
    (if (= :concat (op/kind op))
      (mapv (fn [parts] (written-kernel cx unit (fn [cx] [(join-body cx id parts) {}])))
            (parts-of cx id))
      [(written-kernel cx unit (fn [cx] (own-body cx id op)))])))

(defn copy-kernel
  "The kernel that copies `size` elements of one memory to another: parameter 0 to parameter 1."
  [dtype size]
  {:name "copy", :params [[dtype :in] [dtype :out]]
   :body [[:for 'i.0 size [:store 1 'i.0 [:load 0 'i.0]]]]})
