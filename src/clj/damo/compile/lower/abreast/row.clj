(ns damo.compile.lower.abreast.row
  "What a loop over rows does in each, where that may be done for many rows side by side.
  (nest dtypes loop) = {:row :rows :width :body, :turned keys of what is read and written along
  rows, :read those that are read before they are written, :written, :kept the scalars of a row that
  loops along it or later statements use, :types their dtypes, :cheap does it take no more than one
  cheap sum}; nil of other loops."
  (:require [clojure.walk :as walk]
            [damo.compile.lower.collapse :as collapse]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(def column "Stands for the variable of any loop along the row in keys." 'column)

(defn key-of
  "The parameter and the index of an access, in which the variable of the loop is `column`."
  [p index variable]
  [p (if variable (walk/postwalk #(if (= variable %) column %) index) index)])

(defn- inside
  "The statements of a row with what is chosen where rows are abreast."
  [body]
  (into [] (mapcat (fn [[head short :as s]] (if (= :abreast head) short [s]))) body))

(defn- loop? [s] (= :for (first s)))

(defn- flat
  "All statements of a row with the variable of the loop around each, nil where none is."
  [body]
  (mapcat (fn [[_ j _ & inner :as s]] (if (loop? s) (map #(vector j %) inner) [[nil s]])) body))

(def ^:private allowed {false #{:let :var :set :store :index :acc :for :require}
                        true #{:let :acc :set :store}})

(defn- shaped?
  "Are the statements such ones, and is there a scalar of the row? Else elements are no row's."
  [row body]
  (let [widths (map #(nth % 2) (filter loop? body))]
    (and (some #(= :var (first %)) body) (seq widths) (apply = widths)
         (not-any? #{row} (flatten [(first widths)]))
         (every? (fn [s] (and ((allowed false) (first s))
                              (or (not (loop? s)) (every? #((allowed true) (first %)) (drop 3 s)))))
                 body))))

;; ## Accesses

(defn- forms [head x] (filter #(and (vector? %) (= head (first %))) (tree-seq vector? seq x)))

(defn- accesses
  "[{:column :p :index :store} …] of the statements of a row, in order."
  [body]
  (for [[j [head p index value :as s]] (flat body)
        access (concat (for [[_ q at] (forms :load (if (= head :store) value s))] {:p q, :index at})
                       (when (= head :store) [{:p p, :index index, :store true}]))]
    (assoc access :column j)))

(defn- kind
  "How an access may be done for many rows: :turned, :same; nil where it may not."
  [row width {:keys [column p index store]}]
  (let [by-row (collapse/coefficient index row)
        by-column (if column (collapse/coefficient index column) 0)]
    (cond (or (symbol? p) (nil? by-row) (nil? by-column)) nil
          store (cond (nil? column) (when (not= 0 by-row) :same)
                      (and (= 1 by-column) (= width by-row)) :turned)
          (= 0 by-column) :same
          (= 0 by-row) :same
          (= 1 by-column) :turned)))

(defn- key-of-access [{:keys [p index column]}] (key-of p index column))

(defn- apart?
  "Is each parameter that is written touched at one place of a row or column alone?"
  [all]
  (let [written (set (map :p (filter :store all)))]
    (every? (fn [[_ touched]] (apply = (map key-of-access touched)))
            (group-by :p (filter (comp written :p) all)))))

;; ## Scalars

(def ^:private tests #{:eq :ne :lt :le :gt :ge :isnan :isinf})

(defn- type-of [dtypes types [head a b :as e]]
  (case head
    (:const :cast) (type/computed a)
    :load (type/computed (dtypes a))
    :size :i64
    :select (if (symbol? b) (types b) (recur dtypes types b))
    :bits ({:f32 :i32, :f64 :i64} (if (symbol? a) (types a) (type-of dtypes types a)))
    :float ({:i32 :f32, :i64 :f64} (if (symbol? a) (types a) (type-of dtypes types a)))
    (cond (tests head) :bool
          (= :native head) nil
          (symbol? a) (types a)
          (vector? (second e)) (recur dtypes types a))))

(defn- scalar-types
  "{name dtype} of what statements bind; of an unknown dtype nil."
  [dtypes body]
  (reduce (fn [types [j [head a e]]]
            (cond-> types
              j (assoc j :i64)
              (= :index head) (assoc a :i64)
              (#{:let :var} head) (assoc a (if (symbol? e) (types e) (type-of dtypes types e)))))
          {} (flat body)))

(defn- runs
  "The statements of a row in runs without a loop, and loops."
  [body]
  (partition-by #(when (loop? %) %) body))

(defn- kept
  "The scalars of the row that lie in arrays: variables, and what a later run uses."
  [body]
  (let [bound (fn [s] (when (#{:let :index} (first s)) (second s)))
        used (fn [run] (set (filter symbol? (flatten run))))
        later (reductions into #{} (map used (reverse (runs body))))]
    (into (set (for [[head a] body :when (= :var head)] a))
          (mapcat (fn [run later] (filter later (keep bound run))) (runs body)
                  (reverse (butlast later))))))

(defn- addresses
  "The names in the indices of statements."
  [statements]
  (let [all (vec statements)]
    (flatten [(map #(nth % 2) (concat (forms :load all) (forms :store all)))
              (map second (forms :size all))])))

(defn- addressed?
  "Is one of these names part of an index in another run than its own?"
  [body names]
  (some (fn [run]
          (let [own (into #{} (comp (filter #(#{:let :index :var} (first %))) (map second)) run)]
            (some #(and (names %) (not (own %))) (addresses run))))
        (runs body)))

;; ## What it takes

(def ^:private cheap-heads #{:load :cast :const :size :add :sub :mul :neg :abs :acc :let
                             :+ :- :*})

(defn- cheap?
  "Is all that loops along a row do one sum, or one extreme of whole numbers?"
  [types body]
  (let [inner (keep (fn [[j s]] (when j s)) (flat body)), sums (filter #(= :acc (first %)) inner)
        [[_ op a]] sums]
    (and (= 1 (count sums))
         (or (= :add op) (and (#{:maximum :minimum} op) (not (#{:f32 :f64} (types a)))))
         (every? cheap-heads (map first (filter vector? (tree-seq sequential? seq inner)))))))

(defn- set-elsewhere?
  "Does a statement set what is no scalar of the row?"
  [body kept]
  (some (fn [[_ [head a]]] (and (= :set head) (not (kept a)))) (flat body)))

(defn nest
  "What the loop does in a row, see the namespace."
  [dtypes [head row rows & original]]
  (when-let [body (when (= :for head) (inside original))]
    (when (shaped? row body)
      (let [width (nth (first (filter loop? body)) 2), all (accesses body)
            along (filter #(= :turned (kind row width %)) all), kept (kept body)
            turned (distinct (map key-of-access along)), types (scalar-types dtypes body)
            first-store? (fn [k] (:store (first (filter #(= k (key-of-access %)) along))))]
        (when (and (every? #(kind row width %) all) (apart? all) (seq turned) (every? types kept)
                   (not (addressed? body kept)) (not (set-elsewhere? body kept)))
          {:row row, :rows rows, :width width, :body body, :turned turned, :kept kept
           :read (remove first-store? turned), :types types, :dtypes dtypes
           :written (distinct (map key-of-access (filter :store along)))
           :cheap (cheap? types body)})))))
