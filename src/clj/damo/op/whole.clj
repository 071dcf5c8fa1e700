(ns damo.op.whole
  "Whole graphs, and the graphs in them: their types, derived from what the ops say; what nodes hold
  put in their places; other dims in the place of dims.
  (check-types {:nodes [[:input {:name x :type [:f32 [n]]}] [:sum {} 0]] :outputs [1]}) has the
  :types [[:f32 [n]] [:f32 []]]."
  (:require [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.op :as op]
            [damo.op.body :as body]))

(set! *warn-on-reflection* true)

(declare check-types)

(defn checked-graphs
  "The attributes of a node with each graph in them checked, typed and canonical."
  [op attrs]
  (body/with-graphs op attrs (fn [_ g] (dissoc (check-types (body/check g)) :notes))))

(defn- check-node
  "[node type]: a node, and its type derived from those of its arguments."
  [id [op attrs & args :as node] types]
  (try (let [attrs (checked-graphs op attrs)]
         [(into [op attrs] args) (op/node-type op attrs types)])
       (catch clojure.lang.ExceptionInfo e
         (fail/explain! e (str "node " id ", " (fail/short-text (pr-str node)) ": ")
                        (str "\n  argument types: " (pr-str types)) {:id id}))))

(defn- check-said!
  "Fails unless a type that a graph says is that of the node."
  [id node said type]
  (when-not (or (nil? said) (= said type))
    (fail! :damo.op/wrong-note
           (str "node " id ", " (fail/short-text (pr-str node)) " is said to be " (pr-str said)
                " but is " (pr-str type))
           {:id id, :expected type, :given said})))

(defn check-types
  "The graph with every type derived anew, those of the graphs in it too; fails when an op, an
  attribute or a type does not fit, naming the node."
  [{:keys [nodes] given :types :as graph}]
  (reduce (fn [{:keys [types] :as g} id]
            (let [node (nth nodes id), arg-types (mapv types (graph/args-of node))
                  [node type] (check-node id node arg-types)]
              (check-said! id node (get given id) type)
              (-> g (assoc-in [:nodes id] node) (update :types conj type))))
          (assoc graph :types [], :notes (:notes graph {}))
          (range (count nodes))))

;; ## Dims

(declare with-dims)

(defn type-with-dims
  "The type with (f dim) for each dim in it that is no integer."
  [f type]
  (tuple/map (fn [[dtype shape]] [dtype (mapv #(if (integer? %) % (f %)) shape)]) type))

(defn node-with-dims
  "The attributes of a node with (f dim) for each dim in them and in the graphs in them that is no
  integer."
  [f op attrs types]
  (body/with-graphs op (op/with-dims f op attrs types) (fn [_ g] (with-dims f g))))

(defn with-dims
  "The graph with (f dim) for each dim in types and attributes that is no integer."
  [f {:keys [nodes] :as graph}]
  (assoc graph
         :types (mapv #(type-with-dims f %) (:types graph))
         :nodes (into [] (map-indexed
                          (fn [id [op attrs & args]]
                            (into [op (node-with-dims f op attrs
                                                      (delay (graph/types-at graph id)))]
                                  args)))
                      nodes)))

;; ## Graphs in the place of the nodes that hold them

(declare inlined!)

(defn- inlines-node? [wanted? op] (and (= :region (op/kind op)) (wanted? op)))

(defn- inline!
  "The id of what the body of a node gives, its nodes added to a builder; of several outputs a
  :tuple."
  [b wanted? [_ {:keys [body]}] args type {:keys [src inner]}]
  (let [ids (body/apply! body (get inner [:body]) args
                         (fn [node args type note]
                           (inlined! b wanted? node args type
                                     (cond-> note src (update :src #(or % src))))))]
    (if (= 1 (count ids))
      (first ids)
      (graph/add-node! b (into [:tuple {}] ids) type nil))))

(defn of-tuple
  "The id of the array that a part is of, where its node is a :tuple in the builder; else nil."
  [b {:keys [at]} [id]]
  (let [[op _ & results] (graph/node b id)]
    (when (= :tuple (op/kind op)) (nth results at))))

(defn- inlined!
  "The id of a node of a sweep, the bodies of those that are wanted in their places."
  [b wanted? [op attrs :as node] args type note]
  (cond (inlines-node? wanted? op) (inline! b wanted? node args type note)
        (= :part (op/kind op)) (or (of-tuple b attrs args)
                                   (graph/keep-node! b node args type note))
        :else (graph/keep-node! b node args type note)))

(defn- arrays-of
  "The id, or those of the results of a :tuple."
  [b id]
  (let [[op _ & results] (graph/node b id)] (if (= :tuple (op/kind op)) results [id])))

(defn inlines?
  "Has the graph a node of the kind :region for whose op (wanted? op) holds?"
  [{:keys [nodes]} wanted?]
  (boolean (some #(inlines-node? wanted? (graph/op-of %)) nodes)))

(defn inlined
  "{:graph g' :ids [id' …]}: the graph with the body of each node of the kind :region in its place,
  where (wanted? op) holds, and what became of its nodes; the graph itself where there is none."
  [{:keys [nodes outputs] :as graph} wanted?]
  (if (inlines? graph wanted?)
    (let [b (graph/builder)
          ids (graph/sweep! graph (fn [_ node args type note]
                                    (inlined! b wanted? node args type note)))]
      {:graph (graph/finish b (mapv ids outputs) (mapcat #(arrays-of b (ids %)) (:keep graph)))
       :ids ids})
    {:graph graph, :ids (vec (range (count nodes)))}))
