(ns damo.op.home
  "In which public namespace the function of an op lies: the folder of the op decides. :cholesky of
  damo.ops.linalg is damo.linalg/cholesky, written la/cholesky; what no line here names is of
  damo.core."
  (:require [clojure.string :as str]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(def homes
  "Folders of ops, the public namespaces of their functions, and the aliases that pages write."
  [{:folder 'damo.ops.linalg, :ns 'damo.linalg, :alias 'la}
   {:folder 'damo.ops.random, :ns 'damo.random, :alias 'r}
   {:folder 'damo.ops.sparse, :ns 'damo.sparse, :alias 'sp}
   {:folder 'damo.ops.conv, :ns 'damo.nn, :alias 'nn}
   {:folder 'damo.ops.fft, :ns 'damo.fft, :alias 'fft}])

(defn home
  "The {:ns :alias} of the function of an op, of its entry."
  [{:keys [ns]}]
  (or (first (filter #(str/starts-with? (str ns) (str (:folder %) ".")) homes))
      {:ns 'damo.core, :alias 'd}))

(defn called
  "The name of the function of an op as pages write it, such as la/cholesky."
  [{op :name :as entry}]
  (symbol (name (:alias (home entry))) (name op)))

(defn function-var
  "The var of the function of an op, by its name, such as :cholesky; nil when it has none or its
  namespace is not loaded."
  [op]
  (let [ns (:ns (home (op/entry op)))]
    (when-let [v (and (find-ns ns) (ns-resolve ns (symbol (name op))))]
      (when (:op (meta v)) v))))

(defmacro export-ops
  "Defines in this namespace, a public one, the functions of all ops whose home it is, each under
  its name, with doc and arguments."
  []
  `(do ~@(for [[op {:keys [doc args internal kind] :as entry}] (sort-by key @op/registry)
               :when (and (= (:ns (home entry)) (ns-name *ns*)) (not (or internal (= kind :leaf))))
               :let [params (if (= args :variadic) '[args] (map #(symbol (subs (name %) 1)) args))]]
           `(def ~(with-meta (symbol (name op))
                    {:doc doc, :arglists `'([~@params ~'& ~'attributes]), :op op})
              (op/caller ~op)))))
