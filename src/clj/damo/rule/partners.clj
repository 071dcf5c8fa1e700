(ns damo.rule.partners
  "Rules about two members of one product or sum, wherever they stand in it: with the rule
  {:lhs [:mul [:exp ?x] [:sigmoid [:neg ?x]]], :rhs [:sigmoid ?x], :within :product …} the product
  (e^x·y)·σ(-x) becomes σ(x)·y. Members of the two sides of a node are matched as if they were its
  arguments; the other members stay as they were written."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.rule :as rule]
            [damo.rule.factors :as factors]
            [damo.rule.pattern :as pattern])
  (:import [damo.rule.factors Parts]
           [damo.rule.pattern Root]
           [java.util HashMap]))

(set! *warn-on-reflection* true)

(def ^:private most-copies
  "How many nodes a rule may compute a second time, because others need them too. Rules that
  stabilise may do so at any price."
  8)

;; ## The node without a pair
;; A pair is [x w y v]: a member x of weight w of the first side of a node and y of weight v of the
;; second one; `carrier` says which of both is what the pattern names first.

(defn- side [cx id member weight instead]
  (factors/without (assoc cx :id member, :sign (if (pos? (long weight)) 1 -1), :instead instead)
                   id))

(defn- rest-of
  "The template of the node without the pair, so many times each, `instead` in the place of its
  carrier; nil when too much would be computed twice."
  [{:keys [group ^Root root sign copied keeps] :as cx} [x w y v] [n k] carrier instead]
  (let [[left right] (.args root)
        [t missed] (side (assoc cx :left n) left x w (when (= carrier :first) instead))
        [u missed-too] (side (assoc cx :left k) right y v (when (= carrier :second) instead))]
    (when (and (= 0 missed missed-too)
               (or (= keeps :stabilizes) (<= (long @copied) (long most-copies))))
      (or (factors/joined group t u sign) (:unit (factors/groups group))))))

(defn- apart?
  "Does a member of the pair stand deeper than as an argument of the node or of its sides?"
  [{:keys [^Parts parts group ^Root root]} [x _ y _]]
  (let [[left right] (.args root)
        near? (fn [member side]
                (or (= member side)
                    (some #(= member (first %))
                          (factors/members (.b parts) group (graph/node (.b parts) side)))))]
    (not (and (near? x left) (near? y right) (or (= x left) (= y right))))))

(defn- taken
  "How often the members of a pair are taken, and what comes in their place. Equal members are taken
  all at once: as many as cancel, or all that come together."
  [group {:keys [lhs same]} [x w _ v] template]
  (let [{:keys [unit join]} (factors/groups group), n (Math/abs (long w)), k (Math/abs (long v))]
    (cond (not same) [[1 1] (when-not (= template unit) template)]
          (= join (first lhs)) [[n k] (factors/times group (rule/argument x) (+ n k))]
          :else [[(min n k) (min n k)] nil])))

(declare meets? divides?)

(defn- shown
  "A pair as if its members were the arguments of one node. Its attributes are for conditions:
  (:apart?) as `apart?` tells, :above when the first stands above, and functions of a factor p and a
  term u: :meets, does p meet a partner in u? and :divides, is p a factor of all terms of u?"
  [{:keys [^Root root] :as cx} {:keys [lhs]} [x w y _ :as pair] carrier]
  (let [sign (if (= (first lhs) (get-in factors/groups [:product :part])) -1 1)]
    (rule/view (.b root) (first lhs)
               {:apart? (fn [] (apart? cx pair))
                :above (or (= carrier :second) (pos? (long w)))
                :meets (fn [p u] (meets? cx p sign u))
                :divides (fn [p u] (divides? cx p u))}
               (if (= carrier :first) [x y] [y x]) (.type root))))

(defn- at-pair
  "[match template] of the rule on a pair, or nil."
  [{:keys [group uses] :as cx} {:keys [keeps] :as rule} pair carrier]
  (when-let [[m template] (rule/try-rule rule (shown cx rule pair carrier) uses)]
    (let [[counts instead] (taken group rule pair template)]
      (when-let [t (rest-of (assoc cx :keeps keeps, :copied (volatile! 0))
                            pair counts carrier instead)]
        [m t]))))

;; ## Pairs that fit

(defn- fits? [b head id] (or (nil? head) (= head (graph/op-of (graph/node b id)))))

(defn- carrier-of
  "Which member of a pair stands where the rule's first one does, :first or :second, when their
  weights are as the rule has them: both above or both below, or the first above the second."
  [{:keys [group sign]} {[op] :lhs} [_ w _ v]]
  (let [joins (pos? (* (long w) (long v) (long sign)))]
    (if (= op (:join (factors/groups group)))
      (when joins :first)
      (when-not joins (if (pos? (long w)) :first :second)))))

(defn- heads-fit? [b [p q] joins x y]
  (or (and (fits? b p x) (fits? b q y)) (and joins (fits? b q x) (fits? b p y))))

(defn- applied
  "[match template] of the rule on a pair that its weights and heads fit, or nil."
  [{:keys [^Root root] :as cx} {:keys [heads], :as rule} [x _ y _ :as pair]]
  (when-let [carrier (carrier-of cx rule pair)]
    (let [[x y] (if (= carrier :first) [x y] [y x])]
      (when (heads-fit? (.b root) heads (:joins rule) x y)
        (at-pair cx rule pair carrier)))))

(defn- open
  "The members of a form that one of the heads fits, but for those that cancel with the other form:
  that goes first, in whatever order the rules are."
  [{:keys [^Root root sign]} heads form other]
  (filterv (fn [[id w]]
             (and (some #(fits? (.b root) % id) heads)
                  (not (neg? (* (long w) (long (get other id 0)) (long sign))))))
           form))

(defn- some-pair
  "The first true (f pair) for members of the two forms that the rule may be about."
  [cx {:keys [same heads]} xs ys f]
  (if same
    (some (fn [id] (when-let [w (get xs id)] (when-let [v (get ys id)] (f [id w id v]))))
          (keys (if (< (count ys) (count xs)) ys xs)))
    (when-let [found (seq (open cx heads xs ys))]
      (let [others (open cx heads ys xs)]
        (some (fn [[x w]] (some (fn [[y v]] (f [x w y v])) others)) found)))))

;; ## What a factor would meet
;; Rules about partners are asked for the same factors and sums again and again, on the way up a
;; long chain: what is found of them is kept for all nodes of a builder.

(deftype Partners [rules by-ops known])

(defn partners
  "Of these rules, those about two factors that cancel or stabilise each other, with what is found
  out of the nodes of one builder; mutable."
  [rules]
  (->Partners (filterv (fn [{:keys [within same keeps]}]
                         (and (= within :product) (or same (= keeps :stabilizes))))
                       rules)
              (HashMap.) (HashMap.)))

(defn- remembered
  "The value of a key of a map, made by (f) when it is missing."
  [^HashMap m k f]
  (or (.get m k) (let [x (f)] (.put m k x) x)))

(defn- heads-of-ops-fit? [[p q] joins x y]
  (let [fits? (fn [head op] (or (nil? head) (= head op)))]
    (or (and (fits? p x) (fits? q y)) (and joins (fits? q x) (fits? p y)))))

(defn- rules-for
  "The partner rules that may be about factors of these ops, the first above and the second below or
  the other way round; those about equal factors are left out."
  [^Partners partners op-p op-f]
  (remembered (remembered (.by-ops partners) op-p #(HashMap.)) op-f
              #(filterv (fn [{:keys [same heads joins]}]
                          (and (not same) (or (heads-of-ops-fit? heads joins op-p op-f)
                                              (heads-of-ops-fit? heads joins op-f op-p))))
                        (.rules partners))))

(def ^:private most-tries
  "How many nodes are looked at to find out whether a factor meets another."
  200)

(def ^:private most-deep "How deep in sums and choices partners are looked for." 6)

(defn- about?
  "Is the rule about the factor p of weight `sign` and the factor f of weight w? That p cancels a
  divisor counts, that it is one does not: (2x - 1)/x keeps digits that 2 - 1/x loses."
  [{:keys [^Root root uses] :as cx} {:keys [same heads joins] :as rule} p sign f w]
  (let [pair [p sign f w]]
    (when-let [carrier (carrier-of cx rule pair)]
      (let [[x y] (if (= carrier :first) [p f] [f p])]
        (and (if same (and (= p f) (= sign 1)) (heads-fit? (.b root) heads joins x y))
             (rule/try-rule rule (shown cx rule pair carrier) uses))))))

(defn- meets-here?
  "The same for a factor of node u that is not negated."
  [{:keys [parts ^Partners partners ^Root root] :as cx} p sign u]
  (let [b (.b root), op-of #(graph/op-of (graph/node b %)), op-p (op-of p)
        factors (factors/form parts :product u), own (get factors p)]
    (boolean
     (or (when own (some #(when (:same %) (about? cx % p sign p own)) (.rules partners)))
         (some (fn [[f w]] (some #(about? cx % p sign f w) (rules-for partners op-p (op-of f))))
               factors)))))

(defn- found-before
  "What is known of a factor and terms, {k true or false}, for products of that type; k stands for
  the term, the sign and how deep is looked."
  [^Partners partners type p]
  (remembered (remembered (.known partners) type #(HashMap.)) p #(HashMap.)))

(defn- meets?
  "Is there a rule, one that stabilises or cancels, about the factor p, above or below as `sign`
  says, and a factor of node u?"
  [{:keys [partners tries depth ^Root root] :as cx} p sign u]
  (let [b (.b root), [op _ x] (graph/node b u)
        ^HashMap known (found-before partners (.type root) p)
        k (+ (* 16 (long u)) (* 2 (long depth)) (if (pos? (long sign)) 1 0))
        before (.get known k)]
    (cond (some? before) before
          (or (zero? (long depth)) (neg? (long (vswap! tries dec))) (pattern/uniform b p)) false
          :else (let [cx (assoc cx :group :product, :sign 1, :depth (dec (long depth)))
                      met (if (= op :neg) (meets? cx p sign x) (meets-here? cx p sign u))]
                  (when (or met (<= 0 (long @tries))) (.put known k met))
                  met))))

(defn- divides?
  "Is p a factor of all terms of node u?"
  [{:keys [parts depth ^Root root] :as cx} p u]
  (let [[op _ x y] (graph/node (.b root) u), cx (assoc cx :depth (dec (long depth)))]
    (and (pos? (long depth))
         (or (pos? (long (get (factors/form parts :product u) p 0)))
             (case op
               :neg (recur cx p x)
               (:add :sub) (and (divides? cx p x) (divides? cx p y))
               false)))))

(defn try-rule
  "[match template] when the rule, one with :within, applies to two members of the node that `root`
  views, else nil. `partners` are those of the rules at work; `uses` says how many users a node
  has."
  [parts partners {group :within, exact :exact, :as rule} ^Root root uses]
  (when-not (and exact (type/float-dtype? (type/dtype-of (.type root))))
    (let [[left right] (.args root)
          cx {:parts parts, :partners partners, :group group, :root root, :uses uses
              :sign (if (= (.op root) (:part (factors/groups group))) -1 1)
              :depth most-deep, :tries (volatile! most-tries)}]
      (some-pair cx rule (factors/form parts group left) (factors/form parts group right)
                 #(applied cx rule %)))))
