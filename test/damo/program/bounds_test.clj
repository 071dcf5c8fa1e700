(ns damo.program.bounds-test
  "Binding dimensions: sizes, lies about bounds (each refused with its message), and the property
  that what is accepted stays in bounds and what is affine and in bounds is accepted."
  (:require [clojure.test :refer [deftest is]]
            [clojure.test.check :as check]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [damo.program.sample :as sample])
  (:import (damo DamoException)
           (damo.program Program Programs Sizes Size$Call Size$Int Size$Name Size$Op)
           (damo.verify Binding Bindings)
           (java.util.function ToLongFunction)))

(set! *warn-on-reflection* true)

(defn- read-program ^Program [form] (Programs/read (pr-str form)))

(defn- bind
  ^Binding [form & dims]
  (Bindings/bind (read-program form) (long-array dims)))

(defn- refusal
  "[kind message] with which binding is refused, or nil."
  [form & dims]
  (try
    (apply bind form dims)
    nil
    (catch DamoException e [(.kind e) (.getMessage e)])))

(deftest sizes-and-shapes
  (let [b (bind sample/program 60)]
    (is (= [60] (vec (.dims b))))
    (is (= [47040 7840 10 600 600 3 30] (vec (.elements b))))
    (is (= [188160 31360 40 2400 2400 24 120] (vec (.bytes b))))
    (is (= [-1 -1 -1 0 -1 -1 -1] (vec (.offsets b))))
    (is (= 2432 (.arenaBytes b)) "2400 bytes, rounded up to 64")
    (is (= [[60 784]] (map vec (.inputShapes b))))
    (is (= [[784 10] [10]] (map vec (.stateShapes b))))
    (is (= [[60 10] [3 10]] (map vec (.outputShapes b))))))

(deftest rounds-that-do-nothing-may-take-long-all-the-same
  (let [run {:do :kernel :kernel 0 :args [0 1]}
        form (fn [kernel step]
               {:damo/program 1 :name "idle" :dims '[n]
                :buffers '[{:dtype :f32 :size n :kind :input} {:dtype :f32 :size 1 :kind :output}]
                :inputs '[{:name "x" :dtype :f32 :shape [n] :buffer 0}]
                :outputs '[{:name "y" :dtype :f32 :shape [] :buffer 1}]
                :kernels [{:name "k" :params [[:f32 :in] [:f32 :out]] :body [kernel]}]
                :steps [step]})
        work (fn [extent]
               (for [[kernel step] [[[:for 'i extent [:for 'j '[:* n 2]
                                                      [:store 1 0 [:load 0 0]]]] run]
                                    [[:for 'i extent] run]
                                    [[:store 1 0 [:const :f32 0]]
                                     {:do :gemm :dtype :f32 :m 1 :n 1 :k 0 :alpha 1.0 :beta 0.0
                                      :a {:buffer 0 :offset 0 :strides [1 1]}
                                      :b {:buffer 0 :offset 0 :strides [1 1]}
                                      :c {:buffer 1 :offset 0 :strides [1 1]}
                                      :batch [{:extent extent :a 0 :b 0 :c 0}]}]]]
                 (.work (bind (form kernel step) 0))))]
    (is (every? #(<= 1e6 % 1e17) (work 1000000000000000)) "no call that the collector waits for")
    (is (every? #(< % 20) (work 10)))))

(deftest the-sample-binds-for-every-batch
  (doseq [n [0 1 2 3 64 1025]]
    (is (some? (bind sample/program n)) (str "n = " n))))

(deftest evaluate-is-exact
  (let [names (reify ToLongFunction (applyAsLong [_ n] (case n "n" 7 "big" Long/MAX_VALUE)))
        call (fn [op x y] (Size$Call. (Size$Op/valueOf op) x y))
        n (Size$Name. "n") big (Size$Name. "big") int-of #(Size$Int. %)
        value #(Sizes/evaluate % names)]
    (is (= 14 (value (call "ADD" n n))))
    (is (= -3 (value (call "QUOT" (call "SUB" n (int-of 13)) (int-of 2)))) "truncates")
    (is (= 1 (value (call "MOD" (call "SUB" n (int-of 12)) (int-of 3)))) "floors")
    (is (= [2 7] [(value (call "MIN" n (int-of 2))) (value (call "MAX" n (int-of 2)))]))
    (is (= "[:+ [:* n 2] big]" (Sizes/show (call "ADD" (call "MUL" n (int-of 2)) big))))
    (doseq [size [(call "ADD" big n) (call "MUL" big n) (call "QUOT" n (int-of 0))]]
      (is (thrown? ArithmeticException (value size))))))

;; ## Lies about bounds: [program, dims, kind, message]. Parameter 0 is x[n], parameter 1 is y[m].

(def ^:private value [:const :f32 0])

(defn- store [index] [:store 1 index value])

(defn- load-x [index] [:store 1 0 [:load 0 index]])

(def ^:private lies
  [;; sizes
   [sample/program [-1] "shape-mismatch" #"dimension n is negative: -1"]
   [sample/program [1 2] "shape-mismatch" #"has the dimensions \[n\], given 2 values"]
   [sample/program [Long/MAX_VALUE] "size-overflow"
    #"buffer 0: size \[:\* n 784\] with n = 9223372036854775807 overflows 64 bits"]
   [sample/program [(quot Long/MAX_VALUE 1000)] "size-overflow"
    #"buffer 0: \[:\* n 784\] with n = \d+ elements of :f32 are more bytes than 64 bits"]
   [(assoc-in sample/program [:buffers 3 :size] '[:- [:* n 10] 1]) [0] "bad-size"
    #"buffer 3: size \[:- \[:\* n 10\] 1\] with n = 0 is negative: -1"]
   [(assoc-in sample/program [:buffers 3 :size] '[:quot 600 n]) [0] "bad-size"
    #"buffer 3: size \[:quot 600 n\] with n = 0 has a divisor 0"]
   [(assoc-in sample/program [:inputs 0 :shape] '[n 785]) [60] "bad-program"
    #"input \"x\" of shape \[60, 785\] has 47100 elements, but its buffer 0 has 47040"]
   [(assoc-in sample/program [:outputs 1 :shape] [3 10 0]) [60] "bad-program"
    #"output \"rows\" of shape \[3, 10, 0\] has 0 elements, but its buffer 6 has 30"]
   [(assoc-in sample/program [:outputs 1 :shape] [4294967296 4294967296]) [60] "size-overflow"
    #"output \"rows\" of shape .* has more elements than 64 bits count"]
   ;; indices
   [(assoc-in sample/program [:buffers 3 :size] '[:- [:* n 10] 1]) [60] "out-of-bounds"
    #"step 0, a :gemm: :c reaches element 599, but buffer 3 has 599"]
   [(assoc-in sample/program [:buffers 4 :size] '[:* n 9]) [60] "bad-program" #"output \"y\""]
   [(assoc-in sample/program [:kernels 0 :body 0 2] '[:+ n 1]) [60] "out-of-bounds"
    (re-pattern (str "step 1, kernel 0 \"add-tanh\", statement 0.0.0: "
                     "index \\[:\\+ \\[:\\* i 10\\] j\\] of parameter 0 reaches 609, "
                     "but buffer 3 has 600 elements, \\[:\\* n 10\\] with n = 60"))]
   [(assoc-in sample/program [:kernels 2 :body 0 4 3 2] '[:+ [:* k 10] [:+ j 1]]) [60]
    "out-of-bounds" #"kernel 2 \"take-row\", statement 0.1.0: .* parameter 2 reaches 30"]
   [(assoc-in sample/program [:kernels 2 :body 0 3 3] '[:+ n 1]) [60] "out-of-bounds"
    #"index \[:\+ \[:\* r 10\] j\] of parameter 0 reaches 609"]
   [(sample/with-body (store 'm)) [5 5] "out-of-bounds" #"index m of parameter 1 reaches 5"]
   [(sample/with-body [:for 'i 'm (store '[:+ i 1])]) [5 5] "out-of-bounds" #"reaches 5,"]
   [(sample/with-body [:local 't :f32 4] [:for 'i 'm [:store 't 'i value]]) [5 5] "out-of-bounds"
    #"statement 1.0: index i reaches 4, but the local array has 4 elements"]
   [(sample/with-body [:local 't :f32 4] [:let 'a [:load 't '[:- n 5]]]) [4 5] "out-of-bounds"
    #"index \[:- n 5\] of parameter 2 may be as small as -1"]
   [(sample/with-body [:for 'i 'm (store '[:- i 1])]) [5 5] "out-of-bounds"
    #"statement 0.0: index \[:- i 1\] of parameter 1 may be as small as -1"]
   [(sample/with-body [:for 'i 'm (store '[:- m i])]) [5 5] "out-of-bounds" #"reaches 5,"]
   [(sample/with-body [:for 'i 'n (load-x '[:* i 2])]) [5 1] "out-of-bounds" #"reaches 8,"]
   [(sample/with-body [:if [:lt [:load 0 'n] value]]) [5 5] "out-of-bounds" #"reaches 5,"]
   [(sample/with-body [:require [:eq [:load 0 7] value] 0]) [5 5] "out-of-bounds" #"reaches 7,"]
   [(sample/with-body [:let 'a [:load 0 0]]) [0 1] "out-of-bounds"
    #"reaches 0, but buffer 0 has 0 elements"]
   [(sample/with-body [:for 'i 'm [:for 'j '[:- i 1] (store 'j)]]) [5 5] "out-of-bounds"
    #"extent \[:- i 1\] may be as small as -1; write \[:max 0 …\]"]
   [(sample/with-body [:for 'i 'm (store '[:quot i [:- i 2]])]) [5 5] "out-of-bounds"
    #"divisor as small as -2, which must be at least 1"]
   [(sample/with-body [:for 'i 'm (store '[:mod i n])]) [0 5] "out-of-bounds"
    #"divisor as small as 0"]
   [(sample/with-body [:for 'i 'm (store '[:+ 3 [:mod [:- i 3] [:+ n i]]])]) [5 5] "out-of-bounds"
    #"reaches 11,"]
   [(sample/with-body [:index 'r [:const :i64 0] 'n 0] (load-x '[:+ r 1])) [5 1] "out-of-bounds"
    #"statement 1: index \[:\+ r 1\] of parameter 0 reaches 5"]
   ;; arithmetic that native code would do modulo 2^64
   [(sample/with-body (store '[:- [:+ m 9223372036854775807] 9223372036854775807])) [5 5]
    "size-overflow" #"a step may overflow 64 bits"]
   [(sample/with-body
     [:for 'i 'm (store '[:- [:+ i 9223372036854775807] 9223372036854775807])]) [5 5]
    "size-overflow" #"a step may overflow 64 bits"]
   [(sample/with-body [:for 'i 'm (store '[:quot [:* i 4611686018427387904] 4611686018427387904])])
    [5 5] "size-overflow" #"a step may overflow 64 bits"]
   [(sample/with-body [:for 'i 'm [:let 'a [:size '[:* [:* i i] 9223372036854775807]]]]) [5 5]
    "size-overflow" #"statement 0.0: \[:\* \[:\* i i\] 9223372036854775807\]"]])

(deftest lies-are-refused
  (doseq [[program dims kind message] lies]
    (let [[k m] (apply refusal program dims)]
      (is (= kind k) (str message))
      (is (re-find message (str m)) (str message)))))

(def ^:private truths
  [[(sample/with-body [:for 'i 'm (store '[:- [:- m 1] i])]) [5 5] "reversal"]
   [(sample/with-body [:for 'i 'm [:for 'j '[:+ i 1] (store '[:- i j])]]) [5 5] "triangle"]
   [(sample/with-body [:for 'i 'm [:for 'j '[:- m i] (store '[:+ i j])]]) [5 5] "other triangle"]
   [(sample/with-body [:for 'i 'm (store '[:max 0 [:- i 1]])]) [5 5] "clamped below"]
   [(sample/with-body [:for 'i '[:* m 2] (store '[:min i [:- m 1]])]) [5 5] "clamped above"]
   [(sample/with-body [:for 'i '[:* m 3] (store '[:quot i 3])]) [5 5] "row of a flat index"]
   [(sample/with-body [:for 'i '[:* m 3] (store '[:mod i m])]) [5 5] "column of a flat index"]
   [(sample/with-body [:for 'i 'm (store '[:quot [:* i 3] 3])]) [5 5] "exact division"]
   [(sample/with-body [:for 'i 0 (store 100)]) [5 5] "a loop that never runs"]
   [(sample/with-body [:for 'i 'n (store '[:quot i n])]) [0 5] "its divisors neither"]
   [(sample/with-body [:index 'r [:const :i64 0] 'n 0] (store 100)) [0 5] "after a sure failure"]
   [(sample/with-body [:for 'i 'm [:for 'j '[:max 0 [:- i 1]] (store '[:+ j 1])]]) [5 5] "max 0"]])

(deftest legal-indices-are-accepted
  (doseq [[program dims what] truths]
    (is (nil? (apply refusal program dims)) what)))

;; ## Matrix products: the sample's is [n 784] x [784 10]

(defn- gemm
  "The sample with entries of its product changed."
  [& path-values]
  (reduce (fn [p [path v]] (assoc-in p (into [:steps 0] path) v))
          sample/program (partition 2 path-values)))

(deftest products-beyond-their-buffers-are-refused
  (doseq [[program message]
          [[(gemm [:m] '[:+ n 1]) #":a reaches element 47823, but buffer 0 has 47040"]
           [(gemm [:k] 785) #":a reaches element 47040, but buffer 0 has 47040"]
           [(gemm [:a :strides] [785 1]) #":a reaches element 47098"]
           [(gemm [:a :offset] 1) #":a reaches element 47040, but buffer 0 has 47040"]
           [(gemm [:b :offset] 1) #":b reaches element 7840, but buffer 1 has 7840"]
           [(gemm [:b :strides] [1 785]) #":b reaches element 7848"]
           [(gemm [:a :strides] [2 2]) #":a of 60 x 784 has strides \[2 2\]; one of them is 1"]
           [(gemm [:a :strides] [0 0]) #"one of them is 1"]
           [(gemm [:c :strides] [11 1]) #":c reaches element 658, but buffer 3 has 600"]
           [(gemm [:c :strides] [1 60]) #":c of 60 x 10 .* its last axis has stride 1"]
           [(gemm [:c :strides] [9 1]) #"its rows do not overlap"]
           [(gemm [:batch] [{:extent 2 :a 1 :b 0 :c 0}]) #":a reaches element 47040"]
           [(gemm [:batch] [{:extent 2 :a 0 :b 0 :c 1}]) #":c reaches element 600"]
           [(gemm [:m] 2147483648) #":a reaches element 1683627180031"]
           [(gemm [:a :strides] [2147483648 1]) #":a reaches element"]
           [(-> (gemm [:alpha] {:buffer 6})
                (assoc-in [:buffers 6] {:dtype :f32 :size 0 :kind :input})
                (update :inputs conj {:name "e" :dtype :f32 :shape [0] :buffer 6})
                (update :outputs pop) (update :steps #(vec (take 2 %))))
            #":alpha is element 0 of buffer 6, which is empty"]]]
    (let [[kind m] (refusal program 60)]
      (is (= "out-of-bounds" kind) (str message))
      (is (re-find message (str m)) (str message))))
  (is (= "size-overflow"
         (first (refusal (gemm [:batch] [{:extent 4611686018427387904 :a 4 :b 0 :c 0}]) 60))))
  (is (= "bad-size" (first (refusal (gemm [:a :offset] '[:- n 61]) 60)))))

(deftest products-inside-their-buffers-are-accepted
  (doseq [[what program] {"a transposed" (gemm [:a :strides] '[1 n])
                          "b transposed" (gemm [:b :strides] [1 784])
                          "no rows" (gemm [:m] 0)
                          "nothing to sum" (gemm [:k] 0 [:a :strides] [0 0])
                          "one row, stride 0" (gemm [:m] 1 [:a :strides] [0 1])
                          "one row, shared by all" (gemm [:a :strides] [0 1])
                          "one column, shared by all" (gemm [:a :strides] [1 0])
                          "an empty batch" (gemm [:batch] [{:extent 0 :a 99999 :b 0 :c 0}])
                          "a shared operand" (gemm [:m] 30
                                                   [:batch] [{:extent 2 :a 23520 :b 0 :c 300}])}]
    (is (nil? (refusal program 60)) what)))

;; ## Properties: brute force agrees

(defn- value-of
  "The exact value of an index form, with truncating :quot and flooring :mod."
  [form env]
  (cond
    (number? form) form
    (symbol? form) (env form)
    :else (let [[op & args] form
                xs (map #(value-of % env) args)]
            (apply ({:+ + :- - :* * :quot quot :mod mod :min min :max max} op) xs))))

(defn- touched
  "Every value of the index in the loops [[name extent] …], or :refuse for a negative extent."
  [loops index]
  (letfn [(walk [env [[v extent] & more :as ls]]
            (if (empty? ls)
              [(value-of index env)]
              (let [e (value-of extent env)]
                (if (neg? e) [:refuse] (mapcat #(walk (assoc env v %) more) (range e))))))]
    (let [all (walk {} loops)]
      (if (some #{:refuse} all) :refuse all))))

(defn- nest [loops statement]
  (reduce (fn [body [v extent]] [:for v extent body]) statement (reverse loops)))

(defn- accepted?
  "Whether the loads x[index] in these loops are accepted for x of `size` elements."
  [loops index size]
  (nil? (refusal (sample/with-body (nest loops (load-x index))) size 1)))

(def ^:private gen-affine
  "An affine index over i j k, some coefficients negative, in a shape that varies."
  (gen/let [[a b c] (gen/vector (gen/choose 0 7) 3)
            offset (gen/choose 0 40)
            subtract? gen/boolean
            twice? gen/boolean]
    (let [sum [:+ [:* 'i a] [:* b 'j] (if twice? [:- [:* [:+ 'k 1] c] c] [:* 'k c])]]
      (if subtract? [:- offset sum] [:+ sum offset]))))

(def ^:private gen-size (gen/choose 0 90))

(deftest affine-indices-in-rectangles-are-decided-exactly
  (let [law (prop/for-all [extents (gen/vector (gen/choose 0 5) 3)
                           index gen-affine
                           size gen-size]
              (let [loops (map vector '[i j k] extents)
                    all (touched loops index)]
                (= (every? #(< -1 % size) all) (accepted? loops index size))))]
    (is (:pass? (check/quick-check 500 law :seed 3)))))

(def ^:private gen-triangle
  "Loops whose extents depend on outer variables and are never empty."
  (gen/let [n (gen/choose 1 5)
            second-extent (gen/elements [[:+ 'i 1] [:- n 'i] [:+ [:* 'i 2] 1] n])
            third-extent (gen/elements [[:+ 'j 1] [:+ 'i 'j 1] [:- (* 3 n) 'j] 2])]
    [['i n] ['j second-extent] ['k third-extent]]))

(deftest affine-indices-in-triangles-are-decided-exactly
  (let [law (prop/for-all [loops gen-triangle, index gen-affine, size gen-size]
              (= (every? #(< -1 % size) (touched loops index)) (accepted? loops index size)))]
    (is (:pass? (check/quick-check 500 law :seed 4)))))

(def ^:private gen-index
  "Any index over i j k."
  (gen/recursive-gen
   (fn [inner]
     (gen/one-of [(gen/fmap (fn [[op x y]] [op x y])
                            (gen/tuple (gen/elements [:+ :- :* :min :max]) inner inner))
                  (gen/fmap (fn [[op x d]] [op x d])
                            (gen/tuple (gen/elements [:quot :mod]) inner (gen/choose 1 4)))
                  (gen/fmap (fn [[op x y]] [op x [:+ [:max 0 y] 1]])
                            (gen/tuple (gen/elements [:quot :mod]) inner inner))]))
   (gen/one-of [(gen/choose 0 6) (gen/elements '[i j k])])))

(def ^:private gen-loops
  (gen/let [n (gen/choose 0 4)
            e2 (gen/elements ['i [:- 3 'i] [:max 0 [:- 'i 1]] 3 [:mod 'i 2] [:* 'i 'i]])
            e3 (gen/elements ['j [:min 'i 'j] [:quot 'j 2] 2 [:- 4 'j] [:+ 'i 1]])]
    [['i n] ['j e2] ['k e3]]))

(deftest what-is-accepted-is-in-bounds
  (let [accepted (volatile! 0)
        law (prop/for-all [loops gen-loops, index gen-index, size gen-size]
              (if (accepted? loops index size)
                (let [all (touched loops index)]
                  (vswap! accepted inc)
                  (and (not= :refuse all) (every? #(< -1 % size) all)))
                true))]
    (is (:pass? (check/quick-check 1000 law :seed 5)))
    (is (< 200 @accepted) "the law is not empty")))
