(ns damo.diff.reach
  "Which nodes of a builder lie between what is differentiated and `wrt`. A node that holds graphs
  and has several results is looked into: a result depends on those arguments alone that it depends
  on in the graphs, through floats, and over the rounds of a loop.
  (between b [9] [0] (bits [])) is the set of ids that 9 needs and that depend on 0."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff.node :as node]
            [damo.op :as op]
            [damo.op.body :as body]
            [damo.op.looping :as looping])
  (:import [java.util BitSet]))

(set! *warn-on-reflection* true)

;; ## Sets of ids

(defn bits
  "The set of these ids."
  ^BitSet [ids]
  (let [s (BitSet.)] (doseq [id ids] (.set s (int id))) s))

(defn members
  "The ids in a set."
  [^BitSet s]
  (take-while nat-int? (iterate #(.nextSetBit s (inc (int %))) (.nextSetBit s 0))))

(defn- below
  "The set of ids that the roots need, down to `floor`; arguments of `stops` are not followed."
  ^BitSet [b roots floor ^BitSet stops]
  (let [needed (bits roots)]
    (loop [id (.previousSetBit needed (int (reduce max -1 roots)))]
      (when (and (<= 0 id) (<= (long floor) id))
        (when-not (.get stops id)
          (doseq [a (graph/args-of (graph/node b id)) :when (<= (long floor) (long a))]
            (.set needed (int a))))
        (recur (.previousSetBit needed (dec id)))))
    needed))

;; ## What one node passes on

(defn- passes?
  "Do derivatives pass from the argument at `position` to node id? Not through what says that it
  disconnects, and not from an integer argument, such as an index, that has no derivative."
  [b id position arg]
  (let [entry (op/entry (graph/op-of (graph/node b id)))]
    (and (not (and (map? (:no-gradient entry))
                   (= :disconnected (first (node/missing-derivative entry position)))))
         (or (node/float-node? b arg) (node/form-at b id position)))))

;; ## Graphs in nodes

(declare results-of)

(defn- param-sets
  "The positions of the parameters that node `id` depends on, given those of the nodes before it;
  (through id) is what `results-of` says of a node."
  [b id sets through]
  (let [[op {:keys [at]} & args :as own] (graph/node b id)]
    (cond (body/param? own) #{at}
          (not (node/float-node? b id)) #{}
          :else
          (let [part? (= :part (op/kind op)), source (if part? (first args) id)
                found (through source)
                args (if found (graph/args-of (graph/node b source)) (vec args))
                passing (cond (nil? found) (filter #(passes? b id % (nth args %))
                                                   (range (count args)))
                              part? (nth found at)
                              :else (reduce into #{} found))]
            (into #{} (mapcat #(sets (nth args %))) passing)))))

(defn outputs-of
  "For each output of a body the set of positions of the parameters that it depends on."
  [body]
  (let [b (graph/builder), ids (graph/load-graph! b (body/opened body nil))
        through (memoize #(results-of (graph/node b %)))
        sets (reduce #(conj %1 (param-sets b %2 %1 through)) [] (range (graph/node-count b)))]
    (mapv #(if (node/float-node? b (ids %)) (sets (ids %)) #{}) (:outputs body))))

(defn- through-rounds
  "For each output of a loop's body the set of arguments that its rows depend on."
  [{:keys [params carries] :as attrs}]
  (let [inside (outputs-of (:body attrs)), float? #(type/float-dtype? (type/dtype-of %))
        carry? (fn [o] (and (< o (count carries)) (float? (looping/output-type attrs o))))
        source (fn [found [what at]]
                 (case what (:each :all) #{at}, :carry (when (carry? at) (found at)), :turn nil))
        start (vec (map-indexed (fn [o _] (if (carry? o) #{(nth carries o)} #{})) inside))]
    (loop [found start]
      (let [more (mapv (fn [own ks] (into own (mapcat #(source found (nth params %))) ks))
                       found inside)]
        (if (= more found) found (recur more))))))

(def ^:private results-by-kind
  "By kind of op, for each result of a node of it the set of positions of the arguments that it
  depends on; a function of its attributes."
  {:loop (fn [{:keys [results] :as attrs}]
           (let [found (through-rounds attrs)] (mapv (fn [[o]] (nth found o)) results)))
   :branch (fn [{:keys [cases]}]
             (apply mapv (fn [& sets] (into #{} (map inc) (reduce into #{} sets)))
                    (map outputs-of cases)))})

(defn results-of
  "For each result of a node the arguments that it depends on; nil of a node that is not looked
  into."
  [[op attrs]]
  (when-let [of (results-by-kind (op/kind op))] (of attrs)))

;; ## Which nodes lie between

(defn connected-positions
  "The positions of the arguments of node id that are marked and that derivatives pass from; of a
  node of several results, where `asked` is given, to those of them."
  ([b id marked] (connected-positions b id marked nil))
  ([b id ^BitSet marked asked]
   (let [[op {:keys [at]} & args :as own] (graph/node b id), args (vec args)
         marked? #(.get marked (int (nth %1 %2)))]
     (if-let [results (results-of own)]
       (let [passing (reduce into #{} (map results (or asked (range (count results)))))]
         (filterv #(and (passing %) (marked? args %)) (range (count args))))
       (filterv (fn [i]
                  (and (marked? args i) (passes? b id i (nth args i))
                       (or (not= :part (op/kind op))
                           (let [held (graph/node b (nth args i)), through (results-of held)]
                             (or (nil? through)
                                 (some #(marked? (graph/args-of held) %) (nth through at)))))))
                (range (count args)))))))

(defn dependent
  "The set of ids that the roots need and that depend on the sources: a node does when
  (joins? id found) holds, given the set of those found below it."
  ^BitSet [b roots sources stops joins?]
  (let [needed (below b roots (reduce min Integer/MAX_VALUE sources) stops), found (bits sources)]
    (.and found needed)
    (loop [id (.nextSetBit needed 0)]
      (when (<= 0 id)
        (when (joins? id found) (.set found id))
        (recur (.nextSetBit needed (inc id)))))
    found))

(defn between
  "The set of ids that the roots need and that depend on `wrt` through floating-point nodes only."
  ^BitSet [b roots wrt ^BitSet stops]
  (dependent b roots wrt stops
             (fn [id found]
               (and (not (.get stops (int id))) (node/float-node? b id)
                    (seq (connected-positions b id found))))))
