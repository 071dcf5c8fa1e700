(ns damo.meaning.eval
  "The reference interpreter: graphs evaluated op by op on reference arrays (damo.data.array), by
  the
  :eval of each entry, or its kernel or expansion. The oracle of every test, and what folds
  constants. (run graph {'x array}) gives one array an output."
  (:require [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.transfer :as transfer]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.meaning.counted :as counted]
            [damo.op :as op]
            [damo.op.body :as body])
  (:import [java.util HashMap IdentityHashMap]))

(set! *warn-on-reflection* true)

;; ## One op

(defn- elementwise [{:keys [eval] :as entry} attrs arrays]
  (let [[dtype _] (op/result-type entry attrs (mapv array/type-of arrays))]
    (array/map-elements dtype eval arrays)))

(declare run)

(defn- by-expansion
  "The value of an op that says what it means by :expand alone, or by the graph that it holds;
  `dims` are known outside of that."
  [{op :name :as entry} attrs arrays dims]
  (let [types (mapv array/type-of arrays)
        type (when (and (:type entry) (not (:graphs entry))) (op/result-type entry attrs types))
        body (op/expanded entry attrs types type)]
    (when-not body
      (fail! :damo.eval/no-meaning
             (str "the op " op " has no :eval, and its :expand gives nothing for " (pr-str types))
             {:op op}))
    (let [values (run body (zipmap (range) arrays) dims)]
      (if (= 1 (count values)) (first values) values))))

(defn value
  "The array that the op of an entry gives for arrays; its attributes are in normal form and mention
  no symbolic dims, but for graphs in them, whose dims `dims` has."
  ([entry attrs arrays] (value entry attrs arrays {}))
  ([{:keys [kind eval kernel] op :name meaning :run :as entry} attrs arrays dims]
   (cond (= op :const) (let [{[dtype shape] :type, value :value} attrs]
                         (array/of dtype shape (if (empty? shape) [value] value)))
         (and eval (= kind :elementwise)) (elementwise entry attrs arrays)
         eval (apply eval attrs arrays)
         meaning (meaning {:attrs attrs, :arrays arrays, :dims dims, :run run})
         kernel (transfer/by-kernel kernel op attrs
                                    (op/result-type entry attrs (mapv array/type-of arrays)) arrays)
         :else (by-expansion entry attrs arrays dims))))

(defn constant
  "The same for an op by its name."
  [op attrs arrays]
  (value (op/entry op) attrs arrays))

;; ## Dimensions

(defn- bind-dim [dims name [axis dim extent]]
  (cond (not (symbol? dim)) dims
        (= extent (get dims dim extent)) (assoc dims dim extent)
        :else (fail! :damo.eval/shape-mismatch
                     (str "axis " axis " of " name " has the extent " extent
                          ", but the dimension " dim " is " (dims dim) " elsewhere")
                     {:name name, :axis axis, :dim dim, :expected (dims dim), :given extent})))

(defn- check-value
  "The array given for a leaf of that name and type, when its dtype and rank fit."
  [env name [dtype shape]]
  (let [given (or (get env name)
                  (fail! :damo.eval/missing-input (str "no array is given for " name "; given are "
                                                   (pr-str (keys env)))
                         {:name name}))]
    (when-not (and (= dtype (:dtype given)) (= (count shape) (count (:shape given))))
      (fail! :damo.eval/wrong-input (str name " has the type " (pr-str [dtype shape])
                                     ", given an array of type " (pr-str (array/type-of given)))
             {:name name, :expected [dtype shape], :given (array/type-of given)}))
    given))

(defn- name-of
  "What an environment has the value of a leaf under: its name, or its position among arguments; nil
  for other nodes."
  [[op {:keys [name at]}]]
  (case op (:input :shared) name, :param at, nil))

(defn- leaves
  "[name type] of the inputs, shared variables and parameters that are needed (`live`) or given: an
  unused input may still give a dimension its extent."
  [{:keys [nodes]} live env]
  (let [live? (set live)]
    (for [[id [_ {:keys [type]} :as node]] (map-indexed vector nodes) :let [name (name-of node)]
          :when (and (some? name) (or (live? id) (contains? env name)))]
      [name type])))

(defn- bind-dims
  "The dims with those that the arrays of the leaves give; fails when they disagree."
  [dims leaves env]
  (reduce (fn [dims [name type]]
            (let [{:keys [shape]} (check-value env name type)]
              (reduce #(bind-dim %1 name %2) dims (map vector (range) (type/shape-of type) shape))))
          dims leaves))

(defn- check-shape [dims what type array]
  (let [extents (fn [[dtype shape]] [dtype (mapv #(type/dim-value dims %) shape)])
        expected (tuple/map extents type)]
    (when-not (= expected (array/type-of array))
      (fail! :damo.eval/wrong-type (str what " must have the type " (pr-str expected)
                                    (when-not (= type expected) (str ", " (pr-str type)))
                                    "; it has " (pr-str (array/type-of array)))
             {:expected expected, :given (array/type-of array)}))
    array))

;; ## Graphs

(defn- with-notes
  "The attributes of a node with the notes of the nodes of graphs in them, for messages."
  [op attrs {:keys [inner]}]
  (body/with-graphs op attrs (fn [path g] (body/opened g (get inner path)))))

(defn- node-value [{:keys [notes] :as g} dims env remember id args]
  (let [[op attrs :as node] (graph/node-at g id)]
    (case op
      (:input :shared :param) (env (name-of node))
      :const (remember op attrs [] #(constant :const attrs []))
      (let [attrs (op/with-dims #(type/dim-value dims %) op attrs (delay (graph/types-at g id)))]
        (remember op attrs args
                  #(value (op/entry op) (with-notes op attrs (get notes id)) args dims))))))

(defn- as-it-is [_ _ value] value)

(defn- computed-anew [_ _ _ compute] (compute))

(defn remembering
  "A function for `all-values` with which graphs that have nodes in common compute them once: what
  an op gave for an attribute map and these very arrays is remembered."
  []
  (let [numbers (IdentityHashMap.), known (HashMap.)
        number (fn [a] (or (.get numbers a)
                           (let [n (.size numbers)] (.put numbers a n) n)))]
    (fn [op attrs args compute]
      (let [k [op attrs (mapv number args)]]
        (or (.get known k) (let [value (compute)] (.put known k value) value))))))

(defn- with-counts
  "The dims with those that the value of a node of that type has just counted: it says so itself, or
  they are axes of it."
  [dims g id type value]
  (let [dims (into dims (:counted (meta value)))
        shape-of (fn [type] (into [] (mapcat type/shape-of) (tuple/types type)))
        shape (shape-of type), extents (shape-of (array/type-of value))]
    (reduce (fn [dims {:keys [dim]}]
              (let [at (.indexOf ^java.util.List shape dim)]
                (if (or (neg? at) (contains? dims dim)) dims (assoc dims dim (nth extents at)))))
            dims (counted/counted-by g id))))

(defn- explained
  "Throws the failure `e` of a node again, with the node's number, op and position in front."
  [{:keys [nodes types notes]} id e]
  (let [op (graph/op-of (nth nodes id)), {:keys [src]} (get notes id)]
    (fail/explain! e
                   (str "node " id ", " (name op)
                        (when src (str ", written at " (fail/position-text src))) ": ")
                   ""
                   (merge {:damo/error :damo.eval/failed, :id id, :op op, :type (get types id)} src
                          (ex-data e)))))

(defn all-values
  "A vector of the values of all nodes of a graph that its outputs need, by id (nil for the
  others); see `run`. With `known`, {id array}, each node is computed from these values of its
  arguments, where there are any. With `adjust`, a function of a node's id, its arguments' values
  and its value, that gives the value to go on with. `remember` is made by `remembering`; `dims` are
  known from outside."
  ([graph env] (all-values graph env {}))
  ([graph env known] (all-values graph env known as-it-is))
  ([graph env known adjust] (all-values graph env known adjust computed-anew))
  ([graph env known adjust remember] (all-values graph env known adjust remember {}))
  ([{:keys [nodes] :as graph} env known adjust remember dims]
   (let [live (graph/live graph)
         leaf-types (leaves graph live env)
         dims (volatile! (bind-dims dims leaf-types env))
         values (object-array (count nodes))]
     (doseq [[name type] leaf-types] (check-shape @dims name type (env name)))
     (doseq [id (counted/order graph)]
       (try
         (let [args (mapv #(or (known %) (aget values (int %))) (graph/args-at graph id))
               value (adjust id args (node-value graph @dims env remember id args))
               declared (graph/type-of graph id)]
           (when declared
             (vswap! dims with-counts graph id declared value)
             (check-shape @dims "the value" declared value))
           (aset values id value))
         (catch clojure.lang.ExceptionInfo e (explained graph id e))))
     (vec values))))

(defn run
  "The arrays of the outputs of a graph, a vector. `env` maps the names of inputs and shared
  variables, or the positions of parameters, to arrays, which give the symbolic dims their extents,
  besides those that `dims` has. Every value is rounded to its dtype and checked against the type;
  failures name the node. Linear in the graph and in the work of the ops; no recursion but into the
  graphs in nodes."
  ([graph env] (run graph env {}))
  ([graph env dims]
   (mapv (all-values graph env {} as-it-is computed-anew dims) (:outputs graph))))
