(ns damo.compile.plan.product
  "Matrix products as :gemm steps of a program: operands through their layouts, leading axes as
  batch loops, the addend and factor of an accumulating product."
  (:require [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)


(defn- accumulating? [g id] (= 4 (count (graph/args-at g id))))

(defn addend
  "The id of what an accumulating product is added to; nil for a plain product and for an addend of
  zeros."
  [g id]
  (when (accumulating? g id) (first (graph/args-at g id))))

(defn- scale [g {:keys [layouts]} id]
  (let [[_ {:keys [value]}] (graph/node-at g id)]
    (if (some? value) value {:memory [:node (:base (layouts id))]})))

(defn- operand [{:keys [layouts]} id]
  (let [{:keys [base offset strides]} (layouts id)]
    {:memory [:node base], :offset offset, :strides (vec (take-last 2 strides))}))

(defn- batch-strides
  "The strides of an operand along the product's leading axes; 0 where it is broadcast."
  [{:keys [layouts]} g id rank]
  (let [lead (drop-last 2 (graph/shape-at g id)), strides (drop-last 2 (:strides (layouts id)))]
    (concat (repeat (- rank (count lead)) 0)
            (map (fn [d s] (if (= d 1) 0 s)) lead strides))))

(defn step
  "The :gemm step of a product; memory keys stand for buffers until `resolve-buffers`."
  [g {:keys [layouts] :as sched} id]
  (let [args (graph/args-at g id)
        [x y] (take-last 2 args)
        lead (drop-last 2 (graph/shape-at g id))
        [m n] (take-last 2 (graph/shape-at g id))
        dense (array/strides (graph/shape-at g id))
        batches (map (fn [extent a b c] {:extent extent, :a a, :b b, :c c})
                     lead (batch-strides sched g x (count lead))
                     (batch-strides sched g y (count lead))
                     (drop-last 2 dense))]
    (cond-> {:do :gemm, :dtype (type/dtype-of (graph/type-of g id))
             :m m, :n n, :k (peek (graph/shape-at g x))
             :alpha (if (accumulating? g id) (scale g sched (second args)) 1.0)
             :beta (if (addend g id) 1.0 0.0)
             :a (operand sched x), :b (operand sched y)
             :c {:memory [:node id], :offset 0, :strides (vec (take-last 2 dense))}
             :args (into [[:node (:base (layouts x))] [:node (:base (layouts y))] [:node id]]
                         (when (and (accumulating? g id) (map? (scale g sched (second args))))
                           [(:memory (scale g sched (second args)))]))}
      (seq batches) (assoc :batch (vec batches)))))

(defn resolve-buffers
  "The step with buffer ids in place of memory keys."
  [step buffer-of]
  (let [resolved (fn [{:keys [memory offset] :as x}]
                   (let [to (when memory (buffer-of memory))]
                     (cond (nil? to) x
                           (map? to) (assoc (dissoc x :memory) :buffer (:buffer to)
                                            :offset (if (contains? #{nil 0} offset)
                                                      (:offset to)
                                                      [:+ offset (:offset to)]))
                           :else (assoc (dissoc x :memory) :buffer to))))]
    (reduce #(update %1 %2 resolved) (dissoc step :args) [:a :b :c :alpha])))
