(ns damo.rule.factors
  "What products and sums are made of: the factors of a product with their exponents, found through
  products, quotients, squares and whole powers; the terms of a sum with their multiples, through
  sums, differences, negations and whole multiples. `form` gathers them, once a node; `without`
  writes a node again without some of them, the others as they were written.
  Of x²/y: (form parts :product id) = {x 2, y -1}; (without cx id {:id x …}) = [:div x y]."
  (:require [damo.data.graph :as graph]
            [damo.rule :as rule])
  (:import [java.util ArrayList HashMap]))

(set! *warn-on-reflection* true)

(def groups
  "Products and sums as one thing: the op that joins two members, the one that parts the second from
  the first, the member that changes nothing, how a template is inverted, and how it is taken n
  times."
  {:product {:join :mul, :part :div, :unit 1
             :inverse (fn [t] [:div 1 t])
             :times (fn [t n] (if (= n 2) [:sqr t] [:pow t n]))}
   :sum {:join :add, :part :sub, :unit 0
         :inverse (fn [t] [:neg t])
         :times (fn [t n] [:mul n t])}})

(defn- unit? [group x] (and (number? x) (== x (:unit (groups group)))))

(defn group-of
  "The group of nodes of an op that has two members: :product, :sum, or nil."
  [op]
  (case op (:mul :div) :product, (:add :sub) :sum, nil))

;; ## Members of one node

(def ^:private largest-weight "The largest exponent or multiple that is looked through." 1024)

(defn- whole
  "The whole number, not 0, that node `id` is everywhere, or nil."
  [b id]
  (let [x (rule/uniform b id)]
    (when (and (number? x) (not (zero? x)) (<= (- (long largest-weight)) x largest-weight)
               (== x (Math/rint (double x))))
      (long x))))

(defn- multiple [b x y]
  (if-let [n (whole b x)]
    [[y n]]
    (when-let [n (whole b y)] [[x n]])))

(defn members
  "The members of a node [op attrs & ids] of a group, [[id weight] …]: exponents of factors,
  multiples of terms; nil for a node that is a member as it stands."
  [b group [op _ x y]]
  (if (= group :product)
    (case op
      :mul [[x 1] [y 1]]
      :div [[x 1] [y -1]]
      :sqr [[x 2]]
      :pow (when-let [n (whole b y)] [[x n]])
      nil)
    (case op
      :add [[x 1] [y 1]]
      :sub [[x 1] [y -1]]
      :neg [[x -1]]
      :mul (multiple b x y)
      nil)))

;; ## Forms, of all nodes of a builder, found once

(def ^:private largest-form
  "How many different members a node may have to be looked through: beyond, it is one member itself,
  so that long chains cost no more than their length."
  64)

(deftype Parts [b ^ArrayList products ^ArrayList sums
                ^ArrayList product-ops ^ArrayList sum-ops ^HashMap singles])

(defn parts
  "What is known of the members of the nodes of a builder, found as they are asked for; mutable."
  [b]
  (->Parts b (ArrayList.) (ArrayList.) (ArrayList.) (ArrayList.) (HashMap.)))

(defn- light? [w] (<= (Math/abs (long w)) (long largest-weight)))

(defn- weighted
  "The form with its weights times w; nil when one becomes too large."
  [form w]
  (if (= w 1)
    form
    (let [form (update-vals form #(* (long %) (long w)))]
      (when (or (= w -1) (every? light? (vals form))) form))))

(defn- merged
  "Two forms as one; nil when there is one of them, or it becomes too large."
  [x y]
  (when (and x y)
    (if (< (count x) (count y))
      (recur y x)
      (let [form (reduce-kv (fn [m id w]
                              (let [sum (+ (long w) (long (get m id 0)))]
                                (cond (zero? sum) (dissoc m id)
                                      (light? sum) (assoc m id sum)
                                      :else (reduced nil))))
                            x y)]
        (when (<= (count form) (long largest-form)) form)))))

(defn- form-of-node
  "The form of node `id` from those before it; nil when the node is its only member."
  [b group ^ArrayList forms id]
  (let [node (graph/node b id)]
    (if (and (= :const (graph/op-of node)) (unit? group (rule/uniform b id)))
      {}
      (when-let [found (members b group node)]
        (reduce merged (map (fn [[x w]] (weighted (or (.get forms (int x)) {x 1}) w)) found))))))

(defn form
  "The members of node `id`, {id weight}; those that cancel are left out."
  [^Parts parts group id]
  (let [^ArrayList forms (if (= group :product) (.products parts) (.sums parts)), b (.b parts)]
    (while (<= (.size forms) (long id))
      (.add forms (form-of-node b group forms (.size forms))))
    (or (.get forms (int id)) {id 1})))

;; ## Which ops members have

(defn- only
  "#{op}, one such set for each op."
  [^HashMap singles op]
  (or (.get singles op)
      (let [ops #{op}] (.put singles op ops) ops)))

(defn- united [ops more]
  (cond (nil? ops) more
        (every? ops more) ops
        :else (into ops more)))

(defn- ops-of-node
  "The ops of the members of node `id` from those of the nodes before it."
  [^Parts parts group ^ArrayList known id]
  (let [b (.b parts), node (graph/node b id)]
    (if (contains? (form parts group id) id)
      (only (.singles parts) (graph/op-of node))
      (transduce (map (fn [[x]] (.get known (int x)))) (completing united) nil
                 (members b group node)))))

(defn ops-of
  "The ops that members of node `id` have: these, and maybe those of members that cancel."
  [^Parts parts group id]
  (let [^ArrayList known (if (= group :product) (.product-ops parts) (.sum-ops parts))]
    (while (<= (.size known) (long id))
      (.add known (ops-of-node parts group known (.size known))))
    (.get known (int id))))

;; ## Writing again
;; A template of nil is the unit, which is left out of what is written.

(defn joined
  "The template of two members, the second one of weight 1 or -1."
  [group x y weight]
  (let [{:keys [join part inverse]} (groups group)]
    (cond (nil? y) x
          (nil? x) (if (pos? (long weight)) y (inverse y))
          :else [(if (pos? (long weight)) join part) x y])))

(defn times
  "The template t, n times; nil for none."
  [group t n]
  (cond (or (nil? t) (zero? (long n))) nil
        (= n 1) t
        :else ((:times (groups group)) t n)))

(declare without)

(defn- without-in-each
  "[template left] of n times node `id`: as many copies lose members as there are to lose."
  [{:keys [group left] :as cx} id n]
  (let [[t remaining] (if (zero? (long n)) [nil left] (without cx id))
        of-one (- (long left) (long remaining))]
    (if (zero? of-one)
      [(times group (rule/argument id) n) left]
      (let [changed (if (:instead cx) 1 (min (long n) (quot (long left) of-one)))
            others (assoc cx :left (- (long left) (* changed of-one)) :instead nil)
            [rest-of-it left] (without-in-each others id (- (long n) changed))]
        [(joined group (times group t changed) rest-of-it 1) left]))))

(defn- without-in-member
  [{:keys [group sign] :as cx} [id weight]]
  (let [n (Math/abs (long weight)), sign (if (neg? (long weight)) (- (long sign)) sign)]
    (if (= n 1)
      (without (assoc cx :sign sign) id)
      (without-in-each (assoc cx :sign sign) id n))))

(defn- rewritten
  "[template left] of a node of these members."
  [{:keys [group] :as cx} [[_ weight :as first-one] second-one]]
  (let [[x left] (without-in-member cx first-one)]
    (if second-one
      (let [[y left] (without-in-member (assoc cx :left left) second-one)]
        [(joined group x y (second second-one)) left])
      [(if (neg? (long weight)) (joined group nil x -1) x) left])))

(defn without
  "[template left] of node `id` without the member :id, :left times, where it stands with that
  :sign (1 or -1, as a factor above or below); :left of what comes back are not there. Where the
  first one stood comes :instead, a template or nil. cx is {:parts :group :id :left :sign :instead
  :uses :copied}: `uses` says how many users a node has, and :copied, a volatile, counts the nodes
  that are computed a second time."
  [{:keys [^Parts parts group left sign instead uses copied] member :id :as cx} id]
  (let [b (.b parts)]
    (cond
      (zero? (long left)) [(rule/argument id) left]
      (= id member) (if (pos? (long sign)) [instead (dec (long left))] [(rule/argument id) left])
      (not (contains? (form parts group id) member)) [(rule/argument id) left]
      :else (let [stays (or (:stays cx) (< 1 (long (uses id))))
                  [t remaining] (rewritten (assoc cx :stays stays)
                                           (members b group (graph/node b id)))]
              (cond (= left remaining) [(rule/argument id) left]
                    (and stays (vector? t)) (do (vswap! copied inc) [t remaining])
                    :else [t remaining])))))
