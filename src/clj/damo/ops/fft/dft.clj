(ns damo.ops.fft.dft
  "The discrete Fourier transform of complex lines, real and imaginary parts one behind the other:
  what damo.fft is made of. [:dft {:inverse false} [[1.0 0.0] [0.0 0.0]]] = [[1.0 1.0] [0.0 0.0]]."
  (:require [clojure.math :as math]
            [damo.data.array :as array]
            [damo.data.fail :refer [fail!]]
            [damo.op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

(defn- dft-type [_ [[dtype shape :as type]]]
  (typing/check-dtype :float dtype)
  (when-not (and (<= 2 (count shape)) (= 2 (nth shape (- (count shape) 2))))
    (fail! :damo.op.dft/no-pairs
           (str "the last axes are those of parts, two of them, and of the line; got "
                (pr-str type))
           {:given type}))
  (when (= 0 (peek shape))
    (fail! :damo.op.dft/empty-line "there is no transform of a line without elements"
           {:given type, :try "a line of at least one element"}))
  type)

(defn- root
  "[re im] of e/n of a turn, exact where that is a number of quarters."
  [sign e n]
  (let [e (mod (long e) (long n)), quarters (/ (* 4 e) (long n))
        [c s] (if (integer? quarters)
                (nth [[1.0 0.0] [0.0 1.0] [-1.0 0.0] [0.0 -1.0]] quarters)
                (let [a (/ (* 2.0 math/PI e) (long n))] [(math/cos a) (math/sin a)]))]
    [c (* (double sign) (double s))]))

(defn- transformed
  "The element [part k] of the transform of the line of x at `lead`: a sum of n terms."
  [sign n x lead part k]
  (reduce (fn [sum j]
            (let [re (double (array/at x (conj lead 0 j)))
                  im (double (array/at x (conj lead 1 j)))
                  [c s] (root sign (* (long j) (long k)) n)]
              (+ (double sum) (double (if (= part 0)
                                        (- (* re (double c)) (* im (double s)))
                                        (+ (* re (double s)) (* im (double c))))))))
          0.0 (range n)))

(defn- dft-value [{:keys [inverse]} {:keys [dtype shape] :as x}]
  (array/from-indices dtype shape
                      (fn [index]
                        (let [[part k] (take-last 2 index)]
                          (transformed (if inverse 1 -1) (peek shape) x
                                       (vec (drop-last 2 index)) part k)))))

(defop dft
  "Σ_j exp(-2πi·jk/n)·z_j along the last axis, for any n; z has real parts at 0 and imaginary parts
  at 1 of the axis before it, [… 2 n]. With :inverse true of exp(2πi·jk/n): n times the inverse."
  {:internal "fft/fft, fft/ifft, fft/rfft and fft/irfft take arrays and pairs"
   :kind :nest, :nest :dft, :args [?z]
   :attrs {:inverse {:default false, :is :flag, :doc "the sign of the exponent: true is +"}}
   :type dft-type
   :requires (fn [{[[_ shape]] :types}] [[1 (peek shape)]])
   :failure "a line has at least one element"
   :eval dft-value
   ;; The adjoint of z ↦ F z, as a map of real numbers, is g ↦ F* g.
   :linear-in :all, :transpose (fn [{:keys [attrs]}] [[:dft (update attrs :inverse not) '?g]])
   :batch {}
   :gen (gens/with-choices
         (gens/on-shapes (fn [n] [[{} [2 (max 1 n)]] [{} [3 2 (max 1 n)]] [{} [2 2 6]] [{} [2 1]]
                                  [{} [2 1 2 11]]]))
         :inverse [false true])
   :examples [[[:dft [:reshape {:shape [2 2]} [:iota {:shape [4], :axis 0, :dtype :f64}]]]
               [[1.0 -1.0] [5.0 -1.0]]]]})
