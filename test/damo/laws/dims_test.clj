(ns damo.laws.dims-test
  "The normal form of dims: it keeps the value, is its own normal form, and proves nothing that is
  not so. Reshapes with symbolic extents against NumPy's, and what the compiler does with them."
  (:require [clojure.test :refer [deftest is]]
            [clojure.test.check.generators :as gen]
            [damo.core :as d]
            [damo.data.poly :as poly]
            [damo.data.type :as type])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(def ^:private dims
  (gen/recursive-gen
   (fn [g]
     (gen/one-of
      [(gen/let [op (gen/elements [:+ :* :- :max :min]), a g, b g] [op a b])
       (gen/let [op (gen/elements [:quot :mod]), a g, k (gen/choose 1 4)] [op [:max 0 a] k])
       (gen/let [a g, k (gen/elements '[1 2 3 n [:+ n 1]])] [:/ [:* a k] k])]))
   (gen/one-of [(gen/choose 0 5) (gen/elements '[n m k])])))

(defn- value
  "The value of a dim, which may be negative."
  [env d]
  (cond (integer? d) d
        (symbol? d) (env d)
        :else (let [[op & ds] d]
                (apply ({:+ +, :- -, :* *, :max max, :min min, :quot quot, :mod mod, :/ /} op)
                       (map #(value env %) ds)))))

(deftest normal-form-of-dims
  (doseq [seed (range 400)
          :let [d (gen/generate dims 20 seed), normal (type/signed+ d 0)]]
    (is (= normal (type/signed+ normal 0)) (pr-str d))
    (doseq [n [1 2 7], m [0 1 3], k [0 5] :let [env {'n n, 'm m, 'k k}]]
      (is (= (value env d) (value env normal)) (pr-str d env))
      (when (type/at-most? 0 d) (is (<= 0 (value env d)) (pr-str d env))))))

(defn- as-numpy?
  "Is `got` the shape that NumPy gives `size` elements reshaped to `shape`, nil where it refuses? Of
  none at all any extent is right that the dims tell: [n 784] as [n -1]."
  [size shape got]
  (let [known (reduce * (remove #{-1} shape))]
    (cond (zero? known) (or (nil? got)
                            (and (zero? size) (every? true? (map #(or (= -1 %1) (= %1 %2))
                                                                 shape got))))
          (zero? (mod size known)) (= got (mapv #(if (= -1 %) (quot size known) %) shape))
          :else (nil? got))))

(defn- random-shape
  "A shape of extents, some by name, of n m elements or -1 among them."
  [^Random random]
  (let [extents (vec (repeatedly (inc (.nextInt random 3))
                                 #(nth '[n m 1 2 3 4 [:* 2 n] [:/ n 2]] (.nextInt random 8))))]
    (assoc extents (.nextInt random (count extents)) -1)))

(deftest reshapes-are-those-of-numpy
  (let [x (d/input 'x '[:f64 [n m]]), random (Random. 20261130)]
    (doseq [_ (range 25)
            :let [shape (random-shape random), f (d/function [x] (d/reshape x shape))]
            [n m] [[2 3] [4 6] [3 4] [1 0] [0 2] [5 1]]
            :let [asked (mapv #(if (= -1 %) -1 (value {'n n, 'm m} %)) shape)
                  got (try (d/shape (f (d/zeros [n m])))
                           (catch clojure.lang.ExceptionInfo e
                             (when-not (re-find #"come out even" (ex-message e)) e)))]]
      (is (if (every? integer? asked) (as-numpy? (* n m) asked got) (nil? got))
          (pr-str shape n m got)))))

(deftest signs-of-many-positive-parts-are-soon-told
  (let [dim #(symbol (str %1 %2))
        part (fn [i] (type/dim-max 0 (type/dim- (dim "a" i) (dim "b" i))))
        less (fn [i] (type/dim-max 0 (type/dim- (dim "a" i) [:+ (dim "b" i) (dim "c" i)])))
        sum #(reduce poly/plus {} (map poly/of-dim %))
        p (fn [k] (poly/minus (sum (map part (range k))) (sum (map less (range k)))))
        soon #(deref (future (poly/nonnegative? %)) 20000 :late)]
    (is (= [true true true] (map (comp soon p) [1 2 3])))
    (is (false? (soon (poly/minus (p 4) {['z] 1}))))
    (is (contains? #{true false} (soon (p 12))) "too many to be tried in all orders")
    (is (false? (soon (poly/plus (poly/minus (poly/of-dim (part 1)) {['a1] 1}) {[] -1}))))))
