(ns damo.ops.random.key
  "Keys of random numbers, [:i64 [2]] of two words of 32 bits, and what is made of one: other keys,
  and words at the places of an array. What the words of a key are for is the upper word of the
  counter's second half, so that draws, keys and streams never meet in one block.
  [:random-word {:shape [3]} key] = three words of 32 bits."
  (:require [damo.data.array :as array]
            [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

(def ^:private key-type [:i64 [2]])

(defn check-key
  "Nil when that is the type of a key; fails otherwise."
  [type]
  (when-not (= key-type type)
    (fail! :damo.random/no-key (str "a key has the type " (pr-str key-type) "; got " (pr-str type))
           {:expected key-type, :given type
            :try "(r/key 42) makes one of a number, (r/split k n) n keys of one"})))

(def ^:private purposes {:draw 0, :fold 1, :split 2, :stream 3})

(defn- second-half
  "The second half of a counter: a number below 2^32, and what the block is for."
  [purpose n]
  (typing/const :i64 (+ (bit-shift-left (long (purposes purpose)) 32) (long n))))

(defn- word-at [key at]
  [:reshape {:shape []} [:slice {:axis 0, :start at, :stop (inc (long at)), :step 1} key]])

(defn- whole-key
  "The template of a key as one integer."
  [key]
  [:bit-or [:bit-and (word-at key 0) 0xffffffff] [:left-shift (word-at key 1) 32]])

(defn- key-gen
  "A generator function: a key and, with `more` integers, others behind it."
  [attrs-of more]
  (fn [{:keys [size] :as ctx}]
    {:attrs (attrs-of ctx size)
     :args (into [(array/cast :i64 (gens/random-array ctx :i64 [2] [0 100000]))]
                 (map (fn [_] (gens/random-array ctx :i64 [] [-50 50]))) (range more))}))

(def ^:private words-of-key
  "The template of the numbers 0 and 1 at the places of a key."
  [:iota {:shape [2], :axis 0, :dtype :i64}])

(defop random-fold
  "The key that a key and an integer determine: different integers give different keys, whose draws
  have nothing in common."
  {:internal "r/fold-in takes a key and a number"
   :kind :composite, :args [?key ?n]
   :type (fn [_ [key [dtype shape :as n]]]
           (check-key key)
           (typing/check-dtype :int dtype)
           (when (seq shape)
             (fail! :damo.random/not-a-number
                    (str "an integer is folded into a key; got " (pr-str n)) {:given n}))
           key-type)
   :expand (fn [_] [:philox words-of-key [:cast {:dtype :i64} ?n] (second-half :fold 0)
                    (whole-key ?key)])
   :gen (key-gen (constantly {}) 1)
   :examples [[[:random-fold [:iota {:shape [2], :axis 0}] 1] [1256675327 2728057302]]]})

(defop random-split
  "The array [n 2] of n keys that a key determines, whose draws have nothing in common."
  {:internal "r/split gives a vector of keys, r/split-array this array"
   :kind :composite, :args [?key]
   :attrs {:n {:is :dim, :doc "how many keys, a dim"}}
   :type (fn [{:keys [n]} [key]] (check-key key) (type/check [:i64 [n 2]]))
   :expand (fn [{{:keys [n]} :attrs}]
             [:philox [:iota {:shape [n 2], :axis 1, :dtype :i64}]
              [:iota {:shape [n 2], :axis 0, :dtype :i64}] (second-half :split 0)
              (whole-key ?key)])
   :gen (key-gen (fn [_ size] {:n size}) 0)
   :examples [[[:random-split {:n 1} [:iota {:shape [2], :axis 0}]] [[213178630 1318769691]]]]})

(defop stream-key
  "The key of one draw of a stream in one call, from the stream's state: its seed, and how many
  calls there were. :draw tells draws of one function from each other."
  {:internal "draws take streams, (r/normal stream [n])"
   :kind :composite, :args [?state]
   :attrs {:draw {:default 0, :is :integer, :own-check true, :doc "which draw"}}
   :type (fn [_ [state]] (check-key state) key-type)
   :expand (fn [{{:keys [draw]} :attrs}]
             [:philox words-of-key (word-at ?state 1) (second-half :stream draw)
              (word-at ?state 0)])
   :gen (key-gen (constantly {:draw 2}) 0)
   :examples [[[:stream-key [:iota {:shape [2], :axis 0}]] [2256952370 969095434]]]})

(defn- places
  "The template of the flat index of each element of a shape."
  [shape]
  (let [strides (array/strides shape)
        along (fn [axis stride]
                (let [i [:iota {:shape shape, :axis axis, :dtype :i64}]]
                  (if (= 1 stride) i [:mul i [:dim {:dim stride}]])))]
    (case (count shape)
      0 (typing/const :i64 0)
      1 (along 0 1)
      (reduce (fn [sum t] [:add sum t]) (map along (range) strides)))))

(defop random-word
  "Words of 32 bits, :i64, one at each place of an array: a function of the key, the flat index of
  the place, and :slot, a number below 2^28: a place has four words in each slot. So the first
  elements of a longer array are those of a shorter one."
  {:internal "draws such as r/uniform are made of it"
   :kind :composite, :args [?key]
   :attrs {:shape {:doc "the shape, a vector of dims"}
           :word {:default 0, :is #{0 1 2 3}, :doc "which word of the slot"}
           :slot {:default 0, :is :integer, :own-check true, :doc "which slot of the place"}}
   :type (fn [{:keys [shape]} [key]] (check-key key) (type/check [:i64 shape]))
   :expand (fn [{{:keys [shape word slot]} :attrs}]
             [:philox (typing/const :i64 word) (places shape) (second-half :draw slot)
              (whole-key ?key)])
   :gen (key-gen (fn [ctx n] (gens/variant ctx [{:shape [n]} {:shape [2 n], :word 3}
                                                {:shape [], :slot 5, :word 1}])) 0)
   :examples [[[:random-word {:shape [2]} [:mul 0 [:iota {:shape [2], :axis 0}]]]
               [0x6627e8d5 0xf8e4cca4]]]})
