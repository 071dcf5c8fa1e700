(ns damo.ops.linalg.expm
  "Exponentials of matrices, by scaling, a Padé approximation of degree 13 and squaring: Higham, The
  scaling and squaring method for the matrix exponential revisited, 2005. How often to square is
  decided by the norm when the function runs, for each matrix of a batch."
  (:require [damo.matrix.base :as base]
            [damo.op :refer [defop]]
            [damo.op.body :as body]
            [damo.op.typing :as typing]
            [damo.ops.linalg.forms :as forms]
            [damo.ops.region.loop]))

(set! *warn-on-reflection* true)

;; ## Meaning

(defn- norm-1 ^double [a n]
  (reduce max 0.0 (map (fn [j] (reduce + 0.0 (map #(abs (base/at a n % j)) (range n)))) (range n))))

(defn- combined [^doubles a ^doubles b by]
  (double-array (map (fn [x y] (+ (double x) (* (double by) (double y)))) a b)))

(defn- taylor
  "The exponential of a matrix of norm below 1 by its series."
  [a n]
  (loop [k 1, term (base/identity n), sum (base/identity n)]
    (if (< 24 k)
      sum
      (let [next-one (base/times term n n a n)
            term (combined (double-array (* (long n) (long n))) next-one (/ 1.0 k))]
        (recur (inc k) term (combined sum term 1.0))))))

(defn- exponential [a n]
  (let [norm (norm-1 a n)]
    (if-not (< norm ##Inf)
      (base/nan (* (long n) (long n)))
      (let [s (max 0 (+ 2 (Math/getExponent norm)))
            small (double-array (map #(Math/scalb (double %) (int (- s))) a))]
        (nth (iterate #(base/times % n n % n) (taylor small n)) s)))))

;; ## As other ops

(def ^:private coefficients
  "Of the powers 0 to 13 of the Padé approximation's numerator, over the first."
  (mapv #(/ (double %) 64764752532480000.0)
        [64764752532480000 32382376266240000 7771770303897600 1187353796428800 129060195264000
         10559470521600 670442572800 33522128640 1323241920 40840800 960960 16380 182 1]))

(def ^:private largest
  "The norm up to which the approximation is exact to rounding in :f64."
  5.371920351148152)

(defn- polynomial
  "The template of the sum of the coefficients at ks times the templates ts."
  [dtype ks ts]
  (reduce (fn [a b] [:add a b])
          (map (fn [k t] [:mul (typing/const dtype (coefficients k)) t]) ks ts)))

(defn- approximation
  "The template of the approximation of exp a, of a small matrix a of that dtype."
  [dtype n a]
  (let [a2 [:matmul a a], a4 [:matmul a2 a2], a6 [:matmul a4 a2], one (forms/unit dtype n)
        high (fn [ks] [:matmul a6 (polynomial dtype ks [a6 a4 a2])])
        low (fn [ks] (polynomial dtype ks [a6 a4 a2 one]))
        u [:matmul a [:add (high [13 11 9]) (low [7 5 3 1])]]
        v [:add (high [12 10 8]) (low [6 4 2 0])]]
    [:solve [:sub v u] [:add v u]]))

(defn- squarings
  "The template, [… 1 1] :i64, of how often matrices a, of that rank, are halved and squared; 0
  where the norm is not finite."
  [dtype rank a]
  (let [columns [:sum {:axis (- rank 2), :keepdims true} [:abs a]]
        ;; a zero in front, for a matrix without columns has no largest one
        none [:sum {:axis (dec rank), :keepdims true} [:mul 0 columns]]
        norm [:max {:axis (dec rank), :keepdims true}
              [:concatenate {:axis (dec rank)} none columns]]
        ;; not of 0, whose logarithm is infinite
        s [:ceil [:log2 [:maximum (typing/const dtype 1e-30)
                         [:mul (typing/const dtype (/ 1.0 largest)) norm]]]]]
    [:cast {:dtype :i64} [:where [:logical-and [:isfinite norm] [:gt norm largest]] s 0]]))

(defn- squaring
  "The attributes of the loop that squares matrices of that type round after round, those of which
  more squarings are due than rounds were made, until none are."
  [[dtype shape :as type]]
  (let [due [:i64 (conj (pop (pop shape)) 1 1)], number [:i64 []]]
    {:until true, :unless 3, :carries [0], :results [[0 1]]
     :params [[:carry 0 0] [:all 1] [:turn] [:all 2]]
     :body (:body (body/closed
                   {:nodes [(body/param 0 type) (body/param 1 due) (body/param 2 number)
                            (body/param 3 number) [:matmul {} 0 0] [:lt {} 2 1] [:where {} 5 4 0]
                            [:const {:type number, :value 1}] [:add {} 2 7] [:ge {} 8 3]]
                    :types [type due number number type [:bool (second due)] type number number
                            [:bool []]]
                    :outputs [6 9]}))}))

(defn- expm-template [{[[dtype shape :as type]] :types}]
  (let [rank (count shape), n (peek shape), s (squarings dtype rank '?a)
        top [:max [:concatenate {:axis 0} [:reshape {:shape [-1]} s] (typing/filled :i64 [1] 0)]]
        by [:exp2 [:neg [:cast {:dtype dtype} s]]]]
    [:squeeze {:axis [0]}
     [:part {:at 0}
      [:loop (squaring type) [:expand-dims {:axis [0]} (approximation dtype n [:mul by '?a])]
       s top [:le top 0]]]]))

;; ## Ops

(defn- square-type [_ [type]] (forms/check-square type) type)

(def ^:private matrices
  (forms/of-matrices forms/random-matrices
                     (fn [n] (let [n (min 2 n)] [[{} [n n]] [{} [2 n n]]]))))

(defop expm-frechet
  "The derivative of exp a along e, for square matrices a and e: the upper right block of the
  exponential of [[a e] [0 a]]."
  {:kind :composite, :args [?a ?e], :matrices #{0 1}, :attrs {}, :coerce [0 1]
   :internal "derivatives of expm"
   :type (fn [_ [a e]]
           (square-type nil [a])
           (typing/unify-shapes "e is like a" (second a) (second e))
           a)
   :batch {}
   :expand (fn [{[[dtype shape]] :types}]
             (let [rank (count shape), n (peek shape), right (dec rank), down (- rank 2)
                   all [:concatenate {:axis down}
                        [:concatenate {:axis right} ?a ?e]
                        [:concatenate {:axis right} (typing/filled dtype shape 0) ?a]]]
               (forms/last-columns rank n (if (integer? n) (* 2 n) [:* 2 n])
                                   (forms/first-rows rank n [:expm all]))))
   :gen (forms/beside (fn [ctx dtype shape _] (forms/random-matrices ctx dtype shape))
                      (fn [n] (let [n (min 2 n)] [[{} [n n] [n n]] [{} [2 n n] [2 n n]]])))
   :examples [[[:expm-frechet [:zeros {:shape [1 1]}] [:ones {:shape [1 1]}]] [[1.0]]]]})

(defop expm
  "The exponentials of square matrices [… n n], Σ aᵏ/k!. NaN or infinity in a matrix makes all NaN."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs {}
   :type square-type
   :eval (fn [_ {:keys [shape] :as x}]
           (let [own (vec (take-last 2 shape))]
             (first (base/each (fn [a n _] [(exponential a n)]) [own] x))))
   :expand expm-template, :batch {}
   :lop (fn [{[[_ shape]] :types}] [[:expm-frechet (forms/transposed (count shape) ?a) ?g]])
   :rop [:expm-frechet ?a ?da]
   :gen matrices
   :examples [[[:expm [:zeros {:shape [2 2]}]] [[1.0 0.0] [0.0 1.0]]]]})
