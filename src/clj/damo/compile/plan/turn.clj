(ns damo.compile.plan.turn
  "What of its operands a kernel may write over. (over? g sched unit u s): may node u of it be
  written over the memory of s, as every reader of s in the kernel reads just the element that u
  replaces in the turn that writes it, or has read, in an earlier loop, all that the turns to come
  write over?"
  (:require [damo.compile.lower.slots :as slots]
            [damo.compile.schedule.reads :as reads]
            [damo.data.graph :as graph]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(defn- axes-read
  "For each way in which node c of a kernel reads memory s: the axes of the dims of s, or nil."
  [g {:keys [layouts]} unit c s]
  (for [[a positions] (map vector (graph/args-at g c) (reads/operand-positions g c))
        :let [{:keys [base map]} (reads/reading g layouts a)]
        :when (= base s)]
    (when (and map positions)
      (mapv #(when % (get-in unit [:assigned c (nth positions %)])) map))))

(defn- before?
  "Is what is evaluated at path p done, within each turn of the loops that it shares with path q,
  before that begins?"
  [p q]
  (let [[a b] (first (remove (fn [[a b]] (= a b)) (map vector p q)))]
    (boolean (and a (< a b)))))

(defn over?
  "May node u be written over s? See the namespace. No other kernel is looked at."
  [g {:keys [layouts stored] :as sched} {:keys [nodes axes-of level again] :as unit} u s]
  (let [deps (slots/kernel-deps g layouts unit)
        paths (slots/paths unit deps)
        root? #(or (and (stored %) (not (contains? again %)))
                   (not= :elementwise (op/kind (graph/op-at g %))))
        needed (slots/evaluations unit deps paths root?)
        reads? (fn [c] (some #(= s (:base (layouts %))) (graph/args-at g c)))
        ;; So that turns of loops around have other elements, which they alone read and write.
        apart? (every? (set (axes-of u)) (range (level u)))
        read-in-time? (fn [c p] (or (and (= p (paths u)) (= (level c) (level u)))
                                    (and apart? (before? p (paths u)))))]
    (every? (fn [c] (and (every? #{(axes-of u)} (axes-read g sched unit c s))
                         (every? #(read-in-time? c %)
                                 (cond-> (needed c) (root? c) (conj (paths c))))))
            (filter reads? nodes))))
