(ns damo.laws.views-test
  "The law of rules that look through views: a rule that stabilises applies also where views stand
  between the parts of what it matches. From the rules' own examples: a view is put in at every
  depth, and value, gradient and curvature at extreme points are those of the right side, whether
  derivatives are taken of what was written or of what the rules made of it."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.data.array :as array]
            [damo.data.expr :as expr]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.face.derivative :as derivative]
            [damo.laws.rules.examples :as examples]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rule.engine :as engine]
            [damo.rules.stabilize :as stabilize])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

;; ## Views

(def ^:private changing
  "Views of [2 3], as forms with a hole."
  '[[:transpose _] [:reshape {:shape [3 2]} _] [:reshape {:shape [6]} _]
    [:slice {:axis 1 :start 1} _] [:flip {:axis 0} [:slice {:axis 1 :stop 2} _]]
    [:slice {:axis 1 :step 2} _]
    [:expand-dims {:axis 1} _] [:squeeze {:axis 0} [:reshape {:shape [1 6]} _]]
    [:take {:axis 1} _ [:const {:type [:i64 [4]] :value [2 0 -1 1]}]]
    [:take {:axis [0 1]} _ [:iota {:shape [2]}] [:const {:type [:i64 [2]] :value [2 0]}]]
    [:take {:axis 0} _ 1] [:take-along-axis {:axis 1} _ [:const {:type [:i64 [2 1]] :value [2 0]}]]
    [:broadcast-to {:shape [2 2 3]} _] [:diagonal _]
    [:reshape {:shape [3 1 2]} [:transpose [:flip {:axis 1} _]]]])

(def ^:private keeping
  "Views of any shape that keep it, as forms with a hole."
  '[[:flip _] [:flip {:axis 0} _] [:take {:axis 0} _ [:neg [:add 1 [:iota {:shape [n]}]]]]
    [:slice {:start n} [:concatenate _ _]]])

(def ^:private some-columns
  "A view that does not read all: the slopes of the rest count for nothing, however large."
  '[:flip {:axis 0} [:slice {:axis 1 :stop 2} _]])

(defn- filled [view form n]
  (cond (= '_ view) form
        (= 'n view) n
        (map? view) (update-vals view #(if (vector? %) (mapv (fn [d] (if (= 'n d) n d)) %)
                                           (if (= 'n %) n %)))
        (vector? view) (mapv #(filled % form n) view)
        :else view))

;; ## Views put into forms

(defn- shape-of [types form]
  (let [g (examples/example-graph types (examples/names-in form) form)]
    (type/shape-of (graph/type-of g (first (:outputs g))))))

(defn- scalar-form? [form] (and (vector? form) (= :elementwise (op/kind (first form)))))

(defn- parts [[op & more]]
  (if (map? (first more)) [[op (first more)] (rest more)] [[op] more]))

(defn- pushed
  "A view of the form, moved down to a random depth on each path through elementwise ops."
  [types ^Random random view form]
  (cond (number? form) form
        (and (scalar-form? form) (pos? (.nextInt random 3)))
        (let [[head args] (parts form)] (into head (map #(pushed types random view %)) args))
        (= [2 3] (shape-of types form)) (filled view form nil)
        :else (filled view [:broadcast-to {:shape [2 3]} form] nil)))

(defn- below
  "The form with a view of each name, moved up to a random height through elementwise ops."
  [types ^Random random view form]
  (let [lift? (pos? (.nextInt random 3))
        walk (fn walk [form top?]
               (cond (symbol? form) (if (= :i64 (first (types form)))
                                      form
                                      (filled view form (first (shape-of types form))))
                     (not (vector? form)) form
                     (and (scalar-form? form) lift? (not top?)
                          (every? #(or (symbol? %) (number? %)) (second (parts form)))
                          (seq (shape-of types form)))
                     (filled view form (first (shape-of types form)))
                     :else (let [[head args] (parts form)]
                             (into head (map #(walk % false)) args))))]
    (walk form true)))

;; ## What is compared

(def ^:private extremes [30.0 -30.0 800.0 -800.0 1e30 -1e30 0.5 -1.5 0.0 2.0 -700.0 36.0])

(defn- points
  "Environments whose floats are extreme; of rules with ranges, within these."
  [types gen names seed]
  (let [random (Random. seed)]
    (into {}
          (for [s names :let [[dtype shape :as type] (types s), range (get gen s)]]
            [s (examples/random-array
                type (cond (= :i64 dtype) #(.nextInt random (int (second range)))
                           (seq gen) (let [[lo hi] (or range [-3 3])]
                                       #(+ lo (* (- hi lo) (.nextDouble random))))
                           :else #(nth extremes (.nextInt random (count extremes)))))]))))

(defn- op-of [op attrs & args] (op/node op attrs (vec args)))

(defn- weighted
  "Σ c·e, with weights that tell elements apart."
  [e]
  (let [[_ shape] (expr/type-of e), n (array/size shape)]
    (op-of :sum {} (op-of :mul {} e (op-of :add {} (op-of :reshape {:shape shape}
                                                          (op-of :iota {:shape [n]})) 1.0)))))

(defn- stabilized [g] (:graph (engine/run g [stabilize/rules] {:fold false})))

(defn- derivatives
  "The graph of the output of g, its weighted gradient by the input of that name, and that of this."
  [{:keys [nodes outputs] :as g} by]
  (let [id (some #(when (= by (:name (graph/attrs-of (nth nodes %)))) %) (range (count nodes)))
        [e x] (expr/from-graph (assoc g :outputs [(first outputs) id]) {} {})
        gradient (fn [e] (derivative/grad (weighted e) x {:disconnected :ignore}))]
    (:graph (expr/to-graph [e (gradient e) (gradient (gradient e))]))))

(defn- values [g env]
  (mapv array/values (eval/run (:graph (engine/run (stabilized g) [stabilize/rules])) env)))

(defn- close?
  "Is y what it should be? Derivatives are differences of large numbers in either form; of huge ones
  no digit is left, and that they are finite is all that is asked."
  [what x y]
  (or (= x y) (not (examples/finite? x))
      (and (not= what :value) (< 1e20 (Math/abs (double x))) (examples/finite? y))
      (<= (Math/abs (- (double x) (double y)))
          (max 1e-14 (* (if (= what :curvature) 1e-4 1e-9) (Math/abs (double x)))))))

(defn- both-ways
  "The graphs of value, gradient and curvature of a graph, taken before rules and after."
  [g by]
  {"before rules" (derivatives g by), "after rules" (derivatives (stabilized g) by)})

(defn- differences
  "What value, gradient and curvature of the form `written` differ in from those of `right`, by the
  first float input that both have, at extreme points; where the latter has no digits the two ways
  tell."
  [types gen written right]
  (let [names (examples/names-in written)
        kept? (set (examples/names-in right))
        by (first (filter #(and (kept? %) (not= :i64 (first (types %)))) names))
        ways-of #(both-ways (examples/example-graph types names %) by)
        expected (ways-of right)]
    (for [seed (range 3)
          :let [env (points types gen names seed)
                [xs others] (map #(values % env) (vals expected))]
          [taken g] (ways-of written)
          [what xs others ys] (map vector [:value :gradient :curvature]
                                   xs others (values g env))
          [x other y] (map vector xs others ys)
          :when (and (close? what x other) (not (close? what x y)))]
      [what taken x y (update-vals env array/nested)])))

;; ## The law

(def ^:private stabilizing
  "The rules whose left side is a formula and that hold for floats."
  (filter #(and (= :stabilize (:set %)) (vector? (:lhs %))) (:rules stabilize/rules)))

(defn- typed [types form]
  (into {} (map (fn [s] [s (get types s [:f64 [2 3]])])) (examples/names-in form)))

(deftest views-between-the-parts-of-an-elementwise-rule
  ;; What is drawn for a rule follows from its name, so that other rules do not change it.
  (doseq [{:keys [name types gen examples]} stabilizing
          :let [i (mod (hash name) 1000)]
          [left _ right] examples
          :let [types (typed types left)]
          :when (and (scalar-form? left) (every? #{[:f64 [2 3]]} (vals types))
                     (= [2 3] (shape-of types left)))
          [view written] (cons [some-columns (filled some-columns left nil)]
                               (for [k (range 3)
                                     :let [view (nth changing (mod (+ (* 5 k) i)
                                                                   (count changing)))]]
                                 [view (pushed types (Random. (+ i (* 100 k))) view left)]))]
    (testing (str name ": " (pr-str written))
      (is (= [] (take 1 (differences types gen written (filled view right nil))))))))

(deftest views-below-any-rule
  (doseq [{:keys [name types gen examples]} stabilizing
          :let [i (mod (hash name) 1000)]
          [left _ right] examples
          :let [types (typed types left)]
          k (range 2)
          :let [view (nth keeping (mod (+ k i) (count keeping)))
                views #(below types (Random. (+ i (* 100 k))) view %)]
          :when (and (every? (comp seq second) (vals types))
                     ;; A view of a row is not the row of a view.
                     (apply = (map second (remove (comp #{:i64} first) (vals types)))))]
    (testing (str name ": " (pr-str (views left)))
      (is (= [] (take 1 (differences types gen (views left) (views right))))))))

(deftest views-stay-above-sums-of-all-elements
  (testing "which run along no axis of their argument"
    (let [b (graph/builder)
          x (op/emit! b :input {:name 'x, :type [:f64 [2 3]]} [] nil)
          g (graph/finish b [(op/instantiate! (op/emitter b nil) {'x x}
                                              [:log [:flip [:cumsum [:exp 'x]]]])])
          value #(array/values (first (eval/run % {'x (array/of :f64 [2 3] [1 2 3 4 5 6])})))]
      (is (every? #(< (abs (double %)) 1e-12) (map - (value g) (value (stabilized g))))))))
