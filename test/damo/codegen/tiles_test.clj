(ns damo.codegen.tiles-test
  "Products by tiles against a plain triple loop: random sizes, strides, layouts, panels, factors
  and widths of vectors. What lies between and behind the elements is NaN, and the pages around a
  buffer cannot be touched."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.codegen.guarded :as guarded]
            [damo.codegen.tiled :as tiled])
  (:import (damo.jit NativeCode)
           (java.lang.foreign Arena)
           (java.util Random)))

(set! *warn-on-reflection* true)

(defn- pick [^Random r choices] (nth choices (.nextInt r (count choices))))

(defn- panel-width [dtype bits] (quot (* 2 (long bits)) ({:f32 32, :f64 64} dtype)))

(defn- operand
  "How a matrix of those rows and columns lies: `:at` gives the offset of an element, `:strides`
  what the product is told, `:size` the number of elements that it takes."
  [layout rows cols w]
  (let [[rs cs] (case layout
                  :rows [cols 1]
                  :gaps [(+ cols 3) 1]
                  :columns [1 rows]
                  :columns-gaps [1 (+ rows 5)]
                  :odd [(+ 1 (* 3 (max 1 cols))) 3]
                  :same-row [0 1]
                  :same-column [1 0]
                  :one [0 0]
                  :panels [cols 1]
                  :panels-turned [1 rows])
        strided (fn [^long i ^long j] (+ (* i (long rs)) (* j (long cs))))
        in-panels (fn [whole-rows] (fn [^long i ^long j]
                                     (+ (* (quot j (long w)) (long whole-rows) (long w))
                                        (* i (long w)) (rem j (long w)))))
        sized (fn [at] (if (some zero? [rows cols]) 0 (inc (long (at (dec rows) (dec cols))))))
        whole (fn [rows cols] (* rows w (quot (+ cols (dec w)) w)))]
    (case layout
      :panels {:strides [rs cs], :at (in-panels rows), :size (whole rows cols), :panels true}
      :panels-turned (let [at (in-panels cols)]
                       {:strides [rs cs], :at (fn [i j] (at j i)), :size (whole cols rows)
                        :panels true})
      {:strides [rs cs], :at strided, :size (sized strided)})))

(defn- contents
  "The elements of an operand: small whole numbers where the matrix has any, NaN between them, and
  zeros behind the last column in panels."
  ^doubles [^Random r {:keys [at size panels]} rows cols]
  (let [values (double-array size (if panels 0.0 ##NaN))]
    (doseq [i (range rows) j (range cols)]
      (aset values (long (at i j)) (double (- (.nextInt r 9) 4))))
    values))

(defn- expected
  "C by three loops, on copies of what the buffers hold."
  ^doubles [[m n k] [alpha beta] [a b c] [^doubles av ^doubles bv ^doubles cv]]
  (let [out (aclone cv)
        k (long k) alpha (double alpha) beta (double beta)
        a-offsets (object-array (for [i (range m)] (long-array (for [l (range k)] ((:at a) i l)))))
        b-offsets (object-array (for [j (range n)] (long-array (for [l (range k)] ((:at b) l j)))))]
    (doseq [i (range m) j (range n)
            :let [^longs ao (aget a-offsets i) ^longs bo (aget b-offsets j)
                  p (long ((:at c) i j))]]
      (aset out p (+ (* alpha (double (loop [l 0, sum 0.0]
                                        (if (< l k)
                                          (recur (inc l) (+ sum (* (aget av (aget ao l))
                                                                   (aget bv (aget bo l)))))
                                          sum))))
                     (if (zero? beta) 0.0 (* beta (aget cv p))))))
    out))

(def ^:private layouts
  [:rows :gaps :columns :columns-gaps :odd :same-row :same-column :one :panels :panels-turned])

(defn- case-of
  "A random case."
  [^Random r dtype bits]
  (let [m (pick r [0 1 2 5 6 7 11 12 13 25 60 61])
        n (pick r [0 1 3 8 15 16 17 31 32 33 64 70])
        k (pick r [0 1 2 7 16 17 33 60 100 513 800])
        w (panel-width dtype bits)
        a (pick r layouts) b (pick r layouts) c (pick r [:rows :gaps :panels])]
    {:sizes [m n k], :layouts [a b c], :factors [(pick r [1.0 -0.5]) (pick r [0.0 1.0 0.5])]
     :operands [(operand a m k w) (operand b k n w) (operand c m n w)]
     :threads (pick r [1 1 2 5])}))

(defn- numbers [{[m n k] :sizes, [a b c] :operands, :keys [threads]}]
  {:m m, :n n, :k k, :threads threads
   :a-row (first (:strides a)), :a-col (second (:strides a))
   :b-row (first (:strides b)), :b-col (second (:strides b)), :c-row (first (:strides c))
   :panels (+ (if (:panels a) 1 0) (if (:panels b) 2 0) (if (:panels c) 4 0))})

(defn- run
  "What C holds after the product of a case, on operands that hold those values."
  [code dtype {:keys [factors] :as case} values]
  (guarded/with-buffers dtype (conj values (double-array factors))
    (fn [addresses read]
      (tiled/call code (numbers case) addresses 1)
      (read 2))))

(defn- bits-of [dtype values]
  (mapv (if (= dtype :f32) #(Float/floatToIntBits (float %)) #(Double/doubleToLongBits %)) values))

(deftest random-cases-test
  (doseq [dtype [:f32 :f64], bits [128 256 512]]
    (with-open [^NativeCode code (tiled/compile-product dtype bits)]
      (let [r (Random. 7)]
        (dotimes [_ 120]
          (let [{[m n k] :sizes, [a b c] :operands, [_ beta] :factors :as case}
                (case-of r dtype bits)
                values [(contents r a m k) (contents r b k n)
                        (if (zero? beta)
                          (double-array (:size c) (if (:panels c) 0.0 ##NaN))
                          (contents r c m n))]]
            (is (= (bits-of dtype (map #(+ 0.0 %) (expected (:sizes case) (:factors case)
                                                            (:operands case) values)))
                   (bits-of dtype (map #(+ 0.0 %) (run code dtype case values))))
                (dissoc case :operands))))))))

(defn- gaussians [^Random r n] (double-array (repeatedly n #(.nextGaussian r))))

(defn- turned-b
  "The same with B by columns."
  [{[_ n k] :sizes :as case}]
  (assoc-in case [:operands 1] (operand :columns k n 1)))

(defn- dense [m n k threads]
  {:sizes [m n k], :factors [0.7 0.3], :threads threads
   :operands [(operand :rows m k 1) (operand :rows k n 1) (operand :rows m n 1)]})

(defn- part
  "The case and the values of the part of a dense product that has rows i … i+h-1, columns j …
  j+w-1."
  [{[m n k] :sizes :as whole} [^doubles a ^doubles b ^doubles c] [i j h w]]
  (let [turned (= 1 (first (:strides (second (:operands whole)))))]
    [(cond-> (dense h w k 1) turned turned-b)
     [(double-array (for [q (range h) l (range k)] (aget a (+ (* (+ i q) k) l))))
      (double-array (if turned
                      (for [q (range w) l (range k)] (aget b (+ (* (+ j q) k) l)))
                      (for [l (range k) q (range w)] (aget b (+ (* l n) j q)))))
      (double-array (for [p (range h) q (range w)] (aget c (+ (* (+ i p) n) j q))))]]))

;; Tiles, few rows, few columns, and few elements; and parts of them that are computed alike.
(def ^:private wholes-and-parts
  [[[61 200] [[0 0 61 200] [13 31 20 34] [40 100 13 37]]]
   [[12 700] [[0 0 12 700] [3 31 7 40] [10 65 2 600] [2 660 9 40] [10 300 2 20]]]
   [[400 4] [[0 0 400 4] [3 1 300 3] [387 3 13 1] [7 2 13 2]]]
   [[5 2] [[0 0 5 2] [1 1 2 1] [3 0 2 2]]]
   [[1 2000] [[0 0 1 2000] [0 7 1 1200]]]])

(deftest one-order-test
  (testing "an element has the same bits in a larger product, at any place, by any threads"
    (doseq [dtype [:f32 :f64], bits [128 256 512]]
      (with-open [^NativeCode code (tiled/compile-product dtype bits)]
        (doseq [[[m n] parts] wholes-and-parts, k (if (< bits 512) [401] [60 784])
                lies [identity turned-b]]
          (let [r (Random. 3)
                values (mapv #(gaussians r %) [(* m k) (* k n) (* m n)])
                case (lies (dense m n k 1))
                whole (vec (run code dtype case values))]
            (doseq [threads [2 8]]
              (is (= whole (vec (run code dtype (assoc case :threads threads) values)))
                  [dtype bits (:sizes case) threads]))
            (doseq [[i j h w :as place] parts
                    :let [[inner inner-values] (part case values place)]]
              (is (= (for [p (range h) q (range w)] (nth whole (+ (* (+ i p) n) j q)))
                     (run code dtype inner inner-values))
                  [dtype bits (:sizes case) place]))))))))

(deftest tails-test
  (testing "a tail is called once for each row, and finds the row finished in all its columns"
    (with-open [^NativeCode code (tiled/compile-product :f64 512), arena (Arena/ofShared)]
      (doseq [[m n k] [[61 200 60] [500 40 700] [3 50 7] [5 0 3] [13 900 513]], threads [1 2 5]
              c-layout [:rows :panels]
              :let [r (Random. 5), w (panel-width :f64 512)
                    case (-> (dense m n k threads) (assoc :factors [-0.5 1.0])
                             (assoc-in [:operands 2] (operand c-layout m n w)))
                    [a b c] (:operands case)
                    values [(contents r a m k) (contents r b k n) (contents r c m n)]
                    done (expected (:sizes case) (:factors case) (:operands case) values)
                    calls (atom []), wrong (atom [])]]
        (guarded/with-buffers :f64 (conj values (double-array (:factors case)))
          (fn [addresses read]
            (let [tail (tiled/tail arena (fn [from to]
                                           (swap! calls conj [from to])
                                           (let [now (read 2)]
                                             (doseq [i (range from to) j (range n)
                                                     :let [p ((:at c) i j)]
                                                     :when (not= (aget done p) (nth now p))]
                                               (swap! wrong conj [i j])))))]
              (tiled/call code (numbers case) (conj addresses tail) 1))))
        (is (= (range m) (sort (mapcat #(apply range %) @calls))) [m n k threads])
        (is (empty? @wrong) [m n k threads])))))
