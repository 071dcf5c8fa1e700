(ns damo.laws.check
  "The battery of laws for one op, as the tests run it on Damo's own: (check-op :half) prints a
  report, and fails with the worst case of each law that does not hold."
  (:require [clojure.string :as str]
            [damo.data.fail :refer [fail!]]
            [damo.laws.compiled :as compiled]
            [damo.laws.entry :as laws]
            [damo.laws.modes :as modes]
            [damo.laws.orders :as orders]
            [damo.laws.precision :as precision]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(def ^:private own-laws
  "The laws that ask for what only Damo's own ops must have, such as examples."
  #{:complete})

(defn- takes?
  "Can calls of the op be generated? A user's op may have no :gen."
  [{:keys [kind gen]}]
  (or (fn? gen) (= kind :elementwise)))

(defn- guarded
  "The problems that (f) gives, or the one that it threw."
  [law f]
  (try (doall (f))
       (catch Exception e [{:law law, :call nil, :message (ex-message e)}])))

(defn- reference-laws [entry]
  (for [{:keys [name applies check]} laws/laws :when (and (not (own-laws name)) (applies entry))]
    {:law name, :problems (guarded name #(check entry))}))

(defn- unless-missing
  "The problems of an op; none when nobody has written a derivative of its derivative."
  [problems-of op]
  (try (doall (problems-of op))
       (catch clojure.lang.ExceptionInfo e
         (when-not (= :damo.diff/not-implemented (:damo/error (ex-data e))) (throw e)))))

(defn- derivative-laws [{:keys [name] :as entry}]
  (when (and (modes/differentiable? entry)
             (or (some entry [:partials :transpose :lop :expand])
                 (contains? #{:loop :branch} (:kind entry))))
    [{:law :both-modes, :problems (guarded :both-modes #(modes/problems-of name))}
     {:law :precision, :problems (guarded :precision #(precision/problems-of name))}
     {:law :orders, :problems (guarded :orders #(unless-missing orders/problems-of name))}]))

(defn- compiled-problem [[call how differences]]
  {:law :compiled, :call call
   :message (str "compiled " (if (:rules how) "with" "without") " rules it differs: "
                 (pr-str differences))})

(defn- compiled-law [{:keys [name]}]
  {:law :compiled
   :problems (guarded :compiled
                      #(map compiled-problem
                            (concat (mapcat (partial compiled/check-op name) compiled/dtypes)
                                    (keep compiled/check-large [name]))))})

(defn- report-line [{:keys [law problems]}]
  (if (empty? problems)
    (str "  ok      " (name law))
    (let [{:keys [call message]} (first problems)]
      (str "  FAILED  " (name law) ": " message
           (when call (str "\n          on " (pr-str call)))))))

(defn results
  "What each law says of the op of an entry: [{:law :problems} …]."
  [entry]
  (vec (concat (reference-laws entry) (derivative-laws entry) [(compiled-law entry)])))

(defn check-op
  "Runs the laws on an op and prints the report; see damo.core/check-op. Returns {:op :laws}."
  [op]
  (let [entry (op/entry op)]
    (when-not (takes? entry)
      (fail! :damo.check/no-generator
             (str "the op " op " has no :gen, so no calls of it can be made up"
                  "\n  try: :gen (damo.op.gens/on-shapes (fn [n] [[{} [n] [n]]])), attributes and"
                  " shapes of arguments")
             {:op op}))
    (let [results (results entry)
          failed (filter (comp seq :problems) results)
          lines (str/join "\n" (map report-line results))]
      (when (seq failed)
        (fail! :damo.check/failed (str "the op " op " breaks " (count failed) " of " (count results)
                                   " laws:\n" lines)
               {:op op, :failed (vec failed)}))
      (println (str "the op " op " keeps " (count results) " laws:\n" lines))
      {:op op, :laws (mapv :law results)})))
