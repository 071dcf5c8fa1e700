(ns damo.compile.pass.unite
  "Loops of equal rounds, and branches of one test, that become one node: their bodies side by side,
  what is equal in them once. Two may be united when neither needs what the other gives, by whatever
  way, not even by another union.
  (united g) is g with as few loops and branches as that allows."
  (:require [clojure.set :as set]
            [damo.compile.pass.branch.form :as branch]
            [damo.compile.pass.loop.carry :as carry]
            [damo.compile.pass.loop.form :as form]
            [damo.compile.pass.loop.unite :as loop-unite]
            [damo.data.graph :as graph]
            [damo.meaning.counted :as counted]
            [damo.meaning.failing :as failing]
            [damo.op :as op])
  (:import [java.util ArrayDeque ArrayList HashMap]))

(set! *warn-on-reflection* true)

;; ## Two of them

(defn- branches-together
  "The branch that does what two do, or nil where their tests differ; its results are those of the
  first, then those of the second."
  [{:keys [args cases test] :as one} two]
  (when (= [(:op one) test (count cases)] [(:op two) (:test two) (count (:cases two))])
    (let [n (count args), m (branch/results one)
          as (into (or (:as (:attrs one)) {})
                   (map (fn [[[j axis] dim]] [[(+ m j) axis] dim])) (:as (:attrs two)))]
      (assoc one
             :args (into args (:args two))
             :attrs (assoc (:attrs one) :as (not-empty as))
             :cases (mapv #(loop-unite/both %1 %2 n into) cases (:cases two))))))

(def ^:private ways
  "By kind: how nodes are taken apart, become one, and are made again."
  {:loop {:opened form/opened, :together loop-unite/together, :renewed! form/renewed!
          :results (comp count :results)}
   :branch {:opened branch/opened, :together branches-together, :renewed! branch/renewed!
            :results branch/results}})

(defn- way [g id] (ways (op/kind (graph/op-at g id))))

(defn- opened
  "Node `id` of a graph taken apart, (now id) in the place of each argument."
  [g id now]
  ((:opened (way g id)) (graph/node-at g id) (mapv now (graph/args-at g id))
                        (get-in g [:notes id])))

;; ## Which ones

(defn- counters
  "The nodes that must have counted before node `id` can run, of which `counts` is told; not those
  that count what it counts itself."
  [g counts id]
  (let [own (set (map :dim (counted/counted-by g id)))]
    (remove #(some (comp own :dim) (counted/counted-by g %)) (get counts id))))

(defn- needs
  "{id #{id …}}: of these nodes those that each needs, for its arguments or to know a dim."
  [g ids]
  (let [one? (set ids), below (HashMap.), counts (counted/needs g)
        under (fn [id] (cond-> (or (.get below id) #{}) (one? id) (conj id)))]
    (doseq [id (counted/order g)
            :let [needed (concat (graph/args-at g id) (when counts (counters g counts id)))]]
      (.put below id (reduce into #{} (map under needed))))
    (into {} (map (fn [id] [id (.get below id)])) ids)))

(defn- all-needs
  "The nodes that a group of them needs, groups being taken as a whole."
  [needs group-of group]
  (loop [known #{}, todo (into #{} (mapcat needs) group)]
    (if (empty? todo)
      known
      (let [known (into known todo), more (into #{} (mapcat group-of) todo)]
        (recur known (set/difference (into more (mapcat needs) more) known))))))

(defn- apart?
  "Does neither of two groups need the other?"
  [needs group-of a b]
  (let [free? (fn [a b] (not-any? (all-needs needs group-of a) b))]
    (and (free? a b) (free? b a))))

(defn- joined
  "The groups, {id [id …]}, each in its order, and {first-of-group node taken apart}, with `id` in
  the first group that takes it."
  [g needs {:keys [group-of whole] :as groups} id x]
  (or (some (fn [[head one]]
              (let [group (group-of head)]
                (when (and (= (:op one) (:op x)) (apart? needs group-of group [id]))
                  (when-let [both ((:together (way g id)) one x)]
                    (let [group (conj group id)]
                      {:group-of (into group-of (map (fn [i] [i group])) group)
                       :whole (assoc whole head both)})))))
            whole)
      {:group-of (assoc group-of id [id]), :whole (assoc whole id x)}))

(defn- groups
  "The groups of loops and of branches of a graph that can be one, of two at least: [[id …] …]."
  [g ids]
  (let [needs (needs g ids)
        {:keys [group-of whole]} (reduce (fn [groups id]
                                           (joined g needs groups id (opened g id identity)))
                                         {:group-of {}, :whole (sorted-map)} ids)]
    (filterv next (map group-of (keys whole)))))

;; ## The graph with them united

(defn- visit!
  "Adds node `id` and what it needs, (needed id), to an order, arguments first; `state` has 1 for
  the nodes that wait for others, 2 for those that are there."
  [id needed ^bytes state ^ArrayList order]
  (let [stack (ArrayDeque.)]
    (.push stack id)
    (while (not (.isEmpty stack))
      (let [id (.peek stack)
            todo (when (zero? (aget state (int id)))
                   (remove #(= 2 (aget state (int %))) (needed id)))]
        (when (some #(= 1 (aget state (int %))) todo)
          (throw (IllegalStateException. "nodes that need each other were united")))
        (if (seq todo)
          (do (aset state (int id) (byte 1)) (run! #(.push stack %) todo))
          (do (.pop stack)
              (when-not (= 2 (aget state (int id)))
                (aset state (int id) (byte 2))
                (.add order id))))))))

(defn- order
  "The live ids of a graph, arguments first, and those of all nodes of a group before each of
  them."
  [g group-of]
  (let [state (byte-array (count (:nodes g))), order (ArrayList.)
        needed (fn [id] (mapcat #(graph/args-at g %) (group-of id [id])))]
    (run! #(visit! % needed state order) (graph/live g))
    (vec order)))

(defn- whole!
  "{id {:id :parts}}: the node that a group becomes, emitted into a builder of these flags of what
  may fail, for each of them."
  [g b flags group now]
  (let [{:keys [together renewed! results]} (way g (first group))
        members (mapv #(opened g % now) group)
        must (filterv #(failing/may-fail? flags %)
                      (distinct (mapcat #(map now (graph/args-at g %)) group)))
        {:keys [id parts]} (renewed! b (assoc (reduce together members) :must must))
        counts (map results members), starts (reductions + 0 counts)]
    (zipmap group (map (fn [from n] {:id id, :parts (subvec parts from (+ from n))})
                       starts counts))))

(defn- emitted
  "The ids of the nodes of a graph in a builder, groups as one node."
  [g b group-of]
  (let [now (HashMap.), made (HashMap.), flags (failing/flags b)]
    (doseq [id (order g group-of)
            :let [[_ {:keys [at]} a :as node] (graph/node-at g id)]]
      (when-let [group (and (not (.containsKey made id)) (group-of id))]
        (.putAll made (whole! g b flags group #(.get now %))))
      (.put now id (or (:id (.get made id))
                       (when (= :part (op/kind (graph/op-of node)))
                         (get (:parts (.get made a)) at))
                       (graph/keep-node! b node (mapv #(.get now %) (graph/args-of node))
                                         (graph/type-of g id) (get-in g [:notes id])))))
    now))

(defn united
  "The graph with as few loops and branches as there can be."
  [g]
  (let [ids (filterv #(way g %) (graph/live g)), found (when (next ids) (groups g ids))]
    (if (empty? found)
      g
      (let [b (graph/builder), group-of (into {} (for [group found, id group] [id group]))
            ^HashMap now (emitted g b group-of), new-id #(.get now %)]
        (carry/united (graph/prune (graph/finish b (mapv new-id (:outputs g))
                                                 (distinct (map new-id (:keep g))))))))))
