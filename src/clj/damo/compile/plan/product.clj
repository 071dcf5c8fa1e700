(ns damo.compile.plan.product
  "Matrix products as :gemm steps of a program: operands through their layouts, leading axes as
  batch loops or as more rows, the addend and the factors of products that have some."
  (:require [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(defn parts
  "What the arguments of a product are, {:x :y} and for those with factors :alpha, with an addend :c
  and :beta: ids, by their number alone."
  [args]
  (zipmap (case (count args) 2 [:x :y], 3 [:alpha :x :y], 5 [:c :beta :alpha :x :y]) args))

(defn addend
  "The id of what the product is added to; nil for a plain product."
  [g id]
  (:c (parts (graph/args-at g id))))

(defn- scale
  "A factor as steps have it, a number or {:memory key}; `usual` without one."
  [g {:keys [layouts]} id usual]
  (let [{:keys [value]} (when id (graph/attrs-at g id))]
    (cond (nil? id) usual
          (some? value) value
          :else {:memory [:node (:base (layouts id))]})))

(defn- operand [{:keys [layouts]} id]
  (let [{:keys [base offset strides]} (layouts id)]
    {:memory [:node base], :offset offset, :strides (vec (take-last 2 strides))}))

;; ## Leading axes

(defn- batch-strides
  "The strides of an operand along the product's leading axes; 0 where it is broadcast."
  [{:keys [layouts]} g id rank]
  (let [lead (drop-last 2 (graph/shape-at g id)), strides (drop-last 2 (:strides (layouts id)))]
    (concat (repeat (- rank (count lead)) 0)
            (map (fn [d s] (if (= d 1) 0 s)) lead strides))))

(defn- one-loop
  "Two batch loops as one, where each operand goes on from one to the next; else nil."
  [outer {:keys [extent] :as inner}]
  (when (every? #(= (% outer) (type/signed* extent (% inner))) [:a :b :c])
    (assoc inner :extent (type/dim* (:extent outer) extent))))

(defn- as-rows
  "The step with its innermost batch loop as more rows, where all share B and the rows of A and C go
  on from one to the next; else nil."
  [{:keys [batch m a c] :as step}]
  (let [loop (peek batch), on? (fn [k {[row] :strides}] (= (k loop) (type/signed* m row)))]
    (when (and loop (= 0 (:b loop)) (on? :a a) (on? :c c))
      (assoc step :batch (pop batch), :m (type/dim* (:extent loop) m)))))

(defn- merged
  "The step with as few batch loops as its strides allow: a stack of matrices by one matrix is one
  product."
  [{:keys [batch] :as step}]
  (let [loops (reduce (fn [done inner]
                        (if-let [one (some-> (peek done) (one-loop inner))]
                          (conj (pop done) one)
                          (conj done inner)))
                      [] (remove #(= 1 (:extent %)) batch))
        step (assoc step :batch loops)
        done (or (as-rows step) step)]
    (cond-> done (empty? (:batch done)) (dissoc :batch))))

;; ## Steps

(defn step
  "The :gemm step of a product; memory keys stand for buffers until `resolve-buffers`."
  [g {:keys [layouts] :as sched} id]
  (let [{:keys [x y alpha beta]} (parts (graph/args-at g id))
        [m k] (take-last 2 (graph/shape-at g x)), n (peek (graph/shape-at g y))
        lead (type/broadcast-shapes (vec (drop-last 2 (graph/shape-at g x)))
                                    (vec (drop-last 2 (graph/shape-at g y))))
        dense (array/strides (conj lead m n)), rank (count lead)
        dtype (type/dtype-of (graph/type-of g id))
        [one zero] (if (type/float-dtype? dtype) [1.0 0.0] [1 0])
        alpha (scale g sched alpha one), beta (scale g sched beta zero)]
    (merged
     {:do :gemm, :dtype dtype, :m m, :n n, :k k
      :alpha alpha, :beta beta, :a (operand sched x), :b (operand sched y)
      :c {:memory [:node id], :offset 0, :strides (vec (take-last 2 dense))}
      :args (into [[:node (:base (layouts x))] [:node (:base (layouts y))] [:node id]]
                  (keep :memory) [alpha beta])
      :batch (mapv (fn [extent a b c] {:extent extent, :a a, :b b, :c c})
                   lead (batch-strides sched g x rank) (batch-strides sched g y rank)
                   (drop-last 2 dense))})))

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
    (reduce #(update %1 %2 resolved) (dissoc step :args) [:a :b :c :alpha :beta])))
