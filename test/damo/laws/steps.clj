(ns damo.laws.steps
  "What a step of a random graph may do, by families that meet many rules: a function of the pool of
  nodes and three naturals to {:args {?x node …} :template :exact :bound}, or nil when it finds no
  operands. A node is {:id :type :bound :exact}."
  (:require [damo.data.type :as type]))

(set! *warn-on-reflection* true)

;; ## Operands, and [template exact? bound] of them

(defn floats? "Is a node one of floats?" [{[dtype] :type}] (type/float-dtype? dtype))
(defn- ints? [{[dtype] :type}] (type/int-dtype? dtype))
(defn- numbers? [x] (not= :bool (first (:type x))))
(defn- bools? [x] (= :bool (first (:type x))))
(defn- shape-of [x] (second (:type x)))
(defn- rank [x] (count (shape-of x)))

(defn pick
  "The node of the pool that the natural n chooses among those that fit; 0 is the youngest."
  [pool fits? n]
  (let [fitting (filterv fits? pool)]
    (when (seq fitting) (fitting (- (count fitting) 1 (mod n (count fitting)))))))

(defn- broadcasts? [x]
  (fn [y] (try (type/broadcast-shapes (shape-of x) (shape-of y)) true
               (catch clojure.lang.ExceptionInfo _ false))))

(defn choice "The element that the natural n chooses." [coll n] (nth coll (mod n (count coll))))

(defn- unary [fits? templates]
  (fn [pool a b _]
    (when-let [x (pick pool fits? a)]
      (let [[template exact? bound] (choice templates b)]
        {:args {'?x x}, :template template, :exact exact?, :bound (bound (:bound x))}))))

(defn- binary [fits? templates]
  (fn [pool a b c]
    (when-let [x (pick pool fits? a)]
      (when-let [y (pick pool #(and (fits? %) ((broadcasts? x) %)) b)]
        (let [[template exact? bound] (choice templates c)]
          {:args {'?x x, '?y y}, :template template, :exact exact?
           :bound (bound (:bound x) (:bound y))})))))

(def ^:private one (constantly 1.0))

(def ^:private smooth
  [[[:tanh '?x] false one] [[:sigmoid '?x] false one] [[:softplus '?x] false inc]
   [[:exp [:neg [:abs '?x]]] false one] [[:log1p [:sqr '?x]] false identity]
   [[:sqrt [:add 1 [:sqr '?x]]] false inc] [[:sin '?x] false one] [[:mul 0.1 '?x] false identity]
   [[:log [:add 1 [:exp [:minimum '?x 50]]]] false inc]
   [[:pow [:add 2 [:tanh '?x]] 3] false (constantly 27.0)]])

(def ^:private plain
  [[[:neg '?x] true identity] [[:abs '?x] true identity] [[:sqr '?x] true #(* % %)]
   [[:relu '?x] true identity] [[:sub 1 '?x] true inc] [[:mul 2 '?x] true #(* 2 %)]
   [[:sub '?x '?x] true identity] [[:maximum '?x 1] true inc]])

(def ^:private arithmetic
  [[[:add '?x '?y] true +] [[:sub '?x '?y] true +] [[:mul '?x '?y] true *]
   [[:maximum '?x '?y] true max] [[:minimum '?x '?y] true max]
   [[:add [:mul '?x '?y] '?x] true (fn [x y] (+ x (* x y)))]])

(def ^:private quotients
  [[[:div '?x [:add 1 [:abs '?y]]] false (fn [x _] x)]
   [[:logaddexp '?x '?y] false +]
   [[:sub '?x [:mul 0.1 '?y]] false +]])

(def ^:private comparisons
  [[[:lt '?x '?y] true one] [[:ge '?x '?y] true one] [[:eq '?x '?y] true one]
   [[:ne [:add '?x 1] '?y] true one]])

(defn- choosing [pool a b c]
  (when-let [x (pick pool numbers? a)]
    (when-let [t (pick pool #(and (bools? %) ((broadcasts? x) %)) b)]
      (when-let [y (pick pool #(and (= (first (:type %)) (first (:type x)))
                                    ((broadcasts? x) %) ((broadcasts? t) %)) c)]
        {:args {'?t t, '?x x, '?y y}, :template [:where '?t '?x '?y], :exact true
         :bound (max (:bound x) (:bound y))}))))

(defn- converting [pool a b _]
  (when-let [x (pick pool (constantly true) a)]
    (let [dtype (choice [:f64 :i64 :f32 :bool :f64 :i32] b)]
      (when (or (:exact x) (#{:f64 :f32} dtype))
        {:args {'?x x}, :template [:cast {:dtype dtype} '?x], :exact true, :bound (:bound x)}))))

;; ## Reductions and products

(defn- axes-of [x n]
  (filterv #(bit-test n %) (range (rank x))))

(defn- reducing [fits? exact? ops]
  (fn [pool a b c]
    (when-let [x (pick pool fits? a)]
      (let [[op bound] (choice ops b)
            axes (if (zero? (mod c 5)) nil (axes-of x (quot c 2)))]
        {:args {'?x x}, :template [op {:axis axes, :keepdims (odd? c)} '?x], :exact exact?
         :bound (bound (:bound x))}))))

(defn- searching [pool a b c]
  (when-let [x (pick pool #(and (numbers? %) (:exact %) (< 0 (rank %))) a)]
    {:args {'?x x}, :template [(choice [:argmax :argmin] b)
                               {:axis (mod (quot c 2) (rank x)), :keepdims (odd? c)} '?x]
     :exact true, :bound 10}))

(defn- along-axis [pool a b c]
  (when-let [x (pick pool #(and (floats? %) (< 0 (rank %))) a)]
    (let [[op bound] (choice [[:softmax one] [:log-softmax #(+ 10 (* 2 %))] [:logsumexp #(+ 10 %)]
                              [:var #(* % %)]] b)
          axis (mod c (rank x))]
      {:args {'?x x}, :template [op {:axis axis} '?x], :exact false, :bound (bound (:bound x))})))

(defn- multiplying [pool a b c]
  (when-let [x (pick pool #(and (numbers? %) (< 0 (rank %))) a)]
    (when-let [y (pick pool #(and (numbers? %) (< 0 (rank %))
                                  (= (peek (shape-of x))
                                     (nth (shape-of %) (max 0 (- (rank %) 2))))) b)]
      {:args {'?x x, '?y y}, :template [(choice [:matmul :dot] c) '?x '?y], :exact true
       :bound (* 10 (:bound x) (:bound y))})))

(defn- squaring [pool a b _]
  (when-let [x (pick pool #(and (numbers? %) (= 2 (rank %))) a)]
    {:args {'?x x}, :exact true, :bound (* 10 (:bound x) (:bound x))
     :template (choice [[:matmul '?x [:transpose {:axes [1 0]} '?x]]
                        [:matmul [:transpose {:axes [1 0]} '?x] '?x]] b)}))

;; ## Views, joins, indices

(defn- viewing [pool a b c]
  (when-let [x (pick pool (constantly true) a)]
    (let [r (rank x), shape (shape-of x)]
      (when-let [view (case (int (mod b 8))
                        0 [:transpose {:axes nil}]
                        1 (when (< 1 r) [:transpose {:axes (vec (concat (range 1 r) [0]))}])
                        2 [:expand-dims {:axis (mod c (inc r))}]
                        3 [:squeeze]
                        4 [:reshape {:shape [-1]}]
                        5 (when (< 1 r) [:reshape {:shape (conj (subvec shape 1) (first shape))}])
                        6 [:broadcast-to {:shape (into [2] shape)}]
                        7 (when (< 1 r) [:swapaxes {:axis1 0, :axis2 (mod c r)}]))]
        {:args {'?x x}, :template (conj view '?x), :exact true, :bound (:bound x)}))))

(defn- cutting [pool a b c]
  (when-let [x (pick pool #(< 0 (rank %)) a)]
    (let [bounds (choice [{:start 1} {:stop -1} {:stop 2} {:start 1, :step 2} {:stop 0}] b)]
      {:args {'?x x}, :template [:slice (assoc bounds :axis (mod c (rank x))) '?x]
       :exact true, :bound (:bound x)})))

(defn- stretching [pool a b c]
  (when-let [x (pick pool (constantly true) a)]
    (when-let [y (pick pool (broadcasts? x) b)]
      {:args {'?x x}, :exact true, :bound (* 2 (:bound x))
       :template [:broadcast-to {:shape (type/broadcast-shapes (shape-of x) (shape-of y))}
                  (if (odd? c) '?x [:reshape {:shape (shape-of x)} '?x])]})))

(defn- joining [pool a b c]
  (when-let [x (pick pool #(< 0 (rank %)) a)]
    (let [axis (mod c (rank x)), others #(assoc (shape-of %) axis nil)]
      (when-let [y (pick pool #(and (= (rank x) (rank %)) (= (bools? x) (bools? %))
                                    (= (others x) (others %))) b)]
        {:args {'?x x, '?y y}, :exact true, :bound (max (:bound x) (:bound y))
         :template (if (and (even? b) (= (:type x) (:type y)))
                     [:stack {:axis axis} '?x '?y]
                     [:concatenate {:axis axis} '?x '?y])}))))

(defn- indexing [pool a b c]
  (when-let [x (pick pool #(and (numbers? %) (< 0 (rank %) 4)) a)]
    (when-let [i (pick pool #(and (ints? %) (:exact %) (< (rank %) 3)) b)]
      (let [axis (mod c (rank x)), extent (nth (shape-of x) axis)
            at [:mod [:cast {:dtype :i64} '?i] (if (integer? extent) extent [:dim {:dim extent}])]
            at (case (int (mod c 7)) 0 [:sub at 1], 1 '?i, at)        ; ?i alone may be out of range
            taken [:take {:axis axis} '?x at]]
        {:args {'?x x, '?i i}, :exact true, :bound (* 10 (:bound x))
         :template (if (odd? (quot c 3)) [:inc-at {:axis axis} '?x at [:mul 2 taken]] taken)}))))

(defn- writing
  "A block of an array, its first or last element along an axis, or every other one, set or added
  to; the block is made from the array, from another one of its type, or is a number."
  [pool a b c]
  (when-let [x (pick pool #(and (numbers? %) (< 0 (rank %) 4)) a)]
    (when-let [y (pick pool #(= (:type x) (:type %)) b)]
      (let [axis (mod c (rank x)), along #(assoc (vec (repeat (rank x) nil)) axis %)
            bounds (choice [{:start 0, :stop 1} {:start -1} {:step 2} {:start 1, :stop 3}] c)
            part [:slice (assoc bounds :axis axis) [:mul 2 '?y]]
            block (into {} (map (fn [[k v]] [k (if (= k :step) (mapv #(or % 1) (along v))
                                                   (along v))]))
                        bounds)]
        {:args {'?x x, '?y y}, :exact true, :bound (+ (:bound x) (* 2 (:bound y)))
         :template [(choice [:set-slice :inc-slice] b) block
                    (if (zero? (mod a 5)) [:mul 0 '?x] '?x) part]}))))

(defn- counting [pool a b c]
  (when-let [x (pick pool #(and (numbers? %) (< 0 (rank %))) a)]
    {:args {'?x x}, :exact true, :bound (* 10 (:bound x))
     :template [(choice [:add :mul :maximum] c) '?x
                [:iota {:shape (shape-of x), :axis (mod b (rank x)), :dtype (first (:type x))}]]}))

(defn- labelling [pool a b _]
  (when-let [i (pick pool #(and (ints? %) (:exact %)) b)]
    (let [label [:mod '?i 3]]
      (if-let [x (pick pool #(and (floats? %) (= (shape-of %) (conj (shape-of i) 3))) a)]
        {:args {'?x x, '?i i}, :template [:cross-entropy '?x label], :exact false
         :bound (+ 10 (* 2 (:bound x)))}
        {:args {'?i i}, :template [:one-hot {:classes 3, :dtype :f64} label], :exact true
         :bound 1}))))

(def smooth-kinds
  "The families of smooth functions."
  [(binary floats? (subvec arithmetic 0 3)) (binary floats? quotients) (unary floats? smooth)
   (unary floats? (subvec plain 0 6))
   (reducing floats? false [[:mean identity] [:sum #(* 20 %)]])
   along-axis multiplying squaring viewing viewing cutting stretching joining indexing writing])

(def kinds
  "All families."
  [(binary numbers? arithmetic) (binary floats? arithmetic) (binary floats? quotients)
   (unary floats? smooth) (unary floats? smooth) (unary numbers? plain)
   (binary #(and (numbers? %) (:exact %)) comparisons)
   choosing converting
   (reducing numbers? true [[:sum #(* 20 %)] [:max identity] [:min identity] [:sum #(* 20 %)]])
   (reducing floats? false [[:mean identity] [:sum #(* 20 %)]])
   (reducing bools? true [[:any one] [:all one] [:sum (constantly 20.0)]])
   searching along-axis along-axis multiplying squaring
   viewing viewing cutting stretching joining indexing writing counting labelling])
