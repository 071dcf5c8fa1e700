(ns damo.compile.modes
  "What the modes of functions do: which sets of rules sweep over a graph, before and after
  composite ops are expanded, with rule sets of the user's among them, and which passes change its
  loops and branches. (options {:mode :fast-run,
  :exclude
  #{:log1p}}) = {:before [[[stabilize/rules] {:fold false}] …] :after […] :exclude #{:log1p}}."
  (:require [clojure.string :as str]
            [damo.compile.pass.control :as control]
            [damo.compile.pass.guard :as guard]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.rule :as rule]
            [damo.rules.blas :as blas]
            [damo.rules.canonicalize :as canonicalize]
            [damo.rules.specialize :as specialize]
            [damo.rules.stabilize :as stabilize]))

(set! *warn-on-reflection* true)

(def modes
  "What each mode does: the sweeps of rules before and after composites are expanded, as pairs
  [rule-sets options]; the phases of the passes for loops and branches, see
  damo.compile.pass.control; and whether LLVM shall be :quick, so that code is made in half the time
  and may run longer. The first sweep folds no constants: log(1 + exp(800)) must be recognised
  before exp(800) becomes infinite."
  (let [stable-first [[stabilize/rules] {:fold false}]
        fast-run {:before [stable-first [[canonicalize/rules]] [[stabilize/rules]]
                           [[specialize/rules]]]
                  :after [[[canonicalize/rules]] [[specialize/rules]] [[blas/rules]]]
                  :control #{:early :late}}]
    {:fast-run fast-run
     :fast-compile {:before [stable-first], :after [], :control #{:early}, :quick true}
     :none {:before [], :after [], :control #{}}
     :sync fast-run                          ; calls on the processor end when their work is done
     :nan-guard (assoc fast-run :guard guard/options)
     :debug fast-run}))

(defn rules
  "The rules of all modes."
  []
  (mapcat :rules [stabilize/rules canonicalize/rules specialize/rules blas/rules]))

;; ## Rule sets of the user's

(def ^:private usual-phase
  "That of sets that name none: their rules see what was written."
  :stabilize)

(defn- joined
  "The sweeps with a rule set in front of the sets of those of its phase; where there is none of
  that, a sweep of its own behind them."
  [sweeps {:keys [phase] :or {phase usual-phase} :as user-set}]
  (let [of-phase? (fn [[sets]] (some #(= phase (:name %)) sets))]
    (if (some of-phase? sweeps)
      (mapv #(if (of-phase? %) (update % 0 (partial into [user-set])) %) sweeps)
      (conj sweeps [[user-set] {}]))))

(defn with-rules
  "The options of a mode with rule sets of the user's in their sweeps. A set of the phase :blas has
  none before composites are expanded; one of :stabilize none behind."
  [options user-sets]
  (reduce (fn [options {:keys [phase] :or {phase usual-phase} :as user-set}]
            (cond-> options
              (not= :blas phase) (update :before joined user-set)
              (and (not= :stabilize phase) (seq (:after options))) (update :after joined user-set)
              (and (= :blas phase) (empty? (:after options))) (update :after joined user-set)))
          options (reverse user-sets)))

(defn- check-set! [user-set]
  (when-not (rule/rule-set? user-set)
    (fail! :damo.run/bad-rules
           (str ":rules of a mode is a vector of rule sets, each made by defrules, [my/rules];"
                " among them is "
                (fail/value-text (if (map? user-set) (vec (keys user-set)) user-set)))
           {:option :rules, :given user-set})))

(defn- check-rules!
  "Fails unless these are rule sets whose rules have names of their own."
  [user-sets]
  (when-not (sequential? user-sets)
    (fail! :damo.run/bad-rules
           (str ":rules of a mode is a vector of rule sets, [my/rules]; got "
                (if (rule/rule-set? user-sets)
                  (str "the set " (rule/set-name user-sets))
                  (fail/value-text user-sets)))
           {:option :rules, :given user-sets}))
  (run! check-set! user-sets)
  (let [owners (concat (for [{:keys [name]} (set (rules))] [name "Damo"])
                       (for [s user-sets, {:keys [name]} (:rules s)] [name (rule/set-name s)]))]
    (doseq [[rule-name found] (group-by first owners) :when (next found)]
      (fail! :damo.run/bad-rules
             (str "there are " (count found) " rules of the name " rule-name ", of "
                  (str/join " and " (map second found)))
             {:option :rules, :rule rule-name, :owners (mapv second found)}))))

;; ## Options

(def ^:private rule-names
  "What :include and :exclude may hold: the names of the rules and passes, and their promises."
  (delay (into (set (keys rule/promises)) (map :name) (concat (rules) control/passes))))

(defn- check-names!
  "Fails unless :include or :exclude of a mode, under `k`, is a collection of known names."
  [k given user-sets]
  (when-not (or (nil? given) (set? given) (sequential? given))
    (fail! :damo.run/bad-mode (str k " of a mode is a set of names of rules and promises; got "
                               (pr-str given))
           {:option k, :given given}))
  (let [known (into @rule-names (map :name) (mapcat :rules user-sets))]
    (doseq [rule given]
      (fail/check-name! {:kind :damo.run/unknown-rule, :what "rule or promise", :key :rule
                         :data {:option k}}
                        known rule))))

(def rule-options
  "The keys of the map of a mode that say which rules run, see rule/wanted."
  [:include :exclude :regroup])

(defn- check-regroup! [given]
  (when-not (contains? #{nil true false} given)
    (fail! :damo.run/bad-mode (str ":regroup of a mode is true or false; got " (pr-str given))
           {:option :regroup, :given given})))

(defn- check!
  "Fails unless the map of a mode has keys that this mode knows, with values that they may have."
  [base {user-sets :rules :as options}]
  (let [known (into (set (list* :mode :rules rule-options))
                    (when (= base :nan-guard) (keys guard/options)))]
    (fail/check-name! {:kind :damo.run/unknown-mode, :what "mode", :key :mode} (keys modes) base)
    (doseq [k (keys options)]
      (fail/check-name! {:kind :damo.run/unknown-option, :what "option"
                         :of (str " of the mode " base), :key :option, :data {:mode base}}
                        known k))
    (when (some? user-sets) (check-rules! user-sets))
    (doseq [k [:include :exclude]] (check-names! k (k options) user-sets))
    (check-regroup! (:regroup options))))

(defn options
  "The options of a mode: a keyword of `modes`, or a map {:mode keyword, :include …, :exclude …} of
  rule names and promises, with :regroup true for rules that regroup sums and products of floats,
  and :rules, rule sets of the user's. Fails on unknown ones with the nearest names."
  [mode]
  (let [{base :mode, user-sets :rules, :or {base :fast-run} :as given}
        (if (map? mode) mode {:mode (or mode :fast-run)})]
    (check! base given)
    (cond-> (merge (with-rules (modes base) user-sets) (dissoc given :mode :rules))
      (:include given) (update :include set)
      (:exclude given) (update :exclude set)
      (= base :nan-guard) (assoc :guard (guard/check-options given)))))
