(ns damo.rule.through
  "Nodes as rules see them through views. Elementwise ops and views change places: log(1 + (e^x)ᵀ)
  is log(1 + e^(xᵀ)), and log of a part of softmax x is that part of log(softmax x). In: a node that
  no rule matches. Out: other ways to write it, on which the rules that look through views are
  tried. Nothing of it stays unless one of them applies.
  (candidates engine-context ops {:op :log …}) = [{:parts [{:op :log …}] :path [layer …]}]"
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.rule :as rule]
            [damo.rule.layers :as layers])
  (:import [java.util ArrayList]))

(set! *warn-on-reflection* true)

;; ## Which rules look through views

(defn- unary-pair?
  "Is a left side one function of another, as in log(e^x)?"
  [lhs]
  (let [arguments (fn [[_ & more]] (remove map? more))
        scalar? (fn [form] (and (vector? form) (= :elementwise (op/kind (first form)))))]
    (and (scalar? lhs) (= 1 (count (arguments lhs)))
         (scalar? (first (arguments lhs))) (= 1 (count (arguments (first (arguments lhs))))))))

(defn- looks-through?
  "Is the rule to be tried on what a node is through views? Those that stabilise are, and those of
  one function of another."
  [{:keys [set keeps lhs]}]
  (or (= :stabilize set) (= :stabilizes keeps) (unary-pair? lhs)))

(def ^:private looked-into
  "Ops that conditions and right sides look into, besides those that patterns name."
  #{:neg :mul :div :sub :sqr})

(defn- below-root
  "The ops that a left side has below the first one."
  [lhs]
  (filter keyword? (tree-seq sequential? seq (rest lhs))))

(defn selected
  "{:rules [rule …] :ops #{op …}} of rules: those that look through views marked by :through, and
  the ops of which views are looked for."
  [rules]
  (let [marked (mapv #(cond-> % (looks-through? %) (assoc :through true)) rules)]
    {:rules marked
     :ops (into looked-into (comp (filter :through) (map :lhs) (filter vector?)
                                  (mapcat below-root))
                marked)}))

;; ## Views moved down, to what the formula is made of

(def ^:private max-depth
  "How many ops deep views are looked for; patterns are not deeper."
  4)

(def ^:private along-an-axis
  "Ops with an :axis that treat all others alike."
  #{:softmax :log-softmax :cumlogsumexp :cumsum})

(defn- float-node? [b id]
  (type/float-dtype? (type/dtype-of (graph/node-type b id))))

(defn- cast-of-float? [b id]
  (let [[op _ arg] (graph/node b id)]
    (and (= op :cast) (float-node? b id) (float-node? b arg))))

(defn- widens? [b id]
  (and (cast-of-float? b id)
       (type/holds? (type/dtype-of (graph/node-type b id))
                    (type/dtype-of (graph/node-type b (first (graph/args-of (graph/node b id))))))))

(defn- moved-down?
  "Is node `id` a layer below which ops may be moved? The same elements, or with more digits."
  [b id]
  (or (layers/moves? (graph/op-of (graph/node b id))) (widens? b id)))

(defn- scalar-op? [op] (and (= :elementwise (op/kind op)) (not= :cast op) (not (op/on-host? op))))

(defn- shape-of [b id] (type/shape-of (graph/node-type b id)))

(defn- fitting
  "The path for an argument of a node of that shape: broadcast to it first; without casts where the
  argument is no float."
  [b path id shape]
  (cond->> path
    (not (float-node? b id)) (filterv #(not= :cast (first %)))
    (not= shape (shape-of b id)) (#(conj (vec %) [:broadcast-to {:shape shape}]))))

;; Kinds of ops below which formulas are looked for, besides the elementwise ones.
(def ^:private passed-through #{:reduce :arg-reduce :composite :concat :cumulate})

(defn- below-operator
  "[attrs path-of-argument] when op and path change places, else nil."
  [{:keys [b]} path [op attrs & args] id]
  (cond (and (scalar-op? op) (or (empty? path) (not-every? #(empty? (shape-of b %)) args)))
        [attrs (if (empty? path) (constantly []) #(fitting b path % (shape-of b id)))]
        (and (empty? path) (passed-through (op/kind op))) [attrs (constantly [])]
        (and (along-an-axis op) (:axis attrs))
        (when-let [axis (layers/whole-axis b path (graph/node-type b (first args)) (:axis attrs))]
          [(assoc attrs :axis axis) (constantly path)])))

(defn- scalar-constant? [b id] (and (empty? (shape-of b id)) (some? (rule/uniform b id))))

(declare sunk)

(defn- common-function
  "[op attrs arguments] when these nodes are values of one function of one argument."
  [b ids]
  (let [nodes (map #(graph/node b %) ids), [op attrs] (first nodes)]
    (when (and (scalar-op? op) (every? #(= [op attrs] (subvec % 0 2)) nodes)
               (every? #(= 3 (count %)) nodes))
      [op attrs (map peek nodes)])))

(defn- below-join
  "The id of a join with the function that all its parts are of above it; nil when there is none."
  [{:keys [b emit] :as cx} [join attrs & parts] depth]
  (when (and (= :concat (op/kind join)) (pos? (long depth)))
    (when-let [[op own args] (common-function b (mapv #(sunk cx [] % (dec (long depth))) parts))]
      (emit op own [(op/->Id (emit join attrs (mapv op/->Id args)))]))))

(defn- sunk
  "The id of node `id` with the path around it, ops above views wherever they change places."
  [{:keys [b emit] :as cx} path id depth]
  (let [[more inner] (layers/under b id #(moved-down? b %)), path (into path more)
        inner (or (below-join cx (graph/node b inner) depth) inner)
        [op attrs & args :as node] (graph/node b inner)
        [new-attrs path-of] (when (pos? (long depth)) (below-operator cx path node inner))]
    (cond path-of
          (let [down #(if (scalar-constant? b %) % (sunk cx (path-of %) % (dec (long depth))))
                sunk-args (mapv down args)]
            (if (and (= sunk-args args) (= attrs new-attrs))
              inner
              (emit op new-attrs (mapv op/->Id sunk-args))))
          (and (seq path) (pos? (long depth)) (passed-through (op/kind op)))
          (layers/wrapped emit path (sunk cx [] inner depth))
          :else (layers/wrapped emit path inner))))

(defn- with-views-down
  "The node on arguments whose views are moved down, nil where there are none."
  [{:keys [b] :as cx} op attrs args type]
  (let [sunk-args (mapv #(sunk cx [] % max-depth) args)]
    (when (not= sunk-args args)
      {:path [], :parts [{:op op, :attrs attrs, :args sunk-args, :type type}]})))

;; ## Views and joins moved up, above the node

(defn- view-node? [b id] (layers/moves? (graph/op-of (graph/node b id))))

(defn- constant-under [b id]
  (let [[_ inner] (layers/under b id #(view-node? b %))]
    (when (and (some? (rule/uniform b id)) (empty? (shape-of b inner))) inner)))

(defn- part
  "The node of an op on these arguments, as `candidates` has it."
  [{:keys [b note]} op attrs args]
  (let [id (op/emit! b op attrs (mapv op/->Id args) note), [op attrs & args] (graph/node b id)]
    {:op op, :attrs attrs, :args (vec args), :type (graph/node-type b id)}))

(defn- joined-part
  "[join parts]: the node on each part of the one array among its arguments, when that is a join."
  [{:keys [b] :as cx} op attrs args arrays]
  (let [[[id] & more] arrays, [join own & parts] (graph/node b id)]
    (if (and (empty? more) (= :concat (op/kind join)))
      [[join own] (mapv (fn [p] (part cx op attrs (replace {id p} args))) parts)]
      [nil [(part cx op attrs args)]])))

(defn- with-views-up
  "The node on what its arguments show, and the path that they share; nil where they do not."
  [{:keys [b] :as cx} op attrs args]
  (when (scalar-op? op)
    (let [layer? #(or (view-node? b %) (cast-of-float? b %))
          split #(if-let [c (constant-under b %)] [nil c] (layers/under b % layer?))
          found (map split args), arrays (filter first found), path (ffirst arrays)
          types (map (fn [[p id]] [p (graph/node-type b id)]) arrays)]
      (when (and (seq arrays) (apply = types))
        (let [[join parts] (joined-part cx op attrs (mapv second found)
                                        (distinct (map rest arrays)))]
          (when (or join (seq path))
            {:path path, :join join, :parts parts}))))))

;; ## Candidates

(defn- own-distance
  "0 for a view, a cast or a join; 1 more than the least of its arguments for ops below which views
  are looked for; else far."
  [b id distance-of]
  (let [[op _ & args] (graph/node b id)]
    (cond (or (layers/moves? op) (= :concat (op/kind op)) (cast-of-float? b id)) 0
          (or (scalar-op? op) (passed-through (op/kind op)))
          (inc (long (reduce min max-depth (map distance-of args))))
          :else max-depth)))

(defn- distance
  "How many ops below node `id` the next view or join is; `distances` has those of all nodes before
  it that were asked for."
  [b ^ArrayList distances id]
  (while (<= (.size distances) (long id))
    (.add distances (own-distance b (.size distances) #(.get distances (int %)))))
  (.get distances (int id)))

(defn- views-near?
  "Does a view or a join of a node of these ops stand within reach below these nodes?"
  [b ops args depth]
  (some (fn [id]
          (let [[path inner] (layers/under b id #(or (view-node? b %) (cast-of-float? b %)))
                [op _ & more] (graph/node b inner)
                join? (= :concat (op/kind op))]
            (or (and (seq path) (contains? ops op))
                (and join? (some #(contains? ops (graph/op-of (graph/node b %))) more))
                (and (pos? (long depth)) (or join? (scalar-op? op) (passed-through (op/kind op)))
                     (views-near? b ops more (dec (long depth)))))))
        args))

(defn candidates
  "Other ways to write the node {:op :attrs :args :type}: maps of its :parts, which are [:op :attrs
  :args :type] as it is, the :join [op attrs] of these when there are several, and the :path of
  layers that belongs around all. `cx` is {:b builder, :emit (fn [op attrs args] id) that applies
  rules to what it makes, :note note, :distances a list that is kept from call to call}; `ops` are
  those of `selected`."
  [{:keys [b distances] :as cx} ops {:keys [op attrs args type]}]
  (when (and (some #(< (long (distance b distances %)) (long max-depth)) args)
             (views-near? b ops args max-depth))
    (let [down (with-views-down cx op attrs args type)]
      (remove nil? [down
                    (with-views-up cx op attrs args)
                    (when down (with-views-up cx op attrs (:args (first (:parts down)))))]))))
