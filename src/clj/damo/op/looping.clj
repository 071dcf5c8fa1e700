(ns damo.op.looping
  "What the attributes of a loop say, docs/decisions/0034: which rows its body reads and writes, how
  many there are, what its results are. Attributes and types of arguments in, types and positions
  out. (result-types {:steps n, :carries [1], :results [[0 :all]] …} [[:f32 [n 4]] [:f32 [1 4]]]) =
  [[:f32 [[:+ 1 n] 4]]]."
  (:require [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op.body :as body]))

(set! *warn-on-reflection* true)

;; ## Rounds and rows

(defn counts?
  "Is the number of rounds of a loop known only when they have been made?"
  [{:keys [until unless]}]
  (boolean (or until unless)))

(defn rounds
  "The dim that the number of rounds is."
  [{:keys [steps as] :as attrs}]
  (if (counts? attrs) as steps))

(defn row-type
  "The type of a row of an array of that type."
  [[dtype [_ & shape]]]
  [dtype (vec shape)])

(defn first-rows
  "The position of the argument that has the first rows of output o, nil of one that is no carry."
  [{:keys [carries]} o]
  (nth carries o nil))

(defn depth
  "The number of rows that output o has before the first round: of a carry those of its window, else
  0."
  [attrs types o]
  (if-let [a (first-rows attrs o)] (first (type/shape-of (nth types a))) 0))

(defn kept
  "The positions of the outputs of the body that are neither a carry nor whether the loop ends."
  [{:keys [carries until body]}]
  (range (count carries) (cond-> (count (:outputs body)) until dec)))

(defn total
  "The number of rows that output o has after the last round, a dim."
  [attrs types o]
  (type/dim+ (depth attrs types o) (rounds attrs)))

(defn rows
  "The number of rows of the result [o rows], a dim."
  [attrs types [o rows]]
  (let [all (total attrs types o)]
    (cond (= rows :all) all
          (or (type/at-most? rows all) (type/at-most? rows (depth attrs types o))) rows
          :else (type/dim-min rows all))))

(defn backwards?
  "Has a result its rows in the opposite order, the latest first?"
  [[_ _ order]]
  (= order :backwards))

;; ## Types

(defn param-type
  "The type of a parameter of the body."
  [{:keys [carries]} types [what at]]
  (case what
    :each (row-type (nth types at))
    :carry (row-type (nth types (nth carries at)))
    :all (nth types at)
    :turn [:i64 []]))

(defn output-type
  "The type of output o of the body."
  [{{:keys [types outputs]} :body} o]
  (nth types (nth outputs o)))

(defn result-type
  "The type of a result."
  [attrs types [o :as result]]
  (let [[dtype shape] (output-type attrs o)]
    [dtype (into [(rows attrs types result)] shape)]))

(defn result-types
  "The types of the results of a loop on arguments of these types."
  [{:keys [results] :as attrs} types]
  (mapv #(result-type attrs types %) results))

;; ## Checks

(defn- position? [n x] (and (integer? x) (< -1 x n)))

(defn- check-rows! [types a]
  (let [[_ shape :as type] (nth types a)]
    (when (empty? shape)
      (fail! :damo.loop/no-rows (str "argument " a " of a loop has rows along its leading axis; it"
                                 " is of type " (pr-str type))
             {:position a, :given type}))))

(defn- param-ok? [{:keys [carries] :as attrs} types [what at from by :as param]]
  (and (vector? param)
       (case what
         :each (and (position? (count types) at) (type/dim? from) (contains? #{1 -1} by)
                    (= 4 (count param)))
         :carry (and (position? (count carries) at) (= 3 (count param))
                     (position? (depth attrs types at) from))
         :all (and (position? (count types) at) (= 2 (count param)))
         :turn (= 1 (count param))
         false)))

(defn- check-params! [{:keys [params body] :as attrs} types]
  (doseq [[k param] (map-indexed vector params)]
    (when-not (param-ok? attrs types param)
      (fail! :damo.loop/bad-parameter
             (str "parameter " k " of a loop's body is [:each argument from 1 or -1], [:carry"
                  " carry row], [:all argument] or [:turn]; it is " (pr-str param))
             {:position k, :given param}))
    (when (= :each (first param)) (check-rows! types (second param))))
  (doseq [[at type] (body/params body)
          :let [expected (when (position? (count params) at)
                           (param-type attrs types (nth params at)))]]
    (when-not (= type expected)
      (fail! :damo.loop/wrong-parameter
             (str "parameter " at " of a loop's body, " (pr-str (get params at)) ", is of type "
                  (pr-str expected) "; the body has it as " (pr-str type))
             {:position at, :expected expected, :given type}))))

(defn- check-carries! [{:keys [carries until body] :as attrs} types]
  (when-not (<= (cond-> (count carries) until inc) (count (:outputs body)))
    (fail! :damo.loop/too-few-outputs
           (str "a loop's body gives the next row of each carry" (when until ", and whether to end")
                "; there are " (count carries) " carries, and it gives " (count (:outputs body)))
           {:expected (count carries), :given (count (:outputs body))}))
  (doseq [[c a] (map-indexed vector carries)]
    (when-not (position? (count types) a)
      (fail! :damo.loop/bad-carry (str "carry " c " has its first rows in an argument; "
                                   (pr-str a) " is none")
             {:position c, :given a}))
    (check-rows! types a)
    (when-not (and (integer? (depth attrs types c)) (pos? (depth attrs types c)))
      (fail! :damo.loop/bad-depth
             (str "the first rows of carry " c " are as many as the loop looks back, an integer"
                  " of at least 1; their type is " (pr-str (nth types a)))
             {:position c, :given (nth types a)}))
    (let [expected (row-type (nth types a)), given (output-type attrs c)]
      (when-not (= expected given)
        (fail! :damo.loop/other-state
               (str "the next row of carry " c " has the type of the rows before, "
                    (pr-str expected) "; it is " (pr-str given))
               {:position c, :expected expected, :given given})))))

(defn- check-end! [{:keys [steps until unless as body] :as attrs} types]
  (when (and until (not= [:bool []] (output-type attrs (dec (count (:outputs body))))))
    (fail! :damo.loop/bad-until
           (str "whether a loop ends is a truth value, of type [:bool []]; it is "
                (pr-str (output-type attrs (dec (count (:outputs body))))))
           {:expected [:bool []]}))
  (when (and unless (not= [:bool []] (get types unless)))
    (fail! :damo.loop/bad-unless
           (str "whether a loop makes no round is a truth value, of type [:bool []]; it is "
                (pr-str (get types unless)))
           {:expected [:bool []], :given (get types unless)}))
  (when (and (nil? steps) (not until))
    (fail! :damo.loop/endless "a loop without a number of :steps has an :until" {}))
  (when (and (counts? attrs) (nil? as))
    (fail! :damo.loop/uncounted "a loop that may end early has a dim :as for its rounds" {})))

(defn- check-results! [{:keys [carries results] :as attrs}]
  (let [some-output? (into (set (range (count carries))) (kept attrs))]
    (doseq [[j [o rows order :as result]] (map-indexed vector results)]
      (when-not (and (vector? result) (some-output? o) (or (= rows :all) (type/dim? rows))
                     (contains? #{nil :backwards} order))
        (fail! :damo.loop/bad-result
               (str "result " j " of a loop is [output rows], rows a dim or :all, or [output rows"
                    " :backwards]; it is " (pr-str result))
               {:position j, :given result})))))

(defn check!
  "Nil when the attributes of a loop fit each other and arguments of these types; fails otherwise
  with a kind of :damo.loop."
  [attrs types]
  (check-carries! attrs types)
  (check-params! attrs types)
  (check-end! attrs types)
  (check-results! attrs))

;; ## What a call must fulfil

(defn requirements
  "What the rows that the rounds read require of dims, [[small large] …], small not to be larger
  than large."
  [{:keys [steps params]} types]
  (when steps
    (for [[what a from by] params :when (= :each what)
          :let [extent (first (type/shape-of (nth types a)))]
          need (if (= 1 by)
                 [[(type/dim+ from steps) extent]]
                 [[steps from] [from extent]])]
      need)))
