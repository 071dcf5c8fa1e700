(ns damo.codegen.laid-test
  "Products and updates of matrices that lie in rows at lines of memory or in columns, as the words
  of a call's table tell: the same as of rows, at every width of vectors, whichever operand it is."
  (:require [clojure.test :refer [deftest is]]
            [damo.jit.calling :as calling])
  (:import (damo.codegen Codegen)
           (damo.jit NativeCode)
           (damo.verify CallTable)
           (java.lang.foreign Arena)
           (java.util Random)))

(set! *warn-on-reflection* true)

(defn- numbers
  "Small whole numbers, of which sums are exact."
  [^Random r n]
  (vec (repeatedly n #(double (- (.nextInt r 7) 3)))))

(defn- one-of [^Random r xs] (nth xs (.nextInt r (count xs))))

;; ## How a matrix lies

(defn- kind-of
  "How a matrix may lie: one of a single column lies in rows, as always."
  [r columns]
  (if (= 1 columns) :rows (one-of r [:rows :lines :columns])))

(defn- laid
  "[word lead contents] of a matrix in rows, given its elements, as :rows, :lines or :columns."
  [kind rows columns elements]
  (let [padded (fn [length others at]
                 (vec (for [i (range others), j (range (+ length 3))]
                        (if (< j length) (elements (at i j)) 0.0))))]
    (case kind
      :rows [0 columns elements]
      :lines [0 (+ columns 3) (padded columns rows #(+ (* %1 columns) %2))]
      :columns [2 (+ rows 3) (padded rows columns #(+ (* %2 columns) %1))])))

(defn- unlaid
  "The elements of a matrix in rows, of what `laid` made of them."
  [kind rows columns contents]
  (if (= kind :rows)
    contents
    (vec (for [i (range rows), j (range columns)]
           (contents (case kind
                       :lines (+ (* i (+ columns 3)) j)
                       :columns (+ (* j (+ rows 3)) i)))))))

(defn- compiled ^NativeCode [program width]
  (NativeCode/compile (Codegen/module (calling/read-program program) (int width))))

;; ## One product

(defn- product
  "C ← 0.5·A·B + beta·C, of which the operand `place` is a state; `turned?` of it is used."
  [t [m n k] place turned? beta batch]
  (let [extents {:a [m k], :b [k n], :c [m n]}
        stored (fn [o] (cond-> (extents o) (and turned? (= o place)) reverse))
        kind (fn [o] (cond (= o place) :state (= o :c) :state :else :input))
        copies (fn [o] (if (= o place) 1 batch))
        buffer {:a 0 :b 1 :c 2}
        operand (fn [o] (let [[r c] (stored o)]
                          {:buffer (buffer o), :offset 0
                           :strides (if (and turned? (= o place)) [1 c] [c 1]), :rows r}))
        port (fn [o] {:name (name o), :dtype t, :buffer (buffer o)
                      :shape (cond->> (vec (stored o)) (< 1 (copies o)) (into [batch]))})]
    {:damo/program 1 :name "laid" :dims [] :consts [] :kernels [] :notes [] :outputs []
     :buffers (for [o [:a :b :c]]
                {:dtype t :size (apply * (copies o) (extents o)) :kind (kind o)})
     :inputs (for [o [:a :b] :when (= :input (kind o))] (port o))
     :state (for [o [:a :b :c] :when (= :state (kind o))]
              (cond-> (port o) (= o :c) (assoc :written true)))
     :steps [(cond-> {:do :gemm :dtype t :m m :n n :k k :alpha 0.5 :beta beta
                      :a (dissoc (operand :a) :rows) :b (dissoc (operand :b) :rows)
                      :c (dissoc (operand :c) :rows)}
               (< 1 batch) (assoc :batch [{:extent batch
                                           :a (if (= place :a) 0 (* m k))
                                           :b (if (= place :b) 0 (* k n))
                                           :c (* m n)}]))]}))

(defn- expected [[m n k] beta batch {:keys [a b c]} place turned?]
  (let [at (fn [o data g i j rows columns]
             (cond (and (= o place) turned?) (data (+ (* j rows) i))
                   (= o place) (data (+ (* i columns) j))
                   :else (data (+ (* g rows columns) (* i columns) j))))]
    (vec (for [g (range batch), i (range m), j (range n)]
           (+ (* 0.5 (reduce + (for [l (range k)]
                                 (* (at :a a g i l m k) (at :b b g l j k n)))))
              (* beta (c (+ (* g m n) (* i n) j))))))))

(defn- product-case [^Random r t]
  (let [place (one-of r [:a :b :c]), sizes [1 2 3 5 8 13 17 40]
        [m n k :as mnk] (repeatedly 3 #(one-of r sizes))
        turned? (and (not= place :c) (.nextBoolean r))
        batch (if (= place :c) 1 (one-of r [1 1 3])), beta (one-of r [0.0 1.0 -2.0])
        elements {:a (numbers r (* m k (if (= place :a) 1 batch)))
                  :b (numbers r (* k n (if (= place :b) 1 batch))), :c (numbers r (* m n batch))}
        [rows columns] (cond-> ({:a [m k], :b [k n], :c [m n]} place) turned? reverse)]
    {:program (product t mnk place turned? beta batch), :place place, :elements elements
     :shape [rows columns], :kind (kind-of r columns)
     :expected (expected mnk beta batch elements place turned?)
     :what [t mnk place turned? beta batch]}))

(deftest a-product-of-a-matrix-as-it-lies
  (let [r (Random. 21)]
    (doseq [width [128 256 512], t [:f32 :f64], _ (range 14)
            :let [{:keys [program place elements kind expected what], [rows columns] :shape}
                  (product-case r t)
                  [word lead contents] (laid kind rows columns (elements place))
                  all (mapv (assoc elements place contents) [:a :b :c])
                  ;; A dense C is a matrix of its own, but for a batch of several.
                  matrices (.matrices (CallTable/of (calling/read-program program)))
                  others (for [m matrices, :let [m ^damo.verify.Wholes$Whole m]]
                           (if (= (.buffer m) ({:a 0 :b 1 :c 2} place))
                             [word lead]
                             [0 (.value ^damo.program.Size$Int (.columns m))]))]]
      (with-open [code (compiled program width)]
        (let [{:keys [status buffers]} (calling/run code program (vec (flatten others)) all
                                                    :threads (one-of r [1 2]))
              c (cond->> (buffers 2) (= place :c) (unlaid kind rows columns))]
          (is (zero? status))
          (is (= expected c) [width kind what]))))))

;; ## Passes

(defn- passes
  "y ← x·w or w·x; then z ← e·w or w·e; then w ← w - 2·a·b. The last two may be one pass, and the
  last and the first of the next call."
  [t rows columns [first-sums? then-sums?]]
  (let [step {:do :gemm :dtype t :beta 0.0 :m 1}
        product (fn [sums? x y alpha]
                  (let [[from to] (if sums? [rows columns] [columns rows])]
                    (merge step {:n to :k from :alpha alpha
                                 :a {:buffer x :offset 0 :strides [from 1]}
                                 :b {:buffer 0 :offset 0
                                     :strides (if sums? [columns 1] [1 columns])}
                                 :c {:buffer y :offset 0 :strides [to 1]}})))
        sizes [(* rows columns) (if first-sums? columns rows) (if then-sums? columns rows)
               (if first-sums? rows columns) (if then-sums? rows columns) rows columns]
        port (fn [i n] {:name n :dtype t :shape [(sizes i)] :buffer i})]
    {:damo/program 1 :name "passes" :dims [] :consts [] :kernels [] :notes [] :outputs []
     :buffers (map (fn [n kind] {:dtype t :size n :kind kind}) sizes
                   [:state :state :state :input :input :input :input])
     :inputs [(port 3 "x") (port 4 "e") (port 5 "a") (port 6 "b")]
     :state [{:name "w" :dtype t :shape [rows columns] :buffer 0 :written true}
             (assoc (port 1 "y") :written true) (assoc (port 2 "z") :written true)]
     :sizes sizes
     :steps [(product first-sums? 3 1 0.5) (product then-sums? 4 2 1.0)
             {:do :gemm :dtype t :m rows :n columns :k 1 :alpha -2.0 :beta 1.0
              :a {:buffer 5 :offset 0 :strides [1 rows]}
              :b {:buffer 6 :offset 0 :strides [columns 1]}
              :c {:buffer 0 :offset 0 :strides [columns 1]}}]}))

(defn- stepped [[rows columns] [first-sums? then-sums?] [w _ _ x e a b]]
  (let [dots (fn [sums? v k]
               (if sums?
                 (vec (for [j (range columns)]
                        (* k (reduce + (for [i (range rows)] (* (v i) (w (+ (* i columns) j))))))))
                 (vec (for [i (range rows)]
                        (* k (reduce + (for [j (range columns)]
                                         (* (v j) (w (+ (* i columns) j))))))))))]
    [(vec (for [i (range rows), j (range columns)] (- (w (+ (* i columns) j)) (* 2.0 (a i) (b j)))))
     (dots first-sums? x 0.5) (dots then-sums? e 1.0) x e a b]))

(deftest an-update-with-the-product-before-it
  (let [r (Random. 5)]
    (doseq [width [128 256 512], t [:f32 :f64], first-sums? [true false], then-sums? [true false]
            _ (range 2)
            :let [sums [first-sums? then-sums?]
                  [rows columns :as shape] (repeatedly 2 #(one-of r [1 2 5 8 10 11 17 36 50]))
                  kind (kind-of r columns), meets (.nextInt r 2)
                  joined (one-of r [0 1 1]), times (one-of r [1 2 3])
                  program (passes t rows columns sums)
                  all (mapv #(numbers r %) (:sizes program))
                  [word lead contents] (laid kind rows columns (all 0))
                  table (CallTable/of (calling/read-program (dissoc program :sizes)))]]
      (is (= [1 1] [(count (.deferrals table)) (count (.joins table))]))
      (with-open [code (compiled (dissoc program :sizes) width), arena (Arena/ofShared)]
        (let [spare (.address (.allocate ^Arena arena (long (* 8 (+ 16 rows columns))) 64))
              words [word lead 0 meets 0 spare joined]
              run (fn [all times]
                    (:buffers (calling/run code program words all :times times)))
              at-once (run (assoc all 0 contents) times)]
          (is (= (nth (iterate #(stepped shape sums %) all) times)
                 (update at-once 0 #(unlaid kind rows columns %)))
              [width t sums shape kind meets joined times])
          (is (= at-once (nth (iterate #(run % 1) (assoc all 0 contents)) times))))))))

(deftest what-an-update-waits-for
  (let [joins (fn [program]
                (count (.joins (CallTable/of (calling/read-program (dissoc program :sizes))))))
        program (passes :f32 7 7 [true false])
        with (fn [path x] (assoc-in (update program :steps vec) (into [:steps 2] path) x))]
    (is (= 1 (joins program)))
    (is (= [0 0 0] (map joins [(with [:a :buffer] 2) (with [:b :buffer] 2)
                               (with [:alpha] {:buffer 2})]))
        "what the product before it writes")))
