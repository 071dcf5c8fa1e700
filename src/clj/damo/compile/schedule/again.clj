(ns damo.compile.schedule.again
  "What a kernel computes again instead of reading what another one has stored: cheap elementwise
  nodes of what lies in memory anyway, where that is no more to read than the value itself would be.
  A cast to :f64 of an :f32 in memory is half as much. (again g layouts roles) = #{id …}."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(def ^:private cheap
  "Instructions that take no longer than reading their operands."
  #{:identity :add :sub :mul :neg :abs :maximum :minimum :select :cast :const
    :eq :ne :lt :le :gt :ge :and :or :not :xor})

(defn- heads
  "The instructions of a template, or the one that a keyword is."
  [form]
  (if (keyword? form) [form] (map first (filter vector? (tree-seq vector? seq form)))))

(defn math?
  "Is a node elementwise, and does it compute with other than cheap instructions?"
  [g id]
  (let [[op attrs & args] (graph/node-at g id)
        {:keys [scalar kind]} (op/entry op)
        form (if (fn? scalar) (scalar attrs (mapv #(first (graph/type-of g %)) args)) scalar)]
    (and (= kind :elementwise)
         (or (nil? form) (not-every? cheap (heads form))))))

(def ^:private most-nodes
  "How many nodes are computed for one that is computed again."
  3)

(defn- memory-read
  "{:reads #{base}} of an argument: what is as large as the node itself and lies in memory; nil
  where that cannot be told. What is smaller is cheap to store."
  [g {:keys [layouts roles]} found shape a]
  (let [base (:base (nth layouts a) a)]
    (cond (= :inline (nth roles base)) {:reads #{}, :nodes 0}
          (not= shape (graph/shape-at g a)) {:reads #{}, :nodes 0}
          (#{:memory :call :own :host :routine} (nth roles base)) {:reads #{base}, :nodes 0}
          :else (when (= base a) (get found a)))))

(defn- read-again
  "{:reads :nodes} of what a node would read and how many nodes would be computed; nil when it is
  none to compute again."
  [g {:keys [roles] :as asked} found id]
  (let [[op _ & args] (graph/node-at g id), [dtype shape :as type] (graph/type-of g id)
        bytes #(:bytes (type/dtypes (type/dtype-of %)))]
    (when (and (= :loop (nth roles id)) (= :elementwise (op/kind op)) (seq shape)
               (not (math? g id)))
      (let [parts (map #(memory-read g asked found shape %) args)
            reads (into #{} (mapcat :reads) parts), n (inc (apply + (map #(:nodes % 0) parts)))]
        (when (and (every? some? parts) (<= n most-nodes) (seq reads)
                   (<= (apply + (map #(bytes (graph/type-of g %)) reads)) (bytes type)))
          {:reads reads, :nodes n})))))

(defn again
  "The nodes that are computed again; see the namespace. `asked` has :layouts and :roles by id."
  [g asked]
  (into #{} (map key)
        (reduce (fn [found id]
                  (let [r (read-again g asked found id)] (cond-> found r (assoc id r))))
                {} (graph/live g))))
