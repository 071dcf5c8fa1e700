(ns damo.compile.lower.ranks
  "Sorts of lines of keys of 64 bits, stably and with their places. Short lines: the rank of each
  element is the number of those before it in order, counted by loops that are vectorised. Long
  ones: a radix sort of the keys from the lowest digit on, in O(n) for each of six digits.
  (statements line), a line as damo.compile.lower.keys has it; (memory n) is its scratch memory."
  (:require [damo.compile.lower :as lower]
            [damo.compile.lower.keys :as keys]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(def ^:private digit-bits "Bits of a radix digit: the counts of 2^11 fit the cache." 11)
(def ^:private radix (bit-shift-left 1 digit-bits))
(def ^:private passes "How many digits a key has." 6)

(def ^:private short-line
  "The longest line that is sorted by ranks, which take n² steps of vectors. Measured with AVX-512:
  there both ways take as long."
  384)

(defn- unsigned
  "The key with its bits such that digits are ordered as natural numbers; its own inverse."
  [k]
  [:xor k [:const :i64 Long/MIN_VALUE]])

(defn- rank-statements [{:keys [cx n in keys] :as line}]
  [(keys/loop-over line n (fn [body i] (lower/emit! body [:store keys i (in body i)])))
   (keys/loop-over
    line n
    (fn [body i]
      (let [k (keys/named cx body "v" [:load keys i]), rank (lower/fresh cx "a")
            counted (fn [extent from test]
                      (keys/loop-over line extent
                                      (fn [inner j]
                                        (let [other [:load keys (type/dim+ from j)]]
                                          (lower/emit! inner [:acc :add rank
                                                              [:cast :i32 [test other k]]])))))]
        (lower/emit! body [:var rank [:const :i32 0]])
        (lower/emit! body (counted i 0 :le))
        (lower/emit! body (counted [:- [:- n 1] i] (type/dim+ i 1) :lt))
        (keys/write! line body (keys/checked! line body [:cast :i64 rank] n) (constantly k) i))))])

(defn- digit [u p]
  (let [shifted (if (zero? p) u [:shr u [:const :i64 (* p digit-bits)]])]
    [:and shifted [:const :i64 (dec radix)]]))

(defn- count-statements
  "Keys to memory, and for each pass where the first element of each digit belongs."
  [{:keys [cx n in keys counts] :as line}]
  (let [at (fn [p d] (type/dim+ (* p radix) d)), one [:const :i64 1], zero [:const :i64 0]
        ps (range passes)]
    (into
     [(keys/loop-over line (* (count ps) radix)
                      (fn [body i] (lower/emit! body [:store counts i zero])))
      (keys/loop-over line n
                      (fn [body i]
                        (let [u (keys/named cx body "v" (unsigned (in body i)))]
                          (lower/emit! body [:store keys i u])
                          (doseq [p ps :let [d (keys/checked! line body (digit u p) radix)]]
                            (lower/emit! body [:store counts (at p d)
                                               [:add [:load counts (at p d)] one]])))))]
     (mapcat (fn [p]
               (let [sum (lower/fresh cx "a")]
                 [[:var sum zero]
                  (keys/loop-over line radix
                                  (fn [body d]
                                    (let [c (keys/named cx body "v" [:load counts (at p d)])]
                                      (lower/emit! body [:store counts (at p d) sum])
                                      (lower/emit! body [:set sum [:add sum c]]))))])))
     ps)))

(defn- pass-statement
  "The pass over digit p of the last but `after`: each element to its place among those with equal
  lower digits."
  [{:keys [cx n index! result keys others places counts] :as line} p after]
  (let [[from to] (if (even? p) [keys others] [others keys]), last? (zero? after)
        own? (odd? after)                   ; indices alternate between `places` and the result
        read-place (fn [i] (cond (zero? p) i, own? (result i), :else [:load places i]))]
    (keys/loop-over
     line n
     (fn [body i]
       (let [u (keys/named cx body "v" [:load from i])
             d (keys/checked! line body (digit u p) radix)
             at (type/dim+ (* p radix) d)
             place (keys/named cx body "v" [:load counts at])
             q (keys/checked! line body place n)]
         (lower/emit! body [:store counts at [:add place [:const :i64 1]]])
         (when-not last? (lower/emit! body [:store to q u]))
         (cond last? (keys/write! line body q #(keys/named cx body "v" (unsigned u))
                                  (read-place i))
               own? (lower/emit! body [:store places q (keys/as-number (read-place i))])
               :else (index! body q (keys/as-number (read-place i)))))))))

(defn- radix-statements [line]
  (into (vec (count-statements line))
        (map (fn [p] (pass-statement line p (- passes p 1))))
        (range passes)))

(defn- short? [n] (and (integer? n) (<= (long n) (long short-line))))

(defn statements
  "The places of a line, sorted, with the elements where these are wanted."
  [{:keys [n] :as line}]
  (let [limit [:const :i64 short-line]]
    (cond (short? n) (rank-statements line)
          (integer? n) (radix-statements line)
          :else [(into [:if [:le [:size n] limit]] (rank-statements line))
                 (into [:if [:gt [:size n] limit]] (radix-statements line))])))

(defn memory
  "{name [dtype size]} of the scratch memory of a line of n."
  [n]
  (cond-> {:keys [:i64 n]}
    (not (short? n)) (assoc :others [:i64 n], :places [:i64 n], :counts [:i64 (* passes radix)])))
