(ns damo.laws.ending-test
  "Every sweep of every mode comes to rest, whatever stands below and above the sides of rules:
  constants folded or not yet, negations, quotients. Where the engine had to stop a rule, the trace
  says so; here that is a failure."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.laws.examples :as examples]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rule.engine :as rewrite]
            [damo.rule.trace :as trace]
            [damo.rules.blas :as blas]
            [damo.rules.specialize :as specialize]
            [damo.rules.stabilize :as stabilize])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(def ^:private sweeps
  "The sweeps [rule-set options]: those that the modes have, and others of the same sets."
  (for [[rules & options] [[stabilize/rules {:fold false, :regroup true} {:fold false} {}]
                           [specialize/rules {:regroup true} {:fold false}]
                           [blas/rules {}]]
        opts options]
    [rules opts]))

(defn- stops
  "What a sweep of a graph did not apply."
  [g [rules opts]]
  (map trace/stop-text (filter :stopped (:trace (rewrite/run g [rules] opts)))))

;; ## What stands in the place of names

(def ^:private constants
  "Forms of a 0-d constant c, most of them not folded yet."
  '[c [:neg c] [:neg [:neg c]] [:div 1 c] [:div c [:neg c]] [:mul c c] [:add c [:neg c]]
    [:sub 0 c] [:reciprocal c] [:exp c]])

(def ^:private around-name
  "Forms around an operand x, and a 0-d constant c of its dtype."
  '[[:neg x] [:div c x] [:div x c] [:neg [:div c x]] [:mul c x] [:mul [:neg c] x] [:sub c x]
    [:add x c] [:div [:neg c] x] [:div x [:neg x]]])

(def ^:private above
  "Forms above a whole example, y."
  '[[:neg y] [:div 1 y] [:div y [:neg 2.0]] [:mul [:neg 1.0] y] [:neg [:mean y]] [:sub 0 y]
    [:add [:neg 1.0] y]])

(defn- stand-ins
  "[bindings …] of the names of an example: the names themselves; every one replaced in one way;
  some replaced at random."
  [leaf-ids leaf-types emit ^Random random]
  (let [constant (fn [[dtype]] (emit :const {:type [dtype []]
                                             :value (if (type/float-dtype? dtype) 3.0 3)} []))
        made (fn [form s [_ shape :as type]]
               (try (op/instantiate! emit {'x (leaf-ids s), 'c (constant type)}
                                     (if (some #{'x} (flatten form))
                                       form
                                       [:broadcast-to {:shape shape} form]))
                    (catch clojure.lang.ExceptionInfo _ (leaf-ids s))))
        numeric? (fn [[dtype]] (not= :bool dtype))
        all (fn [choose]
              (into {} (for [[s type] leaf-types]
                         [s (if (numeric? type) (made (choose) s type) (leaf-ids s))])))
        forms (into constants around-name)]
    (concat [leaf-ids] (map #(all (constantly %)) forms)
            (repeatedly 1 #(all (fn [] (nth forms (.nextInt random (count forms)))))))))

(defn- graph-of-sides
  "A graph whose outputs are the forms, with their names replaced in all those ways."
  [types forms seed]
  (let [b (graph/builder), emit (op/emitter b nil)
        names (distinct (mapcat examples/names-in forms))
        leaf-types (into {} (map (fn [s] [s (get types s [:f64 [2 3]])])) names)
        plain (fn [type] (if (= :shared (first type)) (second type) type))
        ids (into {} (map (fn [[s type]] [s (examples/leaf! b s type)])) leaf-types)
        built (fn [bindings form]
                (try (let [y (op/instantiate! emit bindings form)]
                       (into [y] (keep #(try (op/instantiate! emit {'y y} %)
                                             (catch clojure.lang.ExceptionInfo _)))
                             (when (= bindings ids) above)))
                     (catch clojure.lang.ExceptionInfo _)))]
    (graph/finish b (vec (for [bindings (stand-ins ids (update-vals leaf-types plain) emit
                                                   (Random. seed))
                               form forms, id (built bindings form)]
                           id)))))

(deftest sides-of-rules-come-to-rest
  (doseq [{:keys [name types examples]} (distinct (mapcat (comp :rules first) sweeps))
          :let [forms (distinct (mapcat (fn [[left _ right]] [left right]) examples))
                g (graph-of-sides types (filter coll? forms) 3)]
          sweep sweeps]
    (is (empty? (stops g sweep)) (str name ", " (:name (first sweep)) " " (second sweep)))))

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
    (is (empty? (stops g (second sweeps))) (str name " on " left))))

(deftest chains-of-constants-come-to-rest
  (doseq [op [:add :sub :mul :div :maximum :minimum], form [[op 'x 1] [op 1 'x] [op 'x [:neg 1]]]
          x [[:const {:type [:f64 []] :value 0.5}] [:input {:name 'x :type [:f64 [3]]}]]
          sweep sweeps]
    (let [b (graph/builder), emit (op/emitter b nil), id (op/instantiate! emit {} x)
          links (iterate #(op/instantiate! emit {'x %} form) id)]
      (is (empty? (stops (graph/finish b [(nth links 12)]) sweep))
          (str (pr-str form) " on " (first x) " in " (:name (first sweep)))))))

(deftest a-hundred-thousand-links-need-no-stack
  (let [b (graph/builder), emit (op/emitter b nil)
        links '[[:add x 0.5] [:neg x] [:mul x 2] [:sub 1 x] [:abs x] [:div x 4] [:sqr x] [:sub x s]
                [:mul s x] [:exp x] [:log [:add 1 x]] [:where [:lt x s] 0 x]]
        s (emit :input {:name 's :type [:f64 []]} [])
        y (reduce (fn [x link] (op/instantiate! emit {'x x, 's s} link))
                  s (take 100000 (cycle links)))]
    (is (empty? (stops (graph/finish b [y]) (first sweeps))))))
