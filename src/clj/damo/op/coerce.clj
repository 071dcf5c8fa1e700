(ns damo.op.coerce
  "Which dtype the arguments of an op get: of those that are brought to one, numbers and what is
  computed of numbers alone give way to the others. (arguments ctx entry [x 0.1]) are x and 0.1 as a
  constant of its dtype; for contexts see damo.op/construct."
  (:require [damo.data.expr :as expr]
            [damo.data.fail :refer [fail!]]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(defn literal?
  "Is x a number or boolean, whose dtype depends on its partners?"
  [x]
  (or (number? x) (boolean? x)))

(defn- weak? [{:keys [type-of]} x] (or (literal? x) (some? (type/made-of (type-of x)))))

(defn- constant [{:keys [make]} x dtype]
  (let [type [dtype []]]
    (make :const {:type type, :value (expr/const-value dtype x)} []
          (type/weakened type :numbers))))

(defn- converted [{:keys [type-of make constant-as]} arg dtype]
  (let [[from shape :as type] (type-of arg), made-of (type/made-of type)]
    (if (= from dtype)
      arg
      (or (when (and made-of constant-as) (constant-as arg dtype))
          (make :cast {:dtype dtype} [arg] (type/weakened [dtype shape] made-of))))))

(defn- common-dtype [{:keys [type-of] :as ctx} rule args]
  (let [strong (map (comp type/dtype-of type-of) (remove #(weak? ctx %) args))
        partner (when (seq strong) (reduce type/promote strong))
        weak (map #(if (literal? %) (type/weak % partner) (type/beside (type-of %) partner))
                  (filter #(weak? ctx %) args))
        dtype (reduce type/promote (cond->> weak partner (cons partner)))]
    (if (= rule :float) (type/float-of dtype) dtype)))

(defn- coerced?
  "Is the argument in that position one of those that are brought to one dtype?"
  [{:keys [kind coerce]} i]
  (if (or (= coerce :all) (and (nil? coerce) (= kind :elementwise)))
    true
    (and (some? coerce) (some #(= i %) coerce))))

(defn- check-arrays!
  "Fails when an argument is a node of several results, of which only `part` takes one."
  [{:keys [type-of]} {:keys [kind]} args]
  (when-let [type (when-not (= kind :part)
                    (some #(let [type (type-of %)] (when (tuple/type? type) type))
                          (remove literal? args)))]
    (fail! :damo.part/several-results
           (str "takes arrays; an argument has several results, " (pr-str (tuple/types type))
                ", and one of them is meant: [:part {:at 0} …]")
           {:given type})))

(defn- agrees? [{:keys [agree]} i] (and (some? agree) (some #(= i %) agree)))

(defn- deciding
  "Those of the arguments, or of their types, that decide the dtype."
  [entry args]
  (into [] (keep-indexed (fn [i a] (when (or (coerced? entry i) (agrees? entry i)) a))) args))

(defn- plain?
  "Are the arguments as they are to be: no numbers among them, and the deciding ones of one dtype,
  one that the rule of the type keeps, none of them weak?"
  [{:keys [type-of] :as ctx} rule args deciding]
  (and (not-any? literal? args)
       (or (empty? deciding)
           (let [dtype (type/dtype-of (type-of (first deciding)))]
             (and (or (not= rule :float) (= dtype (type/float-of dtype)))
                  (every? #(and (= dtype (type/dtype-of (type-of %))) (not (weak? ctx %)))
                          deciding))))))

(defn- brought-together
  "The arguments, those that decide the dtype brought to it."
  [ctx {:keys [type] :as entry} args deciding]
  (let [dtype (when (seq deciding) (common-dtype ctx type deciding))]
    (vec (map-indexed (fn [i a]
                        (cond (literal? a)
                              (constant ctx a (if (or (coerced? entry i) (agrees? entry i))
                                                dtype
                                                (type/weak a nil)))
                              (or (coerced? entry i) (and (agrees? entry i) (weak? ctx a)))
                              (converted ctx a dtype)
                              :else a))
                      args))))

(defn arguments
  "The arguments with numbers made constants, the `coerced?` ones brought to one dtype and, of those
  that :agree, the weak ones to the dtype of the others."
  [ctx {:keys [type] :as entry} args]
  (check-arrays! ctx entry args)
  (let [deciding (deciding entry args)]
    (if (plain? ctx type args deciding)
      (vec args)
      (brought-together ctx entry args deciding))))

(defn made-of
  "What a node is made of: :numbers or :extents when the arguments that decide its dtype are made of
  nothing else and no attribute names a dtype, else nil."
  [{:keys [name] :as entry} {:keys [dtype acc-dtype]} types]
  (let [deciding (deciding entry types), parts (if (seq deciding) deciding types)]
    (cond (= name :dim) :extents
          (or dtype acc-dtype (empty? parts) (some #(nil? (type/made-of %)) parts)) nil
          (some #(= :extents (type/made-of %)) parts) :extents
          :else :numbers)))
