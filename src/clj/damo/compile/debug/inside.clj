(ns damo.compile.debug.inside
  "What went on in a loop or a branch: the graphs that a node ran, as the reference interpreter runs
  them, each with what its parameters were. (runs g 7 values) is [{:step :body, :body graph, :env
  {0 array}, :round 0} …]; for other nodes nil."
  (:require [damo.data.array :as array]
            [damo.data.fail :as fail]
            [damo.data.form :as form]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.op.body :as body]
            [damo.op.whole :as whole]))

(set! *warn-on-reflection* true)

(defn holder
  "The node that ran graphs, of a node that it is or that is a result of it; nil for others."
  [g id]
  (let [[op _ & args] (graph/node-at g id)]
    (cond (:run (op/entry op)) id
          (= :part (op/kind op)) (recur g (first args)))))

(defn- with-extents
  "The dims with those that a value of a type shows or has counted."
  [dims type value]
  (let [shapes (fn [type] (mapcat type/shape-of (tuple/types type)))]
    (into (merge dims (:counted (meta value)))
          (filter (fn [[dim]] (and (symbol? dim) (not (contains? dims dim)))))
          (map vector (shapes type) (shapes (array/type-of value))))))

(defn dims
  "The dims of a graph whose nodes have these values, besides those known outside."
  [{:keys [types]} values known]
  (reduce (fn [dims [type value]] (if value (with-extents dims type value) dims))
          known (map vector types values)))

(defn noted
  "The graph in node `id` that a path leads to, with the notes of its nodes."
  [g id path]
  (body/opened (get-in (graph/attrs-at g id) path) (get-in g [:notes id :inner path])))

(defn runs
  "The graphs that node `id` ran, in order, given the values of its arguments and the dims."
  [g id values dims]
  (let [[op attrs & args] (graph/node-at g id), found (volatile! [])
        path-of (into {} (map (fn [[path inner]] [inner path])) (body/graphs op attrs))
        ran (fn [inner env dims]
              (vswap! found conj {:step (body/step (path-of inner)), :env env
                                  :body (noted g id (path-of inner))})
              (eval/run inner env dims))]
    ((:run (op/entry op))
     {:attrs (op/with-dims #(type/dim-value dims %) op attrs (delay (graph/types-at g id)))
      :arrays (mapv values args), :dims dims, :run ran})
    (if (= :loop (op/kind op))
      (vec (map-indexed #(assoc %2 :round %1) @found))
      @found)))

(defn input
  "The name of a parameter of a graph that is by itself."
  [at]
  (symbol (str "%" at)))

(defn inputs
  "The inputs of a graph that is by itself, [[name type] …]."
  [{:keys [nodes]}]
  (for [[op {:keys [name type]}] nodes :when (= op :input)] [name type]))

(defn alone
  "The graph of a run as one by itself: its parameters inputs, numbers for the dims."
  [body dims]
  (let [g (whole/with-dims #(type/substitute dims %) body)]
    (update g :nodes (partial mapv (fn [[op {:keys [at type]} :as node]]
                                     (if (= op :param)
                                       [:input {:name (input at), :type type}]
                                       node))))))

(defn telling
  "What (f) gives; a failure of it says in which round of node `id`, or in which of its cases."
  [g id {:keys [round step]} f]
  (try (f)
       (catch clojure.lang.ExceptionInfo e
         (let [what (form/text (form/form (form/of-graph g) 2 id))]
           (fail/explain! e "" (if round
                                 (str "\n  in iteration " round " of " what)
                                 (str "\n  in " (pr-str step) " of " what))
                          (if round
                            {:iterations (into [round] (:iterations (ex-data e)))}
                            {:case step}))))))
