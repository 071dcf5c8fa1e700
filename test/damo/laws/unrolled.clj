(ns damo.laws.unrolled
  "Loops written out, round after round: a graph without them that means the same, for laws of what
  is made of loops, derivatives above all. (unrolled g '{n 3, m 2}) of a graph, its dims numbers;
  loops that data ends, and those in cases of branches, stay."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.op.body :as body]
            [damo.op.looping :as looping]
            [damo.op.whole :as whole]))

(set! *warn-on-reflection* true)

(declare emitted!)

(defn- opens?
  "Is a node a loop whose rounds are a number?"
  [[op {:keys [steps] :as attrs}]]
  (and (= :loop (op/kind op)) (integer? steps) (not (looping/counts? attrs))))

(defn- template! [b args template]
  (op/instantiate! (op/emitter b nil) args template))

(defn- row! [b id i]
  (let [[_ shape] (graph/node-type b id)]
    (template! b {'?x id} [:reshape {:shape (subvec shape 1)}
                           [:slice {:axis 0, :start i, :stop (inc i)} '?x]])))

(defn- argument!
  "The id of what parameter k of the body is in round t."
  [b params args traces depths t k]
  (let [[what at from by] (params k)]
    (case what
      :each (row! b (args at) (if (= 1 by) (+ from t) (- from 1 t)))
      :carry (let [rows (traces at)] (rows (+ from (- (count rows) (depths at)))))
      :all (args at)
      :turn (op/emit! b :const {:type [:i64 []], :value t} [] nil))))

(defn- round!
  "The ids of what the body gives in round t."
  [b {:keys [params body]} args traces depths t]
  (body/apply! body nil #(argument! b params args traces depths t %)
               (fn [node args type _] (emitted! b node args type))))

(defn- rows!
  "The id of the array of these rows, each of that type."
  [b [dtype shape] rows]
  (if (empty? rows)
    (op/emit! b :const {:type [dtype (into [0] shape)], :value []} [] nil)
    (op/emit! b :stack {:axis 0} (mapv op/->Id rows) nil)))

(defn- unroll!
  "The ids of the results of a loop."
  [b {:keys [steps carries results body] :as attrs} args]
  (let [extent #(first (type/shape-of (graph/node-type b (args %))))
        depths (mapv extent carries)
        first-rows (mapv (fn [a depth] (mapv #(row! b (args a) %) (range depth))) carries depths)
        kept (vec (repeat (- (count (:outputs body)) (count carries)) []))
        traces (reduce (fn [traces t] (mapv conj traces (round! b attrs args traces depths t)))
                       (into first-rows kept) (range steps))]
    (vec (for [[o rows :as result] results
               :let [all (traces o), found (if (= :all rows) all (vec (take-last rows all)))]]
           (rows! b (looping/output-type attrs o)
                  (if (looping/backwards? result) (vec (rseq found)) found))))))

(defn- emitted!
  "The id of a node, a loop being the tuple of its results."
  [b [op attrs :as node] args type]
  (cond (opens? node) (graph/add-node! b (into [:tuple {}] (unroll! b attrs args)) type nil)
        (= :part (op/kind op)) (or (whole/of-tuple b attrs args)
                                   (graph/add-node! b (into [op attrs] args) type nil))
        :else (graph/add-node! b (into [op attrs] args) type nil)))

(defn with-extents
  "What is live of a graph, with numbers in the places of dims."
  [g dims]
  (whole/check-types (dissoc (whole/with-dims #(type/substitute dims %) (graph/prune g)) :types)))

(defn unrolled
  "The graph with these extents, and its loops written out. Fails where they make a type that an op
  does not take, also in a loop of no rounds."
  [g dims]
  (let [g (with-extents g dims), b (graph/builder)
        ids (graph/sweep! g (fn [_ node args type _] (emitted! b node (vec args) type)))]
    (graph/finish b (mapv ids (:outputs g)))))

(defn loops
  "How many loops a graph has, those in its nodes included."
  [{:keys [nodes]}]
  (reduce + (for [[op attrs] nodes]
              (reduce + (if (= :loop (op/kind op)) 1 0)
                      (map (comp loops second) (body/graphs op attrs))))))
