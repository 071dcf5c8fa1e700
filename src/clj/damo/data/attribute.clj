(ns damo.data.attribute
  "Attributes of ops and options of functions by name: which there are, what their values may be,
  and what they are where nothing is given. A schema is {:default :doc :is}, see
  damo.data.kinds; with :own-check true the op says itself what a value may not be.
  (options {:axis {:default 0, :is :axes}} [] [:axis 1]) = {:axis 1}."
  (:require [damo.data.fail :as fail :refer [fail!]]
            [damo.data.kinds :as kinds]))

(set! *warn-on-reflection* true)

(defn- check-value! [k {:keys [own-check] :as schema} value]
  (let [{:keys [may-be says]} (kinds/kind schema)]
    (when-not (or own-check (nil? may-be) (may-be value)
                  (and (nil? value) (nil? (:default schema :needed))))
      (fail! :damo.attribute/bad-value
             (str k " is " says (when (nil? (:default schema :needed)) ", or nil")
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
