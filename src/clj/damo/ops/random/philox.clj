(ns damo.ops.random.philox
  "Random bits: the counter-based generator that all draws of damo.random are made of. A word is a
  function of a counter and a key alone, so that draws have the same bits wherever they are
  computed. [:philox 0 0 0 0] = 1713891541."
  (:require [damo.data.type :as type]
            [damo.op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.scalar.philox :as philox]))

(set! *warn-on-reflection* true)

(defn- words-type [_ types]
  (doseq [[dtype] types] (typing/check-dtype :int dtype))
  [:i64 (apply type/broadcast-shapes (map type/shape-of types))])

(defn- widest
  "Narrower integers become :i64 first."
  [attrs types]
  (when (some #(and (type/int-dtype? (first %)) (not= :i64 (first %))) types)
    (into [:philox attrs] (map (fn [[dtype] t] (typing/as-dtype :i64 dtype t))
                               types '[?w ?i ?j ?k]))))

(defop philox
  "A word of 32 bits, an :i64, of Philox-4x32-10 (Salmon et al. 2011), elementwise. The counter is i
  and j, the key k: each of these holds two words, the lower 32 bits the first one. The block of a
  counter has four words, w says which: 0, 1, 2, and 3 for all else."
  {:internal "r/philox4x32 takes counters and keys; draws such as r/uniform are made of it"
   :kind :elementwise, :args [?w ?i ?j ?k]
   :instead widest, :type words-type
   :eval philox/word, :partials [0 0 0 0]
   :scalar :philox
   :examples [[[:philox 0 0 0 0] 0x6627e8d5] [[:philox 3 -1 -1 -1] 0x6d5451fd]]})
