(ns damo.data.type
  "Types of expressions: [dtype [dim …]], for instance [:f32 [n 784]]; promotion, symbolic
  dimensions, broadcasting. A dim is an integer, a symbol, or a sum, product, quotient … of dims in
  one normal form, so that equal dims are equal values: (dim+ 'n 'm) = (dim+ 'm 'n) = [:+ m n]."
  (:require [damo.data.fail :as fail :refer [fail!]]
            [damo.data.poly :as poly])
  (:import [damo Limits]))

(set! *warn-on-reflection* true)

;; ## Dtypes

(def dtypes
  "The element types, by kind, narrow to wide. Floats have :digits significant bits and the smallest
  normal value 2^:least. What has a :computed dtype is so in memory only: its values are computed in
  that one and rounded."
  {:bool  {:kind :bool, :bytes 1}
   :u8    {:kind :int, :bytes 1, :lo 0, :hi 255}
   :i8    {:kind :int, :bytes 1, :lo -128, :hi 127}
   :i16   {:kind :int, :bytes 2, :lo -32768, :hi 32767}
   :i32   {:kind :int, :bytes 4, :lo Integer/MIN_VALUE, :hi Integer/MAX_VALUE}
   :i64   {:kind :int, :bytes 8, :lo Long/MIN_VALUE, :hi Long/MAX_VALUE}
   :f16   {:kind :float, :bytes 2, :digits 11, :least -14, :hi 65504.0, :computed :f32}
   :bf16  {:kind :float, :bytes 2, :digits 8, :least -126, :hi 3.3895313892515355E38
           :computed :f32}
   :f32   {:kind :float, :bytes 4, :digits 24, :least -126, :hi (double Float/MAX_VALUE)}
   :f64   {:kind :float, :bytes 8, :digits 53, :least -1022, :hi Double/MAX_VALUE}})

(defn dtype?
  "Is x the keyword of an element type?"
  [x]
  (contains? dtypes x))

(defn float-dtype? "Is it a dtype of floats, :f16 :bf16 :f32 or :f64?" [dtype]
  (= :float (:kind (dtypes dtype))))

(defn computed
  "The dtype in which values of `dtype` are computed: :f32 for the storage dtypes :f16 and :bf16,
  else itself."
  [dtype]
  (:computed (dtypes dtype) dtype))

(defn storage-dtype? "Is it :f16 or :bf16, a dtype of memory alone?" [dtype]
  (contains? (dtypes dtype) :computed))

(defn int-dtype? "Is it an integer dtype? (:bool is not.)" [dtype] (= :int (:kind (dtypes dtype))))

(defn- promote-floats
  "The narrowest float dtype that holds both; neither :f16 nor :bf16 holds the other."
  [a b]
  (let [[narrow wide] (sort-by (comp :bytes dtypes) [a b])]
    (if (= (:bytes (dtypes narrow)) (:bytes (dtypes wide))) :f32 wide)))

(defn- promote-ints
  "The narrowest signed dtype that holds both."
  [a b]
  (let [[narrow wide] (sort-by (comp :bytes dtypes) [a b])]
    (if (= (:bytes (dtypes narrow)) (:bytes (dtypes wide))) :i16 wide)))

(defn- float-for
  "The narrowest float dtype, from `float` on, that holds every integer of `int`; :f64 for :i64."
  [int float]
  (case (long (:bytes (dtypes int)))
    1 float
    2 (promote-floats :f32 float)
    :f64))

(defn promote
  "The dtype of an operation on these two, as NumPy has it: the narrowest that holds all values of
  both, and :f64 for a float with :i32 or :i64. docs/dtypes.md has the table. (promote :i16 :f16) =
  :f32, (promote :f16 :bf16) = :f32."
  [a b]
  (let [ka (:kind (dtypes a)), kb (:kind (dtypes b))]
    (cond (= a b)           a
          (= ka :bool)      b
          (= kb :bool)      a
          (= ka kb :float)  (promote-floats a b)
          (= ka kb :int)    (promote-ints a b)
          (= ka :float)     (float-for b a)
          :else             (float-for a b))))

(defn float-of
  "The floating dtype that a function such as exp gives for this dtype: a float's own, :f32 for
  integers that it holds, :f64 for wider ones; never one of less than 32 bits of itself."
  [dtype]
  (cond (float-dtype? dtype) dtype
        (< (long (:bytes (dtypes dtype))) 4) :f32
        :else :f64))

(defn- holds-float? [{:keys [digits least hi]} from]
  (and (<= (:digits from) digits) (<= least (:least from)) (<= (:hi from) hi)))

(defn- significant-bits
  "The bits that the integers of a dtype take, without the sign."
  [{:keys [bytes lo]}]
  (- (* 8 bytes) (if (neg? lo) 1 0)))

(defn holds?
  "Does dtype `to` hold every value of dtype `from` exactly? (holds? :f32 :bf16) but not (holds?
  :bf16 :f16)."
  [to from]
  (let [{kf :kind :as f} (dtypes from), {kt :kind :as t} (dtypes to)]
    (cond (= from to)       true
          (= kt :bool)      false
          (= kf :bool)      true
          (= kf kt :float)  (holds-float? t f)
          (= kt :float)     (<= (significant-bits f) (:digits t))
          (= kf :float)     false
          :else             (<= (:lo t) (:lo f) (:hi f) (:hi t)))))

(defn weak
  "The dtype of a Clojure number or boolean beside operands of `dtype` (nil: none): the partner's
  when its kind can hold it."
  [x dtype]
  (cond (boolean? x)                   (or dtype :bool)
        (integer? x)                   (if (or (nil? dtype) (= dtype :bool)) :i64 dtype)
        (and dtype (float-dtype? dtype)) dtype
        :else                          :f64))

;; The type of what is computed from nothing but Clojure numbers, or from them and extents, says so
;; in its meta data: such a weak type is equal to the other, and gives way to it.

(defn weakened
  "The type, made of :numbers alone or of numbers and :extents; nil: a type like any other."
  [type made-of]
  (if (or made-of (meta type)) (with-meta type (when made-of {::made-of made-of})) type))

(defn made-of
  "What the value of a weak type is made of, :numbers or :extents; nil for other types."
  [type]
  (::made-of (meta type)))

(defn beside
  "The dtype that a weak type has beside operands of `dtype` (nil: none), as `weak` has it for
  numbers. An extent stays :i64 beside integers of less than 32 bits, which might not hold it."
  [[own :as type] dtype]
  (case (:kind (dtypes own))
    :bool (or dtype own)
    :int (cond (contains? #{nil :bool} dtype) own
               (float-dtype? dtype) dtype
               (and (= :extents (made-of type)) (< (long (:bytes (dtypes dtype))) 4)) own
               :else dtype)
    (if (and dtype (float-dtype? dtype)) dtype (if dtype (promote :f64 own) own))))

;; ## Dimensions
;; Their normal form, by way of polynomials, is that of damo.data.poly.

(defn- fits-long! [d]
  (when (and (integer? d) (not (<= 0 d Long/MAX_VALUE)))
    (fail! :damo.type/bad-dimension
           (str "a dimension must lie between 0 and 2^63-1; this one comes to " d)
      {:dim d}))
  d)

(defn- monomial
  "The product of integers and symbols, which needs no polynomial."
  [ds]
  (let [c (reduce *' (filter integer? ds))]
    (poly/to-dim (poly/scale c {(vec (sort (filter symbol? ds))) 1}))))

(defn- combined
  "The sum or product of dims; `unit` is the dim that changes nothing. Most calls see integers or
  one symbol only, and need no polynomial."
  [op unit f ds]
  (let [ds (filterv #(not (= unit %)) ds)]
    (cond (every? integer? ds) (apply f ds)
          (and (= 1 (count ds)) (symbol? (nth ds 0))) (nth ds 0)
          (and (= op :*) (every? #(or (symbol? %) (nat-int? %)) ds)) (monomial ds)
          :else (poly/to-dim (poly/of-dim (into [op] ds))))))

(defn dim+ "The sum of dims, in normal form." [& ds] (fits-long! (combined :+ 0 +' ds)))

(defn dim* "The product of dims, in normal form." [& ds] (fits-long! (combined :* 1 *' ds)))

(defn dim- "The difference of two dims, in normal form." [a b]
  (fits-long! (poly/to-dim (poly/of-dim [:- a b]))))

(defn- fits-signed! [d]
  (when (and (integer? d) (not (<= Long/MIN_VALUE d Long/MAX_VALUE)))
    (fail! :damo.type/bad-dimension (str "the distance between elements comes to " d
                                     ", which 64 bits do not hold")
           {:dim d}))
  d)

(defn signed+ "As dim+ of offsets and strides, which may be negative." [& ds]
  (fits-signed! (combined :+ 0 +' ds)))

(defn signed* "As dim* of offsets and strides, which may be negative." [& ds]
  (fits-signed! (combined :* 1 *' ds)))

(defn negative?
  "Is an offset or stride negative for certain, for dims that are at least 1?"
  [d]
  (or (and (integer? d) (neg? d))
      (and (vector? d) (= [:- 0] (subvec d 0 2)))))

(defn at-most?
  "Is a dim (an offset, a stride) at most another for all values of the dims, as far as their
  difference shows?"
  [a b]
  (if (and (integer? a) (integer? b))
    (<= a b)
    (poly/nonnegative? (poly/of-dim [:- b a]))))

(defn- check-divisor [a b]
  (when (= b 0)
    (fail! :damo.type/bad-dimension
           (str "division of the dimension " (pr-str a) " by 0") {:dim a})))

(defn dim-quot
  "The dim a / b rounded down; exact division of products is carried out: (dim-quot [:* 4 n] n) =
  4."
  [a b]
  (check-divisor a b)
  (if (and (integer? a) (integer? b)) (quot a b) (poly/to-dim (poly/of-dim [:quot a b]))))

(defn dim-div
  "The dim a / b, which must come out even: (dim-div [:* 4 n] n) = 4, (dim-div n 4) = [:/ n 4], of
  which a call checks that nothing remains. Fails when that is plain already."
  [a b]
  (check-divisor a b)
  (let [p (poly/of-dim [:/ a b])]
    (when (ratio? (poly/constant p))
      (fail! :damo.type/bad-dimension (str (pr-str b) " does not divide the dimension " (pr-str a))
             {:dim a, :divisor b}))
    (poly/to-dim p)))

(defn quotients
  "The exact quotients [:/ a b] in a dim, or in attributes that hold dims."
  [x]
  (filter #(and (vector? %) (= :/ (first %)) (= 3 (count %))) (tree-seq coll? seq x)))

(defn dim-max "The larger of two dims." [a b]
  (if (and (integer? a) (integer? b)) (max a b) (poly/to-dim (poly/of-dim [:max a b]))))

(defn dim-min "The smaller of two dims." [a b]
  (if (and (integer? a) (integer? b)) (min a b) (poly/to-dim (poly/of-dim [:min a b]))))

(defn size
  "The number of elements of a shape, as a dim."
  [shape]
  (apply dim* shape))

(defn dim-symbols
  "The set of symbols that a dim mentions."
  [d]
  (cond (symbol? d) #{d}, (vector? d) (into #{} (mapcat dim-symbols) (rest d)), :else #{}))

(defn- applied
  "The operation of the dim d on numbers."
  [op xs d]
  (case op
    :+ (apply +' xs), :* (apply *' xs), :- (apply -' xs)
    :quot (apply quot xs), :mod (apply mod xs), :max (apply max xs), :min (apply min xs)
    :/ (let [[a b] xs]
         (when-not (zero? (rem a b))
           (fail! :damo.type/bad-dimension (str b " does not divide " a ", the value of "
                                            (pr-str (second d)))
                  {:dim d, :given a, :divisor b}))
         (quot a b))))

(defn substitute
  "The dim with symbols replaced as {symbol dim} says, in normal form."
  [dims d]
  (cond (symbol? d) (get dims d d)
        (vector? d) (let [all (into [(first d)] (map #(substitute dims %)) (rest d))]
                      (if (= all d) d (fits-long! (poly/to-dim (poly/of-dim all)))))
        :else d))

(defn dim-value
  "The integer that a dim is when its symbols have the values of `env`; overflow and negative
  results fail."
  ^long [env d]
  (letfn [(v [d]
            (cond (integer? d) d
                  (symbol? d) (or (env d)
                               (fail! :damo.type/unbound-dimension
                                      (str "the dimension " d " has no value")
                                      {:dim d :env env}))
                  :else (let [[op & ds] d, xs (map v ds)]
                          (if (and (#{:quot :/ :mod} op) (< (second xs) 1))
                            (check-divisor d 0)
                            (applied op xs d)))))]
    (long (fits-long! (v d)))))

;; ## Types

(def dim-ops
  "The operations of dims, as docs/program.md has them, and how many operands they take; :/ is the
  quotient that must come out even."
  {:+ :many, :* :many, :- 2, :quot 2, :/ 2, :max 2, :min 2})

(defn- operands? [op operands]
  (if (= :many (dim-ops op)) (seq operands) (= (dim-ops op) (count operands))))

(defn dim?
  "Is d a dim, an integer of at least 0, a symbol or arithmetic on dims?"
  [d]
  (or (and (integer? d) (<= 0 d Long/MAX_VALUE))
      (symbol? d)
      (and (vector? d) (operands? (first d) (rest d)) (every? dim? (rest d)))))

(defn symbols
  "The set of symbols of dims that a type mentions."
  [[_ shape :as type]]
  (into #{} (filter symbol?) (if (some coll? shape) (tree-seq vector? seq type) shape)))

(defn type?
  "Is x a type, [dtype [dim …]]?"
  [x]
  (and (vector? x) (= 2 (count x)) (dtype? (first x)) (vector? (second x))
    (every? dim? (second x))))

(defn check-rank
  "The type itself; fails when it has more axes than arrays may have."
  [[_ shape :as type]]
  (when (< (.most Limits/RANK) (count shape))
    (fail! :damo.type/too-many-axes
           (str "an array has at most " (.most Limits/RANK) " axes; this one has "
            (count shape))
           {:rank (count shape), :most (.most Limits/RANK)}))
  type)

(defn check
  "The type itself; fails with advice when it is none."
  [x]
  (when-not (type? x)
    (fail! :damo.type/bad-type
           (str "a type looks like [:f32 [n 784]]: a dtype of " (vec (sort (keys dtypes)))
                " and a vector of dimensions, integers or symbols; got " (pr-str x)
                (when (and (vector? x) (vector? (second x))
                           (some #(and (vector? %) (not (dim? %))) (second x)))
                  (str "; arithmetic on dims is [:+ …], [:* …], [:- a b], [:quot a b], [:/ a b],"
                       " [:max a b] or [:min a b]")))
           {:given x}))
  (check-rank x))

(defn as-shape
  "What a user gives as a shape, a vector of dims or one dim, as a vector; fails when it is none."
  [x]
  (let [shape (if (sequential? x) (vec (take 65 x)) [x])]
    (when-not (and (every? dim? shape) (< (count shape) 65))
      (fail! :damo.type/bad-shape
             (str "a shape is a vector of dims, integers of at least 0 or symbols,"
              " [n 784]; got " (fail/value-text x))
             {:given x}))
    shape))

(defn dtype-of "The dtype of a type." [[dtype _]] dtype)

(defn shape-of "The vector of dims of a type." [[_ shape]] shape)

(defn rank-of "The number of axes of a type." [[_ shape]] (count shape))

(defn unify-dims
  "The common dim of two that must agree; fails otherwise. `what` says which dims they are, for the
  message."
  [what a b]
  (if (= a b)
    a
    (fail! :damo.type/shape-mismatch
           (str what ": " (pr-str a) " and " (pr-str b) " differ")
           {:expected a, :given b})))

(defn broadcast-dims
  "The dim of an axis where two operands have a and b: equal, or one of them 1."
  [axis a b]
  (cond (= a b) a, (= a 1) b, (= b 1) a
        :else (unify-dims (str "axis " axis " does not broadcast") a b)))

(defn broadcast-shapes
  "The shape that these shapes broadcast to, as NumPy has it: aligned at the last axis, an axis of 1
  stretches."
  [& [shape & more :as shapes]]
  (if (every? #(= shape %) more)
    (or shape [])
    (let [rank (reduce max 0 (map count shapes))
          padded (map #(into (vec (repeat (- rank (count %)) 1)) %) shapes)]
      (vec (for [axis (range rank)]
             (reduce (partial broadcast-dims axis) 1 (map #(nth % axis) padded)))))))

(defn axis-index
  "The axis as a number 0 … rank-1; negative ones count from the end. Fails when there is no such
  axis."
  [rank axis]
  (when-not (and (integer? axis) (< (- (inc rank)) axis rank) (<= (- rank) axis))
    (fail! :damo.type/bad-axis (str "axis " (pr-str axis) " does not exist: there are " rank
                                " axes, numbered 0 to " (dec rank) " or -1 to " (- rank))
           {:axis axis, :rank rank}))
  (if (neg? axis) (+ rank axis) axis))

(defn axis-indices
  "Sorted distinct axes from nil (all), an integer or a sequence of integers; fails on a duplicate
  or a missing axis."
  [rank axes]
  (let [axes (cond (nil? axes) (range rank), (integer? axes) [axes], :else axes)
        indices (mapv (partial axis-index rank) axes)]
    (when-not (or (empty? indices) (apply distinct? indices))
      (fail! :damo.type/bad-axis (str "an axis is named twice in " (pr-str axes)) {:axes axes}))
    (vec (sort indices))))
