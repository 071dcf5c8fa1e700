(ns damo.compile.pass.branched
  "A branch in one table with the nodes around it (damo.compile.pass.flat). Each case has a scope;
  what it gives it stores where the results of the branch lie, each a memory of one row. Where cases
  differ in an axis, the one that runs leaves its extent in memory, and the branch counts it.
  The region of a branch: {:kind :branch, :id, :takes how many arguments, :scopes [s …], :parent
  scope, :test id, :reads ids whose values lie in memory for it, :results, :counts [{:dim k, :in
  memory of its value} …]}."
  (:require [damo.compile.pass.scoped :as scoped]
            [damo.compile.pass.traces :as traces]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.op.body :as body]))

(set! *warn-on-reflection* true)

(defn- memories!
  "{result key, dim key}: the memories of the results of a branch that are used, and of extents."
  [writer scope type dims parts]
  (into {} (concat
            (for [[j [dtype shape]] (map-indexed vector (tuple/types type)) :when (parts j)]
              [j (scoped/memory! writer [scope j] {:dtype dtype, :shape shape, :rows 1})])
            (for [dim dims]
              [dim (scoped/memory! writer [scope dim] {:dtype :i64, :shape [], :rows 1})]))))

(defn- extent!
  "The id of the value that a dim which the branch counts has in a case."
  [inner {:keys [types outputs]} as names dim note]
  (let [[j axis] (some (fn [[place d]] (when (= d dim) place)) as)
        d (if j (nth (type/shape-of (types (outputs j))) axis) (names dim))]
    (scoped/add! inner [:dim {:dim d}] [] [:i64 []] note)))

(defn- placed!
  "The ids of what a case leaves in memories: of `found`, {result id}, and of the extents of dims,
  (extent dim)."
  [{:keys [b] :as inner} found extent memories]
  (let [given (sort-by (comp str key) memories)
        own (scoped/own-outputs! inner (map (fn [[at]] (if (symbol? at) (extent at) (found at)))
                                            given))]
    (doseq [[[_ key] id] (map vector given own)]
      (scoped/place! inner id {:in key, :row 0, :rows 1, :shape (type/shape-of
                                                                 (graph/node-type b id))}
                     nil))
    own))

(defn- case!
  "{:kept ids that one case leaves in memory, :others ids that it computes besides, :read the
  positions of the parameters that it needs}, its nodes added."
  [writer walk! {[_ {:keys [as]}] :node, :keys [args note]} memories [k scope body names]]
  (let [inner (scoped/inside writer scope), sure (sort (filter integer? (keys memories)))
        failing (traces/failing body sure), outputs (concat sure failing)
        _ (scoped/opens! writer scope {:kind :branch})
        g (assoc (body/opened body (get-in note [:inner [:cases k]]))
                 :outputs (mapv (:outputs body) outputs))
        ids (walk! inner g #(nth args (inc (long %))))
        found (zipmap outputs (map ids (:outputs g)))]
    {:kept (placed! inner found #(extent! inner body as names % note) memories)
     :others (map found failing), :read (map :at (scoped/live-params g))}))

(defn branch!
  "The id of a branch's node, the nodes of its cases before it; (walk! writer graph param) adds
  these."
  [writer walk! {[_ {:keys [cases as] :as attrs}] :node, :keys [args type note parts] :as given}]
  (let [scopes (vec (repeatedly (count cases) #(scoped/scope! writer note)))
        {:keys [attrs names]} (scoped/renamed attrs :branch scopes)
        test (scoped/element! writer (first args) :i64 note)
        dims (distinct (concat (vals as) (scoped/extents type names)))
        memories (memories! writer (first scopes) type dims parts)
        done (mapv #(case! writer walk! given memories %)
                   (map vector (range) scopes (:cases attrs) names))
        read? (into #{} (mapcat :read) done)
        unread (keep-indexed #(when-not (read? %1) %2) (rest args))
        reads (into (into [test] unread) (mapcat :kept) done)
        all (distinct (into reads (mapcat :others) done))
        id (scoped/add! writer (:node given) (into args all) type note)]
    (scoped/region! writer
                    {:kind :branch, :id id, :takes (count args), :scopes scopes
                     :parent (:scope writer), :test test, :reads reads
                     :counts (vec (for [dim dims] {:dim dim, :in (memories dim)}))
                     :results (vec (for [j (range (count (tuple/types type)))]
                                     (when-let [key (memories j)]
                                       {:place {:in key, :row 0, :rows 1}})))})
    id))
