(ns damo.compile.schedule.inner
  "Elementwise nodes, and gathers, that a node with a loop nest of its own computes where it would
  read them: the rows that are added at indices, the parts of a join. So they are in no memory.
  (inner g asked needs) = {own-id [inner-id …]}, each behind what it reads."
  (:require [damo.compile.schedule.again :as again]
            [damo.compile.schedule.late :as late]
            [damo.data.graph :as graph]
            [damo.meaning.failing :as failing]
            [damo.op :as op]
            [damo.op.indexing :as indexing]))

(set! *warn-on-reflection* true)

(def ^:private most-nodes "How many nodes a nest computes at most." 16)

(defn- kind [g id] (op/kind (graph/op-at g id)))

(defn- operands
  "The arguments of a node of its own that its nest reads one by one."
  [g id]
  (let [args (graph/args-at g id)]
    (case (kind g id)
      :scatter [(:value (indexing/in-nest (graph/attrs-at g id) args))]
      :patch [(last args)]
      :concat args
      :nest (map #(nth args %) (:inlines (op/entry (graph/op-at g id))))
      nil)))

(defn- along-rows?
  "Does the innermost loop of a node's nest run along memory? Functions of many instructions are
  then computed by vectors."
  [g id]
  (let [[_ {:keys [axis step] :as attrs} & args] (graph/node-at g id)
        {:keys [indices value]} (when (= :scatter (kind g id)) (indexing/in-nest attrs args))
        rank #(count (graph/shape-at g %)), own (or value (last args))]
    (and (not= 1 (peek (graph/shape-at g own)))
         (case (kind g id)
           :scatter (< (+ (indexing/place axis) (reduce max (map rank indices))) (rank own))
           :patch (= 1 (peek step))
           :nest false
           true))))

(defn- written-over?
  "May a leaf be what a node of its own writes on, while it reads it? Then the nest reads it nowhere
  else."
  [g {:keys [layouts]} id leaf]
  (let [x (:base (nth layouts (first (graph/args-at g id))))]
    (and (#{:set :add} (:write (op/entry (graph/op-at g id)))) (= :shared (graph/op-at g leaf))
         (or (= x leaf) (not= :leaf (kind g x))))))

(defn- through-view?
  "Does node `user` read node a through a view? That needs its memory."
  [g {:keys [layouts]} user a]
  (some #(and (not= a %) (= a (:base (nth layouts %)))) (graph/args-at g user)))

(defn- fits?
  "May node a be computed in the nest of node `own`, where node `user` alone reads it?"
  [g {:keys [layouts roles] :as asked} needs users own user a]
  (let [base #(:base (nth layouts %))]
    (and (= user (get users a)) (= :loop (nth roles a)) (#{:elementwise :gather} (kind g a))
         (= (get (:scope-of g) a) (get (:scope-of g) own))
         (not (through-view? g asked user a)) (seq (graph/shape-at g a)) (empty? (get needs a))
         (not (failing/in-kernel? g a))
         (or (not (again/math? g a)) (along-rows? g own))
         (not-any? #(written-over? g {:layouts layouts} own (base %)) (graph/args-at g a)))))

(defn- tree
  "The nodes below an operand of node `own` that its nest may compute, operands first."
  [g asked needs users own operand]
  (letfn [(grow [found user a]
            (if (and (fits? g asked needs users own user a) (< (count found) most-nodes))
              (let [more (filter #(= (graph/shape-at g a) (graph/shape-at g %))
                                 (when (= :elementwise (kind g a)) (graph/args-at g a)))]
                (conj (reduce #(grow %1 a %2) found (distinct more)) a))
              found))]
    (grow [] own operand)))

(defn- large-reads
  "The values of kernels, as large as the operand, that these nodes read: each would have to be
  stored for them."
  [g {:keys [layouts roles]} operand nodes]
  (into #{} (for [a nodes, b (graph/args-at g a) :let [base (:base (nth layouts b))]
                  :when (and (= :loop (nth roles base)) (not (some #{base} nodes))
                             (= (graph/shape-at g b) (graph/shape-at g operand)))]
              base)))

(defn- inside
  "The nodes that the nest of a node computes: of each operand those that make it, where no more
  arrays are stored for them than the operand would be."
  [g asked needs users own]
  (into [] (comp (map #(tree g asked needs users own %))
                 (filter #(and (seq %) (<= (count (large-reads g asked (peek %) %)) 1)))
                 cat)
        (filter #(= own (get users %)) (distinct (operands g own)))))

(defn inner
  "The nodes that nests of their own compute, by the node of the nest; see the namespace. `asked`
  has :layouts and :roles by id, `needs` what nodes count first."
  [g {:keys [roles] :as asked} needs]
  (let [live (graph/live g), owns (filter #(and (= :own (nth roles %)) (operands g %)) live)]
    (when (seq owns)
      (let [users (late/one-user g asked live (set (filter #(= :loop (nth roles %)) live)))]
        (into {} (keep (fn [own] (when-let [ids (seq (inside g asked needs users own))]
                                   [own (vec ids)])))
              owns)))))
