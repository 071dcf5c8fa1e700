(ns damo.face.function.check
  "Checks of what a user asks of a function: options, inputs, updates, givens, and that the graph of
  the outputs needs all inputs and no others. (check-inputs! [x y]) fails when they are no inputs."
  (:require [damo.compile.plan.note :as note]
            [damo.data.attribute :as attribute]
            [damo.data.explain :as explain]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.later :as later]
            [damo.data.sparse :as sparse]
            [damo.data.tree :as tree]
            [damo.data.unify :as unify]
            [damo.face.given :as given]))

(set! *warn-on-reflection* true)

(defn input-lines
  "A line for each input of a function, of the first eight."
  [inputs]
  (apply str (for [i (take 8 inputs)] (str "\n  input: " (expr/describe i)))))

(def options
  "The options of a function, as damo.data.attribute has schemas. :trust-input saves what is done
  against threads that close arguments during a call; dtypes and shapes are looked at anyway."
  {:updates {:default nil}, :givens {:default nil}, :mode {:default nil}, :name {:default nil}
   :allow-downcast {:default nil, :is :flag}, :on-unused-input {:default nil, :is :policy}
   :threads {:default nil, :is :threads}, :keep-results {:default nil, :is :calls}
   :trust-input {:default nil, :is :flag}, :no-default-updates {:default nil, :is :flag}})

(def ^:private mode-options (later/of 'damo.compile.modes/options))

(defn check-options!
  "Fails on options that a function does not have, and on values that they cannot have."
  [opts]
  (attribute/options options [] [(or opts {})])
  (mode-options (:mode opts)))

(defn check-inputs!
  "Fails unless the inputs are a vector of inputs with different names."
  [inputs]
  (when-not (sequential? inputs)
    (fail! :damo.function/not-an-input
           (str "the inputs of a function are given as a vector, [x y]; got "
                (expr/describe inputs))
           {:given inputs}))
  (doseq [e inputs]
    (when-not (and (expr/expr? e) (= :input (expr/op-of e)))
      (fail! :damo.function/not-an-input
             (str "the inputs of a function are made with (input 'name type); got "
                  (expr/describe e))
             (assoc (expr/facts e) :given e))))
  (let [names (map (comp :name expr/attrs-of) inputs)]
    (when-let [twice (first (for [[n k] (frequencies names) :when (< 1 k)] n))]
      (fail! :damo.function/duplicate-input
             (str "the input " twice " is listed twice in " (vec names) (input-lines inputs))
             {:name twice, :inputs (vec names)}))))

(defn- check-used! [inputs used how]
  (when-let [unused (first (remove #(used (:name (expr/attrs-of %))) inputs))]
    (let [message (str "no output or update needs the input " (:name (expr/attrs-of unused)) " "
                       (pr-str (expr/type-of unused))
                       (fail/facts-text (expr/facts unused)))]
      (case how
        (nil :raise) (fail! :damo.function/unused-input message
                            (assoc (expr/facts unused) :input (:name (expr/attrs-of unused))))
        :warn (binding [*out* *err*]
                (println (str "WARNING: " message "\n  try: "
                              (fail/advice :damo.function/unused-input))))
        :ignore nil))))

(defn- check-listed! [graph listed]
  (doseq [id (graph/live graph)
          :let [[op {:keys [name]}] (nth (:nodes graph) id)]
          :when (and (= op :input) (not (listed name)))]
    (let [inputs (vec (sort-by str listed)), facts (note/facts graph id)]
      (fail! :damo.function/missing-input
             (str "the outputs need the input " name " " (pr-str (graph/type-of graph id))
                  ", which is not among the inputs of the function: " inputs
                  (fail/facts-text facts))
             (assoc facts :input name, :inputs inputs)))))

(defn- check-parameters!
  "Fails when the outputs mention what stood for an argument while a function became an op."
  [graph]
  (doseq [id (graph/live graph) :when (= :param (graph/op-at graph id))]
    (let [facts (note/facts graph (first (get (graph/users graph) id [id])))]
      (fail! :damo.region/stray-argument
             (str "the outputs mention an argument of a function that became an op or the body of a"
                  " loop, outside of what that function gave" (fail/facts-text facts))
             facts))))

(defn- check-shared! [[s]]
  (when-not (and (expr/expr? s) (= :shared (expr/op-of s)))
    (fail! :damo.function/not-shared
           (str "only shared variables can be updated; got " (expr/describe s))
           (assoc (expr/facts s) :given s))))

(defn- check-update! [[s e]]
  (when-not (= (expr/type-of s) (expr/type-of e))
    (fail! :damo.function/update-mismatch
           (str "an update has the type of its variable, " (pr-str (expr/type-of s))
                "; this one has the type " (pr-str (expr/type-of e))
                "\n  variable: " (expr/describe s) (fail/facts-text (expr/facts e)))
           (let [unlike {:expected (expr/type-of s), :given (expr/type-of e)}]
             (merge (expr/facts e) unlike {:shared (:name (expr/attrs-of s))}
                    (some->> (unify/equal-advice unlike) (hash-map :try)))))))

(defn- update-parts
  "The pairs [shared expression] of an update, which may be of a structure of shared variables by
  one of expressions; what is data has the dtype of its variable. Of a sparse matrix what stays is
  left out, such as its pattern."
  [[s e]]
  (let [{:keys [leaves skeleton]} (tree/taken-apart s)
        pairs (map vector leaves (tree/parts "an update" skeleton e))]
    (for [[part e] pairs :when (not (and (sparse/sparse? s) (identical? part e)))]
      [part (if (expr/expr? part)
              (explain/explaining :updates [part e] #(given/as-type (expr/type-of part) e))
              e)])))

(defn check-updates!
  "Fails unless each of the pairs [shared expression] has one type."
  [pairs]
  (run! check-update! pairs))

(defn update-pairs
  "The updates as pairs [shared expression]; data become constants of the variable's dtype."
  [updates]
  (when-not (or (nil? updates) (map? updates)
                (and (sequential? updates) (every? #(and (vector? %) (= 2 (count %))) updates)))
    (fail! :damo.function/not-updates
           (str ":updates is a map {shared expression}; got " (fail/value-text updates))
           {:given updates}))
  (let [pairs (mapcat update-parts updates)]
    (run! check-shared! pairs)
    (when-let [twice (first (for [[s k] (frequencies (map first pairs)) :when (< 1 k)] s))]
      (fail! :damo.function/duplicate-update
             (str "the shared variable " (:name (expr/attrs-of twice)) " has two updates"
                  (apply str (for [[s e] pairs :when (identical? s twice)]
                               (str "\n  update: " (expr/describe e))))
                  (fail/facts-text (expr/facts twice)))
             (assoc (expr/facts twice) :shared (:name (expr/attrs-of twice)))))
    pairs))

(defn given-pairs
  "The givens, a map, with data as constants of the type of what they replace."
  [givens]
  (when-not (or (nil? givens) (map? givens))
    (fail! :damo.function/not-givens
           (str ":givens is a map {expression expression}; got " (fail/value-text givens))
           {:given givens}))
  (into {} (for [[from to] givens]
             [from (if (expr/expr? from)
                     (let [[dtype] (expr/type-of from)]
                       (explain/explaining :givens [from to] #(given/in-dtype dtype to)))
                     to)])))

(defn- live-inputs [graph]
  (into #{} (for [id (graph/live graph)
                  :let [[op attrs] (nth (:nodes graph) id)] :when (= op :input)]
              (:name attrs))))

(defn- symbols-in [x] (into #{} (filter symbol?) (tree-seq coll? seq x)))

(defn- telling-inputs
  "The names of the inputs that the graph needs for their shape alone: they have a dimension that
  it mentions and that none of the inputs `live` has."
  [graph inputs live]
  (let [dims-of #(symbols-in (expr/type-of %))
        mentioned (into #{} (mapcat #(symbols-in [(nth (:nodes graph) %) (graph/type-of graph %)]))
                        (graph/live graph))
        known (into #{} (comp (filter #(live (:name (expr/attrs-of %)))) (mapcat dims-of)) inputs)]
    (into #{} (comp (filter #(some mentioned (remove known (dims-of %))))
                    (map (comp :name expr/attrs-of)))
          inputs)))

(defn check-graph!
  "Fails unless the graph needs no inputs but these, and these all; `on-unused-input` says what to
  do about one that it does not need. `together` has sets of names of which all are needed where one
  is."
  [graph inputs together on-unused-input]
  (check-listed! graph (into #{} (map (comp :name expr/attrs-of)) inputs))
  (check-parameters! graph)
  (let [used (live-inputs graph), live (into used (mapcat #(when (some used %) %)) together)]
    (when-not (every? #(live (:name (expr/attrs-of %))) inputs)
      (check-used! inputs (into live (telling-inputs graph inputs live)) on-unused-input))))
