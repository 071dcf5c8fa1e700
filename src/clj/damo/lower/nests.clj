(ns damo.lower.nests
  "Kernels of nodes that have a loop nest of their own: joins, additions at indices, products of
  integers, copies of memory. (kernel cx unit) → {:kernel … :args [memory-key …] :scratch {}}, as
  damo.lower gives it."
  (:require [damo.array :as array]
            [damo.graph :as graph]
            [damo.lower :as lower]
            [damo.lower.collapse :as collapse]
            [damo.op :as op]
            [damo.type :as type]))

(set! *warn-on-reflection* true)

(defn- shape [{:keys [g]} id] (type/shape-of (graph/type-of g id)))
(defn- dtype [{:keys [g]} id] (type/dtype-of (graph/type-of g id)))

(defn- nest
  "Loops over a shape around the statements (f body positions) of a new body."
  [cx shape f]
  (let [vars (mapv (fn [_] (lower/fresh cx "i")) shape)
        body (lower/body {})]
    (f body vars)
    (first (reduce (fn [stmts [v extent]] [(into [:for v extent] stmts)])
                   @(:stmts body) (reverse (map vector vars shape))))))

(defn- store [p out-shape positions value]
  [:store p (lower/dense-index 0 (array/strides out-shape) positions) value])

(defn- statements
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

(defn- concat-body [cx id]
  (let [[_ {:keys [axis]} & args] (nth (:nodes (:g cx)) id)
        p (lower/param cx [:node id] (dtype cx id) :out)
        offsets (reductions type/dim+ 0 (map #(nth (shape cx %) axis) args))]
    (into [] (mapcat (fn [[a offset]]
                       (copy-into cx p (shape cx id) a #(update (vec %) axis type/dim+ offset))))
          (map vector args offsets))))

(defn- scatter-body [cx id]
  (let [[_ {:keys [axis]} x i y] (nth (:nodes (:g cx)) id)
        p (lower/param cx [:node id] (dtype cx id) :out)
        n (count (shape cx i))]
    (lower/param cx [:node id] (dtype cx id) :in)
    (into (copy-into cx p (shape cx id) x identity)
          (statements cx (shape cx y)
                      (fn [body at]
                        (let [index (lower/read-at cx body at i (subvec at axis (+ axis n)))
                              v (lower/index-var! cx body i index (nth (shape cx id) axis))
                              place (vec (concat (take axis at) [v] (drop (+ axis n) at)))
                              [_ _ place-index :as load]
                              [:load p (lower/dense-index 0 (array/strides (shape cx id)) place)]
                              value (lower/read-at cx body at y at)]
                          (lower/emit! body [:store p place-index [:add load value]])))))))

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

(defn kernel
  "The kernel of a unit of kind :own."
  [{:keys [g] :as cx} {[id] :nodes}]
  (let [cx (assoc (lower/writing cx) :unit {:level {}})
        op (graph/op-of (nth (:nodes g) id))
        body (case (op/kind op)
               :concat (concat-body cx id)
               :scatter (scatter-body cx id)
               :contract (contract-body cx id))]
    (assoc (lower/finished cx (name op) (collapse/collapse body)) :scratch {})))

(defn copy-kernel
  "The kernel that copies `size` elements of one memory to another: parameter 0 to parameter 1."
  [dtype size]
  {:name "copy", :params [[dtype :in] [dtype :out]]
   :body [[:for 'i.0 size [:store 1 'i.0 [:load 0 'i.0]]]]})
