(ns damo.diff.loop.store
  "What a reverse loop reads of the forward loop besides its arguments: traces of carries and values
  that are kept, of results that the loop has, or of a second loop of the same rounds with more
  results, with which the optimiser unites it. In: a situation of damo.diff.loop.reverse."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff.loop.bodies :as bodies]
            [damo.diff.loop.given :as given]
            [damo.diff.loop.residue :as residue]
            [damo.diff.loop.rows :as rows]
            [damo.diff.node :as node]
            [damo.op.looping :as looping]))

(set! *warn-on-reflection* true)

(def ^:private no-instead (constantly nil))

(defn- varies? [{{:keys [params]} :attrs}]
  (fn [k] (not= :all (first (nth params k)))))

(defn cuts
  "Where the derivative of the body, whose outputs are `roots`, is cut off, as
  damo.diff.loop.residue has it."
  [{:keys [inner outs attrs wishes] :as s} roots]
  (residue/cut inner roots
               {:own? integer?, :varies? (varies? s), :keep (not= :carries (:keep wishes))
                :nexts (into {} (map-indexed (fn [c _] [(nth outs c) c])) (:carries attrs))}))

(defn- needs
  "[[:trace c] … [:kept id] …]: what the tokens of the reverse body need of the forward loop."
  [{{:keys [params]} :attrs} tokens]
  (distinct (keep (fn [token]
                    (let [[what at :as source] (if (integer? token) (nth params token) token)]
                      (case what (:carry :next) [:trace at], :kept source, nil)))
                  tokens)))

(defn- there
  "{need id} of what a result of the loop itself has."
  [{:keys [b id attrs outs steps rounds]} needs]
  (let [all (into {} (keep-indexed (fn [r [o rows order]]
                                     (when (and (= :all rows) (nil? order) (= steps rounds))
                                       [o r])))
                  (:results attrs))
        output (fn [[what at]] (if (= what :trace) at (first (filter #(= at (nth outs %))
                                                                     (keys all)))))]
    (into {} (keep (fn [need] (when-let [r (some-> (output need) all)]
                                [need (node/part! b id r)])))
          needs)))

(defn row-types
  "The types of the rows that a second forward loop would keep for a body of these tokens."
  [{:keys [attrs inner] :as s} tokens]
  (let [needs (needs s tokens), there (there s needs)]
    (for [[what at :as need] needs :when (not (there need))]
      (if (= :trace what) (looping/output-type attrs at) (graph/node-type inner at)))))

(defn- kept-by!
  "{need id}: what a second forward loop, of the same rounds, keeps of these needs."
  [{:keys [b id attrs args inner outs rounds steps wishes] :as s} needs]
  (let [{:keys [until carries]} attrs, n (count carries)
        kept (mapv second (filter #(= :kept (first %)) needs))
        outputs (cond-> (into (subvec outs 0 n) kept) until (conj (peek outs)))
        place (zipmap kept (iterate inc n))
        last-rounds (:truncate wishes)
        rows (fn [o depth] (if (= steps rounds)
                             [o :all]
                             [o (type/dim+ last-rounds depth) :backwards]))
        results (mapv (fn [[what at]]
                        (if (= :trace what) (rows at (given/depth s at)) (rows (place at) 0)))
                      needs)
        body (bodies/closed inner outputs {} (range (count (:params attrs))) no-instead)
        kept (bodies/emit! b id (assoc attrs :results results) args body)]
    (into {} (map-indexed (fn [r need] [need (node/part! b kept r)])) needs)))

(defn back-spec
  "What a parameter of the reverse loop is that reads a row of what is stored, the row `before` the
  latest in the first round: all rows, or, where not all rounds are gone back, the latest first."
  [{:keys [b steps rounds]} id before]
  (if (= steps rounds)
    [:each id (type/dim- (rows/extent b id) before) -1]
    [:each id before 1]))

(defn stored!
  "{need id} of the traces, [:trace carry], and kept values, [:kept id], that a reverse loop reads
  whose body has parameters of these tokens."
  [s tokens]
  (let [needs (needs s tokens), found (there s needs), missing (remove found needs)]
    (if (seq missing) (merge found (kept-by! s missing)) found)))
