(ns damo.laws.simpler
  "Graphs in which one loop or branch is simpler: fewer rounds, results, carries, parameters and
  arguments, no end that data decides, a body in which a node is one of its arguments, a parameter
  or zero. (graphs g) are those of a graph, types derived anew, for shrinking."
  (:require [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.laws.running :as running]
            [damo.op :as op]
            [damo.op.body :as body]
            [damo.op.looping :as looping]
            [damo.op.whole :as whole]))

(set! *warn-on-reflection* true)

(declare bodies)

;; A node that is simpler: {:attrs :args :parts}, the last for each result its position now.

(defn- without [v i] (into (subvec v 0 i) (subvec v (inc i))))

(defn- renumbered
  "A function from positions to those where position i is gone."
  [i]
  #(if (< i %) (dec %) %))

;; ## Loops

(defn- settled [attrs] (cond-> attrs (not (looping/counts? attrs)) (assoc :as nil)))

(defn- fewer-rounds [{:keys [steps] :as attrs}]
  (for [n (cond (nil? steps) [3], (integer? steps) (distinct [(quot steps 2) (dec steps)])
                :else [2 1])
        :when (<= 0 n)]
    (assoc attrs :steps n)))

(defn- fewer-ends [{:keys [until unless] :as attrs}]
  (concat (when until
            [(settled (-> attrs (assoc :until false) (update :steps #(or % 3))
                          (update-in [:body :outputs] pop)))])
          (when unless [(settled (assoc attrs :unless nil))])))

(defn- without-each
  "For each of n results, where there are several: what (f j) makes the attributes without it."
  [n f]
  (when (< 1 n)
    (for [j (range n)]
      {:attrs (f j)
       :parts (into {} (for [k (range n) :when (not= j k)] [k ((renumbered j) k)]))})))

(defn- fewer-results [{:keys [results] :as attrs}]
  (without-each (count results) #(update attrs :results without %)))

(defn- plainer-results [{:keys [results] :as attrs}]
  (for [[j [o rows order]] (map-indexed vector results)
        simple (cond-> [] order (conj [o rows]) (not= 1 rows) (conj [o 1]))]
    (assoc-in attrs [:results j] simple)))

(defn- read?
  "Does the body read rows of carry c?"
  [{:keys [params body]} c]
  (some (fn [[what at]] (and (= :carry what) (= c at))) (map params (keys (body/params body)))))

(defn- without-output [{:keys [carries params] :as attrs} o]
  (let [at (renumbered o), carry? (< o (count carries))]
    (cond-> (-> attrs
                (update-in [:body :outputs] without o)
                (update :results (partial mapv #(update % 0 at))))
      carry? (assoc :carries (without carries o)
                    :params (mapv (fn [[what c :as p]]
                                    (cond (not= :carry what) p, (= c o) [:turn]
                                          :else (update p 1 at)))
                                  params)))))

(defn- fewer-outputs [{:keys [results carries until body] :as attrs}]
  (for [o (range (cond-> (count (:outputs body)) until dec))
        :when (and (not-any? #(= o (first %)) results)
                   (not (and (< o (count carries)) (read? attrs o))))]
    (without-output attrs o)))

(defn- fewer-params [{:keys [params body] :as attrs}]
  (for [k (range (count params)) :when (not (contains? (body/params body) k))]
    (-> attrs (update :params without k) (update :body body/repositioned (renumbered k)))))

(defn- with-argument-at [at {:keys [carries params unless] :as attrs}]
  (assoc attrs :carries (mapv at carries), :unless (some-> unless at)
         :params (mapv (fn [[what :as p]] (if (#{:each :all} what) (update p 1 at) p)) params)))

(defn- fewer-args [{:keys [carries params unless] :as attrs} args]
  (let [used (set (concat carries [unless] (for [[what a] params :when (#{:each :all} what)] a)))]
    (for [a (range (count args)) :when (not (used a))]
      {:attrs (with-argument-at (renumbered a) attrs), :args (without args a)})))

(defn- loops [attrs args]
  (concat (map #(hash-map :attrs %)
               (concat (fewer-rounds attrs) (fewer-ends attrs) (plainer-results attrs)
                       (fewer-outputs attrs) (fewer-params attrs)))
          (fewer-results attrs) (fewer-args attrs args)))

;; ## Branches

(defn- fewer-given
  "The attributes of a branch without result j."
  [{:keys [cases as] :as attrs} j]
  (assoc attrs :cases (mapv #(update % :outputs without j) cases)
         :as (not-empty (into {} (for [[[k axis] dim] as :when (not= j k)]
                                   [[((renumbered j) k) axis] dim])))))

(defn- branches [{:keys [cases] :as attrs} args]
  (concat (without-each (count (:outputs (first cases))) #(fewer-given attrs %))
          (for [a (range (dec (count args)))
                :when (not-any? #(contains? (body/params %) a) cases)]
            {:attrs (assoc attrs :cases (mapv #(body/repositioned % (renumbered a)) cases))
             :args (without args (inc a))})))

;; ## Bodies

(defn- zero [[dtype shape]]
  (when (every? integer? shape)
    (let [x (case dtype :bool false (if (type/float-dtype? dtype) 0.0 0))]
      [:const {:type [dtype shape], :value (if (empty? shape)
                                             x
                                             (vec (repeat (reduce * shape) x)))}])))

(defn- replaced
  "The body with node j for node i where others mention it."
  [{:keys [nodes outputs] :as g} i j]
  (let [at #(if (= i %) j %)]
    (assoc g :outputs (mapv at outputs)
           :nodes (mapv (fn [[op attrs & args]] (into [op attrs] (map at) args)) nodes))))

(defn- plainer
  "The body with a node of it an earlier one of its type, or zero."
  [{:keys [nodes types] :as g}]
  (for [i (reverse (range (count nodes))), :let [[op] (nodes i), type (types i)]
        :when (not (or (#{:param :const} op) (tuple/type? type)))
        other (concat (for [j (range i) :when (= type (types j))] j)
                      (when-let [z (zero type)] [z]))]
    (if (integer? other) (replaced g i other) (assoc-in g [:nodes i] other))))

(defn- node-variants [[op attrs & args]]
  (let [args (vec args)]
    (concat (case (op/kind op) :loop (loops attrs args), :branch (branches attrs args), nil)
            (for [[path g] (body/graphs op attrs), inner (concat (bodies g) (plainer g))]
              {:attrs (assoc-in attrs path inner)}))))

(defn- with-node
  "The graph with node `id` made simpler; nil where that leaves out a result that is used."
  [{:keys [nodes] :as g} id {:keys [attrs args parts]}]
  (let [[op _ & old] (nodes id), part? (fn [[o _ a]] (and (= :part o) (= id a)))
        at #(if parts (parts (:at (second %))) (:at (second %)))]
    (when (every? #(or (not (part? %)) (at %)) nodes)
      (assoc g :nodes (-> (mapv #(if (part? %) (assoc-in % [1 :at] (at %)) %) nodes)
                          (assoc id (into [op attrs] (or args old))))))))

(defn- bodies
  "The graphs with a node that holds graphs made simpler, unchecked."
  [{:keys [nodes] :as g}]
  (for [id (range (count nodes)), variant (node-variants (nodes id))
        :let [smaller (with-node g id variant)] :when smaller]
    smaller))

(defn graphs
  "The graphs with one loop or branch simpler that are well typed."
  [g]
  (for [smaller (bodies g)
        :let [{:keys [values]} (running/outcome
                                #(whole/check-types (assoc (dissoc smaller :types) :notes {})))]
        :when (and values (not= values g))]
    values))
