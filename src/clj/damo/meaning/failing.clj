(ns damo.meaning.failing
  "Which nodes may fail when they run, for rules and the plan: indices that may be out of range, and
  requirements of dimensions (:requires of an entry) that are not plain. A rule may not drop the
  computation of such a node: that an index is out of range is an error, also where its value would
  not matter. (dropped? (flags b) [3] [:neg ?x] {?x 2}) asks that of a replacement."
  (:require [damo.data.graph :as graph]
            [damo.data.poly :as poly]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.op.body :as body])
  (:import [java.util ArrayList]))

(set! *warn-on-reflection* true)

;; ## Requirements

(declare requirements)

(defn- all-requirements
  "Those of all nodes of a graph."
  [{:keys [nodes] :as g}]
  (for [[id [op attrs]] (map-indexed vector nodes)
        r (requirements op attrs (mapv #(graph/type-of g %) (graph/args-at g id)))]
    r))

(defn own-requirements
  "As `requirements`, those of graphs in the node left out."
  [op attrs types]
  (let [{:keys [kind requires]} (op/entry op)]
    (when-not (or (= kind :leaf) (and (empty? attrs) (nil? requires)))
      (concat (when requires
                (remove (fn [[small large]] (type/at-most? small large))
                        (requires {:attrs attrs, :types types})))
              (for [q (distinct (type/quotients (op/dims-in op attrs (delay types))))
                    :when (not-any? #{q} (type/quotients (map type/shape-of types)))]
                [0 q])))))

(defn requirements
  "The requirements of a node with these attributes and types of arguments that are not plain:
  [[small large] …], small not to be larger than large. That the quotient [:/ a b] comes out even
  is that it is not less than 0. Those of graphs that the node runs are its own."
  [op attrs types]
  (concat (when (seq attrs) (mapcat all-requirements (body/run-graphs op attrs)))
          (own-requirements op attrs types)))

;; ## Nodes that may fail by themselves

(defn- in-range?
  "Is a node a constant whose elements are all indices into an axis of that extent?"
  [{:keys [node type] :as look} id extent]
  (let [[op {:keys [value axis]} arg] (node id)
        fits? #(and (integer? extent) (<= (- extent) % (dec extent)))]
    (cond (= op :const) (if (vector? value) (every? fits? value) (fits? value))
          (= op :iota) (type/at-most? (nth (type/shape-of (type id)) axis) extent)
          (= :view (op/kind op)) (recur look arg extent))))

(def ^:private kinds-that-check #{:gather :scatter :check})

(defn- indices-may-fail? [{:keys [type] :as look} [op {:keys [axis extent]} x & more]]
  (case (op/kind op)
    :check (not (in-range? look x extent))
    (:gather :scatter) (let [shape (type/shape-of (type x))]
                         (not-every? true? (map #(in-range? look %1 (nth shape %2)) more axis)))
    false))

(defn- expansion-may-fail?
  "Does what a composite stands for have a check of indices?"
  [{:keys [type]} [op attrs & args] own-type]
  (when-let [expand (and (= :composite (op/kind op)) (:expand (op/entry op)))]
    (let [template (expand {:attrs attrs, :types (mapv type args), :type own-type})]
      (some #(and (vector? %) (keyword? (first %)) (contains? @op/registry (first %))
                  (kinds-that-check (op/kind (first %))))
            (tree-seq vector? seq template)))))

(defn- case-may-fail?
  "May the index of a branch be none of its cases?"
  [{:keys [type]} [op _ test]]
  (and (= :branch (op/kind op)) (not= :bool (type/dtype-of (type test)))))

(defn nonempty?
  "Is a dim at least 1 for certain? `bounds` is what is known of its symbols, see poly/*bounds*."
  ([d] (nonempty? nil d))
  ([bounds d]
   (if (integer? d)
     (pos? (long d))
     (binding [poly/*bounds* bounds] (type/at-most? 1 d)))))

(defn reduced-count
  "The number of elements that a reduction with these attributes takes together, a dim; `shape` is
  that of its argument."
  [{:keys [axis]} shape]
  (apply type/dim* (map shape (if (integer? axis) [axis] axis))))

;; ## Why a node may stop a call

(def ^:private reasons
  "Why a node [op attrs & ids] of some type may stop a call by itself: functions of how others are
  looked up, {:node id→node :type id→type :bounds}, of the node and of its type.
  :index, it reads, writes or checks at an index that may be out of range;
  :dims, it requires of dims what is not plain;
  :empty, it must choose an element where there may be none;
  :test, its kernel tests values, or is not Damo's own."
  {:index (fn [look node own-type]
            (or (indices-may-fail? look node) (expansion-may-fail? look node own-type)
                (case-may-fail? look node)))
   :dims (fn [{:keys [type]} [op attrs & args] _]
           (seq (requirements op attrs (map type args))))
   :empty (fn [{:keys [type bounds]} [op attrs arg] _]
            (and (:nonempty (op/entry op))
                 (not (nonempty? bounds (reduced-count attrs (type/shape-of (type arg)))))))
   :test (fn [_ [op] _]
           (or (#{:check :guard :require :nest} (op/kind op)) (op/on-host? op)))})

(defn- stops?
  "Does one of these reasons hold for a node, or for one of a graph that it runs?"
  [among look [op attrs :as node] own-type]
  (let [inside (fn [g]
                 (let [look (assoc look :node #(graph/node-at g %) :type #(graph/type-of g %))]
                   (some #(stops? among look (graph/node-at g %) (graph/type-of g %))
                         (range (count (:nodes g))))))]
    (boolean (or (some #((reasons %) look node own-type) among)
                 (some inside (body/run-graphs op attrs))))))

(defn- plain?
  "Is a node of those that most are, which no attribute makes read at an index or require anything?"
  [[op attrs]]
  (and (empty? attrs)
       (let [{:keys [kind requires]} (op/entry op)] (and (= kind :elementwise) (nil? requires)))))

(defn itself?
  "May the node [op attrs & ids], of that type, fail by what a rule must not drop, an index or a
  requirement of dims? Its arguments are in the builder."
  [b node own-type]
  (and (not (plain? node))
       (stops? [:index :dims] {:node #(graph/node b %), :type #(graph/node-type b %)}
               node own-type)))

(defn in-kernel?
  "Can what runs for node `id` of a prepared graph stop a call, besides requirements of dims? The
  :bounds of the graph are what was told of dims."
  [{:keys [bounds] :as g} id]
  (let [node (graph/node-at g id)]
    (and (not (and (plain? node) (not (op/on-host? (graph/op-of node)))))
         (stops? [:test :empty]
                 {:node #(graph/node-at g %), :type #(graph/type-of g %), :bounds bounds}
                 node (graph/type-of g id)))))

(defn- endless?
  "May a node, or one of a graph that it runs, never be done?"
  [[op attrs]]
  (or (and (= :loop (op/kind op)) (nil? (:steps attrs)))
      (some #(some endless? (:nodes %)) (body/run-graphs op attrs))))

(defn stopping
  "The set of the nodes of a graph that may stop a call by themselves, for whatever reason, or never
  be done: where a graph may not run at all, they must not be moved out of it."
  [{:keys [nodes bounds] :as g}]
  (let [look {:node #(graph/node-at g %), :type #(graph/type-of g %), :bounds bounds}]
    (into #{} (filter #(let [node (nth nodes %)]
                         (or (stops? (keys reasons) look node (graph/type-of g %))
                             (endless? node))))
          (range (count nodes)))))

;; ## Flags of all nodes of a builder, found once

(deftype Flags [b ^ArrayList own ^ArrayList below])

(defn flags
  "What is known of the nodes of a builder, found as they are asked for; mutable."
  [b]
  (->Flags b (ArrayList.) (ArrayList.)))

(defn- known! [^Flags flags id]
  (let [^ArrayList own (.own flags), ^ArrayList below (.below flags), b (.b flags)]
    (while (<= (.size own) (long id))
      (let [next-id (.size own)
            fails (itself? b (graph/node b next-id) (graph/node-type b next-id))]
        (.add own fails)
        (.add below (boolean (or fails (some #(.get below (int %))
                                             (graph/args-of (graph/node b next-id))))))))))

(defn- fails-itself? [^Flags flags id]
  (known! flags id)
  (.get ^ArrayList (.own flags) (int id)))

(defn may-fail?
  "May the node or what it needs fail?"
  [^Flags flags id]
  (known! flags id)
  (.get ^ArrayList (.below flags) (int id)))

;; ## What a replacement keeps

(def ^:private max-depth "How far below and above the nodes that a template names is looked." 5)

(defn- named
  "The ids that a template names, given the bindings of its names."
  [template bindings]
  (cond (instance? damo.op.Id template) [(op/id-of template)]
        (symbol? template) (when-let [id (bindings template)] [id])
        (vector? template) (mapcat #(named % bindings) (remove map? (rest template)))))

(defn- around [b depth ids]
  (if (zero? depth)
    (set ids)
    (into (set ids)
          (around b (dec depth) (into #{} (mapcat #(graph/args-of (graph/node b %))) ids)))))

(defn- kept? [^Flags flags kept depth id]
  (or (contains? kept id)
      (and (pos? (long depth)) (not (fails-itself? flags id))
           (every? #(or (not (may-fail? flags %)) (kept? flags kept (dec (long depth)) %))
                   (graph/args-of (graph/node (.b flags) id))))))

(defn dropped?
  "Would the template, in the place of a node with these arguments, leave out one that may fail?"
  [^Flags flags args template bindings]
  (let [failing (filter #(may-fail? flags %) args)]
    (and (seq failing)
         (let [kept (around (.b flags) max-depth (filter #(may-fail? flags %)
                                                         (named template bindings)))]
           (not-every? #(kept? flags kept max-depth %) failing)))))
