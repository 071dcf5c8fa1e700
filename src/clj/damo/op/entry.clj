(ns damo.op.entry
  "What the entry of an op must have, as data, and the check that `defop` makes of it: kinds, keys,
  derivative forms; and the registry of those that passed. (check! {:name :half :kind :elementwise
  …}) returns the entry or fails, saying what is missing."
  (:require [clojure.string :as str]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.kinds :as kinds]))

(set! *warn-on-reflection* true)

(def kinds
  "The kinds of ops, each with the keys that its lowering needs; docs/ops-guide.md tells what they
  mean."
  {:elementwise [], :reduce [:combine :init], :arg-reduce [:better], :contract [], :view [:view]
   :generate [], :gather [], :scatter [:write], :patch [:write], :cumulate [:step], :concat []
   :check [], :guard [], :require [], :nest [:nest], :composite [:expand], :region [:expand]
   :loop [], :branch [], :host [], :routine [:routine], :leaf [], :tuple [], :part []})

(def ^:private user-keys
  "The keys that the entry of a user's op may have; those of the other kinds are for Damo's own."
  #{:name :doc :ns :kind :alone :args :attrs :all-attrs :call-attrs :instead :normalize
    :normalizer :type :coerce
    :agree :fold :commutes :eval :kernel :native :expand :scalar :ulp :slope-ulp :partials
    :linear-in :transpose :lop :rop :no-gradient :gen :examples :combine :init :nonempty :better
    :view :wide :write :step :sums :before :requires :surrogate :batch})

(defn built-in?
  "Is the entry one of Damo's own?"
  [{:keys [ns kind]}]
  (or (= kind :leaf) (str/starts-with? (str ns) "damo.ops.")))

(defn- says [{:keys [name]} kind message data]
  (fail! kind (str "the op " name " " message) (assoc data :op name)))

;; ## Keys

(defn- check-keys! [{:keys [name] :as entry}]
  (doseq [k (sort-by str (keys entry))]
    (fail/check-name! {:kind :damo.entry/unknown-key, :what "key"
                       :of (str " of the entry of the op " name), :key :key, :data {:op name}}
                      user-keys k)))

(defn- needed
  "Pairs [keys why]: an entry needs one of the keys of each."
  [{:keys [kind] :as entry}]
  (concat
   (if (= kind :leaf)
     [[[:args] "the names of its arguments"] [[:type] "the rule of its type"]]
     [[[:args] "the names of its arguments, such as [?x ?y]"]
      [[:type :expand] "the rule of its type"]
      [(cond (= kind :elementwise) [:eval :expand]
             (built-in? entry) [:eval :kernel :expand :run]
             :else [:eval :kernel :expand])
       "what it means"]])
   (for [k (kinds kind)] [[k] (str "which the kind " kind " asks for")])))

(defn- check-complete! [{:keys [kind] :as entry}]
  (when-not (contains? kinds kind)
    (says entry :damo.entry/unknown-kind
          (str (if kind (str "is of the unknown kind " (pr-str kind)) "has no :kind")
               "; the kinds are " (str/join " " (sort (keys kinds)))
               "\n  try: :elementwise for a function of scalars, :host for one of whole arrays,"
               " :composite for one made of other ops")
          {:kind kind}))
  (doseq [[one-of why] (needed entry)]
    (when-not (some #(contains? entry %) one-of)
      (says entry :damo.entry/incomplete (str "lacks " (str/join " or " one-of) ", " why)
            {:missing one-of}))))

;; ## Arguments

(defn- check-args! [{:keys [args] :as entry}]
  (when-not (or (= args :variadic)
                (and (vector? args) (every? #(and (symbol? %) (re-find #"^\?." (str %))) args)
                     (or (empty? args) (apply distinct? args))))
    (says entry :damo.entry/bad-args
          (str "has :args " (pr-str args) "; they are different names that begin with ?, such as"
               " [?x ?y], or :variadic")
          {:args args})))

;; ## Derivatives

(def ^:private forms
  "The forms of a derivative: the key that marks each, and what it needs besides."
  [[:partials nil] [:transpose :linear-in] [:lop :rop]])

(defn- check-forms! [{:keys [no-gradient] :as entry}]
  (doseq [[a b] forms :when b]
    (when-not (= (contains? entry a) (contains? entry b))
      (says entry :damo.entry/half-derivative
            (str "has " (if (contains? entry a) a b) " without " (if (contains? entry a) b a)
                 "; they go together, one for each mode of differentiation")
            {:keys [a b]})))
  (let [given (concat (filter entry (map first forms))
                      (when (and no-gradient (not (and (map? no-gradient)
                                                    (every? integer? (keys no-gradient)))))
                        [:no-gradient]))]
    (when (< 1 (count given))
      (says entry :damo.entry/two-derivatives
            (str "has the derivative forms " (str/join " and " given) "; it has exactly one")
            {:forms given}))))

(defn- check-lengths! [{:keys [args] :as entry}]
  (doseq [k [:partials :transpose :lop] :let [form (k entry)]
          :when (and (vector? args) (some? form) (not (fn? form)))]
    (when-not (and (vector? form) (= (count args) (count form)))
      (says entry :damo.entry/bad-derivative
            (str "has the arguments " args " but " k " " (pr-str form)
                 "; it is a vector with one template for each argument, " (count args) " in all")
            {:key k, :expected (count args), :given form}))))

(defn- names-in [form] (filter symbol? (tree-seq sequential? seq form)))

(defn- check-names! [{:keys [args] :as entry}]
  (when (vector? args)
    (let [tangents (map #(symbol (str "?d" (subs (str %) 1))) args)
          names (into '#{?out ?g} (concat args tangents))
          known #(or (names %) (re-matches #"\?(out|g)\d+" (str %)))]
      (doseq [k [:partials :transpose :lop :rop] :let [form (k entry)] :when (vector? form)]
        (when-let [unknown (first (remove known (filter #(re-find #"^\?" (str %))
                                                        (names-in form))))]
          (says entry :damo.entry/unknown-name
                (str "names " unknown " in " k " " (pr-str form) "; the names there are "
                     (str/join " " (concat args '[?out ?g]))
                     (when (= k :rop) (str " " (str/join " " tangents))))
                {:key k, :name unknown}))))))

;; ## C functions

(def ^:private c-dtypes #{:f64 :f32 :i64 :i32})

(defn- check-native! [{:keys [kind args native] :as entry}]
  (when (and (contains? entry :native)
             (not (and (map? native)
                       (or (not= kind :elementwise)
                           (and (vector? (:args native)) (= (count args) (count (:args native)))
                                (every? c-dtypes (conj (:args native) (:gives native))))))))
    (says entry :damo.entry/bad-native
          (str "has :native " (pr-str native) "; for a function of scalars it is"
               " {:library \"libm.so.6\" :symbol \"cbrt\" :args [:f64] :gives :f64}, with one of "
               (str/join " " (sort c-dtypes)) " for each argument and the result")
          {:native native})))

(defn check!
  "The entry, when it is complete and says nothing that cannot be. Fails with
  :damo.entry/unknown-kind, and with incomplete, unknown-key, bad-args, half-derivative,
  two-derivatives, bad-derivative, unknown-name or bad-native of the same namespace."
  [entry]
  (check-complete! entry)
  (when-not (built-in? entry) (check-keys! entry))
  (check-args! entry)
  (check-forms! entry)
  (check-lengths! entry)
  (check-names! entry)
  (check-native! entry)
  entry)

(defn normal-attrs
  "The attributes of a node in normal form, by their kinds and by the entry's :normalize."
  [{:keys [normalizer normalize]} attrs types]
  (let [attrs (if normalizer (normalizer attrs types) attrs)]
    (if normalize (normalize attrs types) attrs)))

;; ## The registry

(defonce ^{:doc "The ops by name: an atom, the one place where they are collected; `register!` and
  `remove!` are its writers."} registry
  (atom {}))

(defn- check-new!
  "Refuses an op whose name another namespace has taken."
  [{:keys [name ns] :as new}]
  (when-let [{old-ns :ns :as old} (get @registry name)]
    (when-not (= old-ns ns)
      (fail! :damo.entry/redefined
             (str "the op " name (if (built-in? old)
                                   " is one of Damo's own; choose another name"
                                   (str " is defined in " (or old-ns "another place")
                                        " already; choose another name, or remove that one first"
                                        " with (remove-op! " name ")")))
             {:op name, :defined-in old-ns, :ns (:ns new)}))))

(defn register!
  "Adds an entry to the registry, replacing one that the same namespace defined; returns its name.
  Functions that were compiled before keep the op as it was. Fails as check! does, and
  with :damo.entry/redefined."
  [{:keys [name] :as new}]
  (check! new)
  (check-new! new)
  (let [own? (built-in? new)
        [attrs call-attrs] (map #(kinds/with-kinds (:kind new) own? (% new)) [:attrs :call-attrs])
        normalizer (kinds/normalizer attrs)
        graphs (for [[k {:keys [is]}] attrs :when (= is :graph)] k)]
    (swap! registry assoc name
           (cond-> (assoc new :attrs attrs)
             (seq graphs) (assoc :graphs (vec graphs))
             normalizer (assoc :normalizer normalizer)
             (seq call-attrs) (assoc :call-attrs call-attrs
                                     :all-attrs (merge attrs call-attrs)))))
  name)

(defn remove!
  "Forgets a user's op; returns its name. Fails with :damo.entry/redefined
                                                     for one of Damo's own, with
  :damo.entry/not-defined when there is none."
  [op]
  (let [old (get @registry op)]
    (when (or (nil? old) (built-in? old))
      (fail! (if old :damo.entry/redefined :damo.entry/not-defined)
             (if old
               (str "the op " op " is one of Damo's own; it cannot be removed")
               (str "there is no op " (pr-str op) " to remove"))
             {:op op})))
  (swap! registry dissoc op)
  op)
