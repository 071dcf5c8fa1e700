(ns damo.diff.branch.batch
  "Branches on a batch. Where one test decides for all elements the branch stays, of batched cases;
  where each element has its own, all cases are computed, and elements chosen, which is done only
  where no case may fail. In: a builder, a branch, its operands as damo.diff.batch has them. Out:
  the id of a :tuple of its results, the batch axis in front of each."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff.batch :as batch]
            [damo.diff.loop.bodies :as bodies]
            [damo.diff.node :as node]
            [damo.meaning.failing :as failing]
            [damo.op :as op]
            [damo.op.body :as body]))

(set! *warn-on-reflection* true)

(defn- tuple! [b id ids]
  (op/emit! b :tuple {} (mapv op/->Id ids) (select-keys (graph/note b id) [:src])))

;; ## One test

(defn- batched-case
  "What `bodies/closed` gives for a case on batched arguments; those that are not in the batch
  stay."
  [operands n body notes]
  (let [inner (graph/builder), outs (bodies/opened! inner body notes)
        seeds (into {} (for [[at id] (sort (bodies/params inner))
                             :when (:batched (nth operands at))
                             :let [[dtype shape] (graph/node-type inner id)]]
                         [id (bodies/param! inner [:batched at] [dtype (into [n] shape)])]))
        placed (fn [to own! token]
                 (when (vector? token)
                   (own! (second token) (graph/node-type inner (seeds ((bodies/params inner)
                                                                       (second token)))))))]
    (bodies/closed inner (batch/batched inner outs seeds n) {} (range (count operands)) placed)))

(defn- of-cases! [b id [test & operands] n]
  (let [[op {:keys [cases as]}] (graph/node b id), {:keys [src inner]} (graph/note b id)
        operands (vec operands)
        closed (mapv #(batched-case operands n %2 (get inner [:cases %1])) (range) cases)
        notes (body/case-notes closed)]
    (op/emit! b op {:cases (mapv :body closed)
                    :as (not-empty (into {} (for [[[j axis] dim] as] [[j (inc axis)] dim])))}
              (mapv #(op/->Id (or (:batched %) (:id %))) (into [test] operands))
              (cond-> {} src (assoc :src src) (seq notes) (assoc :inner notes)))))

;; ## A test for each element

(defn- cases!
  "For each case the ids of its results, batched."
  [b id cases operands n]
  (let [seeds (into {} (keep (fn [{:keys [batched id]}] (when batched [id batched]))) operands)
        note (select-keys (graph/note b id) [:src])]
    (mapv (fn [case]
            (let [outs (body/apply! case nil (mapv :id operands)
                                    (fn [node args type _]
                                      (graph/keep-node! b node args type note)))]
              (batch/batched b outs seeds n)))
          cases)))

(defn- chosen!
  "The id of result j of the case that each element of `test` chooses."
  [b id test results n]
  (let [rank (dec (count (type/shape-of (graph/node-type b (first results)))))
        test (node/emit-template! b id {'?t test}
                                  [:reshape {:shape (into [n] (repeat rank 1))} '?t])]
    (reduce (fn [others [k result]]
              (node/emit-template! b id {'?t test, '?x result, '?y others}
                                   [:where [:eq '?t k] '?x '?y]))
            (first results) (map-indexed (fn [k result] [(inc k) result]) (rest results)))))

(defn- number!
  "The id of which case each element of a batch of tests chooses."
  [b id test cases]
  (node/emit-template! b id {'?t test}
                       (if (= :bool (type/dtype-of (graph/node-type b test)))
                         [:cast {:dtype :i64} '?t]
                         [:check-index {:extent (count cases)} '?t])))

(defn- by-element! [b id [test & operands] n]
  (let [{:keys [cases as]} (graph/attrs-of (graph/node b id))]
    (when (and (empty? as) (every? (comp empty? failing/stopping) cases))
      (let [chosen (number! b id (:batched test) cases), results (cases! b id cases operands n)]
        (tuple! b id (apply map (fn [& of-cases] (chosen! b id chosen of-cases n)) results))))))

(defn counterpart!
  "The id of a node of the results of branch `id` for a batch of n of its operands; nil where each
  element has its own test and a case may fail."
  [b id [test :as operands] n]
  (if (:batched test) (by-element! b id operands n) (of-cases! b id operands n)))
