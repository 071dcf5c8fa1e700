(ns damo.compile.pass.loop.unite
  "Loops of equal rounds that become one: their bodies side by side, what is equal in them once. Two
  may be united when neither needs what the other gives, by whatever way, and when both make the
  same rounds: those of their :steps, or, where they may end early, until conditions hold that are
  the same once the arguments stand in them.
  (united g) is g with as few loops as that allows."
  (:require [clojure.set :as set]
            [damo.compile.pass.loop.carry :as carry]
            [damo.compile.pass.loop.form :as form]
            [damo.data.graph :as graph]
            [damo.meaning.counted :as counted]
            [damo.op :as op])
  (:import [java.util ArrayDeque ArrayList HashMap]))

(set! *warn-on-reflection* true)

;; ## Two bodies side by side

(defn- moved-reads [reads carries]
  (mapv #(if (= :carry (first %)) (update % 1 + carries) %) reads))

(defn- both
  "The graph of two bodies, its parameters those of the second behind those of the first, its
  outputs in the order that (arrange outputs-1 outputs-2) gives."
  [{one :body, reads :reads} {two :body} arrange]
  (let [b (graph/builder)
        add! (fn [g by]
               (let [ids (graph/sweep! g (fn [_ node args type note]
                                           (graph/keep-node!
                                            b (if (= :param (graph/op-of node))
                                                (update-in node [1 :at] + by)
                                                node)
                                            args type note)))]
                 (mapv ids (:outputs g))))
        first-outputs (add! one 0)]
    (graph/finish b (arrange first-outputs (add! two (count reads))))))

(defn- beside
  "One loop that does what two do, in as many rounds as the first; its results are those of the
  first, then those of the second. Where they may end early both say so, the first last."
  [{:keys [firsts reads results] :as one} two]
  (let [n (count firsts), m (count (:firsts two)), until? (:until (:attrs one))
        kept-1 (- (count (:outputs (:body one))) n (if until? 1 0))
        split (fn [outputs c] [(subvec outputs 0 c)
                               (cond-> (subvec outputs c) until? pop)
                               (when until? [(peek outputs)])])
        arrange (fn [a b] (let [[c1 k1 u1] (split a n), [c2 k2 u2] (split b m)]
                            (vec (concat c1 c2 k1 k2 u2 u1))))
        place-1 (fn [o] (if (< o n) o (+ o m)))
        place-2 (fn [o] (if (< o m) (+ n o) (+ n kept-1 o)))]
    (assoc one
           :firsts (into firsts (:firsts two))
           :reads (into reads (moved-reads (:reads two) n))
           :results (into (mapv #(update % 0 place-1) results)
                          (map #(update % 0 place-2)) (:results two))
           :body (both one two arrange))))

(defn- one-until
  "The loop of two that end by one condition, where that is one once equal carries are; nil where it
  is not."
  [l]
  (let [{agreed :loop} (carry/agreement l), outputs (:outputs (:body agreed))]
    (when (= (peek outputs) (peek (pop outputs)))
      (update-in l [:body :outputs] #(conj (pop (pop %)) (peek %))))))

(defn together
  "The loop that does what two do, or nil where they do not make the same rounds."
  [{a :attrs, :as one} {b :attrs, :as two}]
  (let [same (juxt :steps :until :as)]
    (when (and (= (:op one) (:op two)) (= (same a) (same b)) (= (:unless one) (:unless two)))
      (cond-> (beside one two) (:until a) one-until))))

;; ## Which ones

(defn- counters
  "The nodes that must have counted before node `id` can run, of which `counts` is told; not those
  that count what it counts itself."
  [g counts id]
  (let [own (set (map :dim (counted/counted-by g id)))]
    (remove #(some (comp own :dim) (counted/counted-by g %)) (get counts id))))

(defn- needs
  "{loop #{loop …}}: the loops that each needs, for its arguments or to know a dim."
  [g loops]
  (let [loop? (set loops), below (HashMap.), counts (counted/needs g)
        under (fn [id] (cond-> (or (.get below id) #{}) (loop? id) (conj id)))]
    (doseq [id (counted/order g)
            :let [needed (concat (graph/args-at g id) (when counts (counters g counts id)))]]
      (.put below id (reduce into #{} (map under needed))))
    (into {} (map (fn [id] [id (.get below id)])) loops)))

(defn- all-needs
  "The loops that a group of loops needs, groups being taken as a whole."
  [needs group-of group]
  (loop [known #{}, todo (into #{} (mapcat needs) group)]
    (if (empty? todo)
      known
      (let [known (into known todo), more (into #{} (mapcat group-of) todo)]
        (recur known (set/difference (into more (mapcat needs) more) known))))))

(defn- apart?
  "Does neither of two groups of loops need the other?"
  [needs group-of a b]
  (let [free? (fn [a b] (not-any? (all-needs needs group-of a) b))]
    (and (free? a b) (free? b a))))

(defn- joined
  "The groups, {loop [loop …]} in the order of the loops and {first-of-group loop taken apart}, with
  `id` in the first group that takes it."
  [needs {:keys [group-of whole] :as groups} id l]
  (or (some (fn [[head one]]
              (let [group (group-of head)]
                (when (apart? needs group-of group [id])
                  (when-let [both (together one l)]
                    (let [group (conj group id)]
                      {:group-of (into group-of (map (fn [i] [i group])) group)
                       :whole (assoc whole head both)})))))
            whole)
      {:group-of (assoc group-of id [id]), :whole (assoc whole id l)}))

(defn- groups
  "The groups of loops of a graph that can be one, of two at least: [[loop …] …]."
  [g]
  (let [loops (form/loops g), needs (needs g loops)
        {:keys [group-of whole]} (reduce (fn [groups id] (joined needs groups id (form/at g id)))
                                         {:group-of {}, :whole (sorted-map)} loops)]
    (filterv next (map group-of (keys whole)))))

;; ## The graph with them united

(defn- order
  "The live ids of a graph, arguments first, and those of all loops of a group before each of
  them."
  [g group-of]
  (let [seen (boolean-array (count (:nodes g))), stack (ArrayDeque.), order (ArrayList.)
        needed (fn [id] (mapcat #(graph/args-at g %) (group-of id [id])))]
    (doseq [id (graph/live g)]
      (.push stack id)
      (while (not (.isEmpty stack))
        (let [id (.peek stack)
              todo (when-not (aget seen (int id)) (remove #(aget seen (int %)) (needed id)))]
          (cond (aget seen (int id)) (.pop stack)
                (seq todo) (run! #(.push stack %) todo)
                :else (do (aset seen (int id) true) (.add order (.pop stack)))))))
    (vec order)))

(defn- whole!
  "{loop {:id :parts}}: the loop that a group becomes, emitted into a builder, for each of them."
  [g b group now]
  (let [members (mapv #(form/opened (graph/node-at g %) (mapv now (graph/args-at g %))
                                    (get-in g [:notes %]))
                      group)
        {:keys [id parts]} (form/renewed! b (reduce together members))
        starts (reductions + 0 (map (comp count :results) members))]
    (zipmap group (map (fn [from {:keys [results]}]
                         {:id id, :parts (subvec parts from (+ from (count results)))})
                       starts members))))

(defn- emitted
  "The ids of the nodes of a graph in a builder, its loops in groups."
  [g b group-of]
  (let [now (HashMap.), made (HashMap.)]
    (doseq [id (order g group-of)
            :let [[_ {:keys [at]} a :as node] (graph/node-at g id)]]
      (when-let [group (and (not (.containsKey made id)) (group-of id))]
        (.putAll made (whole! g b group #(.get now %))))
      (.put now id (or (:id (.get made id))
                       (when (= :part (op/kind (graph/op-of node)))
                         (get (:parts (.get made a)) at))
                       (graph/keep-node! b node (mapv #(.get now %) (graph/args-of node))
                                         (graph/type-of g id) (get-in g [:notes id])))))
    now))

(defn united
  "The graph with as few loops as there can be."
  [g]
  (let [found (when (next (form/loops g)) (groups g))]
    (if (empty? found)
      g
      (let [b (graph/builder), group-of (into {} (for [group found, id group] [id group]))
            ^HashMap now (emitted g b group-of), new-id #(.get now %)]
        (carry/united (graph/prune (graph/finish b (mapv new-id (:outputs g))
                                                 (distinct (map new-id (:keep g))))))))))
