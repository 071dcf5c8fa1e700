(ns damo.data.points
  "Polynomials of dims at points: numbers in the place of names. What is negative at one of them is
  not ≥ 0 for all values, which is told much faster so than by a search for a proof.")

(set! *warn-on-reflection* true)

(def ^:private how-many 12)

(defn- whole
  "A rounded operation of numbers it is meant for, whole ones, a ≥ 0 and b > 0; else NaN, as is all
  that is made of it."
  [f a b]
  (let [a (double a), b (double b)]
    (if (and (<= 0.0 a) (< 0.0 b) (= a (Math/floor a)) (= b (Math/floor b)))
      (double (f a b))
      ##NaN)))

(defn- value-of
  "The value of a dim whose names have the values `at` gives them, a double; NaN where it has none."
  [d at]
  (cond (symbol? d) (at d)
        (vector? d) (let [[op & ds] d, [a b :as values] (map at ds)]
                      (case op
                        :+ (reduce + values)
                        :* (reduce * values)
                        :max (reduce max values)
                        :min (reduce min values)
                        :- (- (double a) (double b))
                        :/ (if (zero? (double b)) ##NaN (/ (double a) (double b)))
                        :quot (whole quot a b)
                        :mod (whole mod a b)))
        :else (double d)))

(defn- point
  "The i-th point, a function of dims: names are > 0, up to 3, 10 or 1000."
  [i]
  (let [seen (volatile! {}), most ([3 10 1000] (mod i 3))]
    (fn at [d]
      (or (@seen d)
          (let [v (if (symbol? d)
                    (double (inc (mod (hash [i d]) most)))
                    (value-of d at))]
            (vswap! seen assoc d v)
            v)))))

(defn within
  "Points that satisfy what is known of names: {name {:least [dim …] :most [dim …]}}. A point is a
  function from dims to doubles."
  [bounds]
  (filterv (fn [at]
             (every? (fn [[n {:keys [least most]}]]
                       (let [v (double (at n))]
                         (and (every? #(<= (double (at %)) v) least)
                              (every? #(<= v (double (at %))) most))))
                     bounds))
           (map point (range how-many))))

(defn negative-at?
  "Is a polynomial, {factors coefficient}, certainly negative at a point? Fractions are rounded:
  numbers just below 0 are not."
  [p at]
  (< (double (reduce-kv (fn [sum factors c]
                          (+ (double sum) (double (reduce * (double c) (map at factors)))))
                        0.0 p))
     -0.01))
