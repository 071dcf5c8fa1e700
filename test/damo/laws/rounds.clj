(ns damo.laws.rounds
  "Loops and branches by the letter of decision 34, row by row on vectors of arrays, and the rest of
  a graph by the meaning of its ops: what the reference interpreter is held against, and what runs
  graphs with every rounded value moved, those in bodies too.
  (run graph {'x array}) gives one array an output."
  (:require [damo.data.array :as array]
            [damo.data.fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.meaning.counted :as counted]
            [damo.meaning.eval :as eval]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(declare all-values)

;; ## Arrays as vectors of rows

(defn rows
  "The rows of an array along its leading axis, a vector of arrays."
  [{:keys [dtype shape] :as a}]
  (let [row (subvec shape 1), size (array/size row), elements (array/values a)]
    (mapv #(array/of dtype row (subvec (vec elements) (* % size) (* (inc (long %)) size)))
          (range (first shape)))))

(defn stacked
  "The array of these rows, each of that type."
  [[dtype shape] rows]
  (array/of dtype (into [(count rows)] shape) (mapcat array/values rows)))

(defn- scalar [dtype x] (array/of dtype [] [x]))
(defn- element [a] (first (array/values a)))

;; ## Loops

(defn- known-extents [dims [dtype shape]]
  [dtype (mapv #(if (every? dims (type/dim-symbols %)) (type/dim-value dims %) 0) shape)])

(defn- check-rows!
  "Fails unless all rows are there that so many rounds read."
  [{:keys [params]} args dims steps]
  (doseq [[kind a from by] params :when (and steps (= :each kind))
          :let [from (type/dim-value dims from), extent (first (:shape (args a)))]]
    (when-not (if (pos? by) (<= (+ from steps) extent) (<= steps from extent))
      (fail! ::too-short (str "argument " a " has " extent " rows") {:argument a}))))

(defn- parameter [[kind a from by] args dims traces depths t]
  (case kind
    :each (let [from (type/dim-value dims from)]
            (nth (rows (args a)) (if (pos? by) (+ from t) (- from 1 t))))
    :carry (let [trace (traces a)] (nth trace (+ (- (count trace) (depths a)) from)))
    :all (args a)
    :turn (scalar :i64 t)))

(defn- rounds
  "[traces kept] after all rounds of a loop, vectors of vectors of rows, and their number."
  [{:keys [steps until unless params carries body]} args dims body-values]
  (let [first-rows (mapv #(rows (args %)) carries), depths (mapv count first-rows)
        behind (- (count (:outputs body)) (count carries) (if until 1 0))]
    (loop [t 0, traces first-rows, kept (vec (repeat behind [])),
           done (and unless (element (args unless)))]
      (if (or done (= t steps))
        {:traces (into traces kept), :made t}
        (let [outputs (body-values body (mapv #(parameter % args dims traces depths t) params))
              [news others] (split-at (count carries) outputs)]
          (recur (inc t) (mapv conj traces news) (mapv conj kept others)
                 (and until (element (last outputs)))))))))

(defn- loop-value [{:keys [steps results body] :as attrs} args dims body-values]
  (let [steps (when steps (type/dim-value dims steps))
        _ (check-rows! attrs args dims steps)
        {:keys [traces made]} (rounds (assoc attrs :steps steps) args dims body-values)
        type-of (fn [o all] (if (seq all)
                              (array/type-of (peek all))
                              (known-extents dims ((:types body) ((:outputs body) o)))))]
    {:made made
     :value (vec (for [[o wanted direction] results
                       :let [all (traces o)
                             last-ones (if (= :all wanted)
                                         all
                                         (vec (take-last (type/dim-value dims wanted) all)))]]
                   (stacked (type-of o all)
                            (if (= :backwards direction) (rseq last-ones) last-ones))))}))

;; ## Branches

(defn- branch-value [{:keys [cases]} [i & args] body-values]
  (let [x (element i), k (case x true 1, false 0, x)]
    (when-not (< -1 k (count cases)) (fail! ::no-such-case (str "there is no case " k) {}))
    {:value (vec (body-values (cases k) (vec args)))}))

;; ## Graphs

(defn- with-counts
  "The dims with those that a value of a type shows."
  [dims type value]
  (reduce (fn [dims [dim extent]]
            (if (and (symbol? dim) (not (dims dim))) (assoc dims dim extent) dims))
          dims (mapcat (fn [[_ shape] [_ extents]] (map vector shape extents))
                       (tuple/types type) (tuple/types (array/type-of value)))))

(defn- check-type! [dims type value]
  (let [extents (fn [[dtype shape]] [dtype (mapv #(type/dim-value dims %) shape)])
        expected (tuple/map extents type)]
    (when-not (= expected (array/type-of value))
      (fail! ::wrong-type (str "a value is " (array/type-of value) " in place of " expected)
             {:expected expected}))))

(defn- node-value
  "{:value :made} of a node."
  [g id args env dims adjust]
  (let [[op attrs] (graph/node-at g id), types (delay (graph/types-at g id))
        body-values (fn [body arrays]
                      (let [values (all-values body (zipmap (range) arrays) dims adjust)]
                        (mapv values (:outputs body))))]
    (case (op/kind op)
      :loop (loop-value attrs args dims body-values)
      :branch (branch-value attrs args body-values)
      :region {:value (let [values (body-values (:body attrs) args)]
                        (if (next values) values (first values)))}
      {:value (case op
                (:input :shared) (env (:name attrs))
                :param (env (:at attrs))
                (eval/value (op/entry op) (op/with-dims #(type/dim-value dims %) op attrs types)
                            args dims))})))

(defn- leaf-dims [{:keys [nodes types]} env dims]
  (reduce (fn [dims [[op {:keys [name at]}] type]]
            (let [value (case op (:input :shared) (env name), :param (env at), nil)]
              (if value (with-counts dims type value) dims)))
          dims (map vector nodes types)))

(defn all-values
  "The values of the nodes of a graph by id, {id array}. (adjust graph) is, for the graph and for
  each run of one in it, a function of a node's id, its arguments' values and its value that gives
  the value to go on with."
  [g env dims adjust]
  (let [adjusted (adjust g)]
    (:values
     (reduce (fn [{:keys [dims values]} id]
               (let [args (mapv values (graph/args-at g id))
                     {:keys [value made]} (node-value g id args env dims adjust)
                     {m :as} (graph/attrs-at g id), type (graph/type-of g id)
                     dims (cond-> dims (and made (symbol? m)) (assoc m made))
                     dims (with-counts dims type value)]
                 (check-type! dims type value)
                 {:values (assoc values id (adjusted id args value)), :dims dims}))
             {:dims (leaf-dims g env dims), :values {}}
             (counted/order g)))))

(defn run
  "The arrays of the outputs of a graph, a vector."
  [g env]
  (mapv (all-values g env {} (fn [_] (fn [_ _ value] value))) (:outputs g)))
