(ns damo.face.fourier
  "Discrete Fourier transforms of arrays and of pairs [re im] of them, as damo.fft has them:
  lengths, axes and norms around the op :dft. (rfft x :n 8 :axis 0 :norm :ortho) = [re im]."
  (:require [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.face.fourier.packed :as packed]
            [damo.op :as op])
  (:import [damo.data.expr Expr]
           [damo.tensor Tensor]))

(set! *warn-on-reflection* true)

;; ## Arguments

(def ^:private options
  {:n {:default nil, :is :dim}, :axis {:default -1, :is :axis}
   :norm {:default :backward, :is #{:backward :ortho :forward}}})

(defn- real-part
  "x as a float expression with an axis."
  [what x]
  (let [e (expr/whole x), [dtype shape] (expr/type-of e)]
    (when (empty? shape)
      (fail! :damo.fft/no-axis (str what " has no axis to transform along; its type is "
                                    (pr-str [dtype shape]))
             {:given [dtype shape]}))
    (if (type/float-dtype? dtype) e (op/call :cast [e :dtype :f64]))))

(defn- pair-of
  "The parts of a pair, of one dtype and shape."
  [given]
  (when-not (and (sequential? given) (= 2 (count given)))
    (fail! :damo.fft/no-pair "a complex array is a pair [re im] of its parts"
           {:given given, :try "(fft/fft x) gives one; that of a real x is [x (d/zeros-like x)]"}))
  (let [[re im :as parts] (mapv #(real-part %1 %2) ["the real part" "the imaginary part"] given)
        shapes (mapv #(type/shape-of (expr/type-of %)) parts)]
    (when-not (apply = shapes)
      (fail! :damo.fft/parts-differ
             (str "the parts of a complex array have one shape; got " (pr-str (shapes 0)) " and "
                  (pr-str (shapes 1)))
             {:given shapes}))
    [re im]))

(defn- complex?
  "Is that a pair rather than an array? Nested vectors of numbers are arrays."
  [x]
  (and (vector? x) (= 2 (count x)) (some #(or (instance? Expr %) (instance? Tensor %)) x)))

(defn- shape [e] (type/shape-of (expr/type-of e)))

(defn- axis-of [e axis] (first (type/axis-indices (count (shape e)) [axis])))

(defn- cut
  "The elements from start (or nil) to stop of e along an axis."
  [e axis start stop]
  (op/call :slice [e :axis axis :start start :stop stop]))

(defn- fitted
  "e with n elements along an axis: cut, or with zeros behind."
  [e axis n]
  (let [now (nth (shape e) axis)]
    (cond (or (nil? n) (= n now)) e
          (and (integer? n) (integer? now) (< (long n) (long now))) (cut e axis nil n)
          (and (integer? n) (integer? now))
          (op/call :pad [e :width (assoc (vec (repeat (count (shape e)) [0 0]))
                                         axis [0 (- (long n) (long now))])])
          :else (fail! :damo.fft/unknown-length
                       (str "whether " (pr-str now) " elements are to be cut to " (pr-str n)
                            " or filled up is not known")
                       {:given n, :try "cut or pad the array by d/slice or d/pad"}))))

(defn- check-length! [n]
  (when (and (integer? n) (< (long n) 1))
    (fail! :damo.fft/empty-line (str "a transform has at least one element; got the length " n)
           {:given n})))

;; ## Transforms of pairs along the last axis

(defn- to-last [e axis] (op/call :moveaxis [e :source axis :destination -1]))
(defn- from-last [e axis] (op/call :moveaxis [e :source -1 :destination axis]))

(defn- lines
  "The array [… 2 n] of a pair, along an axis."
  [parts axis]
  (op/call :stack [(mapv #(to-last % axis) parts) :axis -2]))

(defn- part
  "The part k of an array [… 2 n], its last axis put back."
  [z k axis]
  (let [at (- (count (shape z)) 2), line (cut z at k (inc (long k)))]
    (from-last (op/call :squeeze [line :axis [at]]) axis)))

(defn- number-of "A dim as a 0-d expression." [dtype n]
  (op/call :cast [(op/call :dim [:dim n]) :dtype dtype]))

(defn- normalized
  "The part e of a transform of length n with its norm."
  [e n norm inverse]
  (let [norm (if inverse ({:backward :forward, :forward :backward} norm norm) norm)
        length #(number-of (first (expr/type-of e)) n)]
    (case norm
      :backward e
      :forward (op/call :div [e (length)])
      :ortho (op/call :div [e (op/call :sqrt [(length)])]))))

(defn- transformed
  "The pair of a transform of a pair along an axis."
  [parts axis norm inverse]
  (let [n (nth (shape (first parts)) axis), _ (check-length! n)
        z (op/call :dft [(lines parts axis) :inverse inverse])]
    (mapv #(normalized (part z % axis) n norm inverse) [0 1])))

(defn- zero [e] (op/call :zeros-like [e]))

(defn- prepared [parts {:keys [n axis]}]
  (let [axis (axis-of (first parts) axis)]
    (check-length! n)
    [(mapv #(fitted % axis n) parts) axis]))

(defn- along [parts given inverse]
  (let [{:keys [norm] :as o} (attribute/options options [] given)
        [parts axis] (prepared parts o)]
    (transformed parts axis norm inverse)))

(defn fft
  "[re im] of the discrete Fourier transform of x, an array or a pair [re im] of expressions, along
  :axis (default the last): Σ_j x_j exp(-2πi·jk/n), for any length. Options: :n, to which x is cut
  or filled up with zeros; :norm, :backward (default), :ortho (by 1/√n) or :forward (by 1/n)."
  [x & options]
  (along (if (complex? x) (pair-of x) (let [x (real-part "x" x)] [x (zero x)])) options false))

(defn ifft
  "[re im] of the inverse of fft, of a pair [re im], with its options."
  [pair & options]
  (along (pair-of pair) options true))

;; ## Real arrays

(defn- halved [n] (if (integer? n) (quot (long n) 2) [:quot n 2]))

(defn- half "The number of results of a real transform of length n." [n] (type/dim+ 1 (halved n)))

(defn- packed? "Is a real line of length n transformed by half as many pairs?" [n]
  (and (integer? n) (even? n)))

(defn rfft
  "[re im] of the first n/2 + 1 results of the transform of a real x along :axis, which determine
  the others; options as of fft."
  [x & given]
  (let [x (real-part "x" x), {:keys [norm] :as o} (attribute/options options [] given)
        [[x] axis] (prepared [x] o), n (nth (shape x) axis)]
    (if (packed? n)
      (mapv #(normalized (from-last % axis) n norm false) (packed/forward (to-last x axis) n))
      (mapv #(cut % axis nil (half n)) (transformed [x (zero x)] axis norm false)))))

(defn- mirrored
  "The part of all n results, of the first m along an axis: those behind are the ones before in
  turn, times the sign."
  [e axis n m sign]
  (let [behind (cut e axis 1 (type/dim+ 1 (type/dim- n m)))
        tail (op/call :flip [behind :axis [axis]])]
    (op/call :concatenate [[e (if (neg? (long sign)) (op/call :neg [tail]) tail)] :axis axis])))

(defn irfft
  "The real array of which `pair`, [re im], is the rfft, of :n elements along :axis (default
  2·(m - 1) for m given); options as of fft. Imaginary parts that no real array has do not count."
  [pair & given]
  (let [{:keys [n axis norm]} (attribute/options options [] given)
        [re :as parts] (pair-of pair), axis (axis-of re axis), given-half (nth (shape re) axis)
        n (or n (type/dim* 2 (type/dim- given-half 1))), m (half n)]
    (check-length! n)
    (let [[re im :as parts] (mapv #(fitted % axis m) parts)]
      (if (packed? n)
        (normalized (from-last (packed/back (mapv #(to-last % axis) parts) n) axis) n norm true)
        (first (transformed [(mirrored re axis n m 1) (mirrored im axis n m -1)]
                            axis norm true))))))

;; ## Several axes

(def ^:private axes-options
  {:axes {:default nil, :is :axes}, :norm (:norm options)})

(defn- over-axes [parts given inverse]
  (let [{:keys [axes norm]} (attribute/options axes-options [] given)
        rank (count (shape (first parts)))
        axes (if axes (type/axis-indices rank axes) (range rank))]
    (reduce #(transformed %1 %2 norm inverse) parts axes)))

(defn fftn
  "[re im] of the transform of x, an array or a pair, along each of :axes (default all); :norm as of
  fft, for each axis."
  [x & options]
  (over-axes (if (complex? x) (pair-of x) (let [x (real-part "x" x)] [x (zero x)])) options false))

(defn ifftn
  "[re im] of the inverse of fftn, of a pair, with its options."
  [pair & options]
  (over-axes (pair-of pair) options true))

;; ## Frequencies

(def ^:private spacing {:d {:default 1.0, :is :number}})

(defn- spectrum
  "The numbers in a vector of that length over n·d, less n for those from `limit` on."
  [n length limit given]
  (let [{:keys [d]} (attribute/options spacing [] given), _ (check-length! n)
        k (op/call :iota [:shape [length] :axis 0 :dtype :f64])
        size (number-of :f64 n)
        signed (op/call :where [(op/call :lt [k (number-of :f64 limit)]) k
                                (op/call :sub [k size])])]
    (op/call :div [signed (op/call :mul [(double d) size])])))

(defn fftfreq
  "The frequencies of the n results of fft, [n] in :f64: 0 1 … -2 -1 over n·:d, the distance :d
  (default 1.0) of samples."
  [n & options]
  (spectrum n n (halved (type/dim+ n 1)) options))

(defn rfftfreq
  "The frequencies of the n/2 + 1 results of rfft, :f64: 0 1 2 … over n·:d."
  [n & options]
  (spectrum n (half n) (half n) options))

(defn- swapped
  "x, along each of the axes, from (from extent) on, and before that what comes before."
  [x given from]
  (let [x (expr/whole x), {:keys [axes]} (attribute/options {:axes (:axes axes-options)} [] given)
        axes (if axes (type/axis-indices (count (shape x)) axes) (range (count (shape x))))]
    (reduce (fn [x axis]
              (let [m (from (nth (shape x) axis))]
                (op/call :concatenate [[(cut x axis m nil) (cut x axis nil m)] :axis axis])))
            x axes)))

(defn fftshift
  "x with frequency 0 in the middle of :axes (default all)."
  [x & options]
  (swapped x options #(halved (type/dim+ % 1))))

(defn ifftshift
  "The inverse of fftshift."
  [x & options]
  (swapped x options halved))
