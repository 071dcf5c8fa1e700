(ns damo.hostile.mutate
  "Data with a few places changed at random: a number for another, a name or keyword for another
  that occurs, a part for another part, left out, doubled, or put into a vector.
  (mutated random [:add 1 'x]) => [:add -1 x]"
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(def ^:private numbers
  "Integers at which something changes."
  [0 1 2 -1 3 7 64 255 256 65536 2147483647 2147483648 4611686018427387904 Long/MAX_VALUE
   Long/MIN_VALUE])

(def ^:private odd
  "What hardly belongs anywhere."
  [nil true "" "\u0000" ##NaN ##Inf 0.5 [] {} #{} '() \a 'n :x [[]] {nil nil}])

(defn- pick [^Random random xs] (nth xs (.nextInt random (count xs))))

(defn- parts [form]
  (filterv #(not (map-entry? %)) (tree-seq coll? seq form)))

(defn- another
  "Something to stand in place of x, given all parts of the whole."
  [^Random random all x]
  (let [alike (filterv #(= (class x) (class %)) all)]
    (case (.nextInt random 6)
      0 (pick random odd)
      1 (pick random all)
      (cond (integer? x) (pick random numbers)
            (seq alike) (pick random alike)
            :else (pick random odd)))))

(defn- change
  "A vector or list with one element changed, left out, doubled or moved."
  [^Random random all form]
  (let [v (vec form), i (.nextInt random (count v))
        [before after] [(subvec v 0 i) (subvec v (inc i))]]
    (case (.nextInt random 8)
      0 (into before after)
      1 (into (conj before (v i) (v i)) after)
      2 (let [j (.nextInt random (count v))] (assoc v i (v j) j (v i)))
      3 (assoc v i [(v i)])
      (assoc v i (another random all (v i))))))

(defn- change-map [^Random random all m]
  (let [k (pick random (vec (keys m)))]
    (case (.nextInt random 8)
      0 (dissoc m k)
      1 (assoc m (another random all k) (m k))
      (assoc m k (another random all (m k))))))

(defn- mutated-once
  "The form with a change somewhere in it."
  [^Random random all form]
  (let [inner (when (coll? form) (filterv coll? (if (map? form) (vals form) form)))]
    (cond (not (and (coll? form) (seq form))) (another random all form)
          (and (seq inner) (pos? (.nextInt random 4)))
          (let [chosen (pick random inner), sub (mutated-once random all chosen)
                swap #(if (identical? % chosen) sub %)]
            (if (map? form) (update-vals form swap) (mapv swap form)))
          (map? form) (change-map random all form)
          :else (change random all form))))

(defn mutated
  "The form with one to three changes."
  [^Random random form]
  (nth (iterate #(mutated-once random (parts form) %) form) (inc (.nextInt random 3))))
