(ns damo.face.draw.basic
  "Keys, and the draws that have a generator of their own: uniform and normal numbers, whole
  numbers, truth values. A draw takes a key or a stream, a shape, and options.
  (uniform (key 42) [2 3] :low -1) = six numbers in [-1, 1)."
  (:refer-clojure :exclude [key])
  (:require [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.face.draw.stream :as stream]
            [damo.face.tensors :as tensors]
            [damo.op :as op]
            [damo.op.typing :as typing])
  (:import [damo.tensor Tensor]))

(set! *warn-on-reflection* true)

;; ## Keys

(def ^:private word 0xffffffff)

(defn key
  "The key of a seed, an integer of 64 bits or a 0-d integer expression: [:i64 [2]], its lower and
  its upper 32 bits."
  [seed]
  (cond
    (and (integer? seed) (<= Long/MIN_VALUE seed Long/MAX_VALUE))
    (tensors/tensor [(bit-and (long seed) (long word)) (unsigned-bit-shift-right (long seed) 32)]
                    :i64)
    (or (expr/expr? seed) (instance? Tensor seed))
    (let [s (op/call :cast [seed :dtype :i64])]
      (typing/check-dtype :int (first (expr/type-of (expr/whole seed))))
      (op/call :stack [[(op/call :bit-and [s word])
                        (op/call :bit-and [(op/call :right-shift [s 32]) word])]]))
    :else (fail! :damo.random/no-seed (str "a seed is an integer of 64 bits; got " (pr-str seed))
                 {:given seed})))

(defn key-of
  "The key of a draw: a key as an expression, or that of a new draw from a stream."
  [k]
  (if (stream/stream? k)
    (stream/draw-key k)
    (let [e (expr/whole k), given (expr/type-of e)]
      (when-not (= [:i64 [2]] given)
        (fail! :damo.random/no-key
               (str "a draw takes a key, of the type [:i64 [2]], or a stream; got " (pr-str given))
               {:given given, :try "(r/key 42) makes a key, (r/stream 'name 42) a stream"}))
      e)))

(defn split-array
  "The array [n 2] of n keys that a key or a stream gives, n a dim: as a sequence of a loop it has a
  key for each step."
  [k n]
  (op/call :random-split [(key-of k) :n n]))

(defn split
  "A vector of n keys that a key or a stream gives, whose draws have nothing in common; n an
  integer, default 2."
  ([k] (split k 2))
  ([k n]
   (when-not (and (integer? n) (<= 0 (long n) 100000))
     (fail! :damo.random/bad-count
            (str "a vector of keys has a number of them, at most 100000; got " (pr-str n))
            {:given n, :try "(r/split-array k n) is an array of any number of keys"}))
   (let [all (split-array k n)]
     (mapv #(op/call :squeeze [(op/call :slice [all :axis 0 :start % :stop (inc (long %))])
                               :axis [0]])
           (range n)))))

(defn fold-in
  "The key that a key or a stream and an integer give, such as the number of a step."
  [k n]
  (op/call :random-fold [(key-of k) n]))

(defn philox4x32
  "The block of Philox-4x32-10 (Salmon et al. 2011): of a counter of four words and a key of two,
  [:i64 [4]] and [:i64 [2]], four words of 32 bits, :i64; of longer arrays along their last axis."
  [counter key]
  (let [counter (expr/whole counter), key (expr/whole key)
        pair (fn [e at]
               (let [part #(op/call :slice [e :axis -1 :start % :stop (inc (long %))])]
                 (op/call :bit-or [(op/call :bit-and [(part at) word])
                                   (op/call :left-shift [(part (inc (long at))) 32])])))]
    (doseq [[what e n] [["the counter" counter 4] ["the key" key 2]]
            :let [[dtype shape] (expr/type-of e)]]
      (when-not (and (type/int-dtype? dtype) (= n (peek shape)))
        (fail! :damo.random/bad-words (str what " has " n " words along its last axis; got "
                                           (pr-str [dtype shape]))
               {:given [dtype shape]})))
    (op/call :philox [(tensors/tensor [0 1 2 3] :i64) (pair counter 0) (pair counter 2)
                      (pair key 0)])))

;; ## Parameters

(defn shape-of
  "The shape of a draw, a vector of dims, as given; a dim alone is a vector of one."
  [shape]
  (let [shape (if (or (sequential? shape) (nil? shape)) (vec shape) [shape])]
    (typing/check-shape shape)
    shape))

(defn dtype-of
  "The dtype of a draw of floats: the one asked for, else :f64 where a parameter is an array of it,
  else :f32."
  [asked params]
  (when asked (typing/check-dtype :float asked))
  (or asked
      (if (some #(and (= :f64 (first %)) (not (type/made-of %))) (map expr/type-of params))
        :f64
        :f32)))

(defn param
  "A parameter of a draw as a float expression of that dtype, which must broadcast to the shape."
  [what e dtype shape]
  (let [[given of] (expr/type-of e)]
    (typing/check-dtype :num given)
    (when-not (= shape (type/broadcast-shapes shape of))
      (fail! :damo.random/parameter-shape
             (str what " has the shape " (pr-str of) ", which does not broadcast to that of the"
                  " draw, " (pr-str shape))
             {:given of, :expected shape}))
    (if (= given dtype) e (op/call :cast [e :dtype dtype]))))

(defn parsed
  "{:key :shape :dtype …} of a draw of floats, and its parameters, `names`, as expressions of the
  dtype; `schemas` are those of all its options."
  [schemas names k shape given]
  (let [{:keys [dtype] :as o} (attribute/options (assoc schemas :dtype {:default nil}) [] given)
        shape (shape-of shape), wholes (update-vals (select-keys o names) expr/whole)
        dtype (dtype-of dtype (vals wholes))]
    (into {:key (key-of k), :shape shape, :dtype dtype}
          (for [n names] [n (param (str n) (wholes n) dtype shape)]))))

(defn unit
  "Uniform numbers in [0, 1) of what `parsed` gives, of a slot of the key."
  ([draw] (unit draw 0))
  ([{:keys [key shape dtype]} slot]
   (op/call :random-uniform [key :shape shape :dtype dtype :slot slot])))

(defn- constant? [e x] (= {:value (double x)} (select-keys (expr/attrs-of e) [:value])))

;; ## Draws

(defn uniform
  "Uniform numbers in [low, high) of a shape. Options: :low (0), :high (1), which may be expressions
  that broadcast to it, with derivatives; :dtype, by default :f64 where one of them is an array of
  it, else :f32."
  [k shape & given]
  (let [{:keys [low high] :as draw} (parsed {:low {:default 0.0}, :high {:default 1.0}}
                                            [:low :high] k shape given)
        u (unit draw)]
    (if (and (constant? low 0) (constant? high 1))
      u
      (let [x (op/call :add [low (op/call :mul [(op/call :sub [high low]) u])])]
        ;; The sum may round up to the bound that is not among the values.
        (op/call :where [(op/call :lt [x high]) x low])))))

(defn normal
  "Normal numbers of a shape. Options: :mean (0), :std (1), which may be expressions that broadcast
  to it, with derivatives; :dtype as for uniform."
  [k shape & given]
  (let [{:keys [key shape dtype mean std]} (parsed {:mean {:default 0.0}, :std {:default 1.0}}
                                                   [:mean :std] k shape given)
        z (op/call :random-normal [key :shape shape :dtype dtype])
        z (if (constant? std 1) z (op/call :mul [z std]))]
    (if (constant? mean 0) z (op/call :add [z mean]))))

(def ^:private no-values "an integer is drawn from none: low is not below high")

(defn integers
  "Whole numbers from :low (0) to :high, excluded, of a shape, :i64, each as likely up to 2^-64. The
  bounds may be expressions that broadcast to it."
  [k shape & given]
  (let [{:keys [low high]} (attribute/options {:low {:default 0}, :high {}} [] given)
        shape (shape-of shape), numbers? (and (integer? low) (integer? high))
        [a b] (map expr/whole [low high])]
    (doseq [[what e] [["the lower bound" a] ["the upper bound" b]]]
      (typing/check-dtype :int (first (expr/type-of e)))
      (when-not (= shape (type/broadcast-shapes shape (second (expr/type-of e))))
        (fail! :damo.random/parameter-shape
               (str what " has the shape " (pr-str (second (expr/type-of e))) ", which does"
                    " not broadcast to that of the draw, " (pr-str shape))
               {:given (expr/type-of e)})))
    (when (and numbers? (<= (long high) (long low)))
      (fail! :damo.random/no-values (str "there is no integer from " low " on below " high)
             {:low low, :high high}))
    (let [narrow? (and numbers? (< (-' high low) (bit-shift-left 1 32)))
          b (if numbers? b (op/call :assert [b (op/call :lt [a b]) :message no-values]))]
      (op/call :random-integers [(key-of k) a b :shape shape :narrow narrow?]))))

(defn bernoulli
  "Truth values of a shape that are true with the probability :p (0.5), a number or an expression
  that broadcasts to it; below 0 never, from 1 on always. There is no derivative by :p."
  [k shape & given]
  (let [{:keys [key shape p]} (parsed {:p {:default 0.5}} [:p] k shape given)]
    (op/call :random-bernoulli [key p :shape shape])))
