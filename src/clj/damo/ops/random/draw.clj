(ns damo.ops.random.draw
  "The draws that all others are made of: uniform and normal numbers of the unit kind, and whole
  numbers below others; arrays of a key. [:random-uniform {:shape [3]} key] = three numbers in
  [0, 1)."
  (:require [damo.data.array :as array]
            [damo.data.type :as type]
            [damo.op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.ops.random.key :as key]))

(set! *warn-on-reflection* true)

(def ^:private attributes
  {:shape {:doc "the shape, a vector of dims"}
   :dtype {:default :f32, :doc "the dtype, of floats"}
   :slot {:default 0, :is :integer, :own-check true
          :doc "draws of one key that have nothing in common have different slots"}})

(defn- word [{:keys [shape slot]} w] [:random-word {:shape shape, :slot slot, :word w} '?key])

(defn- draw-type [{:keys [shape dtype]} [key]]
  (key/check-key key)
  (typing/check-dtype :float dtype)
  (type/check [dtype shape]))

(defn- key-array [ctx] (gens/random-array ctx :i64 [2] [0 100000]))

(defn- draw-gen [{:keys [dtype size] :as ctx}]
  {:attrs {:shape (gens/variant ctx [[size] [2 size] []]), :dtype dtype}
   :args [(key-array ctx)]})

(defn- highest-bits
  "The template of the highest k bits, at most 31, of a word as a float of that dtype, an integer."
  [dtype k w]
  [:cast {:dtype dtype} [:cast {:dtype :i32} [:right-shift w (- 32 (long k))]]])

(defn- power [dtype k] (typing/const dtype (Math/scalb 1.0 (int k))))

(defn- nonnegative
  "53 bits, shifted as signed ones, without the copies of the sign."
  [low high]
  [:cast {:dtype :f64}
   [:bit-and [:right-shift [:bit-or low [:left-shift high 32]] 11] (dec (bit-shift-left 1 53))]])

(defop random-uniform
  "Numbers in [0, 1), the multiples of 2^-24 in :f32, of 2^-53 in :f64 (of the last place of 1 in
  every dtype), each as likely."
  {:internal "r/uniform has bounds"
   :kind :composite, :args [?key], :attrs attributes, :type draw-type
   :expand (fn [{{:keys [dtype] :as attrs} :attrs}]
             (let [digits (:digits (type/dtypes dtype))]
               (if (= dtype :f64)
                 [:mul (nonnegative (word attrs 0) (word attrs 1)) (power :f64 -53)]
                 [:mul (highest-bits dtype digits (word attrs 0)) (power dtype (- digits))])))
   :gen draw-gen
   :examples [[[:random-uniform {:shape [], :dtype :f64} [:mul 0 [:iota {:shape [2], :axis 0}]]]
               0.8805201978886142]]})

(defop random-open
  "Numbers in (0, 1], fine next to 0: the odd multiples of 2^-32 in :f32 and narrower floats,
  rounded, the multiples of 2^-53 in :f64."
  {:internal "r/exponential and others take logarithms of it"
   :kind :composite, :args [?key], :attrs attributes, :type draw-type
   :expand (fn [{{:keys [dtype] :as attrs} :attrs}]
             (if (= dtype :f64)
               [:mul [:add (nonnegative (word attrs 0) (word attrs 1)) 1] (power :f64 -53)]
               (typing/as-dtype
                dtype :f32
                [:mul [:add (highest-bits :f32 31 (word attrs 0)) 0.5] (power :f32 -31)])))
   :gen draw-gen
   :examples [[[:gt [:random-open {:shape []} [:mul 0 [:iota {:shape [2], :axis 0}]]] 0] true]]})

(defop random-log
  "Logarithms of uniform numbers, without the sign: exponential variates, which are as fine next to
  0 as they reach far."
  {:internal "r/gumbel and r/categorical take logarithms of it"
   :kind :composite, :args [?key], :attrs attributes, :type draw-type
   :expand (fn [{{:keys [dtype] :as attrs} :attrs}]
             (if (= dtype :f64)
               [:neg [:log1p [:neg [:mul [:add (nonnegative (word attrs 0) (word attrs 1)) 0.5]
                                    (power :f64 -53)]]]]
               (let [half [:mul [:add [:cast {:dtype :f32}
                                       [:cast {:dtype :i32}
                                        [:bit-and (word attrs 0) 0x7fffffff]]] 0.5]
                           (power :f32 -32)]]
                 (typing/as-dtype
                  dtype :f32
                  [:neg [:where [:ge (word attrs 0) 0x80000000]
                         [:log half] [:log1p [:neg half]]]]))))
   :gen draw-gen
   :examples [[[:gt [:random-log {:shape []} [:mul 0 [:iota {:shape [2], :axis 0}]]] 0] true]]})

(defn- normal
  "Box and Muller's transform of u in (0, 1] and an angle in turns."
  [u angle]
  [:mul [:sqrt [:mul -2 [:log u]]] [:cospi [:mul 2 angle]]])

(defop random-normal
  "Numbers of the standard normal distribution, by the transform of Box and Muller (1958) of 31 and
  24 bits in :f32, which ends at 6.66, of 53 and 53 in :f64, which ends at 8.57."
  {:internal "r/normal has a mean and a deviation"
   :kind :composite, :args [?key], :attrs attributes, :type draw-type
   :expand (fn [{{:keys [dtype] :as attrs} :attrs}]
             (if (= dtype :f64)
               (normal [:mul [:add (nonnegative (word attrs 0) (word attrs 1)) 1] (power :f64 -53)]
                       [:mul (nonnegative (word attrs 2) (word attrs 3)) (power :f64 -53)])
               (typing/as-dtype
                dtype :f32
                (normal [:mul [:add (highest-bits :f32 31 (word attrs 0)) 0.5] (power :f32 -31)]
                        [:mul (highest-bits :f32 24 (word attrs 1)) (power :f32 -24)]))))
   :gen draw-gen
   :examples [[[:random-normal {:shape [], :dtype :f64} [:mul 0 [:iota {:shape [2], :axis 0}]]]
               -0.3976675384441821]]})

;; ## Truth values

(defop random-bernoulli
  "Truth values that are true with the probability p, floats that broadcast to the shape; below 0
  never, from 1 on always."
  {:internal "r/bernoulli takes keys and streams"
   :kind :composite, :args [?key ?p]
   :attrs (select-keys attributes [:shape :slot])
   :type (fn [{:keys [shape]} [key [dtype of]]]
           (key/check-key key)
           (typing/check-dtype :float dtype)
           (type/broadcast-shapes shape of)
           (type/check [:bool shape]))
   :expand (fn [{{:keys [shape slot]} :attrs, [_ [dtype]] :types}]
             [:lt [:random-uniform {:shape shape, :dtype dtype, :slot slot} ?key] ?p])
   :no-gradient {:undefined (str "a truth value does not depend continuously on its probability;"
                                 " a relaxation of it would")}
   :gen (fn [{:keys [dtype size] :as ctx}]
          (let [shape (gens/variant ctx [[size] [2 size] []])]
            {:attrs {:shape shape}
             :args [(key-array ctx) (gens/random-array ctx dtype (gens/choose ctx [shape []])
                                                       [-0.2 1.2])]}))
   :examples [[[:random-bernoulli {:shape []} [:mul 0 [:iota {:shape [2], :axis 0}]] 1.0] true]]})

;; ## Whole numbers

(def ^:private low-bits 0xffffffff)

(defn- lower [t] [:bit-and t low-bits])
(defn- upper [t] [:bit-and [:right-shift t 32] low-bits])

(defn- row
  "[limbs carry] of limbs times a limb, added to others, templates; without `addends` to nothing."
  [limbs by addends]
  (reduce (fn [[done carry] [x a]]
            (let [v (reduce (fn [s t] [:add s t]) (remove nil? [[:mul x by] a carry]))]
              [(conj done (lower v)) (upper v)]))
          [[] nil] (map vector limbs (or addends (repeat nil)))))

(defn- scaled
  "The template of ⌊x·s/2^128⌋ of the words of x, the lowest first, and an integer s, below 2^64, of
  which `narrow` says that it is below 2^32."
  [words s narrow]
  (let [[limbs top] (row words (if narrow s (lower s)) nil)]
    (if narrow
      top
      (let [[more over] (row words (upper s) (conj (vec (rest limbs)) top))]
        [:bit-or (peek more) [:left-shift over 32]]))))

(defop random-integers
  "Whole numbers from low, included, to high, excluded, :i64: of 128 bits times the number of
  values, so that no value is likelier than another by more than 2^-64 of all. The bounds have no
  axes or broadcast to the shape."
  {:internal "r/integers takes keys and streams"
   :kind :composite, :args [?key ?low ?high]
   :attrs {:shape (:shape attributes), :slot (:slot attributes)
           :narrow {:default false, :is :flag, :doc "high - low is below 2^32"}}
   :type (fn [{:keys [shape]} [key & bounds]]
           (key/check-key key)
           (doseq [[dtype of] bounds]
             (typing/check-dtype :int dtype)
             (type/broadcast-shapes shape of))
           (type/check [:i64 shape]))
   :expand (fn [{{:keys [narrow shape] :as attrs} :attrs, [_ low high] :types}]
             (let [[low high] (map (fn [[dtype] t] (typing/as-dtype :i64 dtype t))
                                   [low high] [?low ?high])]
               [:add low (scaled (mapv #(word attrs %) (range 4)) [:sub high low] narrow)]))
   :gen (fn [{:keys [size] :as ctx}]
          {:attrs {:shape (gens/variant ctx [[size] [2 size] []])}
           :args [(key-array ctx) (array/of :i64 [] [(gens/choose ctx [0 -5])])
                  (array/of :i64 [] [(gens/choose ctx [1 9 (bit-shift-left 1 40)])])]})
   :examples [[[:random-integers {:shape []} [:mul 0 [:iota {:shape [2], :axis 0}]] 7 8] 7]]})
