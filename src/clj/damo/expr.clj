(ns damo.expr
  "Expressions: immutable nodes that share their arguments, what users hold and op functions return;
  to and from graphs. An expression knows its type and where it was written. (graph-of [e]) is the
  flat table, (exprs-of graph) the way back."
  (:require [clojure.string :as str]
            [damo.array :as array]
            [damo.fail :as fail :refer [fail!]]
            [damo.graph :as graph]
            [damo.type :as type])
  (:import [damo DamoException]
           [damo.tensor DType Tensor]
           [java.util ArrayDeque IdentityHashMap]))

(set! *warn-on-reflection* true)

;; `state` is the damo.runtime.State of a shared variable, else nil. Equality is identity: structure
;; is compared in graphs.
(deftype Expr [op attrs args type src state])

(defn expr?
  "Is x an expression?"
  [x]
  (instance? Expr x))

(defn op-of "The op of an expression, a keyword." [^Expr e] (.op e))
(defn attrs-of "The attributes of an expression, a map." [^Expr e] (.attrs e))
(defn args-of "The vector of arguments of an expression." [^Expr e] (.args e))
(defn type-of "The type of an expression, [dtype [dim …]]." [^Expr e] (.type e))
(defn src-of "Where an expression was written, {:file … :line …} or nil." [^Expr e] (.src e))
(defn state-of "The state of a shared variable, nil for other expressions." [^Expr e] (.state e))

;; ## Printing

(defn- literal-text [{:keys [value type]}]
  (if (vector? value) (str "#const " (pr-str type)) (pr-str value)))

(defn form
  "The expression as a readable form, (add (dot x w) b), cut with … below `depth` levels."
  ([e] (form e 3))
  ([^Expr e depth]
   (let [attrs (.attrs e)]
     (case (.op e)
       (:input :shared) (:name attrs)
       :const (symbol (literal-text attrs))
       (let [shown (into [] (comp (remove (comp nil? val)) (remove (comp false? val)))
                    (sort-by key attrs))]
         (if (and (zero? depth) (seq (.args e)))
           '…
           (concat [(symbol (name (.op e)))]
                   (map #(form % (dec depth)) (.args e))
                   (mapcat identity shown))))))))

(defn text
  "The form of an expression as text, at most 160 characters."
  [e]
  (let [s (pr-str (form e))]
    (if (< 160 (count s)) (str (subs s 0 157) "...") s)))

(defmethod print-method Expr [^Expr e ^java.io.Writer w]
  (.write w (str "#damo/expr " (pr-str (.type e)) " " (text e))))

;; ## Constants

(defn- float-value
  "The number as a float of that dtype; fails when a finite one is beyond its range."
  [dtype x]
  (let [near (array/convert dtype x)]
    (when (and (Double/isInfinite near) (not (Double/isInfinite (double x))))
      (fail! ::constant-out-of-range
             (str x " is beyond the range of dtype " dtype ", which ends at "
                  (:hi (type/dtypes dtype)) "; compute with a wider dtype, or write ##Inf")
             {:value x, :dtype dtype}))
    near))

(defn const-value
  "The number or boolean as a constant of that dtype holds it: a float rounded once, a long for
  integers. Fails when it does not fit."
  [dtype x]
  (case (:kind (type/dtypes dtype))
    :float (float-value dtype (if (boolean? x) (if x 1 0) x))
    :bool (if (boolean? x) x (not (zero? x)))
    :int (let [{:keys [lo hi]} (type/dtypes dtype), n (if (boolean? x) (if x 1 0) x)]
           (when-not (and (== n (bigint n)) (<= lo n hi))
             (fail! ::constant-out-of-range (str x " is no value of dtype " dtype)
               {:value x, :dtype dtype}))
           (long n))))

(defn- flatten-value [x]
  (if (sequential? x) (into [] (mapcat flatten-value) x) [x]))

(defn- constant [type value]
  (->Expr :const {:type type, :value value} [] type nil nil))

(defn tensor-constant
  "The expression of a tensor's values: a :const, whose values become part of the graph; one number
  broadcast when all are equal."
  [^Tensor t]
  (let [[dtype shape :as type] [(keyword (.label ^DType (.dtype t))) (vec (.shape t))]
        value (if (empty? shape) (.get t) (flatten-value (.get t)))]
    (if (and (seq shape) (seq value) (apply = value))
      (->Expr :broadcast-to {:shape shape} [(constant [dtype []] (first value))] type nil nil)
      (constant type value))))

(defn tensor-of
  "The tensor of a number, nested vectors or a Java array, of that dtype when one is given; fails
  when they are ragged or would lose precision."
  ([data] (tensor-of data nil))
  ([data dtype]
   (try (if dtype (Tensor/of data (DType/of (name dtype))) (Tensor/of data))
        (catch DamoException e
          (fail! (keyword "damo" (.kind e)) (str (.getMessage e) ": " (pr-str data)) {} e)))))

(defn lift
  "x as an argument of an op: expressions, numbers and booleans as they are (their dtype depends on
  their partners); tensors, nested vectors and Java arrays as constants. Fails on anything else."
  [x]
  (cond (or (expr? x) (number? x) (boolean? x)) x
        (instance? Tensor x) (tensor-constant x)
        (or (sequential? x) (and (some? x) (.isArray (class x)))) (tensor-constant (tensor-of x))
        :else (fail! ::not-an-expression
                     (str "an argument is an expression, a number, a nested vector, a Java array or"
                          " a tensor; got " (pr-str x))
                     {:given x})))

(defn whole
  "x as an expression by itself, as `lift` has it; a number or boolean becomes a 0-d constant, :f64,
  :i64 or :bool."
  [x]
  (let [e (lift x)]
    (if (expr? e) e (tensor-constant (tensor-of e)))))

(defn- check-expr! [x]
  (when-not (expr? x)
    (fail! ::not-an-expression (str "an expression is needed; got " (pr-str x)) {:given x})))

(declare visit-order)

(defn structure-hash
  "A number that is equal for expressions of equal structure; linear in what lies below."
  [e]
  (let [hashes (IdentityHashMap.)]
    (doseq [^Expr e (visit-order [e])]
      (.put hashes e (hash [(.op e) (.attrs e) (mapv #(.get hashes %) (.args e))
                            (when (.state e) (System/identityHashCode (.state e)))])))
    (.get hashes e)))

;; ## To graphs

(defn- visit-order
  "All expressions below `roots`, arguments first, each once; without recursion."
  [roots]
  (let [seen (IdentityHashMap.), stack (ArrayDeque.), order (java.util.ArrayList.)]
    (doseq [r (reverse roots)] (.push stack r))
    (while (not (.isEmpty stack))
      (let [^Expr e (.peek stack)
            todo (remove #(.containsKey seen %) (.args e))]
        (cond (.containsKey seen e) (.pop stack)
              (seq todo) (doseq [a (reverse todo)] (.push stack a))
              :else (do (.put seen e true) (.add order e) (.pop stack)))))
    order))

(defn- distinct-name [taken name]
  (if-not (taken name)
    name
    (first (remove taken (map #(symbol (str name "-" %)) (iterate inc 2))))))

(defn- leaf-attrs
  "Attributes of a node; a second shared variable of one name gets a name of its own, for they are
  different cells."
  [^Expr e names]
  (if (= :shared (.op e))
    (let [name (or (get-in names [:by-state (.state e)])
                   (distinct-name (:taken names) (:name (.attrs e))))]
      [(assoc (.attrs e) :name name)
       (-> names (assoc-in [:by-state (.state e)] name) (update :taken conj name))])
    [(.attrs e) names]))

(defn- check-inputs! [input-types {:keys [name type]}]
  (when-let [other (get input-types name)]
    (when-not (= other type)
      (fail! ::two-inputs-of-one-name
             (str "two inputs are called " name ", with the types " (pr-str other) " and "
                  (pr-str type) "; give one of them another name")
             {:name name, :types [other type]}))))

(defn- note-of [^Expr e]
  (cond-> {:type (.type e)}
    (.src e) (assoc :src (.src e))))

(defn- input-names [exprs]
  (into #{} (comp (filter #(= :input (op-of %))) (map (comp :name attrs-of))) exprs))

(defn- add-expr!
  "Adds one expression, whose arguments are added already, to the collection of `to-graph`."
  [{:keys [b ^IdentityHashMap ids]} {:keys [names inputs originals]} ^Expr e]
  (let [[attrs names] (leaf-attrs e names)
        node (into [(.op e) attrs] (map #(.get ids %)) (.args e))
        id (graph/add-node! b node (note-of e))
        input? (= :input (.op e))]
    (when input? (check-inputs! inputs attrs))
    (.put ids e id)
    {:names names
     :inputs (if input? (assoc inputs (:name attrs) (:type attrs)) inputs)
     :originals (if (originals id) originals (assoc originals id e))}))

(defn to-graph
  "{:graph g, :id-of (fn [expr] id), :exprs {id expr}, :states {name State}} of expressions, whose
  ids are the outputs."
  [exprs]
  (run! check-expr! exprs)
  (let [order (visit-order exprs), ids (IdentityHashMap.), b (graph/builder)
        {:keys [names originals]}
        (reduce (partial add-expr! {:b b, :ids ids})
                {:names {:taken (input-names order)}, :inputs {}, :originals {}} order)]
    {:graph (graph/finish b (mapv #(.get ids %) exprs))
     :id-of (fn [e] (.get ids e))
     :exprs originals
     :states (into {} (map (fn [[state name]] [name state])) (:by-state names))}))

(defn from-graph
  "The expressions of the outputs of a graph, a vector. `known` maps ids to expressions that stand
  for those nodes; `states` maps names of shared variables to their states."
  [{:keys [nodes outputs notes] :as graph} known states]
  (let [made (object-array (count nodes))]
    (doseq [id (graph/live graph)]
      (let [[op attrs & args] (nth nodes id), {:keys [type src]} (notes id)]
        (aset made id (or (known id)
                          (->Expr op attrs (mapv #(aget made (int %)) args) type src
                                  (when (= op :shared) (states (:name attrs))))))))
    (mapv #(aget made (int %)) outputs)))

(defn describe
  "One line on an expression for messages: its text, type and where it was written. What is no
  expression is printed as it is."
  [e]
  (if-not (expr? e)
    (pr-str e)
    (str (text e) " " (pr-str (type-of e))
         (when (src-of e) (str ", written at " (fail/position-text (src-of e)))))))

(defn describe-all
  "The lines of several arguments, numbered, for messages."
  [args]
  (str/join "\n" (map-indexed (fn [i a] (str "  argument " i ": " (describe a))) args)))
