(ns damo.laws.entry
  "What holds for every op by the reference interpreter: its entry is complete, its examples hold,
  types, expansions, views, scalar templates and partial derivatives mean what :eval says. `laws` is
  a vector of {:name :applies predicate-of-entry :check entry→problems}."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.set :as set]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.laws.machine :as machine]
            [damo.laws.modes :as modes]
            [damo.laws.sampling :as sampling :refer [problem problems same-array? value-of]]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.op.entry :as entry]
            [damo.op.gens :as gens]
            [damo.op.whole :as whole]))

(set! *warn-on-reflection* true)

(def dtypes "All dtypes." (vec (keys type/dtypes)))

(defn- kind? [& kinds] (comp (set kinds) :kind))

;; ## Completeness of entries

(def ^:private derivative-forms [:partials :transpose :lop :no-gradient])

(defn- one-derivative?
  "Is exactly one form declared? What stands for graphs may leave it to these; reasons for single
  arguments stand beside a form."
  [{:keys [kind no-gradient] :as entry}]
  (let [beside? (and (map? no-gradient) (not (:undefined no-gradient)))
        forms (filter entry (if beside? (pop derivative-forms) derivative-forms))]
    (case (count forms)
      0 (contains? #{:composite :region :tuple :loop :branch} kind)
      1 true
      false)))

(defn- sentences
  "What is wrong with an entry."
  [{:keys [kind doc examples gen attrs] :as entry}]
  (cond-> []
    (not (re-find #"(?s)^\S.*\.$" (str doc))) (conj "no docstring that ends with a full stop")
    (empty? examples) (conj "has no example")
    (not (or (fn? gen) (= kind :elementwise))) (conj "has no generator")
    (not (one-derivative? entry)) (conj "has not exactly one derivative form")
    (some #(not (string? (:doc %))) (vals attrs)) (conj "has an attribute without a :doc")))

(defn- complete [{:keys [name] :as entry}]
  (for [s (sentences entry)] (problem :complete name s)))

(defn- takes-some-dtype [{:keys [name]}]
  (when-not (some #(gens/case name % 3 0) dtypes)
    [(problem :takes-some-dtype name "its generator makes no call of any dtype")]))

;; ## Meaning

(defn- template-value [template]
  (let [b (graph/builder)
        id (op/instantiate! (op/emitter b nil) {} template)]
    (array/nested (first (eval/run (graph/finish b [id]) {})))))

(defn- examples-hold [{:keys [examples]}]
  (for [[template expected] examples
        :let [got (template-value template)]
        :when (not= (pr-str expected) (pr-str got))]
    (problem :examples template (str "is stated as " (pr-str expected) " but is " (pr-str got)))))

(defn- of-type?
  "Is it the type of a value? What the op counts may have any extent."
  [{:keys [attrs], [dtype shape] :type} [value-dtype extents]]
  (and (= dtype value-dtype) (= (count shape) (count extents))
       (every? true? (map #(or (= %1 %2) (= %1 (:as attrs))) shape extents))))

(defn- declared-types [{:keys [name]}]
  (problems name dtypes :types #(of-type? % (array/type-of (value-of %)))))

(defn- normal-attributes [{:keys [name] :as entry}]
  (problems name [:f32 :i64 :bool] :normal-attributes
            (fn [{:keys [attrs args]}]
              (= attrs (entry/normal-attrs entry attrs (mapv array/type-of args))))))

(defn- commutes [{:keys [name]}]
  (let [law #(same-array? (value-of %) (value-of (update % :args reverse)))]
    (concat (problems name dtypes :commutes law)
            (sampling/at-special-values name dtypes :commutes law))))

;; ## Expansions and symbolic dimensions

(defn- called
  "[id attributes-of-part]: the node of the op that a case calls, and the part of it, if any, that
  is the output."
  [{:keys [nodes outputs]}]
  (let [id (first outputs), [op attrs of] (nodes id)]
    (if (= :part (op/kind op)) [of attrs] [id nil])))

(defn- expanded
  "The graph of a case with its output replaced by the op's expansion; nil when it has none."
  [{:keys [nodes] :as g}]
  (let [[id part] (called g), [op attrs & args] (nodes id)
        template (op/expansion op attrs (mapv #(graph/type-of g %) args) (graph/type-of g id))]
    (when template
      (let [b (graph/builder)]
        (graph/load-graph! b g)
        (graph/finish b [(op/instantiate! (op/emitter b nil) (op/bindings op args)
                                          (if part [:part part template] template))])))))

(defn- same-value? [{:keys [graph env]} value]
  (same-array? value (first (eval/run graph env))))

(defn- expansion-holds? [{:keys [type] :as c}]
  (every? (fn [named]
            (when-let [{:keys [graph] :as g} (gens/graph c named)]
              (let [e (expanded graph)]
                (or (nil? e)
                    (and (same-value? (assoc g :graph e) (value-of c))
                         (or named (= type (graph/type-of e (first (:outputs e))))))))))
          (if (gens/graph c true) [false true] [false])))

(defn- expansion [{:keys [name]}]
  (problems name dtypes :expansion expansion-holds?))

(defn- symbolic-dimensions [{:keys [name]}]
  (problems name [:f32 :i32 :bool] :symbolic-dimensions
            (fn [c]
              (let [{:keys [graph] :as g} (gens/graph c true)]
                (or (nil? g)
                    (and (= graph (whole/check-types graph)) (same-value? g (value-of c))))))))

(defn- edn-graphs [{:keys [name]}]
  (problems name [:f32 :i32 :bool] :edn
            (fn [c] (let [{:keys [graph]} (gens/graph c)]
                      (= (pr-str graph)
                         (pr-str (graph/check (edn/read-string (pr-str graph)))))))))

;; ## Views

(defn- view-holds? [{:keys [op attrs args] :as c} strides-of order]
  (let [[x] args, value (value-of c)
        layout {:offset 5, :strides (strides-of (:shape x))}
        memory (order x)
        read-as ((:view (op/entry op)) attrs (:shape x) (:shape value) layout)]
    (or (nil? read-as)
        (= (array/values value)
           (mapv memory (array/addresses (:shape value) (:strides read-as) (:offset read-as)))))))

(defn- transposed-strides [shape]
  (vec (reverse (array/strides (reverse shape)))))

(defn- stored
  "The function from address to element when an array lies at offset 5 with these strides."
  [strides-of]
  (fn [{:keys [shape] :as x}]
    (zipmap (array/addresses shape (strides-of shape) 5) (array/values x))))

(defn- view-addresses [{:keys [name]}]
  (mapcat (fn [strides-of]
            (problems name [:i32] :view #(view-holds? % strides-of (stored strides-of))))
          [array/strides transposed-strides]))

(defn- dense-views [{:keys [name view]}]
  (problems name [:i32] :view-of-dense
            (fn [{:keys [attrs args type]}]
              (let [from (:shape (first args))]
                (some? (view attrs from (type/shape-of type)
                             {:offset 0, :strides (array/strides from)}))))))

;; ## Lowering of elementwise ops

(def ^:private instructions
  (delay (set (keys (edn/read-string (slurp (io/resource "damo/scalar.edn")))))))

(defn- template-instructions [template]
  (into #{} (comp (filter vector?) (map first)) (tree-seq vector? identity template)))

(defn- scalar-of [{:keys [scalar args]} attrs dtypes]
  (let [t (if (fn? scalar) (scalar attrs (mapv type/computed dtypes)) scalar)]
    (if (keyword? t) (into [t] args) t)))

(defn- scalar-instructions [{:keys [name] :as entry}]
  (for [dtype dtypes
        :let [{:keys [attrs args]} (gens/case name dtype 3 0)] :when args
        :let [used (template-instructions (scalar-of entry attrs (map :dtype args)))
              unknown (set/difference (disj used :cast) @instructions)]
        :when (seq unknown)]
    (problem :scalar-instructions name (str "uses what is no instruction: " unknown))))

(defn- scalar-holds? [{:keys [op attrs args type] :as c}]
  (let [entry (op/entry op)
        run (machine/function (scalar-of entry attrs (mapv :dtype args)) (:args entry)
                              (mapv :dtype args))]
    (same-array? (value-of c) (array/map-elements (type/dtype-of type) run args))))

(defn- scalar-meaning [{:keys [name]}]
  (concat (problems name dtypes :scalar scalar-holds?)
          (sampling/at-special-values name dtypes :scalar scalar-holds?)))

;; ## Derivatives of elementwise ops

(defn- slope-by-differences
  "∂op/∂argument i by central differences of :eval."
  [{:keys [args] :as c} i]
  (let [h 1e-6
        plus (fn [d] (fn [x] (array/map-elements :f64 #(+ % d) [x])))
        moved (fn [s] (value-of (assoc c :args (update args i (plus (* s h))))))]
    (array/map-elements :f64 (fn [a b] (/ (- a b) (* 2 h))) [(moved 1) (moved -1)])))

(defn- partial-value [{:keys [op attrs args type] :as c} i]
  (let [{:keys [partials]} (op/entry op)
        node {:attrs attrs, :types (mapv array/type-of args), :type type}
        partials (if (fn? partials) (partials node) partials)
        {:keys [graph env]} (gens/graph c)
        b (graph/builder)
        ids (graph/load-graph! b graph)
        bindings (assoc (op/bindings op (range (count args))) '?out (ids (first (:outputs graph))))
        template [:broadcast-to {:shape (type/shape-of type)} (nth partials i)]
        id (op/instantiate! (op/emitter b nil) bindings template)]
    (first (eval/run (graph/finish b [id]) env))))

(defn- near? [a b]
  (every? true? (map #(<= (abs (- %1 %2)) (* 1e-6 (+ 1 (abs %2))))
                     (array/values a) (array/values b))))

(defn- slopes [{:keys [name args]}]
  (problems name [:f64] :slopes
            (fn [{:keys [type] :as c}]
              (or (not= :f64 (type/dtype-of type))
                  (every? #(near? (array/cast :f64 (partial-value c %)) (slope-by-differences c %))
                          (remove (modes/closed-positions name) (range (count args))))))))

;; ## The laws

(def laws
  "The laws, in order: {:name :applies :check}."
  (let [scalar? #(and (= :elementwise (:kind %)) (contains? % :scalar))]
    [{:name :complete, :applies any?, :check complete}
     {:name :takes-some-dtype, :applies any?, :check takes-some-dtype}
     {:name :examples, :applies :examples, :check examples-hold}
     {:name :types, :applies any?, :check declared-types}
     {:name :normal-attributes, :applies :normalize, :check normal-attributes}
     {:name :commutes, :applies :commutes, :check commutes}
     {:name :expansion, :applies :expand, :check expansion}
     {:name :symbolic-dimensions, :applies any?, :check symbolic-dimensions}
     {:name :edn, :applies any?, :check edn-graphs}
     {:name :view, :applies (kind? :view), :check view-addresses}
     {:name :view-of-dense, :applies (kind? :view), :check dense-views}
     {:name :scalar-instructions, :applies scalar?, :check scalar-instructions}
     {:name :scalar, :applies scalar?, :check scalar-meaning}
     {:name :slopes, :applies #(and (:partials %) (not (:surrogate %))), :check slopes}]))
