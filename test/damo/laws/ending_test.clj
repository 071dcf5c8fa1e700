(ns damo.laws.ending-test
  "Every sweep of every mode comes to rest, whatever stands below and above the sides of rules:
  constants folded or not yet, negations, quotients. Where the engine had to stop a rule, the trace
  says so; here that is a failure."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.data.graph :as graph]
            [damo.laws.rules.ending :as ending]
            [damo.laws.rules.examples :as examples]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rules.blas :as blas]
            [damo.rules.specialize :as specialize]
            [damo.rules.stabilize :as stabilize]))

(set! *warn-on-reflection* true)

(def ^:private sweeps
  "The sweeps [rule-sets options]: those that the modes have, and others of the same sets."
  (for [[rules & options] [[stabilize/rules {:fold false, :regroup true} {:fold false} {}]
                           [specialize/rules {:regroup true} {:fold false}]
                           [blas/rules {}]]
        opts options]
    [[rules] opts]))

(deftest sides-of-rules-come-to-rest
  (doseq [{:keys [name types examples]} (distinct (mapcat :rules (mapcat first sweeps)))
          :let [forms (distinct (mapcat (fn [[left _ right]] [left right]) examples))
                g (ending/graph-of-sides types (filter coll? forms) 3)]
          ;; every other sweep, which ones depends on the rule
          sweep (take-nth 2 (drop (mod (hash name) 2) sweeps))]
    (is (empty? (ending/stops g sweep)) (str name ", " (:name (ffirst sweep)) " " (second sweep)))))

;; ## Chains

(defn- chain
  "The graph of the form applied n times, each time to what came out of it, in the place of the
  first of its names that has that type; nil when none has."
  [types form n]
  (let [b (graph/builder), emit (op/emitter b nil), names (examples/names-in form)
        ids (into {} (map (fn [s] [s (examples/leaf! b s (get types s [:f64 [2 3]]))])) names)
        built #(op/instantiate! emit % form)
        type (graph/node-type b (built ids))
        s (first (filter #(= type (graph/node-type b (ids %))) names))]
    (when s
      (graph/finish b [(nth (iterate #(built (assoc ids s %)) (ids s)) n)]))))

(deftest chains-of-what-rules-match-come-to-rest
  (doseq [{:keys [name types examples]} (:rules stabilize/rules), [left] examples
          :let [g (chain types left 110)] :when g]
    (is (empty? (ending/stops g (second sweeps))) (str name " on " left))))

(deftest chains-of-constants-come-to-rest
  (doseq [op [:add :sub :mul :div :maximum :minimum], form [[op 'x 1] [op 1 'x] [op 'x [:neg 1]]]
          x [[:const {:type [:f64 []] :value 0.5}] [:input {:name 'x :type [:f64 [3]]}]]
          sweep sweeps]
    (let [b (graph/builder), emit (op/emitter b nil), id (op/instantiate! emit {} x)
          links (iterate #(op/instantiate! emit {'x %} form) id)]
      (is (empty? (ending/stops (graph/finish b [(nth links 12)]) sweep))
          (str (pr-str form) " on " (first x) " in " (:name (ffirst sweep)))))))

(deftest a-hundred-thousand-links-need-no-stack
  (let [b (graph/builder), emit (op/emitter b nil)
        links '[[:add x 0.5] [:neg x] [:mul x 2] [:sub 1 x] [:abs x] [:div x 4] [:sqr x] [:sub x s]
                [:mul s x] [:exp x] [:log [:add 1 x]] [:where [:lt x s] 0 x]]
        s (emit :input {:name 's :type [:f64 []]} [])
        y (reduce (fn [x link] (op/instantiate! emit {'x x, 's s} link))
                  s (take 100000 (cycle links)))]
    (is (empty? (ending/stops (graph/finish b [y]) (first sweeps))))))
