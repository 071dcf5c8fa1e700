(ns damo.laws.rules
  "The battery of laws for a rule set, as the tests run it on Damo's own: (check-rules my/rules)
  prints a report, and fails with a case of each law that a rule does not keep."
  (:require [clojure.string :as str]
            [damo.compile.modes :as modes]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.laws.rules.ending :as ending]
            [damo.laws.rules.examples :as examples]
            [damo.laws.rules.forms :as forms]
            [damo.laws.rules.guards :as guards]
            [damo.laws.rules.promises :as promises]
            [damo.laws.rules.slopes :as slopes]
            [damo.rule :as rule]))

(set! *warn-on-reflection* true)

;; ## The laws, each a function of a set and a rule that gives texts of what is wrong

(defn- changed-values [_ rule]
  (for [[left before after] (examples/changed-values rule)]
    (str (pr-str left) " was " before " and becomes " after)))

(defn- broken-promise [_ {:keys [keeps] :as rule}]
  (when-let [{:keys [dtype written made at forms]} (promises/counterexample rule)]
    [(str "it promises " keeps ", but of " dtype " " (str/join " => " forms) " was " written
          " and becomes " made ", at " (pr-str at))]))

(defn- unrefused [_ {:keys [refuses] :as rule}]
  (for [refused refuses :when (guards/fires? rule refused)]
    (str "it says that it refuses " (pr-str refused) ", and is applied")))

(defn- useless-guards [_ rule]
  (for [k (guards/useless rule)]
    (str "its guard " k ", counted from 0, is needed by no form of :refuses")))

(defn- sweeps
  "The sweeps of the modes with a set of the user's, and of the set alone."
  [rule-set]
  (let [{:keys [before after]} (modes/with-rules (:fast-run modes/modes) [rule-set])]
    (distinct (cons [[rule-set] {}] (concat before after)))))

(defn- never-ending [rule-set {:keys [types examples]}]
  (let [forms (distinct (mapcat (fn [[left _ right]] [left right]) examples))
        g (ending/graph-of-sides types (filter coll? forms) 3)]
    (distinct (mapcat #(ending/stops g %) (sweeps rule-set)))))

(def laws
  "The laws: a name, what it says, and the function that gives texts of what is wrong."
  [[:applied "each rule is applied to its examples" forms/unfired]
   [:form "and gives the stated form" forms/other-forms]
   [:types "the type is kept, in other dtypes, with named dims" forms/other-types]
   [:values "values are kept at random numbers, infinities and NaN" changed-values]
   [:integers "integers keep their bits" forms/changed-integers]
   [:promise "the promise holds over the whole range of each dtype" broken-promise]
   [:refusal "what it says to refuse is refused" unrefused]
   [:guards "each guard is needed" useless-guards]
   [:ending "sweeps with Damo's rules come to rest" never-ending]])

(def ^:private derivative-law
  [:derivative "both sides have the same derivatives" (fn [_ rule] (slopes/different rule))])

;; ## The report

(defn- problems-of
  "What a law finds wrong with a rule; that it threw is a problem."
  [law rule-set rule]
  (try (vec (law rule-set rule))
       (catch Exception e [(str "it fails: " (fail/what e))])))

(defn results
  "What each law says of each rule of a set: [{:law :says :problems [[rule-name text] …]} …]."
  [{:keys [rules] :as rule-set} {:keys [derivative]}]
  (vec (for [[law says check] (cond-> laws derivative (conj derivative-law))]
         {:law law, :says says
          :problems (vec (for [{:keys [name] :as rule} rules
                               text (problems-of check rule-set rule)]
                           [name text]))})))

(defn- report-line [{:keys [law says problems]}]
  (if-let [[rule-name text] (first problems)]
    (str "  FAILED  " (name law) ", " says ": " rule-name ": " (fail/short-text text)
         (when (next problems) (str ", and " (dec (count problems)) " more")))
    (str "  ok      " (name law) ", " says)))

(defn check-rules
  "Runs the laws on a rule set and prints the report; see damo.core/check-rules. Returns {:rules
  :laws}."
  [rule-set options]
  (when-not (rule/rule-set? rule-set)
    (fail! :damo.check/no-rules (str "a rule set is made by defrules; got "
                                     (fail/value-text rule-set))
           {:given rule-set}))
  (modes/options {:rules [rule-set]})
  (let [results (results rule-set options), failed (filterv (comp seq :problems) results)
        lines (str/join "\n" (map report-line results))
        title (str "the " (count (:rules rule-set)) " rules of " (rule/set-name rule-set))]
    (when (seq failed)
      (fail! :damo.check/rules-failed (str title " break " (count failed) " of " (count results)
                                           " laws:\n" lines)
             {:rules (rule/set-name rule-set), :failed failed}))
    (println (str title " keep " (count results) " laws:\n" lines))
    {:rules (mapv :name (:rules rule-set)), :laws (mapv :law results)}))
