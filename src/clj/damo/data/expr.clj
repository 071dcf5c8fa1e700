(ns damo.data.expr
  "Expressions: immutable nodes that share their arguments, what users hold and op functions return;
  to and from graphs. An expression knows its type and where it was written. (to-graph [e]) is the
  flat table, (from-graph graph …) the way back."
  (:require [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.form :as form]
            [damo.data.graph :as graph]
            [damo.data.told :as told]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type])
  (:import [clojure.lang IDeref IPending]
           [damo DamoException]
           [damo.runtime State]
           [damo.tensor DType Tensor]
           [java.util ArrayDeque IdentityHashMap]))

(set! *warn-on-reflection* true)

(declare value-of text describe facts)

;; `state` is the damo.runtime.State of a shared variable, else nil. Equality is identity: structure
;; is compared in graphs. Printers ask IPending before they deref.
(deftype Expr [op attrs args type src state]
  IDeref
  (deref [this] (value-of this))
  IPending
  (isRealized [_] (some? state))
  Object
  (toString [this] (text this)))

(defn expr?
  "Is x an expression?"
  [x]
  (instance? Expr x))

(defn op-of "The op of an expression, a keyword." [^Expr e] (.op e))
(defn attrs-of "The attributes of an expression, a map." [^Expr e] (.attrs e))
(defn args-of "The vector of arguments of an expression." [^Expr e] (.args e))
(defn type-of "The type of an expression, [dtype [dim …]]." [^Expr e] (.type e))
(defn shape-of "The shape of an expression, [dim …]." [e] (type/shape-of (type-of e)))
(defn src-of "Where an expression was written, {:file … :line …} or nil." [^Expr e]
  (not-empty (dissoc (.src e) :written :told :stands-for :called :inner :sparse)))
(defn sparse-of
  "The sparse input that an expression is a part of, as what it was made of; nil for others."
  [^Expr e]
  (:sparse (.src e)))
(defn state-of "The state of a shared variable, nil for other expressions." [^Expr e] (.state e))

;; ## Printing

(defn- tells?
  "Is the expression there only to carry what was told of dims, and not written by a user?"
  [^Expr e]
  (and (= :specify-shape (.op e)) (some? (:told (.attrs e)))))

(defn- look [^Expr e]
  (let [{:keys [written called stands-for]} (.src e)]
    {:op (.op e), :attrs (.attrs e), :args (.args e), :called called, :written written, :node? expr?
     :same (cond stands-for [stands-for], (tells? e) (.args e)), :attributes true}))

(defn form
  "The expression as a readable form, (add (dot x w) b), cut with … below `depth` levels."
  ([e] (form e 3))
  ([e depth] (form/form look depth e)))

(defn text
  "The form of an expression as text, at most 160 characters."
  [e]
  (form/text (form e)))

(defmethod print-method Expr [^Expr e ^java.io.Writer w]
  (.write w (str "#damo/expr " (pr-str (.type e)) " " (text e))))

;; A REPL that prints with pprint has loaded it by now.
(when-let [dispatch (some-> (find-ns 'clojure.pprint) (ns-resolve 'simple-dispatch) deref)]
  (.addMethod ^clojure.lang.MultiFn dispatch Expr pr))

;; ## Values

(defn- value-of
  "The value of a shared variable as numbers and nested vectors; fails for other expressions."
  [^Expr e]
  (if-let [^State state (.state e)]
    (try @(.value state)
         (catch DamoException x (fail! (keyword "damo" (.kind x)) (.what x))))
    (fail! :damo.expr/no-value
           (str "an expression has no value of its own" (fail/facts-text (facts e)))
           (facts e))))

;; ## Constants

(defn- float-value
  "The number as a float of that dtype; fails when a finite one is beyond its range."
  [dtype x]
  (let [near (array/convert dtype x)]
    (when (and (Double/isInfinite near) (not (Double/isInfinite (double x))))
      (fail! :damo.expr/constant-out-of-range
             (str x " is beyond the range of dtype " dtype ", which ends at "
                  (:hi (type/dtypes dtype)) "; compute with a wider dtype, or write ##Inf")
             {:value x, :dtype dtype}))
    near))

(def ^:private nan
  "The NaN of constants. NaN equals nothing but the very same object; so equal graphs are equal, and
  equal nodes one."
  Double/NaN)

(defn const-value
  "The number or boolean as a constant of that dtype holds it: a float rounded once, a long for
  integers. Fails when it does not fit."
  [dtype x]
  (case (:kind (type/dtypes dtype))
    :float (let [value (float-value dtype (if (boolean? x) (if x 1 0) x))]
             (if (Double/isNaN value) nan value))
    :bool (if (boolean? x) x (not (zero? x)))
    :int (let [{:keys [lo hi]} (type/dtypes dtype), n (if (boolean? x) (if x 1 0) x)]
           (when-not (and (== n (bigint n)) (<= lo n hi))
             (fail! :damo.expr/constant-out-of-range (str x " is no value of dtype " dtype)
               {:value x, :dtype dtype}))
           (long n))))

(defn- flatten-value [x]
  (if (sequential? x) (into [] (mapcat flatten-value) x) [x]))

(defn- constant [type value]
  (->Expr :const {:type type, :value value} [] type nil nil))

(defn tensor-constant
  "The expression of a tensor's values: a :const, whose values become part of the graph; one number
  broadcast when all are equal, or there are none."
  [^Tensor t]
  (let [[dtype shape :as type] [(keyword (.label ^DType (.dtype t))) (vec (.shape t))]
        value (cond (empty? shape) (.get t)
                    (some zero? shape) [(const-value dtype 0)]
                    :else (flatten-value (.get t)))]
    (if (and (seq shape) (apply = value))
      (->Expr :broadcast-to {:shape shape} [(constant [dtype []] (first value))] type nil nil)
      (constant type value))))

(defn weakened
  "The expression with its type as `type/weakened` has it."
  [^Expr e made-of]
  (let [type (.type e), changed (type/weakened type made-of)]
    (if (identical? type changed)
      e
      (->Expr (.op e) (.attrs e) (.args e) changed (.src e) (.state e)))))

(defn constant-as
  "A constant of numbers, or one of them broadcast, in another dtype; fails when one does not fit.
  nil for other expressions."
  [^Expr e dtype]
  (let [{:keys [value]} (.attrs e), shape (type/shape-of (.type e)), read #(const-value dtype %)]
    (case (.op e)
      :const (weakened (constant [dtype shape] (if (vector? value) (mapv read value) (read value)))
                       (type/made-of (.type e)))
      :specify-shape (when-let [x (constant-as (first (.args e)) dtype)]
                       (->Expr :specify-shape (.attrs e) [x]
                               (with-meta [dtype shape] (meta (.type e))) (.src e) nil))
      :broadcast-to (when-let [x (constant-as (first (.args e)) dtype)]
                      (->Expr :broadcast-to (.attrs e) [x]
                              (with-meta [dtype shape] (meta (.type e))) (.src e) nil))
      nil)))

(defn tensor-of
  "The tensor of a number, nested vectors or a Java array, of that dtype when one is given; fails
  when they are ragged or would lose precision."
  ([data] (tensor-of data nil))
  ([data dtype]
   (try (if dtype (Tensor/of data (DType/of (name dtype))) (Tensor/of data))
        (catch DamoException e
          (fail! (keyword "damo" (.kind e)) (str (.what e) ": " (fail/value-text data)))))))

;; ## What was told of dims

(defn- stating
  "The expression e, of the shape that is wanted, which carries what is told of it, as told/wanted
  has both."
  [^Expr e {:keys [shape levels]}]
  (let [[dtype own :as type] (.type e), {:keys [mark]} told/*told*]
    (reduce (fn [x [shape {:keys [facts src]}]]
              (->Expr :specify-shape {:shape shape, :told facts} [x]
                      (with-meta [dtype shape] (meta type)) (assoc src :told mark) nil))
            e (map vector (concat (repeat (dec (count levels)) own) [shape]) levels))))

(defn marked
  "The position with a mark that what is told of dims holds for what is made there."
  [src]
  (if-let [{:keys [mark]} told/*told*] (assoc src :told mark) src))

(defn agreed
  "The expression e in the words of what is told of its dims and carrying that; itself where nothing
  is told or it was made where that held."
  [^Expr e]
  (let [{:keys [mark]} told/*told*]
    (if (or (nil? mark) (and (seq (.args e)) (identical? mark (:told (.src e))))
            (tuple/type? (.type e)))
      e
      (if-let [wanted (told/wanted (shape-of e))] (stating e wanted) e))))

(defn settled
  "The expression e, made of attributes with dims of these symbols, as `agreed` has it; also when it
  was made where what is told held."
  [^Expr e symbols]
  (let [shape (when-not (tuple/type? (type-of e)) (shape-of e))
        wanted (when shape
                 (told/wanted shape (into (set symbols) (mapcat type/dim-symbols) shape)))]
    (if (and wanted (or (seq symbols) (not= shape (:shape wanted))))
      (stating e wanted)
      e)))

(defn in-shape
  "The expression e, of that shape where what is told of dims says that this is its shape; else e."
  [e shape]
  (let [own (shape-of e)
        wanted (when (and (not= own shape) (= (count own) (count shape)))
                 (told/wanted own (into #{} (mapcat type/dim-symbols) (concat own shape))))]
    (if (and wanted (= (:shape wanted) (mapv told/canonical shape)))
      (stating e (assoc wanted :shape shape))
      e)))

(defn lift
  "x as an argument of an op: expressions as what is told of their dims has them, numbers and
  booleans as they are (their dtype, and that of nested vectors of them, depends on their partners);
  tensors, nested vectors and Java arrays as constants. Fails on anything else."
  [x]
  (cond (expr? x) (agreed x)
        (or (number? x) (boolean? x)) x
        (instance? Tensor x) (tensor-constant x)
        (sequential? x) (weakened (tensor-constant (tensor-of x)) :numbers)
        (and (some? x) (.isArray (class x))) (tensor-constant (tensor-of x))
        :else (fail! :damo.expr/not-an-expression
                     (str "an argument is an expression, a number, a nested vector, a Java array or"
                          " a tensor; got " (pr-str x))
                     {:given x})))

(defn whole
  "x as an expression by itself, as `lift` has it; a number or boolean becomes a 0-d constant, :f64,
  :i64 or :bool."
  [x]
  (let [e (lift x)]
    (if (expr? e) e (weakened (tensor-constant (tensor-of e)) :numbers))))

(defn- check-expr! [x]
  (when-not (expr? x)
    (fail! :damo.expr/not-an-expression
           (str "an expression is needed; got " (pr-str x)) {:given x})))

(declare visit-order)

(defn structure-hash
  "A number that is equal for expressions of equal structure, whatever is told of their dims; linear
  in what lies below."
  [e]
  (let [hashes (IdentityHashMap.)]
    (doseq [^Expr e (visit-order [e])]
      (.put hashes e (if-let [other (or (when (tells? e) (first (.args e)))
                                        (:stands-for (.src e)))]
                       (or (.get hashes other) (structure-hash other))
                       (hash [(.op e) (.attrs e) (mapv #(.get hashes %) (.args e))
                              (when (.state e) (System/identityHashCode (.state e)))]))))
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

(defn- check-inputs!
  "Fails when another input, of those met before by name, has the name of e and another type."
  [met e]
  (let [{:keys [name type]} (attrs-of e), other (get met name)]
    (when-not (or (nil? other) (= type (type-of other)))
      (fail! :damo.expr/two-inputs-of-one-name
             (str "two inputs of different types are called " name "\n  input: " (describe other)
                  "\n  input: " (describe e))
             (assoc (facts e) :name name, :types [(type-of other) type])))))

(def ^:private of-note
  "What an expression knows of where it comes from that stands in the note of its node, besides its
  position: what a node that holds graphs is called, and the notes of these."
  [:called :inner])

(defn- note-of [^Expr e]
  (let [src (src-of e)]
    (cond-> (select-keys (.src e) of-note) src (assoc :src src))))

(defn noted
  "The expression with more of what `of-note` has."
  [^Expr e more]
  (->Expr (.op e) (.attrs e) (.args e) (.type e) (merge (.src e) more) (.state e)))

(defn stand-in
  "An expression that no other one mentions, in the place of e where a function of expressions is to
  become a graph; of its type, as weak, or of another. It reads as e, and what is named after
  structures is named as after e."
  ([e] (stand-in e (type-of e)))
  ([e type]
   (->Expr :param {:at (gensym "argument"), :type (type/weakened type nil)} []
           type {:stands-for e} nil)))

(defn- input-names [exprs]
  (into #{} (comp (filter #(= :input (op-of %))) (map (comp :name attrs-of))) exprs))

(defn- add-expr!
  "Adds one expression, whose arguments are added already, to the collection of `to-graph`."
  [{:keys [b ^IdentityHashMap ids]} {:keys [names inputs originals]} ^Expr e]
  (let [[attrs names] (leaf-attrs e names)
        node (into [(.op e) attrs] (map #(.get ids %)) (.args e))
        id (graph/add-node! b node (type/weakened (.type e) nil) (note-of e))
        input? (= :input (.op e))]
    (when input? (check-inputs! inputs e))
    (.put ids e id)
    {:names names
     :inputs (if input? (assoc inputs (:name attrs) e) inputs)
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
  for those nodes; `states` maps names of shared variables to their states. `adapt`, of the
  graph and an id, gives the attributes and the type of the expression."
  ([graph known states]
   (from-graph graph known states (fn [g id] [(graph/attrs-at g id) (graph/type-of g id)])))
  ([{:keys [nodes outputs notes] :as graph} known states adapt]
   (let [made (object-array (count nodes))]
     (doseq [id (graph/live graph)]
       (let [[op attrs & args] (nth nodes id), {:keys [src] :as note} (get notes id)
             [own type] (adapt graph id)
             src (not-empty (merge src (select-keys note of-note)))]
         (aset made id (or (known id)
                           (->Expr op own (mapv #(aget made (int %)) args)
                                   (type/weakened type nil) src
                                   (when (= op :shared) (states (:name attrs))))))))
     (mapv #(aget made (int %)) outputs))))

(defn describe
  "One line on an expression for messages: its text, type and where it was written. What is no
  expression is printed as it is."
  [e]
  (if-not (expr? e)
    (fail/value-text e)
    (str (text e) " " (pr-str (type-of e))
         (when (src-of e) (str ", written at " (fail/position-text (src-of e)))))))

(defn facts
  "What a failure says of an expression: the :op, the :expr as text, its :type, and the :file and
  :line where it was written."
  [e]
  (when (expr? e) (form/facts (op-of e) (form e) (type-of e) (src-of e))))
