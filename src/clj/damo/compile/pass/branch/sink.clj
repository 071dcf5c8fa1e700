(ns damo.compile.pass.branch.sink
  "What only one case of a branch needs moves into it: it is then not computed, and does not fail,
  where another case is taken. It is the inverse of hoisting, and sees the whole graph, for what
  anything else reads stays where it is. What is no node's to move, inputs, shared variables and
  parameters, stays.
  (sunk g) is g with branches of arguments that are needed in all of their cases, or elsewhere."
  (:require [damo.data.graph :as graph]
            [damo.op :as op]
            [damo.op.body :as body])
  (:import [java.util HashMap]))

(set! *warn-on-reflection* true)

(defn- branch? [g id] (= :branch (op/kind (graph/op-at g id))))

(defn- movable?
  "Can a node stand in a case?"
  [[op]]
  (or (= op :const) (not= :leaf (op/kind op))))

;; ## Where nodes go

(defn- readers
  "For each argument of a branch, in order, the number of the only case that reads it, else nil."
  [{:keys [cases]} n]
  (let [read (mapv (comp set keys body/params) cases)]
    (into [nil]                         ; which case is taken is needed before
          (map (fn [at] (let [found (keep-indexed (fn [k used] (when (used at) k)) read)]
                          (when (= 1 (count found)) (first found)))))
          (range (dec n)))))

(defn- use-places
  "[[argument place] …] of the arguments of a node that goes to `own`; a place is [branch case], or
  :here."
  [g id own]
  (let [args (graph/args-at g id)]
    (if (and (= own :here) (branch? g id))
      (map vector args (map #(if % [id %] :here) (readers (graph/attrs-at g id) (count args))))
      (map vector args (repeat own)))))

(defn- places
  "{id [branch case]}: the nodes of a graph that move, and where."
  [g]
  (let [found (HashMap.)]
    (doseq [id (concat (:outputs g) (:keep g))] (.put found id :here))
    (doseq [id (rseq (graph/live g))
            :let [place (if (movable? (graph/node-at g id)) (.get found id) :here)]]
      (.put found id place)
      (doseq [[a there] (use-places g id place)]
        (.merge found a there (fn [x y] (if (= x y) x :here)))))
    (let [moving (into {} (remove (comp #{:here} val)) found)
          alone? (fn [[id place]]       ; results of a node that stays stay with it
                   (and (= :part (op/kind (graph/op-at g id)))
                        (not= place (moving (first (graph/args-at g id))))))]
      (into {} (remove alone?) moving))))

;; ## Branches with more in their cases

(defn- case-with
  "{:body :notes}: the body of a case with the nodes that move into it. `args` are those of the
  branch behind its test, `moves?` says which nodes of the graph move, `at` where the others stand
  among the new arguments."
  [g case notes args moves? at]
  (let [b (graph/builder), ids (HashMap.)
        param! (fn [id] (graph/add-node! b (body/param (at id) (graph/type-of g id))
                                         (graph/type-of g id) nil))
        put! (fn put! [id]
               (or (.get ids id)
                   (let [[op attrs & more] (graph/node-at g id)
                         new-id (if (moves? id)
                                  (graph/add-node! b (into [op attrs] (mapv put! more))
                                                   (graph/type-of g id) (get-in g [:notes id]))
                                  (param! id))]
                     (.put ids id new-id)
                     new-id)))]
    (doseq [id (graph/live g (filter moves? args)) :when (moves? id)] (put! id))
    (let [{:keys [outputs kept]}
          (body/applied! case notes #(put! (nth args %))
                         (fn [node own type note] (graph/keep-node! b node own type note)))]
      (select-keys (body/closed (graph/finish b outputs kept)) [:body :notes]))))

(defn- border
  "The nodes that the cases of a branch need from around it, in order: its arguments that stay and
  what those that move are made of. `moving` are the nodes that move into it."
  [g args moving]
  (let [moves? (set moving)]
    (vec (distinct (concat (remove moves? args)
                           (remove moves? (mapcat #(graph/args-at g %) (sort moving))))))))

(defn- deeper
  "{:node :note}: the branch `id` of a graph with what moves into its cases, {node [branch case]},
  its arguments numbered as in the graph."
  [g id moving]
  (let [[op attrs test & args] (graph/node-at g id), note (get-in g [:notes id])
        around (border g args (keys moving)), at (zipmap around (range))
        whole (map-indexed (fn [k case]
                             (case-with g case (get-in note [:inner [:cases k]]) (vec args)
                                        #(= [id k] (moving %)) at))
                           (:cases attrs))]
    {:node (into [op (assoc attrs :cases (mapv :body whole)) test] around)
     :note (cond-> (dissoc note :inner)
             (some (comp seq :notes) whole)
             (assoc :inner (body/case-notes whole)))}))

(defn sunk
  "The graph with what one case of a branch alone needs in that case."
  [g]
  (let [moving (if (some #(branch? g %) (graph/live g)) (places g) {})]
    (if (empty? moving)
      g
      (let [of-branch (group-by (comp first val) moving)
            changed (into {} (for [[id found] of-branch] [id (deeper g id (into {} found))]))]
        (graph/prune (reduce (fn [g [id {:keys [node note]}]]
                               (-> (assoc-in g [:nodes id] node)
                                   (assoc-in [:notes id] note)))
                             g changed))))))
