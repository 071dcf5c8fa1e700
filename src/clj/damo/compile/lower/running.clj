(ns damo.compile.lower.running
  "What runs along a line, in blocks of elements that do not wait for each other. Where an extreme
  is not beaten by that of a block, it stays all along it; else it is found by steps that double in
  length. What is the sum of some function of the elements is made of them all at once, as long as
  none lies too far below the largest; else element by element.
  (blocks line) → statements, nil where the line's step is neither."
  (:require [damo.compile.lower :as lower]
            [damo.compile.lower.blocks :as blocks]
            [damo.compile.lower.scalar :as scalar]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(def ^:private block
  "Elements of a block: some vectors, and few beside a line."
  128)

(defn- over
  "The loop over a block whose statements (f body position-in-block position-in-line) emits."
  [{:keys [fresh at]} start extent f]
  (let [i (fresh "i"), inner (lower/body {})]
    (f inner i (at (type/signed+ start i)))
    (into [:for i extent] @(:stmts inner))))

(defn- one-by-one [{:keys [step!] :as line} start extent]
  (over line start extent (fn [body _ at] (step! body at))))

(defn- choice
  "Statements for a block where a condition holds, and others for where it does not."
  [{:keys [fresh]} condition all others]
  (let [fine (fresh "v")]
    [[:let fine condition] (into [:if fine] all) (into [:if [:not fine]] others)]))

;; ## Extremes

(def ^:private lead
  "Elements before a block: as far as the last step of doublings looks back."
  (quot block 2))

(defn- doublings
  "The statements for a block in which the extreme changes: the extremes of the last 2, 4, 8 …
  elements of each, what was before the block among them, from one array to the other."
  [{:keys [fresh acc op value write! wide] :as line} start extent]
  (let [arrays [(fresh "m") (fresh "m")], i (fresh "i")
        steps (take-while #(<= % lead) (iterate #(* 2 %) 1))
        [from to] arrays, last-one (if (odd? (count steps)) to from)
        behind (fn [i distance] (type/signed+ i (- lead distance)))]
    (concat
     (for [a arrays] [:local a wide (+ lead block)])
     [(into [:for i lead] (for [a arrays] [:store a i acc]))
      (over line start extent (fn [body i at]
                                (lower/emit! body [:store from (behind i 0) (value body at)])))]
     (for [[step [from to]] (map vector steps (iterate reverse arrays))]
       (over line start extent
             (fn [body i _]
               (lower/emit! body [:store to (behind i 0) [op [:load from (behind i 0)]
                                                          [:load from (behind i step)]]]))))
     [(over line start extent (fn [body i at] (write! body at [:load last-one (behind i 0)])))
      [:set acc [:load last-one (type/signed+ extent (dec lead))]]])))

(defn- extreme-block
  "Where the extreme of a block does not change that before it; of equal zeros one may have the
  other sign."
  [{:keys [fresh acc op worst value write! wide] :as line} start extent]
  (let [best (fresh "a"), [below equal] (case op, :maximum [:lt :le], :minimum [:gt :ge])]
    (into [[:var best worst]
           (over line start extent (fn [body _ at]
                                     (lower/emit! body [:acc op best (value body at)])))]
          (choice line
                  (if (type/float-dtype? wide)
                    [:or [:isnan acc]
                     [:or [below best acc]
                      [:and [:eq best acc] [:ne best [:const wide 0.0]]]]]
                    [equal best acc])
                  [(over line start extent (fn [body _ at] (write! body at acc)))]
                  (doublings line start extent)))))

;; ## Sums

(defn- sums-of
  "The statements that make the results of a block: the terms side by side, their sums one after the
  other, the results side by side again. (term x) and (result sum) are expressions."
  [{:keys [fresh acc value write! wide] :as line} start extent term result]
  (let [sum (fresh "a"), terms (fresh "m"), loaded (fn [i] [:load terms i])
        summed (fn [body i _]
                 (lower/emit! body [:set sum [:add sum (loaded i)]])
                 (lower/emit! body [:store terms i sum]))]
    [[:local terms wide block]
     [:var sum (term acc)]
     (over line start extent (fn [body i at]
                               (lower/emit! body [:store terms i (term (value body at))])))
     (over line start extent summed)
     (over line start extent (fn [body i at] (write! body at (result (loaded i)))))
     [:set acc (result sum)]]))

(defn- sum-block
  "Running sums of what :to makes of the elements beside the largest so far, ?top; :from makes of
  a sum what is wanted. No element but -∞ may lie further than :within below the largest."
  [{:keys [fresh acc value wide] {:keys [to from within]} :sums :as line} start extent]
  (let [top (fresh "a"), low (fresh "a")
        inf [:const wide ##Inf], least [:const wide ##-Inf]
        of (fn [template env] (scalar/of-template template (update-vals env #(vector % wide)) wide))
        lowest (fn [x] [:select [:eq x least] inf x])
        looked (fn [body _ at]
                 (let [x (value body at)]
                   (lower/emit! body [:acc :maximum top x])
                   (lower/emit! body [:acc :minimum low (lowest x)])))]
    (into [[:var top acc] [:var low (lowest acc)] (over line start extent looked)]
          (choice line
                  [:and [:and [:lt top inf] [:gt top least]]
                   [:ge low [:sub top [:const wide within]]]]
                  (sums-of line start extent
                           #(of to {'?x %, '?top top}) #(of from {'?sum %, '?top top}))
                  [(one-by-one line start extent)]))))

;; ## A line

(defn blocks
  "The statements of a line, {:n extent, :step template of a step, :sums of the entry, :wide dtype
  of what is accumulated, :acc its variable, :fresh (fn [prefix] name), :at (fn [k] position of
  element k), :value (fn [body position] its expression), :write! (fn [body position result]),
  :step! (fn [body position]) that emits a step}; nil where the step is of no such kind."
  [{:keys [n step sums fresh wide] :as line}]
  (let [op (when (and (vector? step) (#{:maximum :minimum} (first step))) (first step))
        line (assoc line :op op)
        line (cond-> line op (assoc :worst [:const wide (scalar/worst wide (case op, :maximum :gt
                                                                             :minimum :lt))]))
        block-of (cond op extreme-block, sums sum-block)]
    (when block-of
      (blocks/loops fresh n block (fn [start _ extent] (block-of line start extent))))))
