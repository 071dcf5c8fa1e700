(ns damo.program.unrolled-test
  "A law of loops: a program computes what it computes with its rounds written out, each a run of
  steps of its own. Random programs with nested loops and branches, rows of traces and of circular
  buffers, temporaries that are carried and such that are not; what one compiles to registers, or
  lays over each other, the other has in memory. DAMO_ATTACKS sets how many."
  (:require [clojure.test :refer [deftest is]]
            [clojure.walk :as walk]
            [damo.runtime.programs :as programs])
  (:import (damo.tensor DType Tensor)
           (java.util Random)))

(set! *warn-on-reflection* true)

(def ^:private kernels
  '[{:name "add" :params [[:i64 :in] [:i64 :in] [:i64 :out]]
     :body [[:for c w [:store 2 c [:mod [:add [:add [:load 0 c] [:mul [:load 1 c] [:const :i64 3]]]
                                         [:const :i64 1]]
                                   [:const :i64 1009]]]]]}
    {:name "more" :params [[:i64 :in] [:i64 :inout]]
     :body [[:for c w [:store 1 c [:mod [:add [:load 0 c] [:mul [:load 1 c] [:const :i64 2]]]
                                   [:const :i64 1009]]]]]}
    {:name "scale" :params [[:i64 :in] [:i64 :in] [:i64 :out]]
     :body [[:for c w [:store 2 c [:mod [:mul [:load 0 c] [:load 1 0]] [:const :i64 1009]]]]]}
    {:name "sum" :params [[:i64 :in] [:i64 :out]]
     :body [[:var s [:const :i64 7]]
            [:for c w [:set s [:mod [:add s [:load 0 c]] [:const :i64 1009]]]]
            [:store 1 0 s]]}
    {:name "join" :params [[:i64 :in] [:i64 :in] [:i64 :out]]
     :body [[:store 2 0 [:mod [:add [:load 0 0] [:mul [:load 1 0] [:const :i64 5]]]
                         [:const :i64 1009]]]]}
    {:name "fill" :params [[:i64 :out]] :body [[:for c w [:store 0 c [:size c]]]]}
    {:name "fill-all" :params [[:i64 :out]]
     :body [[:for c [:* [:+ n 2] w] [:store 0 c [:size c]]]]}
    {:name "fill-ring" :params [[:i64 :out]] :body [[:for c [:* 3 w] [:store 0 c [:size c]]]]}
    {:name "one" :params [[:i64 :out]] :body [[:store 0 0 [:const :i64 1]]]}
    {:name "turn-t" :params [[:i64 :out]] :body [[:store 0 0 [:mod [:size t] [:const :i64 2]]]]}
    {:name "turn-u" :params [[:i64 :out]] :body [[:store 0 0 [:mod [:size u] [:const :i64 2]]]]}])

(def ^:private number (into {} (map-indexed (fn [i k] [(:name k) i])) kernels))

(defn- kernel [name & args] {:do :kernel, :kernel (number name), :args (vec args)})

;; Buffers: 0 x, 1 a trace, 2 a row; then temporaries: rows 3 and 4 and numbers 5 and 6 that are
;; carried, 7 a circular buffer of three rows; rows 8 and 9 and numbers 10 and 11 of a round.
(def ^:private buffers
  '[{:dtype :i64 :size [:* [:+ n 2] w] :kind :input}
    {:dtype :i64 :size [:* [:+ n 2] w] :kind :output} {:dtype :i64 :size w :kind :output}
    {:dtype :i64 :size w :kind :temp} {:dtype :i64 :size w :kind :temp}
    {:dtype :i64 :size 1 :kind :temp} {:dtype :i64 :size 1 :kind :output}
    {:dtype :i64 :size [:* 3 w] :kind :temp} {:dtype :i64 :size w :kind :temp}
    {:dtype :i64 :size w :kind :temp} {:dtype :i64 :size 1 :kind :temp}
    {:dtype :i64 :size 1 :kind :temp}])

(defn- draw [^Random random xs] (nth xs (.nextInt random (count xs))))

(defn- row [^Random random turns buffer rows]
  (let [at (if (and (seq turns) (pos? (.nextInt random 4))) (draw random turns) 0)
        at (draw random [at [:+ at 1] [:+ at 2]])]
    {:buffer buffer, :size 'w
     :offset (case (int rows) 3 [:* 'w [:mod at 3]], [:* [:min at '[:+ n 1]] 'w])}))

(defn- vector-in [random turns own]
  (draw random (into [3 4 (row random turns 0 9) (row random turns 1 9) (row random turns 7 3)]
                     (filter #{8 9} own))))

(defn- vector-out [random turns]
  (draw random [2 3 4 8 9 (row random turns 1 9) (row random turns 7 3)]))

(defn- number-in [random own] (draw random (into [5 6] (filter #{10} own))))
(defn- number-out [random] (draw random [5 6 10]))

(defn- fit?
  "Are the arguments of a step different buffers, or windows at different places of one?"
  [{:keys [args]}]
  (let [id #(:buffer % %)]
    (every? (fn [same] (and (apply distinct? same) (or (= 1 (count same)) (every? map? same))))
            (vals (group-by id args)))))

(defn- any-leaf [^Random random turns own]
  (let [in #(vector-in random turns own), n #(number-in random own)]
    (case (.nextInt random 5)
      0 (kernel "add" (in) (in) (vector-out random turns))
      1 (kernel "more" (in) (draw random [2 3 4 (row random turns 7 3)]))
      2 (kernel "scale" (in) (n) (vector-out random turns))
      3 (kernel "sum" (in) (number-out random))
      4 (kernel "join" (n) (n) (number-out random)))))

(defn- leaf [random turns own]
  (first (filter fit? (repeatedly #(any-leaf random turns own)))))

(declare steps)

(defn- branch [random turns own depth]
  (let [turn (str "turn-" (draw random turns))]
    [(kernel turn 11)
     {:do :branch, :test 11, :note 0
      :cases (vec (repeatedly 2 #(first (steps random turns own depth))))}]))

(defn- steps
  "[steps own]: some steps with these rounds around them, and the temporaries of the round that are
  written behind them, given those that are before."
  [^Random random turns own depth]
  (loop [k (inc (.nextInt random 4)), out [], own own]
    (if (zero? k)
      [out own]
      (let [choice (if (pos? (long depth)) (.nextInt random 4) 9)
            var (first (remove (set turns) '[t u]))]
        (cond
          (and (= 0 choice) var)
          (recur (dec k)
                 (conj out {:do :loop, :var var, :extent (draw random '[n 2 3 [:+ n 1]])
                            :steps (first (steps random (conj turns var) own (dec (long depth))))})
                 own)
          (and (= 1 choice) (seq turns))
          (recur (dec k) (into out (branch random turns own (dec (long depth)))) own)
          :else
          (let [step (leaf random turns own), to (peek (:args step))]
            (recur (dec k) (conj out step)
                   (cond-> own (and (int? to) (<= 8 (long to))) (conj to)))))))))

(defn- drawn [seed]
  (let [random (Random. seed)]
    {:damo/program 1 :name (str "drawn-" seed) :dims '[n w] :buffers buffers
     :inputs '[{:name "x" :dtype :i64 :shape [[:+ n 2] w] :buffer 0}
               {:name "like" :dtype :i64 :shape [n] :buffer 12}]
     :outputs '[{:name "h" :dtype :i64 :shape [[:+ n 2] w] :buffer 1}
                {:name "r" :dtype :i64 :shape [w] :buffer 2}
                {:name "s" :dtype :i64 :shape [] :buffer 6}
                {:name "carried" :dtype :i64 :shape [w] :buffer 13}]
     :kernels kernels, :notes [{:op "switch"}]
     :steps (-> [(kernel "fill-all" 1) (kernel "fill" 2) (kernel "fill" 3) (kernel "fill" 4)
                 (kernel "one" 5) (kernel "one" 6) (kernel "fill-ring" 7)]
                (conj {:do :loop, :var 't, :extent 'n
                       :steps (first (steps random '[t] #{} 3))})
                (into (first (steps random [] #{} 2)))
                (conj (kernel "add" 3 '{:buffer 7 :offset w :size w} 13)))}))

(defn- with-ends [form]
  (let [nested? (some #{'u} (tree-seq coll? seq (:steps form)))]
    (cond-> (update form :buffers conj '{:dtype :i64 :size n :kind :input}
                    '{:dtype :i64 :size w :kind :output})
      (not nested?) (assoc-in [:kernels (number "turn-u")] (kernels (number "one"))))))

;; ## Rounds written out

(defn- value [size dims]
  (if (vector? size)
    (apply (case (first size) :+ + :* *) (map #(value % dims) (rest size)))
    (get dims size size)))

(defn- written-out
  "The steps without loops, and what kernels become where they mention a round, by [kernel round]."
  [steps dims turns made]
  (vec (mapcat (fn [step]
                 (case (:do step)
                   :loop (mapcat #(written-out (:steps step) dims (assoc turns (:var step) %) made)
                                 (range (value (:extent step) dims)))
                   :branch [(update step :cases
                                    (fn [cases] (mapv #(written-out % dims turns made) cases)))]
                   :kernel [(let [step (walk/postwalk-replace turns step)
                                  name (:name (kernels (:kernel step)))
                                  round (turns ({"turn-t" 't, "turn-u" 'u} name))]
                              (if round
                                (assoc step :kernel
                                       (get (vswap! made update [(:kernel step) round]
                                                    #(or % (+ (count kernels) (count @made))))
                                            [(:kernel step) round]))
                                step))]))
               steps)))

(defn- unrolled [form dims]
  (let [made (volatile! {}), steps (written-out (:steps form) dims {} made)]
    (assoc form :steps steps
           :kernels (into (subvec kernels 0 (- (count kernels) 2))
                          (concat (repeat 2 (kernels 8))
                                  (for [[[kernel round] _] (sort-by val @made)]
                                    (walk/postwalk-replace {'t round, 'u round}
                                                           (kernels kernel))))))))

(defn- outcome [form [n w]]
  (or (try (with-open [f (programs/compiled form)]
             (programs/call f (.reshape (Tensor/of (mapv #(mod (* 37 (long %)) 1009)
                                                         (range (* (+ 2 (long n)) (long w))))
                                                   DType/I64)
                                        (long-array [(+ 2 (long n)) w]))
                            (Tensor/zeros DType/I64 (long-array [n]))))
           (catch damo.DamoException e [:refused (.kind e)]))))

(def ^:private attacks (or (some-> (System/getenv "DAMO_ATTACKS") parse-long) 60))

(defn- differing
  "Seeds of programs that differ from what they are written out, and how many were accepted."
  [seeds]
  (let [accepted (volatile! 0)]
    [(vec (for [seed seeds
                :let [form (with-ends (drawn seed)), random (Random. seed)
                      [n w :as dims] [(draw random [0 1 2 5]) (draw random [1 3 8])]
                      found (outcome form dims)]
                :when (not= :refused (first found))
                :let [expected (outcome (unrolled form {'n n, 'w w}) dims)]
                :when (do (vswap! accepted inc) (not= expected found))]
            [seed dims]))
     @accepted]))

(deftest loops-do-what-their-rounds-do
  (let [[different accepted] (differing (range attacks))]
    (is (= [] different))
    (is (< (quot attacks 10) accepted) "many are accepted")))
