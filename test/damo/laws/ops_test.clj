(ns damo.laws.ops-test
  "Laws over the registry: what holds for every op, on generated calls of all dtypes and awkward
  sizes. A new op needs no test file; it is found here."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.set :as set]
            [clojure.test :refer [deftest is testing]]
            [clojure.test.check :as check]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [damo.array :as array]
            [damo.eval :as eval]
            [damo.graph :as graph]
            [damo.laws.machine :as machine]
            [damo.op :as op]
            [damo.op.all]
            [damo.op.gens :as gens]
            [damo.type :as type]))

(set! *warn-on-reflection* true)

(defn- entries
  "The entries that satisfy pred, by name; leaves are never among them."
  [pred]
  (sort-by :name (filter #(and (not= :leaf (:kind %)) (pred %)) (vals @op/registry))))

(defn- kind? [& kinds] (comp (set kinds) :kind))

(def ^:private all-dtypes (keys type/dtypes))

(defn- close?
  "Are two elements equal, or floats as near as rounding in single precision explains?"
  [x y]
  (or (= x y)
      (and (float? x) (float? y)
           (or (== x y) (and (Double/isNaN x) (Double/isNaN y))
               (<= (abs (- x y)) (* 2e-6 (+ 1e-3 (abs x) (abs y))))))))

(defn- same-array? [a b]
  (and (= (array/type-of a) (array/type-of b))
       (every? true? (map close? (array/values a) (array/values b)))))

(defn- value-of [{:keys [op attrs args]}]
  (eval/constant op attrs args))

(defn- check-law
  "Asserts that `law`, a predicate, holds for generated calls of the op; nil calls do not count."
  [op dtypes law]
  (let [property (prop/for-all [dtype (gen/elements dtypes)
                                size (gen/elements [0 1 3 13])
                                seed (gen/choose 0 40)]
                   (let [c (gens/case op dtype size seed)] (or (nil? c) (law c))))
        {:keys [pass? shrunk]} (check/quick-check 40 property :seed 2718)]
    (is pass? (str op " on [dtype size seed] " (pr-str (:smallest shrunk))
                   (when-let [e (:result shrunk)] (str ": " e))))))

;; ## Completeness of entries

(def ^:private derivative-forms [:partials :transpose :lop :no-gradient])

(def ^:private lowering-keys
  {:elementwise [:scalar], :reduce [:combine :init], :arg-reduce [:better], :view [:view]
   :composite [:expand], :contract [], :generate [], :gather [], :scatter [], :concat []
   :check []})

(defn- one-derivative?
  "Is exactly one form declared? A composite may leave it to what it stands for; reasons for single
  arguments stand beside a form."
  [{:keys [kind no-gradient] :as entry}]
  (let [forms (filter entry (if (map? no-gradient) (pop derivative-forms) derivative-forms))]
    (case (count forms) 0 (= kind :composite), 1 true, false)))

(defn- both-or-none? [entry a b]
  (= (contains? entry a) (contains? entry b)))

(defn- marked? [arg] (re-find #"^\?" (str arg)))

(defn- problems
  "What is wrong with an entry, a set of sentences."
  [{:keys [kind args doc examples gen] :as entry}]
  (let [missing (remove entry (lowering-keys kind))]
    (cond-> #{}
      (not (re-find #"(?s)^\S.*\.$" (str doc))) (conj "no docstring that ends with a full stop")
      (not (contains? lowering-keys kind)) (conj (str "unknown kind " kind))
      (seq missing) (conj (str "lacks " (vec missing)))
      (not (or (= :variadic args) (every? marked? args))) (conj "unmarked argument")
      (empty? examples) (conj "has no example")
      (not (or (fn? gen) (= kind :elementwise))) (conj "has no generator")
      (not (one-derivative? entry)) (conj "has not exactly one derivative form")
      (not (both-or-none? entry :lop :rop)) (conj "has one of :lop and :rop")
      (not (both-or-none? entry :linear-in :transpose)) (conj "has half a linear form"))))

(deftest entries-are-complete
  (doseq [{:keys [name] :as entry} (entries any?)]
    (is (= #{} (problems entry)) (str name))))

(deftest every-op-takes-some-dtype
  (doseq [{:keys [name]} (entries any?)]
    (is (some #(gens/case name % 3 0) all-dtypes) (str name))))

(deftest attributes-are-documented
  (doseq [{:keys [name attrs]} (entries any?), [k schema] attrs]
    (is (string? (:doc schema)) (str name " " k))))

;; ## Meaning

(defn- template-value [template]
  (let [b (graph/builder)
        id (op/instantiate! (op/emitter b nil) {} template)]
    (array/nested (first (eval/run (graph/finish b [id]) {})))))

(deftest examples-hold
  (doseq [{:keys [examples]} (entries any?), [template expected] examples]
    (is (= (pr-str expected) (pr-str (template-value template))) (pr-str template))))

(deftest declared-types-are-the-types-of-values
  (doseq [{:keys [name]} (entries any?)]
    (check-law name all-dtypes #(= (:type %) (array/type-of (value-of %))))))

(deftest normal-attributes-stay
  (doseq [{:keys [name normalize]} (entries :normalize)]
    (check-law name [:f32 :i64 :bool]
               (fn [{:keys [attrs args]}] (= attrs (normalize attrs (mapv array/type-of args)))))))

(deftest commuting-arguments-may-be-swapped
  (doseq [{:keys [name]} (entries :commutes)]
    (check-law name all-dtypes #(same-array? (value-of %) (value-of (update % :args reverse))))
    (doseq [dtype all-dtypes :let [c (gens/special-case name dtype)] :when c]
      (is (same-array? (value-of c) (value-of (update c :args reverse))) (str name " " dtype)))))

;; ## Expansions and symbolic dimensions

(defn- expanded
  "The graph of a case with its output replaced by the op's expansion; nil when it has none."
  [{:keys [nodes outputs] :as g}]
  (let [id (first outputs), [op attrs & args] (nodes id)
        template ((:expand (op/entry op)) {:attrs attrs, :types (mapv #(graph/type-of g %) args)
                                           :type (graph/type-of g id)})]
    (when template
      (let [b (graph/builder)]
        (graph/load-graph! b g)
        (graph/finish b [(op/instantiate! (op/emitter b nil) (op/bindings op args) template)])))))

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

(deftest expansions-mean-the-same
  (doseq [{:keys [name]} (entries :expand)]
    (check-law name all-dtypes expansion-holds?)))

(deftest symbolic-dimensions-give-the-same-types-and-values
  (doseq [{:keys [name]} (entries any?)]
    (check-law name [:f32 :i32 :bool]
               (fn [c]
                 (let [{:keys [graph] :as g} (gens/graph c true)]
                   (or (nil? g)
                       (and (= graph (op/check-types graph)) (same-value? g (value-of c)))))))))

(deftest graphs-of-all-ops-survive-edn
  (doseq [{:keys [name]} (entries any?)]
    (check-law name [:f32 :i32 :bool]
               (fn [c] (let [{:keys [graph]} (gens/graph c)]
                         (= graph (graph/check (edn/read-string (pr-str graph)))))))))

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

(deftest views-address-the-elements-that-they-mean
  (doseq [{:keys [name]} (entries (kind? :view)), strides-of [array/strides transposed-strides]]
    (check-law name [:i32] #(view-holds? % strides-of (stored strides-of)))))

(deftest dense-arrays-are-viewed-without-a-copy
  (doseq [{:keys [name view]} (entries (kind? :view))]
    (check-law name [:i32] (fn [{:keys [attrs args type]}]
                             (let [from (:shape (first args))]
                               (some? (view attrs from (type/shape-of type)
                                            {:offset 0, :strides (array/strides from)})))))))

;; ## Lowering of elementwise ops

(def ^:private instructions
  (edn/read-string (slurp (io/resource "damo/scalar.edn"))))

(defn- template-instructions [template]
  (into #{} (comp (filter vector?) (map first)) (tree-seq vector? identity template)))

(defn- scalar-of [{:keys [scalar args]} attrs dtypes]
  (let [t (if (fn? scalar) (scalar attrs dtypes) scalar)]
    (if (keyword? t) (into [t] args) t)))

(deftest scalar-templates-use-instructions-of-the-table
  (doseq [{:keys [name] :as entry} (entries (kind? :elementwise)), dtype all-dtypes
          :let [{:keys [attrs args]} (gens/case name dtype 3 0)] :when args]
    (is (set/subset? (disj (template-instructions (scalar-of entry attrs (map :dtype args))) :cast)
                     (set (keys instructions)))
        (str name))))

(defn- scalar-holds? [{:keys [op attrs args type] :as c}]
  (let [entry (op/entry op)
        run (machine/function (scalar-of entry attrs (mapv :dtype args)) (:args entry)
                              (mapv :dtype args))]
    (same-array? (value-of c) (array/map-elements (type/dtype-of type) run args))))

(deftest scalar-templates-mean-what-eval-says
  (doseq [{:keys [name]} (entries (kind? :elementwise))]
    (check-law name all-dtypes scalar-holds?)
    (doseq [dtype all-dtypes :let [c (gens/special-case name dtype)] :when c]
      (is (scalar-holds? c) (str name " at special values of " dtype)))))

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

(deftest partials-are-slopes
  (doseq [{:keys [name args]} (entries :partials)]
    (check-law name [:f64]
               (fn [{:keys [type] :as c}]
                 (or (not= :f64 (type/dtype-of type))
                     (every? #(near? (array/cast :f64 (partial-value c %))
                                     (slope-by-differences c %))
                             (range (count args))))))))
