(ns damo.data.poly
  "Dims as polynomials, the normal form behind their arithmetic: {sorted-factors coefficient}, so
  that {[] 3, [n] 2} is 2n + 3. A factor is a symbol, or what is no polynomial: a rounded quotient
  [:quot a b], a remainder, 1/d of an exact quotient, and the positive part [:max 0 d], by which the
  larger and the smaller of two are written: max(a, b) = b + max(0, a - b). All names are ≥ 0.
  (to-dim (of-dim '[:- [:+ n n] [:min n 1]])) = [:+ n [:max 0 [:- n 1]]]."
  (:refer-clojure :exclude [denominator reduced])
  (:require [clojure.core :as clj]
            [damo.data.fail :refer [fail!]]
            [damo.data.points :as points]))

(set! *warn-on-reflection* true)

;; ## Arithmetic

(defn- number
  "A coefficient in the one form that equal ones have: a long where it fits."
  [c]
  (if (and (integer? c) (<= Long/MIN_VALUE c Long/MAX_VALUE)) (long c) c))

(defn plus "The sum of two polynomials." [p q]
  (into {} (remove (comp zero? val)) (merge-with +' p q)))

(defn- compare-factors [a b]
  (if (and (symbol? a) (symbol? b)) (compare a b) (compare (pr-str a) (pr-str b))))

(defn- inverse? [f] (and (vector? f) (= :/ (nth f 0)) (= 1 (nth f 1))))

(defn- without
  "The factors without one of x; nil when there is none."
  [factors x]
  (let [[before after] (split-with #(not= x %) factors)]
    (when (seq after) (into (vec before) (rest after)))))

(defn- cancelled
  "The factors without pairs of d and 1/d."
  [factors]
  (reduce (fn [fs f] (if-let [less (and (inverse? f) (without fs (nth f 2)))]
                       (without less f)
                       fs))
          factors factors))

(defn- joined
  "The sorted factors of a product."
  [f g]
  (cond (empty? f) g
        (empty? g) f
        :else (let [all (vec (sort compare-factors (into f g)))]
                (if (some inverse? all) (cancelled all) all))))

(defn scale "A polynomial times a number." [c p]
  (if (zero? c) {} (into {} (map (fn [[f d]] [f (number (*' c d))])) p)))

(defn- times-term [p f c]
  (into {} (map (fn [[g d]] [(joined f g) (number (*' c d))])) p))

(defn times "The product of two polynomials." [p q]
  (reduce plus {} (for [[f c] p] (times-term q f c))))

(defn minus "The difference of two polynomials." [p q] (plus p (scale -1 q)))

(defn constant
  "The number that a polynomial is, else nil."
  [p]
  (cond (empty? p) 0
        (= 1 (count p)) (get p [])))

;; ## Signs

(def ^:dynamic *bounds*
  "What is known of names besides that they are ≥ 0: {name {:least [dim …] :most [dim …]}}. It
  changes what `to-dim` gives, and so is bound only around the dims of one graph."
  nil)

(defn- factor-of
  "The poly of one factor."
  [f]
  {[f] 1})

(declare of-dim)

(defn- bounds-above
  "Polynomials that a factor does not exceed."
  [p f]
  (if (symbol? f)
    (map of-dim (get-in *bounds* [f :most]))
    (let [[op a b] f]
      (case op
        :max (let [d (of-dim b)]
               (cons (into {} (filter (comp pos? val)) d)
                     (for [[[g & more]] p :when (and (nil? more) (vector? g) (= :max (nth g 0))
                                                     (not= f g))]
                       {[g] 1, ::when (minus (of-dim (nth g 2)) d)})))
        :quot [(if (integer? b) (scale (/ 1 b) (of-dim a)) (of-dim a))]
        :mod [(of-dim a) (minus (of-dim b) {[] 1})]
        nil))))

(defn- bounds-below
  "Polynomials that do not exceed a factor."
  [f]
  (cond (symbol? f) (map of-dim (get-in *bounds* [f :least]))
        (= :max (nth f 0)) [(of-dim (nth f 2))]))

(defn- replaced
  "The polynomial with one factor of one of its terms replaced by a polynomial."
  [p [factors c] f q]
  (plus (dissoc p factors) (times q {(without factors f) c})))

;; Bounds are tried one after another, and a polynomial with several positive parts has many. What
;; is < 0 at a point can't be shown to be ≥ 0, so most of them end at once; others are kept.

(defn- at-least-zero? [p {:keys [points seen] :as search} depth]
  (let [known (get @seen [p depth])
        again #(at-least-zero? % search (dec (long depth)))
        holds? (fn [term f bound]
                 (let [condition (::when bound)]
                   (and (again (replaced p term f (dissoc bound ::when)))
                        (or (nil? condition) (again condition)))))
        shown? (fn [[factors c :as term]]
                 (some (fn [f] (some #(holds? term f %)
                                     (if (neg? c) (bounds-above p f) (bounds-below f))))
                       factors))]
    (if (some? known)
      known
      (let [answer (or (every? (comp not neg? val) p)
                       (and (pos? (long depth))
                            (not-any? #(points/negative-at? p %) points)
                            (boolean (some shown? p))))]
        (vswap! seen assoc [p depth] answer)
        answer))))

(defn- depth-for
  "How many bounds are put in one after another, fewer where there are many to choose from."
  [p]
  (let [choices (count (filter #(or (vector? %) (contains? *bounds* %)) (mapcat key p)))]
    (condp >= choices, 8 4, 14 3, 2)))

(defn nonnegative?
  "Is a polynomial ≥ 0 for all values of its names, as far as its terms show?"
  [p]
  (or (every? (comp not neg? val) p)
      (at-least-zero? p {:points (points/within *bounds*), :seen (volatile! {})} (depth-for p))))

;; ## What is no polynomial

(defn- compare-terms
  "Long products first, equally long ones by their factors."
  [[f] [g]]
  (if (= (count f) (count g))
    (or (first (remove zero? (map compare-factors f g))) 0)
    (compare (count g) (count f))))

(declare to-dim positive)

(defn content
  "The greatest integer that divides all coefficients, when they are integers; else 1."
  [p]
  (if (every? integer? (vals p))
    (number (bigint (reduce (fn [a b] (.gcd (biginteger a) (biginteger b))) 0 (vals p))))
    1))

(defn- simpler
  "max(0, e) without a positive part inside of another, where that is known, else nil."
  [e]
  (some (fn [[[f & more :as factors] c]]
          (when (and (nil? more) (vector? f) (= :max (nth f 0)))
            (let [a (of-dim (nth f 2)), r (dissoc e factors)]
              (cond (and (= 1 c) (nonnegative? (scale -1 r))) (positive (plus a r))
                    (and (= 1 c) (nonnegative? (scale -1 (plus a r)))) (positive r)
                    (not= -1 c) nil
                    (nonnegative? (minus r a)) (minus (positive r) (factor-of f))
                    (nonnegative? (minus a r)) {}))))
        e))

(defn positive
  "The polynomial of max(0, e)."
  [e]
  (let [k (content e)]
    (cond (nonnegative? e) e
          (nonnegative? (scale -1 e)) {}
          (< 1 k) (scale k (positive (scale (/ 1 k) e)))
          :else (or (simpler e)
                    (if (neg? (val (first (sort compare-terms e))))
                      (plus e (positive (scale -1 e)))
                      (factor-of [:max 0 (to-dim e)]))))))

(defn larger "The polynomial of the larger of two." [p q] (plus q (positive (minus p q))))

(defn smaller "The polynomial of the smaller of two." [p q] (minus p (positive (minus p q))))

(defn- divided-by-term
  "p / (c · factors)."
  [p [factors c]]
  (times-term p (mapv (fn [f] (if (inverse? f) (nth f 2) [:/ 1 f])) factors) (/ 1 c)))

(defn- leading [p] (first (sort compare-terms p)))

(defn- long-division
  "The polynomial p / q when q divides it, else nil."
  [p q]
  (loop [p p, out {}, steps (* 4 (inc (count p)))]
    (cond (empty? p) out
          (zero? steps) nil
          :else (let [t (divided-by-term (conj {} (leading p)) (leading q))]
                  (when-not (some inverse? (ffirst t))
                    (recur (minus p (times t q)) (plus out t) (dec steps)))))))

(defn divided
  "The polynomial of the exact quotient p / q; q is not 0."
  [p q]
  (if (= 1 (count q))
    (divided-by-term p (first q))
    (or (long-division p q)
        (times-term p [[:/ 1 (to-dim q)]] 1))))

(defn- reduced
  "The polynomial with quotients by sums carried out where they leave no remainder."
  [p]
  (let [sum-of? #(and (inverse? %) (vector? (nth % 2)) (#{:+ :-} (first (nth % 2))))]
    (if-let [f (first (filter sum-of? (mapcat key p)))]
      (let [{over true, others false} (group-by #(boolean (some #{f} (key %))) p)
            over (into {} (map (fn [[fs c]] [(without fs f) c])) over)]
        (if-let [q (long-division over (of-dim (nth f 2)))]
          (recur (plus q (into {} others)))
          p))
      p)))

(defn whole?
  "Has a polynomial no fractions, in coefficients or factors?"
  [p]
  (and (every? integer? (vals p)) (not-any? inverse? (mapcat key p))))

(defn- folded-quotient
  "⌊p / k⌋ for an integer k: the terms that k divides come out, a quotient of a quotient is one."
  [p k]
  (let [{out true, in false} (group-by #(zero? (mod (val %) k)) p)
        out (scale (/ 1 k) (into {} out)), in (into {} in)
        [[f & more :as factors] c] (first (filter (comp vector? ffirst) in))
        inner? (and f (nil? more) (= 1 c) (= :quot (nth f 0)) (integer? (nth f 2))
                    (<= 0 (or (constant (dissoc in factors)) -1))
                    (<= (*' k (nth f 2)) Integer/MAX_VALUE))]
    (cond (some neg? (vals in)) (factor-of [:quot (to-dim p) k])
          (constant in) (plus out (into {} (remove (comp zero? val)) {[] (quot (constant in) k)}))
          inner? (plus out (folded-quotient
                            (plus (of-dim (nth f 1)) (scale (nth f 2) (dissoc in factors)))
                            (* k (nth f 2))))
          :else (plus out (factor-of [:quot (to-dim in) k])))))

(defn quotient
  "The polynomial of ⌊p / q⌋ of what is ≥ 0; q is not 0."
  [p q]
  (let [exact (divided p q), k (constant q)]
    (cond (whole? exact) exact
          (and k (integer? k) (whole? p)) (folded-quotient p k)
          :else (factor-of [:quot (to-dim p) (to-dim q)]))))

;; ## Dims

(defn of-dim
  "The polynomial of a dim; one that `to-dim` made carries it along, so that what is nested deep is
  not worked out again at each level."
  [d]
  (cond (::poly (meta d)) (::poly (meta d))
        (integer? d) (if (zero? d) {} {[] d})
        (symbol? d) {[d] 1}
        :else (let [[op & ds] d, [p q :as ps] (map of-dim ds)]
                (case op
                  :+ (reduce plus {} ps)
                  :* (reduce times {[] 1} ps)
                  :- (minus p q)
                  :max (reduce larger ps)
                  :min (reduce smaller ps)
                  :quot (if (empty? q) (fail! :damo.poly/zero-divisor "division by 0" {:dim d})
                          (quotient p q))
                  :/ (if (empty? q) (fail! :damo.poly/zero-divisor "division by 0" {:dim d})
                       (divided p q))
                  :mod (factor-of [:mod (to-dim p) (to-dim q)])))))

(defn- term [[factors c]]
  (cond (empty? factors) c
        (= c 1) (if (next factors) (into [:*] factors) (first factors))
        :else (into [:* c] factors)))

(defn- sum-of [p]
  (let [terms (mapv term (sort compare-terms p))]
    (case (count terms) 0 0, 1 (first terms), (into [:+] terms))))

(defn- sums
  "The dim of a polynomial with its positive terms before its negative ones."
  [p]
  (let [{pos true, neg false} (group-by (comp pos? val) p)]
    (cond (constant p) (constant p)
          neg [:- (sum-of pos) (sum-of (scale -1 neg))]
          :else (sum-of pos))))

(defn- ordered [op a b]
  (into [op] (sort-by (juxt (complement integer?) pr-str) [a b])))

(defn- holds?
  "Are all terms of q part of p?"
  [p q]
  (every? (fn [[f c]] (<= c (get p f 0))) q))

(defn- shorter
  "[others dim] of a polynomial, `others` and -max(0, b): with max(0, a) among the others and a
  number k = a - b that is min(k, max(0, a)), else nil."
  [others b]
  (some (fn [[[f & more :as factors] c]]
          (when (and (= 1 c) f (nil? more) (vector? f) (= :max (nth f 0)))
            (let [k (constant (minus (of-dim (nth f 2)) b))]
              (when (and k (pos? k)) [(dissoc others factors) [:min k f]]))))
        others))

(defn- as-extreme
  "[others dim] of a polynomial, `others` and a positive part: max(0, a) or the larger or smaller of
  two dims, whichever says it in the fewest terms."
  [others c a]
  (let [{pos true, neg false} (group-by (comp pos? val) a)
        u (into {} pos), v (scale -1 neg), turned (scale -1 a)]
    (cond (and (= -1 c) (holds? others u)) [(minus others u) (ordered :min (sums u) (sums v))]
          (= -1 c) (shorter others a)
          (not= 1 c) nil
          (and (seq (filter (comp neg? val) others)) (nonnegative? (plus others a)))
          [(plus others a) [:max 0 (sums turned)]]
          (and (seq v) (holds? others v)) [(minus others v) (ordered :max (sums u) (sums v))])))

(defn- over
  "What the terms that these factors divide are over them and a number, those that come out even."
  [p factors k]
  (into {} (for [[fs c] p
                 :let [more (reduce #(when %1 (without %1 %2)) fs factors)]
                 :when (and more (integer? c) (zero? (mod c k)))]
             [more (quot c k)])))

(defn- positive-part? [f] (and (vector? f) (= :max (nth f 0)) (= 0 (nth f 1))))

(defn- with-extreme
  "The polynomial with a positive part of a term written as `as-extreme` has it, as a factor beside
  the others of the term; itself where it has no better form. What stands beside it may be taken off
  as well as added: -(n · max(0, m - 1)) of a product of two smaller ones."
  [p [factors c]]
  (or (when (and (integer? c) (= c (get p factors)))
        (first (for [f (filter positive-part? factors), :let [beside (without factors f)]
                     k (cond-> [(abs c)] (seq beside) (conj (- (abs c))))
                     :let [others (over (dissoc p factors) beside k)
                           [more d] (as-extreme others (quot c k) (of-dim (nth f 2)))
                           scaled #(times % {beside k})]
                     :when d]
                 (-> (dissoc p factors) (minus (scaled others))
                     (plus (scaled (plus more (factor-of d))))))))
      p))

(defn- with-extremes
  "The polynomial with positive parts written as `with-extreme` has them."
  [p]
  (if (some positive-part? (mapcat key p))
    (loop [p p, times-left 4]
      (let [q (reduce with-extreme p (sort compare-terms p))]
        (if (or (= p q) (zero? times-left)) q (recur q (dec times-left)))))
    p))

(defn- denominator
  "The least polynomial whose product with p has no fractions."
  [p]
  (let [lcm (fn [a b] (/ (* a b) (.gcd (biginteger a) (biginteger b))))
        under #(if (ratio? %) (clj/denominator %) 1)
        least (number (bigint (reduce lcm 1 (map under (vals p)))))
        most (reduce (fn [m fs] (merge-with max m (frequencies (filter inverse? fs)))) {} (keys p))]
    (reduce times {[] least}
            (for [[[_ _ d] k] most, _ (range k)] (of-dim d)))))

(defn- fraction? [[factors c]]
  (or (not (integer? c)) (some inverse? factors)))

(defn- as-dim [p]
  (if (some fraction? p)
    (let [{part true, others false} (group-by (comp boolean fraction?) p)
          part (into {} part), under (denominator part)
          q [:/ (to-dim (times part under)) (to-dim under)]]
      (sums (with-extremes (plus (into {} others) (factor-of q)))))
    (sums (with-extremes p))))

(defn to-dim
  "The dim of a polynomial; an integer may be negative."
  [p]
  (let [p (if (every? (comp empty? key) p) p (reduced p)), d (as-dim p)]
    (if (vector? d) (with-meta d {::poly p}) d)))

(defn anew
  "The dim in normal form, worked out from the dims that it is made of, by what is known now."
  [d]
  (letfn [(bare [d] (if (vector? d) (mapv bare d) d))]
    (to-dim (of-dim (bare d)))))
