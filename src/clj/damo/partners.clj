(ns damo.partners
  "Rules about two members of one product or sum, wherever they stand in it: with the rule
  {:lhs [:mul [:exp ?x] [:sigmoid [:neg ?x]]], :rhs [:sigmoid ?x], :within :product …} the product
  (e^x·y)·σ(-x) becomes σ(x)·y. Members of the two sides of a node are matched as if they were its
  arguments; the other members stay as they were written."
  (:require [damo.factors :as factors]
            [damo.graph :as graph]
            [damo.rule :as rule]
            [damo.type :as type])
  (:import [damo.factors Parts]
           [damo.rule View]))

(set! *warn-on-reflection* true)

(def ^:private most-copies
  "How many nodes a rule may compute a second time, because others need them too: as many as it
  saves. Rules that stabilise may do so at any price."
  1)

;; ## The node without a pair
;; A pair is [x w y v]: a member x of weight w of the first side of a node and y of weight v of the
;; second one; `carrier` says which of both is what the pattern names first.

(defn- side [cx id member weight instead]
  (factors/without (assoc cx :id member, :sign (if (pos? (long weight)) 1 -1), :instead instead)
                   id))

(defn- rest-of
  "The template of the node without the pair, so many times each, `instead` in the place of its
  carrier; nil when too much would be computed twice."
  [{:keys [group ^View root sign copied keeps] :as cx} [x w y v] [n k] carrier instead]
  (let [[left right] (.args root)
        [t missed] (side (assoc cx :left n) left x w (when (= carrier :first) instead))
        [u missed-too] (side (assoc cx :left k) right y v (when (= carrier :second) instead))]
    (when (and (= 0 missed missed-too)
               (or (= keeps :stabilizes) (<= (long @copied) (long most-copies))))
      (or (factors/joined group t u sign) (:unit (factors/groups group))))))

(defn- apart?
  "Does a member of the pair stand deeper than as an argument of the node or of its sides?"
  [{:keys [^Parts parts group ^View root]} [x _ y _]]
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

(defn- at-pair
  "[match template] of the rule on a pair, or nil."
  [{:keys [group ^View root] :as cx} {:keys [lhs keeps] :as rule} [x _ y _ :as pair] carrier]
  (let [shown (rule/view (.b root) (first lhs) {:apart (apart? cx pair)}
                         (if (= carrier :first) [x y] [y x]) (.type root))]
    (when-let [[m template] (rule/try-rule rule shown (:uses cx))]
      (let [[counts instead] (taken group rule pair template)]
        (when-let [t (rest-of (assoc cx :keeps keeps, :copied (volatile! 0))
                              pair counts carrier instead)]
          [m t])))))

;; ## Pairs that fit

(defn- fits? [b head id] (or (nil? head) (= head (graph/op-of (graph/node b id)))))

(defn- fitting
  "The members of a form that fit a head, but for those that cancel with the other form: that goes
  first, in whatever order the rules are."
  [{:keys [^View root sign]} head form other]
  (filterv (fn [[id w]]
             (and (fits? (.b root) head id)
                  (not (neg? (* (long w) (long (get other id 0)) (long sign))))))
           form))

(defn- some-pair
  "The first true (f pair) for members of `xs` that fit the head p and of `ys` that fit q."
  [cx [p q] xs ys f]
  (when-let [found (seq (fitting cx p xs ys))]
    (let [others (fitting cx q ys xs)]
      (some (fn [[x w]] (some (fn [[y v]] (f [x w y v])) others)) found))))

(defn- some-member-of-both
  "The first true (f [x w x v]) for members of both forms."
  [xs ys f]
  (let [few (if (< (count ys) (count xs)) ys xs)]
    (some (fn [id] (when-let [w (get xs id)] (when-let [v (get ys id)] (f [id w id v]))))
          (keys few))))

(defn- joins?
  "Do the members of a pair stand on one side of the fraction or difference?"
  [{:keys [sign]} [_ w _ v]]
  (pos? (* (long w) (long v) (long sign))))

(defn- at-joined
  [cx {[p q] :heads, same :same, :as rule} xs ys]
  (let [attempt #(when (joins? cx %) (at-pair cx rule % :first))]
    (if same
      (some-member-of-both xs ys attempt)
      (or (some-pair cx [p q] xs ys attempt)
          (when (not= p q) (some-pair cx [q p] xs ys attempt))))))

(defn- at-parted
  [cx {[p q] :heads, same :same :as rule} xs ys]
  (let [above? (fn [[_ w]] (pos? (long w)))
        attempt #(when-not (joins? cx %)
                   (at-pair cx rule % (if (above? %) :first :second)))]
    (if same
      (some-member-of-both xs ys attempt)
      (or (some-pair cx [p q] xs ys #(when (above? %) (attempt %)))
          (some-pair cx [q p] xs ys #(when-not (above? %) (attempt %)))))))

(defn try-rule
  "[match template] when the rule, one with :within, applies to two members of the node that `root`
  views, else nil. `uses` says how many users a node has."
  [parts {group :within, [op] :lhs, exact :exact, :as rule} ^View root uses]
  (let [{:keys [join part]} (factors/groups group), [left right] (.args root)
        cx {:parts parts, :group group, :root root, :uses uses
            :sign (if (= (.op root) part) -1 1)}]
    (when-not (and exact (type/float-dtype? (type/dtype-of (.type root))))
      ((if (= op join) at-joined at-parted)
       cx rule (factors/form parts group left) (factors/form parts group right)))))
