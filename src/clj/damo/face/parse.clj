(ns damo.face.parse
  "Graphs written by hand in let form, as data:
  {:inputs {x [:f32 [n 784]]} :params {w {:type [:f32 [784 10]]}} :let [h [:tanh [:dot x w]]]
  :outputs {y [:softmax h]}}. (parse form) is the graph, its outputs in order and named in :notes;
  never evaluates anything."
  (:require [clojure.string :as str]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.op :as op]
            [damo.op.whole :as whole]))

(set! *warn-on-reflection* true)

(def ^:private keys-of-form #{:inputs :params :let :outputs})

(defn- bad-form! [where message form]
  (fail! :damo.parse/bad-form (str "let form, " where ": " message) {:where where, :form form}))

(defn- check-form [form]
  (when-not (map? form)
    (bad-form! "at the top"
      (str "a map with " (str/join ", " (sort keys-of-form)) " is needed, got " (pr-str form))
      form))
  (doseq [k (keys form)]
    (fail/check-name! {:kind :damo.parse/bad-form, :what "key", :of " of a let form", :key :where
                       :data {:form form}}
                      keys-of-form k))
  (when-not (and (vector? (:let form [])) (even? (count (:let form []))))
    (bad-form! ":let" "a vector of names and expressions in turn is needed" (:let form)))
  (when-not (and (map? (:outputs form)) (seq (:outputs form)))
    (bad-form! ":outputs" "a map of name to expression with at least one entry is needed"
      (:outputs form)))
  form)

(defn- located
  "Calls f; a failure is thrown again saying which entry of the form it is in."
  [where expression f]
  (try (f)
       (catch clojure.lang.ExceptionInfo e
         (fail/explain! e (str "let form, " where " " (pr-str expression) ": ") ""
                        {:where where, :expression expression}))))

(declare build)

(defn- argument [b env x]
  (cond (or (number? x) (boolean? x)) x
        (and (vector? x) (not (keyword? (first x)))) (mapv #(argument b env %) x)
        :else (build b env x)))

(defn- build
  "The `Id` of an expression: a name, or [op attrs? argument …]. A vector of arguments is spread,
  for variadic ops."
  [b env x]
  (cond (symbol? x) (or (env x)
                        (fail! :damo.parse/unknown-name
                               (str "nothing is called " x " here; there are "
                                (str/join ", " (sort (keys env))))
                               {:name x}))
        (and (vector? x) (keyword? (first x)))
        (let [[op & more] x
              [attrs args] (if (map? (first more)) [(first more) (rest more)] [{} more])]
          (op/emitted! b op (whole/checked-graphs op attrs)
                       (vec (flatten (map #(argument b env %) args))) nil))
        :else (fail! :damo.parse/bad-expression
               (str "an expression is a name, a number or [op attrs? argument …], got " (pr-str x))
                     {:expression x})))

(defn- check-entry! [section env entry-name]
  (when-not (symbol? entry-name)
    (bad-form! section (str "a name is a symbol, got " (pr-str entry-name)) entry-name))
  (when (contains? env entry-name)
    (bad-form! section (str "the name " entry-name " is used twice") entry-name)))

(defn- entries
  "The environment extended by what (emit b env name x) gives for each pair of name and x."
  [section pairs emit b env]
  (reduce (fn [env [entry-name x]]
            (check-entry! section env entry-name)
            (assoc env entry-name
                   (located (str section " " entry-name) x #(emit b env entry-name x))))
          env pairs))

(defn- leaf [op type-of]
  (fn [b _ leaf-name x]
    (op/emitted! b op {:name leaf-name, :type (type-of x)} [] {:name leaf-name})))

(defn- named-expression [b env entry-name x]
  (let [a (argument b env x)
        id (if (number? a)
             (op/->Id (op/emit! b :const {:type [:f64 []], :value (double a)} [] nil) :numbers)
             a)]
    (graph/add-note! b (op/id-of id) {:name entry-name})
    id))

(defn parse
  "The graph of a let form; fails saying which entry is wrong. See the namespace."
  [form]
  (let [{:keys [inputs params outputs] :as form} (check-form form)
        b (graph/builder)
        env (->> {}
                 (entries ":inputs" inputs (leaf :input identity) b)
                 (entries ":params" params (leaf :shared :type) b)
                 (entries ":let" (partition 2 (:let form)) named-expression b))]
    (graph/finish b (mapv (fn [[output x]]
                            (located (str ":outputs " output) x
                                     #(op/id-of (named-expression b env output x))))
                          outputs))))
