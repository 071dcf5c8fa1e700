(ns damo.data.kinds
  "What the attributes of ops are: a kind for each, and for each kind, as data, what the readers of
  attributes ask. A schema is {:default :doc :is}, its :is a key of `kinds` or a set of the values
  that it may have; what has no :is is :any. Whether an attribute holds dims, which change with the
  names of dims and have values in a call; what becomes of it when an axis comes in front of all
  arrays; what its normal form is; how messages and pages say it.
  (dims {:shape {:is :shape}} {:shape [2 [:* 3 n]]} []) = ([:* 3 n])."
  (:require [clojure.string :as str]
            [damo.data.told :as told]
            [damo.data.type :as type])
  (:import [damo.lib Threads]))

(set! *warn-on-reflection* true)

(defn few
  "Are there at most `most` elements in the collection x? Endless ones are not walked."
  [most x]
  (<= (bounded-count (inc (long most)) x) (long most)))

(defn axes?
  "Is x an axis, a sequence of axes, or nil, which stands for all?"
  [x]
  (or (nil? x) (integer? x) (and (sequential? x) (few 64 x) (every? integer? x))))

(defn- order? [x] (and (sequential? x) (axes? x)))

(defn- extents? [x]
  (and (sequential? x) (few 64 x) (every? #(or (nil? %) (integer? %) (symbol? %) (vector? %)) x)))

(defn- counts? [x]
  (or (type/dim? x)
      (and (sequential? x) (few 1000000 x)
           (every? type/dim? x))))

(def kinds
  "By name: :may-be the predicate of its values and :says how messages and pages tell it; :dims true
  where dims stand in it, alone, in vectors, or in a type; :behind, a word of damo.diff.batch, for
  how it changes when an axis comes in front of all arrays; :normal, a key of `normal-forms`."
  {:flag {:may-be boolean?, :says "true or false"}
   :number {:may-be number?, :says "a number"}
   :numbers {:may-be #(and (sequential? %) (every? number? %)), :says "a vector of numbers"}
   :element {:may-be #(or (number? %) (boolean? %)), :says "a number or a boolean"}
   :threads {:may-be #(and (int? %) (<= 1 % Threads/MOST)), :says "an integer from 1 to 1024"}
   :calls {:may-be #(and (int? %) (<= 1 % 1024)), :says "an integer from 1 to 1024"}
   :integer {:may-be int?, :says "an integer"}
   :integers {:says "an integer or a vector of integers"}
   :text {:may-be #(and (string? %) (seq %)), :says "a text that is not empty"}
   :symbol {:says "a symbol"}
   :map {:may-be map?, :says "a map"}
   :data {:says "plain data, as it is"}
   :values {:says "a number or boolean, or a vector of them"}
   :dtype {:may-be type/dtype?, :says "a dtype, such as :f32 or :i64"}
   :type {:dims true, :says "a type, [dtype [dim …]]"}
   :dim {:may-be type/dim?, :dims true, :normal :dim
         :says "a dim, an integer of at least 0, a symbol or arithmetic on them"}
   :shape {:may-be extents?, :dims true, :behind :shape-behind, :normal :shape
           :says "a vector of dims, integers, symbols or arithmetic on them"}
   :extents {:may-be extents?, :dims true, :behind :shape-behind
             :says "a vector of dims, integers, symbols or arithmetic on them"}
   :counts {:may-be counts?, :dims true
            :says "a dim or a vector of dims, integers of at least 0, symbols or arithmetic"}
   :paddings {:dims true, :says "a word, a dim, or a vector of dims or pairs of dims"}
   :facts {:may-be #(and (vector? %) (few 1000 %) (every? told/fact? %)), :dims true
           :says "a vector of facts about dims, [:= a b] or [:<= a b]"}
   :counted {:says "the dim that is counted, a symbol"}
   :index {:dims true, :says "an index, an integer or a dim"}
   :starts {:dims true, :behind :starts-behind, :says "a vector of indices, integers or dims"}
   :stops {:dims true, :behind :shape-behind, :says "a vector of indices, integers or dims"}
   :steps {:dims true, :behind :steps-behind, :says "a vector of integers"}
   :axis {:may-be axes?, :behind :axes-behind, :normal :axis, :says "an axis, an integer"}
   :axis-or-all {:may-be axes?, :behind :axes-behind, :normal :axis-or-all
                 :says "an axis, an integer"}
   :axes {:may-be axes?, :behind :axes-behind, :normal :axes
          :says "an axis or a vector of axes, integers"}
   :axis-number {:may-be int?, :behind :axes-behind, :says "an axis, an integer"}
   :positions {:may-be axes?, :behind :axes-behind
               :says "an axis or a vector of axes, integers"}
   :order-of-norm {:says "a number or :fro"}
   :order {:may-be order?, :behind :order-behind, :says "a vector of axes, integers"}
   :policy {:may-be #{:raise :warn :ignore}, :says ":raise, :warn or :ignore"}
   :direction {:may-be #{:forward :reverse}, :says ":forward or :reverse"}
   :indexing {:may-be #{:xy :ij}, :says ":xy or :ij"}
   :graph {:says "a graph, or a vector of graphs"}
   :loop-params {:may-be vector?, :dims true, :says "a vector of parameters of a loop's body"}
   :loop-results {:may-be vector?, :dims true, :says "a vector of results of a loop"}
   :any {:may-be any?, :says "anything"}})

(defn kind
  "The entry of `kinds` of a schema."
  [{:keys [is] :or {is :any}}]
  (if (set? is)
    {:may-be is, :says (str "one of " (str/join ", " (sort-by str is)))}
    (kinds is)))

;; ## The attributes of Damo's own ops

(def by-name
  "The kinds of the attributes that Damo's own ops have under one name."
  (into {} (for [[kind names]
                 {:flag [:keepdims :descending :endpoint :equal-nan :inf :nan :largest :left
                         :reverse]
                  :number [:alpha :atol :rtol :beta :delta :epsilon :fill :hi :lo :by :q :ddof]
                  :integer [:offset :limit :ndim]
                  :axis-number [:axis1 :axis2]
                  :dim [:classes :extent :length :num :m :size]
                  :shape [:shape]
                  :counts [:repeats :reps]
                  :axes [:axis]
                  :positions [:source :destination]
                  :dtype [:dtype :acc-dtype]}
                 name names]
             [name kind])))

(def of-kinds
  "The kinds of the attributes that ops of a kind of ops have, by what the lowering takes them for."
  {:reduce {:axis :axes, :keepdims :flag}
   :arg-reduce {:axis :axis-or-all, :keepdims :flag}
   :gather {:axis :positions}
   :scatter {:axis :positions}
   :patch {:start :starts, :stop :stops, :step :steps}})

(defn- with-kind [kinds [k schema]]
  [k (if (or (:is schema) (nil? (kinds k))) schema (assoc schema :is (kinds k)))])

(defn with-kinds
  "The schemas of an op of that kind with an :is wherever it is known; of Damo's `own` ops the names
  tell it."
  [op-kind own schemas]
  (into {} (map (partial with-kind (merge {} (when own by-name) (of-kinds op-kind)))) schemas))

;; ## Dims

(defn- dim-form?
  "Is x a dim that is no integer, where dims stand?"
  [x]
  (or (symbol? x) (and (vector? x) (contains? type/dim-ops (first x)))))

(defn- walked [f x]
  (cond (dim-form? x) (f x), (vector? x) (mapv #(walked f %) x), :else x))

(defn- forms [x]
  (cond (dim-form? x) [x], (vector? x) (mapcat forms x)))

(defn- only-dims?
  "Is x made of integers and dims of these symbols, at least one of them, and of nothing else?"
  [symbols x]
  (letfn [(fits? [x] (cond (dim-form? x) (and (type/dim? x) (every? symbols (type/dim-symbols x)))
                           (vector? x) (every? fits? x)
                           :else (or (nil? x) (integer? x))))]
    (and (fits? x) (boolean (some (comp seq type/dim-symbols) (forms x))))))

(defn- holds-dims?
  "Does the value x of an attribute hold dims? Its kind says so. Without a kind it does where it is
  made of nothing but dims that the types of the node mention."
  [{:keys [is] :as schema} types x]
  (and (or (symbol? x) (vector? x))
       (if (contains? #{nil :any} is)
         (only-dims? (into #{} (mapcat type/symbols) @types) x)
         (:dims (kind schema)))))

(defn dims
  "The dims in the attributes of a node, integers left out. `types` are a delay of the types of its
  arguments and of its own."
  [schemas attrs types]
  (mapcat (fn [[k x]] (when (holds-dims? (schemas k) types x) (forms x))) attrs))

(defn with-dims
  "The attributes with (f dim) for each dim in them that is no integer."
  [f schemas attrs types]
  (reduce-kv (fn [m k x] (if (holds-dims? (schemas k) types x) (assoc m k (walked f x)) m))
             attrs attrs))

;; ## A batch axis in front

(defn behind
  "{attribute word}: how attributes change when an axis comes in front of all arrays."
  [schemas]
  (into {} (for [[k schema] schemas :let [word (:behind (kind schema))] :when word] [k word])))

;; ## Normal forms

(defn- of-rank
  "The function f of a rank and axes, for the rank of the first argument."
  [f]
  (fn [x [[_ shape :as type]]] (if type (f (count shape) x) x)))

(defn- dims-checked [x] (type/check [:f32 x]) (mapv type/dim+ x))

(def ^:private normal-forms
  "Functions of a value and the types of the arguments: axes count from the front of the first
  argument, dims are as damo.poly writes them."
  {:axis (of-rank type/axis-index)
   :axes (of-rank type/axis-indices)
   :axis-or-all (of-rank (fn [rank axis] (cond axis (type/axis-index rank axis) (= 1 rank) 0)))
   :dim (fn [d _] (first (dims-checked [d])))
   :shape (fn [shape _] (dims-checked shape))})

(defn normalizer
  "The function of attributes and types of arguments that brings those whose kind has a normal form
  into it, of ops with these schemas; nil where none has."
  [schemas]
  (let [found (into {} (for [[k schema] schemas
                             :let [form (normal-forms (:normal (kind schema)))] :when form]
                         [k [form (contains? #{:dim :shape} (:normal (kind schema)))]]))]
    (when (seq found)
      (fn [attrs types]
        (reduce-kv (fn [m k [form given-only]]
                     (let [x (get m k)]
                       (if (and given-only (nil? x)) m (assoc m k (form x types)))))
                   attrs found)))))
