(ns damo.data.attribute
  "Attributes of ops and options of functions by name: which there are, what their values may be,
  and what they are where nothing is given. A schema is {:default :doc :is}, its :is a key of
  `kinds`. (options {:axis {:default 0, :is :axes}} [] [:axis 1]) = {:axis 1}."
  (:require [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]))

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
  "What a value may be: the predicate, and how messages say it."
  {:flag [boolean? "true or false"]
   :number [number? "a number"]
   :element [#(or (number? %) (boolean? %)) "a number or a boolean"]
   :integer [int? "an integer"]
   :dim [type/dim? "a dim, an integer of at least 0, a symbol or arithmetic on them"]
   :extents [extents? "a vector of dims, integers, symbols or arithmetic on them"]
   :counts [counts? "a dim or a vector of dims, integers of at least 0, symbols or arithmetic"]
   :axes [axes? "an axis or a vector of axes, integers"]
   :order [order? "a vector of axes, integers"]
   :dtype [type/dtype? "a dtype, such as :f32 or :i64"]
   :policy [#{:raise :warn :ignore} ":raise, :warn or :ignore"]
   :direction [#{:forward :reverse} ":forward or :reverse"]
   :indexing [#{:xy :ij} ":xy or :ij"]
   :map [map? "a map"]
   :text [#(and (string? %) (seq %)) "a text that is not empty"]
   :any [any? "anything"]})

(def by-name
  "The kinds of the attributes that Damo's own ops have under one name."
  (into {} (for [[kind names]
                 {:flag [:keepdims :descending :endpoint :equal-nan :inf :nan :largest :left
                         :reverse]
                  :number [:alpha :atol :rtol :beta :delta :epsilon :fill :hi :lo :by :q :ddof]
                  :integer [:axis1 :axis2 :offset :limit :ndim]
                  :dim [:classes :extent :length :num :m :size]
                  :extents [:shape]
                  :counts [:repeats :reps]
                  :axes [:axis :source :destination]
                  :dtype [:dtype :acc-dtype]}
                 name names]
             [name kind])))

(defn with-kinds
  "The schemas of one of Damo's own ops, with the kinds that their names tell."
  [schemas]
  (into {} (for [[k schema] schemas]
             [k (if-let [kind (by-name k)] (merge {:is kind} schema) schema)])))

(defn- check-value! [k {:keys [is] :as schema} value]
  (let [[allowed? text] (kinds is)]
    (when-not (or (allowed? value) (and (nil? value) (nil? (:default schema :needed))))
      (fail! :damo.attribute/bad-value
             (str k " is " text (when (nil? (:default schema :needed)) ", or nil")
                  "; got " (fail/value-text value))
             {:attribute k, :given (fail/bounded value)}))))

(defn fill
  "The values `given`, checked, with the defaults of those that are missing. `about` says what an
  unknown name is none of, as fail/check-name! has it; `missing` is the kind of the failure that a
  value without default is."
  [schemas given about missing]
  (doseq [k (keys given)]
    (when-not (contains? schemas k) (fail/check-name! about (keys schemas) k)))
  (reduce-kv (fn [m k {:keys [is] :as schema}]
               (cond (contains? given k) (do (when is (check-value! k schema (get given k))) m)
                     (contains? schema :default) (assoc m k (:default schema))
                     :else (fail! missing (str "the " (:what about) " " k " is needed: "
                                               (:doc schema))
                                  {:attribute k})))
             (or given {}) schemas))

(defn as-map
  "Options that are given as one map or as keywords and values, as a map."
  [given]
  (cond (empty? given) {}
        (and (map? (last given)) (= 1 (count given))) (first given)
        (not (keyword? (first given)))
        (fail! :damo.attribute/no-keyword
               (str "options are keywords and values, or one map of them; got "
                    (fail/value-text (first given)))
               {:given (first given)})
        (odd? (count given))
        (fail! :damo.attribute/no-value
               (str "there is no value after the option " (fail/value-text (last given)))
               {:option (last given)})
        :else (apply hash-map given)))

(def ^:private about-options {:kind :damo.attribute/unknown-option, :what "option", :key :option})

(defn options
  "The options of a call of a function: `given` is what follows its arguments, values of the options
  `in-order` by position, then keywords and values, or a map of them."
  [schemas in-order given]
  (let [[placed named] (split-with #(not (or (keyword? %) (map? %))) (take 100 given))]
    (when (< (count in-order) (count placed))
      (fail! :damo.attribute/too-many (str "there are " (count placed) " values where "
                                       (if (seq in-order) (vec in-order) "keywords of options")
                                       " may follow the arguments; options are keywords and values")
             {:given (vec placed)}))
    (fill schemas (merge (zipmap in-order placed) (as-map named)) about-options
          :damo.attribute/missing)))
