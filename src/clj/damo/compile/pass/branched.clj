(ns damo.compile.pass.branched
  "A branch in one table with the nodes around it (damo.compile.pass.flat). Each case has a scope;
  what it gives it stores where the results of the branch lie, each a memory of one row. Where cases
  differ in an axis, the one that runs leaves its extent in memory, and the branch counts it.
  The region of a branch: {:kind :branch, :id, :scopes [s …], :parent scope, :test id, :reads ids
  whose values lie in memory for it, :results, :counts [{:dim k :from id} …]}."
  (:require [damo.compile.pass.scoped :as scoped]
            [damo.compile.pass.traces :as traces]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.op.body :as body]))

(set! *warn-on-reflection* true)

(defn- memories!
  "{result key}: the memories of the results of a branch that are used, those of extents last."
  [writer first-scope type as parts]
  (into {} (concat
            (for [[j [dtype shape]] (map-indexed vector (tuple/types type)) :when (parts j)]
              [j (scoped/memory! writer [first-scope j] {:dtype dtype, :shape shape, :rows 1})])
            (for [place (sort (keys as))]
              [place (scoped/memory! writer [first-scope place]
                                     {:dtype :i64, :shape [], :rows 1})]))))

(defn- extent!
  "The id of the extent of an axis of what a case gives."
  [inner {:keys [types outputs]} [j axis] note]
  (scoped/add! inner [:dim {:dim (nth (type/shape-of (types (outputs j))) axis)}] [] [:i64 []] note))

(defn- placed!
  "The ids of what a case leaves in memories, {result-or-place key}: of `found`, {result id}, and of
  the extents that are counted."
  [{:keys [b] :as inner} body found memories note]
  (let [given (sort-by (comp str key) memories)
        own (scoped/own-outputs! inner (map (fn [[at]] (if (vector? at)
                                                         (extent! inner body at note)
                                                         (found at)))
                                            given))]
    (doseq [[[_ key] id] (map vector given own)
            :let [size (type/size (type/shape-of (graph/node-type b id)))]]
      (scoped/place! inner id {:in key, :row 0, :rows 1, :size size} nil))
    own))

(defn- case!
  "{:kept ids that one case leaves in memory, :others ids that it computes besides}, its nodes
  added."
  [writer walk! {:keys [args note]} memories [k scope body]]
  (let [inner (scoped/inside writer scope), sure (sort (filter integer? (keys memories)))
        failing (traces/failing body sure), outputs (concat sure failing)
        _ (scoped/opens! writer scope {:kind :branch})
        g (assoc (body/opened body (get-in note [:inner [:cases k]]))
                 :outputs (mapv (:outputs body) outputs))
        ids (walk! inner g #(nth args (inc (long %)))), found (zipmap outputs (map ids (:outputs g)))]
    {:kept (placed! inner body found memories note), :others (map found failing)}))

(defn branch!
  "The id of a branch's node, the nodes of its cases before it; (walk! writer graph param) adds
  these."
  [writer walk! {[_ attrs] :node, :keys [args type note parts] :as given}]
  (let [scopes (vec (repeatedly (count (:cases attrs)) #(scoped/scope! writer note)))
        {:keys [cases as]} (scoped/renamed attrs :branch type scopes)
        test (scoped/element! writer (first args) :i64 note)
        memories (memories! writer (first scopes) type as parts)
        done (mapv #(case! writer walk! given memories %) (map vector (range) scopes cases))
        reads (into [test] (mapcat :kept) done)
        id (scoped/add! writer (:node given) (into args (distinct (into reads (mapcat :others) done))) type
                        note)]
    (scoped/region! writer
                    {:kind :branch, :id id, :scopes scopes, :parent (:scope writer), :test test
                     :reads reads
                     :counts (vec (for [[place dim] (sort as)] {:dim dim, :in (memories place)}))
                     :results (vec (for [j (range (count (tuple/types type)))]
                                     (when-let [key (memories j)]
                                       {:place {:in key, :row 0, :rows 1}})))})
    id))
