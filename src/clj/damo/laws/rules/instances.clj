(ns damo.laws.rules.instances
  "Rules at work: the node of an example that a rule rewrites, cut free of what stands around it, as
  a pair of graphs over inputs that are the names of the pattern, what was written and what the rule
  makes. (instance rule types form) = {:written g :made g :match {?x id}}."
  (:require [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.laws.rules.examples :as examples]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rule :as rule]
            [damo.rule.engine :as engine])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

;; ## Cutting a match free

(defn- matches
  "[id match] of the nodes of a builder to which the rule applies."
  [{:keys [head] :as rule} b]
  (for [id (range (graph/node-count b))
        :let [op (graph/op-of (graph/node b id))
              [m] (when (some #{head} [op (op/kind op) :any])
                    (rule/try-rule rule (rule/view b id) (constantly 1)))]
        :when m]
    [id m]))

(defn- operands
  "{name id} of a match: the names that stand for operands, not for attributes."
  [{:keys [lhs]} m]
  (let [attributes (set (mapcat vals (filter map? (tree-seq sequential? seq lhs))))]
    (into {} (filter (fn [[k id]] (and (symbol? k) (integer? id) (not (attributes k))))) m)))

(defn- attributes
  "{name value} of a match: the names that stand for attributes."
  [{:keys [lhs]} m]
  (select-keys m (filter symbol? (mapcat vals (filter map? (tree-seq sequential? seq lhs))))))

(defn- named-leaves
  "{id [name type]} of operands, leaves left out."
  [b operands]
  (into {} (for [[k id] operands :when (not= :leaf (op/kind (graph/op-of (graph/node b id))))]
             [id [k (graph/node-type b id)]])))

(defn- leaf-names
  "{id [name type]} of the inputs of a builder."
  [b]
  (into {} (for [id (range (graph/node-count b))
                 :let [[op {:keys [name type]}] (graph/node b id)]
                 :when (#{:input :shared} op)]
             [id [name type]])))

(defn- cut
  "The graph of node `root` in which those nodes are inputs, {id [name type]}."
  [b root inputs]
  (let [c (graph/builder)
        copy (fn [ids id]
               (conj ids (if-let [[s type] (inputs id)]
                           (graph/add-node! c [:input {:name s, :type type}] type nil)
                           (let [[op attrs & args] (graph/node b id)]
                             (graph/add-node! c (into [op attrs] (map ids) args)
                                              (graph/node-type b id) (graph/note b id))))))
        ids (reduce copy [] (range (inc root)))]
    (graph/prune (graph/finish c [(ids root)]))))

(defn- with-made
  "The instance with what the rule makes of what was written; nil when it is not applied."
  [{:keys [rule written] :as instance}]
  (let [{:keys [graph trace]} (engine/run written (examples/alone rule) examples/all-promises)]
    (when (some :id trace)
      (assoc instance :made graph))))

(defn- whole
  "The instance that a form is as a whole, for rules whose operands lie anywhere in it: names of the
  pattern are those of the form."
  [rule b id]
  (with-made {:rule rule, :written (graph/prune (graph/finish b [id]))
              :names (into {} (for [[s] (vals (leaf-names b))] [(symbol (str "?" s)) s]))}))

(defn instances
  "The instances of a rule in a form over inputs of these types, one for each node that it rewrites:
  {:rule rule, :written g, :made g, :names {name of the pattern → that of an input, or a number}}."
  [rule types form]
  (let [b (graph/builder), names (examples/names-in form)
        ids (into {} (map (fn [s] [s (examples/leaf! b s (get types s [:f64 [2 3]]))])) names)
        root (op/instantiate! (op/emitter b nil) ids form)
        named (fn [inputs] #(if-let [[s] (inputs %)] s (rule/uniform b %)))]
    (if (:within rule)
      (keep identity [(whole rule b root)])
      (for [[id m] (matches rule b)
            :let [by-name (operands rule m)
                  inputs (merge (leaf-names b) (named-leaves b by-name))
                  found (with-made {:rule rule
                                    :written (cut b id (dissoc inputs id))
                                    :attributes (attributes rule m)
                                    :names (update-vals by-name (named inputs))})]
            :when found]
        found))))

(defn in-dtype
  "The types of the inputs of a rule's example with floats of that dtype in the place of :f64."
  [dtype types names]
  (into {} (for [s names :let [[d shape :as type] (get types s [:f64 [2 3]])]]
             [s (cond (= d :shared) [:shared [dtype (second shape)]]
                      (= d :f64) [dtype shape]
                      :else type)])))

;; ## Values of the whole range

(defn- moderate [^Random random] (* 4 (- (.nextDouble random) 0.5)))

(defn- any-magnitude [^Random random dtype]
  (let [{:keys [least hi]} (type/dtypes dtype), top (Math/getExponent (double hi))
        low (- (long least) 8), sign (if (.nextBoolean random) 1.0 -1.0)]
    (Math/scalb (double (* sign (+ 1 (.nextDouble random))))
                (int (+ low (.nextInt random (int (- (inc top) low))))))))

(defn- extreme [^Random random dtype]
  (let [{:keys [least hi]} (type/dtypes dtype), normal (Math/scalb 1.0 (int least))
        x (case (.nextInt random 6)
            0 hi, 1 (/ (double hi) 3), 2 normal, 3 (array/unit dtype 0.0)
            4 (* 1.375 normal 0.25), 5 (/ 1 (double hi)))]
    (if (.nextBoolean random) x (- (double x)))))

(defn- in-range
  "The finite float of the dtype next to x; infinities and NaN as they are."
  [dtype ^double x]
  (let [{:keys [hi]} (type/dtypes dtype)]
    (array/convert dtype (if (Double/isInfinite x) x (max (- (double hi)) (min (double hi) x))))))

(defn draw
  "A float of the dtype: `kind` leans to zeros (0), small whole numbers (1), moderate ones (2), such
  of any magnitude (3), extremes (4), of some magnitude (5), or infinities and NaN (6)."
  [^Random random dtype kind]
  (in-range
   dtype
   (case (int (if (zero? (.nextInt random 3)) (.nextInt random 6) kind))
     0 (if (.nextBoolean random) 0.0 -0.0)
     1 (double (- (.nextInt random 9) 4))
     2 (moderate random)
     3 (any-magnitude random dtype)
     4 (extreme random dtype)
     5 (Math/scalb (double (moderate random)) (int (- (.nextInt random 60) 30)))
     6 (nth [##Inf ##-Inf ##NaN 0.0 -0.0 1.0 -2.5] (.nextInt random 7)))))

(defn environment
  "Arrays for the inputs of a graph; floats as `draw` has them, others as examples do."
  [{:keys [nodes] :as g} gen ^Random random kind]
  (merge (examples/environment g gen random false)
         (into {} (for [[op {:keys [name], [dtype shape] :type}] nodes
                        :when (and (#{:input :shared} op) (type/float-dtype? dtype))]
                    [name (array/of dtype shape
                                    (repeatedly (array/size shape) #(draw random dtype kind)))]))))

(defn varied
  "The instance with other floats in the place of its constants, drawn at random; nil when it has
  none, or the rule needs those."
  [{:keys [written] :as instance} ^Random random kind]
  (let [value-of (fn [[op {:keys [value], [dtype] :type}]]
                   (when (and (= op :const) (float? value)) [value dtype]))
        values (into {} (map (fn [[value dtype]] [value (draw random dtype (mod kind 6))]))
                     (distinct (keep value-of (:nodes written))))
        vary (fn [node] (if (value-of node) (update-in node [1 :value] values) node))]
    (when (seq values)
      (with-made (-> instance
                     (update-in [:written :nodes] #(mapv vary %))
                     (update :names update-vals #(get values % %)))))))

;; ## Where a rule makes no promise

(defn- spread
  "The elements of an array in the places of an array of shape `to` that it broadcasts to; when it
  does not, everywhere whether any of them is true."
  [{:keys [shape] :as a} to]
  (let [n (count to), shape' (into (vec (repeat (- n (count shape)) 1)) shape)]
    (if (and (= n (count shape')) (every? true? (map #(or (= 1 %1) (= %1 %2)) shape' to)))
      (let [b (graph/builder), emit (op/emitter b nil)]
        (op/instantiate! emit {'a (emit :input {:name 'a :type (array/type-of a)} [])}
                         [:broadcast-to {:shape to} 'a])
        (array/values (first (eval/run (graph/finish b [1]) {'a a}))))
      (repeat (array/size to) (boolean (some true? (array/values a)))))))

(defn- condition
  "Whether a condition, a form over the names of the rule, holds for the elements of the result."
  [form {:keys [names attributes]} env to]
  (let [b (graph/builder), emit (op/emitter b nil)
        id (fn [[k s]] (when (or (symbol? s) (number? s))
                         [k (if (symbol? s)
                              (emit :input {:name s :type (array/type-of (env s))} [])
                              (emit :const {:type [:f64 []] :value (double s)} []))]))
        out (op/instantiate! emit (into (or attributes {}) (keep id) names) form)]
    (spread (first (eval/run (graph/finish b [out]) env)) to)))

(defn- mask
  "An array of booleans: where (f x) is true."
  [f {:keys [shape] :as a}]
  (array/of :bool shape (map f (array/values a))))

(defn- tiny? [dtype]
  (let [normal (Math/scalb 1.0 (int (:least (type/dtypes dtype))))]
    (fn [x] (< 0 (abs (double x)) normal))))

(def ^:private exact-zeros
  "The kinds and ops that make no zero of other numbers by underflow."
  #{:view :concat :leaf :gather :scatter :generate :check :reduce :add :sub :where :neg :maximum
    :minimum :abs :max :min :sum})

(defn- vanishes
  "Where a product or a function of numbers that are not zero is zero."
  [op args value]
  (if (or (exact-zeros op) (exact-zeros (op/kind op)) (empty? args))
    (mask (constantly false) value)
    (let [to (:shape value)
          zero (reduce (fn [zs a] (mapv #(or %1 %2) zs (spread (mask #(and (number? %) (zero? %)) a)
                                                               to)))
                       (vec (repeat (array/size to) false)) args)]
      (array/of :bool to (map (fn [x z] (and (number? x) (zero? x) (not z)))
                              (array/values value) zero)))))

(defn- node-masks
  "Where the nodes of a graph overflow or underflow, arrays of booleans."
  [g env exceptions]
  (let [values (eval/all-values g env)]
    (for [id (graph/live g)
          :let [{:keys [dtype] :as value} (nth values id), node (graph/node-at g id)]
          :when (and (type/float-dtype? dtype) (seq (graph/args-of node)))
          m [(when (exceptions :overflow) (mask #(Double/isInfinite %) value))
             (when (exceptions :underflow) (mask (tiny? dtype) value))
             (when (exceptions :underflow)
               (vanishes (graph/op-of node) (map values (graph/args-of node)) value))]
          :when m]
      m)))

(defn excepted
  "For each element of the result, whether the rule excepts it from its promise."
  [{:keys [written made] {:keys [except]} :rule :as instance} env]
  (let [to (second (graph/type-of written (first (:outputs written))))
        forms (filter vector? except), named (set (remove vector? except))
        all (concat (map #(condition % instance env to) forms)
                    (map #(spread % to) (mapcat #(node-masks % env named) [written made])))]
    (if (empty? all)
      (vec (repeat (array/size to) false))
      (apply mapv (fn [& xs] (boolean (some true? xs))) all))))

;; ## Magnitudes

(def ^:private sums #{:sum :mean :matmul :dot :tensordot :cumsum :sum-to :prod :norm :var :std})

(defn magnitudes
  "The result of the written form with absolute values below its sums and on its terms: what the
  rounding of sums is relative to; nil when it has no sums."
  [{:keys [nodes] :as g} env]
  (when (some #(sums (graph/op-of %)) (map nodes (graph/live g)))
    (let [b (graph/builder), emit (op/emitter b nil)
          ids (reduce (fn [ids [op attrs & args]]
                        (let [args (map #(op/->Id (nth ids %)) args)
                              args (if (or (sums op) (#{:add :sub} op))
                                     (map #(op/->Id (emit :abs {} [%])) args)
                                     args)]
                          (conj ids (emit (if (= op :sub) :add op) attrs (vec args)))))
                      [] nodes)]
      (array/values (first (eval/run (graph/finish b [(ids (first (:outputs g)))]) env))))))
