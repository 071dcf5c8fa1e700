(ns damo.compile.pass.looped
  "A loop in one table with the nodes around it (damo.compile.pass.flat). Rows of arguments are
  places in them. A carry that is wanted whole has a memory of all its rows, of which the body reads
  some and writes one each round; else a ring of those that are still needed. Results are places in
  these. What nobody reads has no memory, and is not computed unless it may fail.
  The region of a loop: {:kind :loop, :id, :takes how many arguments, :scopes [s], :parent scope,
  :var t, :extent dim or nil, :until id, :unless id, :as dim, :reads ids whose values lie in
  memory for it, :results, :rings [{:in memory, :out id, :over id of its oldest row or nil} …],
  :counts [{:dim k, :inner its name in the body, :in memory of its value} …], those that are axes
  of results}."
  (:require [damo.compile.pass.layout :as layout]
            [damo.compile.pass.scoped :as scoped]
            [damo.compile.pass.traces :as traces]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.op.body :as body]
            [damo.op.looping :as looping]))

(set! *warn-on-reflection* true)

;; ## Parameters

(defn- span
  "How many elements lie from the first of a shape to the last, by strides that are not negative."
  [shape strides]
  (if (= strides (array/strides shape))
    (type/size shape)
    (type/dim-max 0 (apply type/signed+ 1 (map #(type/signed* (traces/difference %1 1) %2)
                                               shape strides)))))

(defn- row!
  "The parameter that is row `at` of an argument: a place in it."
  [{:keys [layouts] :as writer} a node type at note]
  (let [{:keys [base offset], [stride & more] :strides} (@layouts a)
        shape (type/shape-of type), own (vec more), id (scoped/add! writer node [] type note)]
    (scoped/place! writer id
                   {:of base, :offset (type/signed+ offset (type/signed* stride at))
                    :size (span shape own)}
                   (when (not= own (array/strides shape)) {:offset 0, :strides own}))))

(defn- in-rows!
  "The argument of which rows are read, in memory, with strides that are not negative."
  [{:keys [b layouts] :as writer} a note]
  (if (or (layout/generated? b a) (some type/negative? (rest (:strides (@layouts a)))))
    (layout/copied! writer a note)
    a))

(defn- parameter!
  "The id of the parameter of the body at a position, in the loop `of`."
  [{:keys [inner attrs types args var memories note]} at]
  (let [{:keys [params]} attrs, [what a from by :as param] (nth params at)
        type (looping/param-type attrs types param)
        same (.indexOf ^java.util.List params param)
        node [:param {:at same, :loop (:scope inner), :type type}]]
    (case what
      :all (nth args a)
      :turn (scoped/add! inner [:dim {:dim var}] [] type note)
      :carry (scoped/place! inner (scoped/add! inner node [] type note)
                            {:in (memories a), :row (type/dim+ from var), :rows 1} nil)
      :each (row! inner (nth args a) node type
                  (if (= 1 by) (type/dim+ from var) (traces/difference from (type/dim+ 1 var)))
                  note))))

;; ## The body

(defn- prepared-args
  "The arguments as the loop takes them: those of which it reads rows, and whether it makes a round,
  in memory."
  [writer {:keys [unless]} args params note]
  (let [rows (into #{} (keep (fn [[what a]] (when (= :each what) a))) params)]
    (vec (map-indexed (fn [k a]
                        (cond (rows k) (in-rows! writer a note)
                              (= k unless) (scoped/element! writer a :bool note)
                              :else a))
                      args))))

(defn- memories!
  "{output key}: the memories of the outputs that are carried or wanted."
  [writer {:keys [scope attrs types names note]} computed wanted]
  (let [outside (into {} (map (juxt val key)) (first names))]
    (into {} (for [o computed :when (or (< o (count (:carries attrs))) (wanted o))
                   :let [shape (mapv #(type/substitute outside %) (traces/row-shape attrs o))]]
               [o (scoped/memory! writer [scope o]
                                  (traces/memory attrs types note o shape (wanted o)))]))))

(defn- firsts!
  "The ids of the first rows of carries, copied to where the rows of each lie."
  [{:keys [b] :as writer} {:keys [scope attrs args memories note]}]
  (vec (for [[o key] (sort memories) :let [a (some-> (looping/first-rows attrs o) args)] :when a]
         (scoped/place! writer
                        (scoped/add! writer [:copy {:carry o, :loop scope}] [a]
                                     (graph/node-type b a) note)
                        {:in key, :row 0, :rows (:depth (scoped/memory writer key))} nil))))

(defn- outputs!
  "{output id}: what the body gives, in memory of its own where it is kept, at its row."
  [{:keys [inner attrs memories var]} computed ids]
  (let [end (when (:until attrs) (dec (count (:outputs (:body attrs)))))
        stays? #(or (memories %) (= end %)), by-output (zipmap computed ids)
        kept (filter stays? computed)
        found (merge by-output (zipmap kept (scoped/own-outputs! inner (map by-output kept))))]
    (doseq [[o key] memories]
      (scoped/place! inner (found o)
                     {:in key, :row (traces/next-row (scoped/memory inner key) var), :rows 1
                      :shape (traces/row-shape attrs o)} nil))
    (assoc found :until (found end))))

(defn- counts!
  "What the loop counts as axes of its results, [{:dim :inner :in :first :out} …]: 0, until a round
  has left the extent in memory."
  [writer {:keys [scope inner names type note]}]
  (vec (for [dim (scoped/extents type names)
             :let [own ((first names) dim), i64 [:i64 []]
                   in (scoped/memory! writer [scope dim] {:dtype :i64, :shape [], :rows 1})
                   node [:copy {:loop scope, :count dim}], place {:in in, :row 0, :rows 1}
                   copy! #(scoped/place! %1 (scoped/add! %1 node [%2] i64 note) place nil)]]
         {:dim dim, :inner own, :in in
          :first (copy! writer (scoped/add! writer [:const {:type i64, :value 0}] [] i64 nil))
          :out (copy! inner (scoped/add! inner [:dim {:dim own}] [] i64 nil))})))


(defn- rings
  "The carries whose new row may lie where the oldest does, if nothing reads that any more."
  [{:keys [inner attrs memories]} params param outputs]
  (vec (for [[o key] (sort memories) :when (:over? (scoped/memory inner key))
             :let [oldest (.indexOf ^java.util.List (:params attrs) [:carry o 0])]]
         {:in key, :out (outputs o), :over (when (params [:carry o 0]) (param oldest))})))

(defn- opened
  "The loop as its body is about to be added: what `parameter!` and the others here ask."
  [{:keys [b] :as writer} {[_ attrs] :node, :keys [args type note parts]}]
  (let [scope (scoped/scope! writer note), var (scoped/variable writer scope)
        _ (scoped/opens! writer scope {:kind :loop})
        {:keys [attrs names]} (scoped/renamed attrs :loop [scope])
        wanted (traces/wanted attrs parts), computed (traces/needed attrs wanted)
        body (-> (body/opened (:body attrs) (get-in note [:inner [:body]]))
                 (update :outputs #(mapv % computed)))
        params (into #{} (map #((:params attrs) (:at %))) (scoped/live-params body))
        args (prepared-args writer attrs args params note)
        state {:scope scope, :inner (scoped/inside writer scope), :var var, :attrs attrs, :args args
               :types (mapv #(graph/node-type b %) args), :note note, :type type, :names names
               :computed computed, :body body, :live params}]
    (assoc state :memories (memories! writer state computed wanted))))

(defn- unread
  "The arguments that no part of the loop reads; they are computed, for they may fail."
  [{:keys [attrs args live memories]}]
  (let [read (-> #{(:unless attrs)}
                 (into (keep (fn [[what a]] (when (#{:each :all} what) a))) live)
                 (into (keep #(looping/first-rows attrs %)) (keys memories)))]
    (keep-indexed #(when-not (read %1) %2) args)))

(defn- region
  "What is written down of a loop whose body has been added."
  [writer {:keys [scope var attrs args types memories live inner] :as state} id
   {:keys [outputs firsts counts rings]}]
  (let [{:keys [steps as]} attrs, unless (some-> (:unless attrs) args)
        rows (for [[what a] live :when (= :each what)] (args a))]
    {:kind :loop, :id id, :takes (count args), :scopes [scope], :parent (:scope writer), :var var
     :extent steps, :until (:until outputs), :unless unless, :as as, :rings rings, :counts counts
     :reads (vec (remove nil? (concat rows firsts (unread state) [unless (:until outputs)]
                                      (map outputs (keys memories))
                                      (mapcat (juxt :first :out) counts))))
     :results (vec (for [[o :as wish] (:results attrs) :let [key (memories o)]]
                     (when key
                       (traces/result attrs types key (scoped/memory inner key) wish))))}))

(defn loop!
  "The id of a loop's node, the nodes of its body before it; (walk! writer graph param) adds these."
  [writer walk! given]
  (let [{:keys [inner body args note type live computed] :as state} (opened writer given)
        param (memoize (partial parameter! state)), firsts (firsts! writer state)
        ids (walk! inner body param), outputs (outputs! state computed (map ids (:outputs body)))
        counts (counts! writer state), rings (rings state live param outputs)
        before (concat firsts (map outputs computed) (mapcat (juxt :first :out) counts))
        id (scoped/add! writer (:node given) (into args (distinct before)) type note)]
    (scoped/region! writer (region writer state id {:outputs outputs, :firsts firsts
                                                    :counts counts, :rings rings}))
    id))
