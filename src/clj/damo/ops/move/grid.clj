(ns damo.ops.move.grid
  "Coordinates: grids of them, evenly spaced numbers, sizes as values, flat positions and back.
  (linspace 0 1 :num 3) = [0 0.5 1]."
  (:require [damo.data.array :as array]
            [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.ops.make.create :as create]
            [damo.ops.move.index :as index]
            [damo.ops.move.view :as view]))

(set! *warn-on-reflection* true)

;; ## Evenly spaced numbers

(defn- spaced-type [{:keys [num]} [[dtype start] [_ stop]]]
  (when-not (and (empty? start) (empty? stop))
    (fail! :damo.op.grid/not-a-scalar
           (str "start and stop must be 0-d; their shapes are " (pr-str start)
            " and " (pr-str stop))
           {:start start, :stop stop}))
  (typing/check-dtype :float dtype)
  (type/check [dtype [num]]))

(defn- gaps
  "The number of steps between start and stop, at least 1."
  [num endpoint]
  (if (integer? num)
    (max 1 (if endpoint (dec num) num))
    (type/dim-max 1 (if endpoint (type/dim- num 1) num))))

(defop linspace
  "The :num numbers from start to stop, evenly spaced, floats; :endpoint false leaves stop out. A
  single number is start. They are start · (1 - t) + stop · t, so both ends are exact."
  {:kind :composite, :args [?start ?stop], :coerce [0 1]
   :instead (fn [attrs [[dtype]]]
              (when (type/int-dtype? dtype)
                [:linspace attrs [:cast {:dtype :f64} '?start] [:cast {:dtype :f64} '?stop]]))
   :attrs {:num {:default 50, :doc "how many, a dim"}
           :endpoint {:default true, :doc "whether stop is the last one"}}
   :normalize (fn [attrs _] (typing/check-shape [(:num attrs)]) (update attrs :num type/dim+))
   :type spaced-type
   :eval (fn [{:keys [num endpoint]} {:keys [dtype] :as start} stop]
           (let [a (array/element start 0), b (array/element stop 0)
                 n (double (gaps num endpoint))]
             (array/build dtype [num] (fn [i] (let [t (/ i n)] (+ (* a (- 1 t)) (* b t)))))))
   :expand (fn [{{:keys [num endpoint]} :attrs, [dtype] :type}]
             (let [t [:div [:iota {:shape [num], :axis 0, :dtype dtype}]
                      (typing/count-of dtype [(gaps num endpoint)])]]
               [:add [:mul ?start [:sub 1 t]] [:mul ?stop t]]))
   :gen (gens/on-shapes (fn [n] [[{:num n} [] []] [{:num 5, :endpoint false} [] []]
                                 [{:num 1} [] []]]))
   :examples [[[:linspace {:num 3} 0.0 1.0] [0.0 0.5 1.0]]
              [[:linspace {:num 2, :endpoint false} 0.0 1.0] [0.0 0.5]]]})

;; ## Grids

(defn meshgrid
  "A vector of grids, one for each of the coordinate vectors `xs`: (meshgrid [x y]) are arrays of
  the shape [(count y) (count x)], as NumPy's; :indexing :ij keeps the order of the vectors,
  [(count x) (count y)]."
  [xs & options]
  (let [{:keys [indexing]} (attribute/options {:indexing {:default :xy, :is :indexing}} [] options)
        xs (mapv expr/whole xs), rank (count xs)
        place (fn [k] (if (and (= indexing :xy) (< 1 rank) (< k 2)) (- 1 k) k))]
    (doseq [x xs :when (not= 1 (count (expr/shape-of x)))]
      (fail! :damo.op.grid/no-vector (str "takes vectors of coordinates; got " (expr/describe x))
             {:shape (expr/shape-of x)}))
    (let [extents (mapv #(first (expr/shape-of %)) xs)
          shape (mapv #(extents (place %)) (range rank))]
      (mapv (fn [k x]
              (view/broadcast-to
               (view/reshape x :shape (assoc (vec (repeat rank 1)) (place k) (extents k)))
               :shape shape))
            (range) xs))))

(defn indices
  "The index along each axis of an array of that shape, stacked: an array of :i64 of the shape
  [rank dim …], as NumPy's indices."
  [shape]
  (let [shape (type/as-shape shape)]
    (index/stack (mapv #(create/iota :shape shape :axis %) (range (count shape))))))

;; ## Sizes as values

(defn- told-by
  "The symbols of dims in the types of the inputs and shared variables that an expression needs."
  [x]
  (loop [todo [x], seen #{}, found #{}]
    (if-let [e (peek todo)]
      (cond (seen e) (recur (pop todo) seen found)
            (#{:input :shared :param} (expr/op-of e))
            (recur (pop todo) (conj seen e) (into found (type/symbols (expr/type-of e))))
            :else (recur (into (pop todo) (expr/args-of e)) (conj seen e) found))
      found)))

(defn shape-i
  "The extent of an axis of x as a 0-d :i64 expression, also where it is counted in a call, such as
  the number of steps that a loop has made."
  [x axis]
  (let [x (expr/whole x), e (create/size-of x axis)
        symbols (type/dim-symbols (:dim (expr/attrs-of e)))]
    (if (or (empty? symbols) (every? (told-by x) symbols))
      e
      (expr/weakened (op/node :counted-with {} [e x]) (type/made-of (expr/type-of e))))))

(defn shape-vector
  "The shape of x as an expression, a vector of :i64."
  [x]
  (let [rank (count (expr/shape-of (expr/whole x)))]
    (if (zero? rank)
      (create/zeros :shape [0] :dtype :i64)
      (index/stack (mapv #(shape-i x %) (range rank))))))

;; ## Flat positions

(defn- size-value [d] (if (integer? d) d (create/dim :dim d)))

(defn unravel-index
  "A vector of arrays, one an axis: where the elements at the flat positions `flat`, integers, lie
  in an array of that shape, row-major. One outside the array fails."
  [flat shape]
  (let [shape (type/as-shape shape), flat (index/check-index flat :extent (type/size shape))]
    (mapv (fn [stride extent]
            (op/node :mod {} [(op/node :int-div {} [flat (size-value stride)])
                              (size-value extent)]))
          (array/strides shape) shape)))

(defn ravel-multi-index
  "The flat positions, row-major, of the elements whose index along each axis of an array of that
  shape is given, a vector of arrays that broadcast. One out of range fails."
  [indices shape]
  (let [shape (type/as-shape shape)]
    (when-not (and (sequential? indices) (= (bounded-count 65 indices) (count shape)))
      (fail! :damo.op.grid/rank-mismatch
             (str "the indices for the shape " (pr-str shape) " are a vector of "
              (count shape) " arrays; got " (expr/describe indices))
             {:indices indices, :shape shape}))
    (reduce (fn [flat [i extent]]
              (op/node :add {} [(op/node :mul {} [flat (size-value extent)])
                                (index/check-index i :extent extent)]))
            (expr/whole 0) (map vector indices shape))))
