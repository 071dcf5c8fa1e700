(ns damo.face.sparse.order
  "The stored elements of a matrix, on the host, in Java arrays: checked, brought into order, those
  of one place added up. (ordered 2 [1 0] [3 3] [0.5 2.0]) = {:starts [0 1 2] :indices [3 3] :data
  [2.0 0.5]}, as arrays."
  (:require [damo.data.fail :refer [fail!]])
  (:import [damo.tensor DType Tensor]
           [java.lang.reflect Array]
           [java.util Arrays]))

(set! *warn-on-reflection* true)

;; ## Arrays

(defn longs-of
  "The elements of a tensor of integers as a long[]."
  ^longs [^Tensor t]
  (let [xs (.toJavaArray t)]
    (cond (instance? (Class/forName "[J") xs) xs
          (instance? (Class/forName "[I") xs)
          (let [^ints xs xs, ys (long-array (alength xs))]
            (dotimes [i (alength xs)] (aset ys i (long (aget xs i))))
            ys)
          :else (let [ys (long-array (Array/getLength xs))]
                  (dotimes [i (alength ys)] (aset ys i (Array/getLong xs i)))
                  ys))))

(defn numbers-of
  "The elements of a tensor of numbers, a double[] of floats, a long[] of integers."
  [^Tensor t]
  (let [xs (.toJavaArray t), ^DType dtype (.dtype t)]
    (cond (not (.floating dtype)) (longs-of t)
          (instance? (Class/forName "[D") xs) xs
          :else (let [^floats xs xs, ys (double-array (alength xs))]
                  (dotimes [i (alength xs)] (aset ys i (double (aget xs i))))
                  ys))))

(defn- chosen
  "The elements of a double[] or long[] at these places."
  [xs ^longs places]
  (if (instance? (Class/forName "[D") xs)
    (let [^doubles xs xs, ys (double-array (alength places))]
      (dotimes [k (alength places)] (aset ys k (aget xs (aget places k))))
      ys)
    (let [^longs xs xs, ys (long-array (alength places))]
      (dotimes [k (alength places)] (aset ys k (aget xs (aget places k))))
      ys)))

;; ## Checks

(defn- bad! [what data]
  (fail! :damo.sparse/bad-matrix what data))

(defn check-starts!
  "Fails unless starts are those of so many lines, with so many elements in all. `names` says what
  the lines are called: [\"row\" \"column\"]."
  [[line] ^long lines ^longs starts ^long stored]
  (when-not (= (alength starts) (inc lines))
    (bad! (str "starts has an element for each " line " and one more, " (inc lines) "; it has "
               (alength starts))
          {:expected (inc lines), :given (alength starts)}))
  (when-not (zero? (aget starts 0))
    (bad! (str "starts begins with 0; it begins with " (aget starts 0)) {:at 0}))
  (dotimes [i lines]
    (when (< (aget starts (inc i)) (aget starts i))
      (bad! (str "starts never falls; at " (inc i) " it does, from " (aget starts i) " to "
                 (aget starts (inc i)))
            {:at (inc i)})))
  (when-not (= stored (aget starts lines))
    (bad! (str "starts ends with the number of stored elements, " stored "; it ends with "
               (aget starts lines))
          {:at lines, :expected stored, :given (aget starts lines)})))

(defn check-range!
  "Fails unless all indices lie in 0 … width - 1; `place` says which index of what stands there."
  [^longs indices ^long width what]
  (dotimes [k (alength indices)]
    (let [i (aget indices k)]
      (when-not (and (<= 0 i) (< i width))
        (bad! (str "the " what " " i " of the stored element " k " is not in 0 … "
                   (dec width) (when (zero? width) ", there is none"))
              {:at k, :index i, :extent width})))))

(defn check-sorted!
  "Fails unless the indices ascend in each line."
  [[line other] ^longs starts ^longs indices]
  (dotimes [i (dec (alength starts))]
    (loop [k (inc (aget starts i))]
      (when (< k (aget starts (inc i)))
        (let [before (aget indices (dec k)), at (aget indices k)]
          (when-not (< before at)
            (fail! :damo.sparse/not-canonical
                   (str "in " line " " i (if (= before at)
                                           (str " the " other " " at " is stored twice, as the "
                                                "elements " (dec k) " and " k)
                                           (str " the " other " " at " of the element " k
                                                " stands behind the " other " " before)))
                   {:at k, :line i
                    :try (str ":canonical true sorts what is given and adds up what is stored"
                              " twice")})))
        (recur (inc k))))))

;; ## Order

(defn lines-of
  "The line of each stored element, a long[]."
  ^longs [^longs starts]
  (let [lines (dec (alength starts)), ys (long-array (aget starts lines))]
    (dotimes [i lines] (Arrays/fill ys (int (aget starts i)) (int (aget starts (inc i))) (long i)))
    ys))

(defn- starts-of
  "Where each of so many lines begins."
  ^longs [^long lines ^longs line]
  (let [starts (long-array (inc lines))]
    (dotimes [k (alength line)]
      (let [i (inc (aget line k))] (aset starts i (inc (aget starts i)))))
    (dotimes [i lines] (aset starts (inc i) (+ (aget starts i) (aget starts (inc i)))))
    starts))

(defn- by-line
  "The stored elements, by number, line after line, each as it came."
  ^longs [^longs starts ^longs line]
  (let [next-place (aclone starts), order (long-array (alength line))]
    (dotimes [k (alength line)]
      (let [i (aget line k), place (aget next-place i)]
        (aset order place (long k))
        (aset next-place i (inc place))))
    order))

(defn- sort-lines!
  "Sorts the elements of each line by their index, equal ones as they came."
  [^longs starts ^longs order ^longs index]
  (let [keys (long-array (alength order)), before (aclone order)]
    (dotimes [i (dec (alength starts))]
      (let [from (aget starts i), to (aget starts (inc i)), n (- to from)]
        (loop [k from]
          (when (< k to)
            (aset keys k (+ (* n (aget index (aget order k))) (- k from)))
            (recur (inc k))))
        (Arrays/sort keys (int from) (int to))
        (loop [k from]
          (when (< k to)
            (aset order k (aget before (+ from (rem (aget keys k) n))))
            (recur (inc k))))))
    order))

(defn- firsts
  "The elements, of those in order, that are the first of their place."
  ^longs [^longs line ^longs index ^longs order]
  (let [n (alength order), kept (long-array n)]
    (loop [k 0, at 0]
      (if (< k n)
        (let [e (aget order k), b (aget order (max 0 (dec k)))]
          (if (and (pos? k) (= (aget line e) (aget line b)) (= (aget index e) (aget index b)))
            (recur (inc k) at)
            (do (aset kept at (long k)) (recur (inc k) (inc at)))))
        (Arrays/copyOf kept (int at))))))

(defn- summed
  "The sums of the elements between those that are the first of their place."
  [data ^longs kept]
  (let [n (alength kept), total (Array/getLength data)
        end #(long (if (< (inc (long %)) n) (aget kept (inc (long %))) total))]
    (if (instance? (Class/forName "[D") data)
      (let [^doubles data data, out (double-array n)]
        (dotimes [k n]
          (let [to (long (end k))]
            (aset out k (double (loop [i (inc (aget kept k)), sum (aget data (aget kept k))]
                                  (if (< i to) (recur (inc i) (+ sum (aget data i))) sum))))))
        out)
      (let [^longs data data, out (long-array n)]
        (dotimes [k n]
          (let [to (long (end k))]
            (aset out k (long (loop [i (inc (aget kept k)), sum (aget data (aget kept k))]
                                (if (< i to)
                                  (recur (inc i) (unchecked-add sum (aget data i)))
                                  sum))))))
        out))))

(defn ordered
  "{:starts :indices :data} of stored elements in any order, given by the line and the index of
  each, long[]s, and their numbers: line after line, sorted, those of one place added up."
  [^long lines ^longs line ^longs index data]
  (let [starts (starts-of lines line)
        ^longs order (sort-lines! starts (by-line starts line) index)
        sorted (chosen data order), kept (firsts line index order)]
    (if (= (alength kept) (alength order))
      {:starts starts, :indices (chosen index order), :data sorted}
      (let [places (chosen order kept)]
        {:starts (starts-of lines (chosen line places)), :indices (chosen index places)
         :data (summed sorted kept)}))))
