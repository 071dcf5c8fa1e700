(ns damo.data.type-test
  "Tests of dtypes, promotion, symbolic dimensions and broadcasting."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [clojure.test.check :as check]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [damo.data.fail :as fail]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(defmacro ^:private error
  "[keyword message] of the failure of the body; nil when it does not fail."
  [& body]
  `(try ~@body nil
        (catch clojure.lang.ExceptionInfo e# [(:damo/error (ex-data e#)) (fail/what e#)])))

;; ## Dtypes

(def ^:private promotions
  "What numpy.promote_types gives; the column and row of :bf16 follow its rule."
  '[[bool u8  i8  i16 i32 i64 f16 bf16 f32 f64]
    [u8   u8  i16 i16 i32 i64 f16 bf16 f32 f64]
    [i8   i16 i8  i16 i32 i64 f16 bf16 f32 f64]
    [i16  i16 i16 i16 i32 i64 f32 f32  f32 f64]
    [i32  i32 i32 i32 i32 i64 f64 f64  f64 f64]
    [i64  i64 i64 i64 i64 i64 f64 f64  f64 f64]
    [f16  f16 f16 f32 f64 f64 f16 f32  f32 f64]
    [bf16 bf16 bf16 f32 f64 f64 f32 bf16 f32 f64]
    [f32  f32 f32 f32 f64 f64 f32 f32  f32 f64]
    [f64  f64 f64 f64 f64 f64 f64 f64  f64 f64]])

(deftest promotion-is-numpys
  (let [order (map keyword (first promotions))]
    (is (= (set order) (set (keys type/dtypes))))
    (doseq [[a row] (map vector order promotions), [b expected] (map vector order row)]
      (is (= (keyword expected) (type/promote a b) (type/promote b a)) (str a " " b)))))

(deftest the-documented-promotions-are-these
  (let [[_ rows] (re-find #"(?s)\| bool \| u8 .*?\n\|[- |]+\n(.*?)\n\n" (slurp "docs/dtypes.md"))]
    (is (= (map #(mapv str %) promotions)
           (map #(vec (drop 1 (re-seq #"\w+" %))) (str/split-lines rows))))))

(deftest dtypes-that-hold-others
  (are [to froms] (= froms (set (filter #(type/holds? to %) (keys type/dtypes))))
    :f64 #{:f64 :f32 :f16 :bf16 :i32 :i16 :i8 :u8 :bool}
    :f32 #{:f32 :f16 :bf16 :i16 :i8 :u8 :bool}
    :f16 #{:f16 :i8 :u8 :bool}
    :bf16 #{:bf16 :i8 :u8 :bool}
    :i16 #{:i16 :i8 :u8 :bool}
    :i8 #{:i8 :bool}
    :bool #{:bool}))

(deftest numbers-take-the-dtype-of-their-partner
  (are [x dtype expected] (= expected (type/weak x dtype))
    0.1 :f32 :f32, 1 :f32 :f32, 1 :i8 :i8, 1 :bool :i64, 1 nil :i64, 0.5 nil :f64
    0.5 :i32 :f64, true nil :bool, true :f32 :f32, 0.1 :f16 :f16, 2 :bf16 :bf16))

(deftest float-of-a-dtype
  (are [dtype expected] (= expected (type/float-of dtype))
    :f32 :f32, :f64 :f64, :i64 :f64, :i32 :f64, :u8 :f32, :bool :f32
    :f16 :f16, :bf16 :bf16, :i16 :f32))

;; ## Dimensions

(deftest equal-dims-are-equal-values
  (are [a b] (= a b)
    (type/dim+ 'n 'm) (type/dim+ 'm 'n)
    (type/dim+ 'n 'n) '[:* 2 n]
    (type/dim* 2 'n 3) '[:* 6 n]
    (type/dim- (type/dim+ 'n 5) 5) 'n
    (type/dim- 'n 'n) 0
    (type/dim* (type/dim+ 'n 1) (type/dim+ 'n 1)) '[:+ [:* n n] [:* 2 n] 1]
    (type/dim- 'n 1) '[:- n 1]))

(deftest exact-quotients-are-carried-out
  (are [a b expected] (= expected (type/dim-quot a b))
    7 2 3, '[:* 4 n] 'n 4, '[:* 4 n] 4 'n, 'n 'n 1, '[:* n m] 'n 'm, 'n 4 '[:quot n 4])
  (is (= :damo.type/bad-dimension (first (error (type/dim-quot 'n 0))))))

(deftest sizes-have-a-limit
  (is (= [:damo.type/bad-dimension
          "a dimension must lie between 0 and 2^63-1; this one comes to 18446744073709551616"]
         (error (type/size [4294967296 4294967296]))))
  (is (= :damo.type/bad-dimension (first (error (type/dim- 2 3)))))
  (is (= :damo.type/bad-dimension (first (error (type/dim-value '{n 2} '[:- n 3]))))))

(def ^:private dims
  (gen/recursive-gen (fn [g] (gen/let [op (gen/elements [:+ :*]), a g, b g] [op a b]))
                     (gen/one-of [(gen/choose 0 5) (gen/elements '[n m k])])))

(deftest normal-form-keeps-the-value
  (let [env '{n 3, m 5, k 7}
        property (prop/for-all [d dims]
                   (let [normal (type/dim+ d)]
                     (and (= (type/dim-value env d) (type/dim-value env normal))
                          (= normal (type/dim+ normal)))))
        result (check/quick-check 200 property :seed 11)]
    (is (:pass? result) (pr-str (:shrunk result)))))

(deftest values-of-dims
  (is (= 23 (type/dim-value '{n 7} '[:+ [:* 3 n] 2])))
  (is (= 2 (type/dim-value '{n 7} '[:min [:quot n 3] [:mod n 4]])))
  (is (= [:damo.type/unbound-dimension "the dimension k has no value"]
         (error (type/dim-value '{n 7} 'k)))))

;; ## Shapes and axes

(deftest shapes-broadcast
  (are [shapes expected] (= expected (apply type/broadcast-shapes shapes))
    '[[n 1] [784]] '[n 784]
    '[[] [n]] '[n]
    '[[2 1 3] [n 1]] '[2 n 3]
    [[0] [1]] [0]
    [[]] [])
  (is (= [:damo.type/shape-mismatch "axis 0 does not broadcast: 2 and 3 differ"]
         (error (type/broadcast-shapes [2] [3]))))
  (is (= [:damo.type/shape-mismatch "axis 1 does not broadcast: n and 3 differ"]
         (error (type/broadcast-shapes '[2 n] [2 3])))))

(deftest axes-count-from-both-ends
  (are [axis expected] (= expected (type/axis-index 3 axis)) 0 0, 2 2, -1 2, -3 0)
  (are [axes expected] (= expected (type/axis-indices 3 axes))
    nil [0 1 2], 1 [1], [-1 0] [0 2], [] [])
  (is (= [:damo.type/bad-axis
          "axis 3 does not exist: there are 3 axes, numbered 0 to 2 or -1 to -3"]
         (error (type/axis-index 3 3))))
  (is (= :damo.type/bad-axis (first (error (type/axis-index 3 -4)))))
  (is (= [:damo.type/bad-axis "an axis is named twice in [1 -2]"]
         (error (type/axis-indices 3 [1 -2])))))

(deftest types
  (are [x] (type/type? x) [:f32 []], '[:i64 [n 3 [:* 2 n]]], [:bool [0]])
  (testing "what is no type is refused with an example"
    (are [x] (= :damo.type/bad-type (first (error (type/check x))))
      [:f8 [2]] [:f32 2] [:f32 [-1]] [:f32 ["n"]] '[:f32 [[:max n]]] nil)
    (is (re-find #"a type looks like \[:f32 \[n 784\]\]" (second (error (type/check 7)))))))

(deftest compound-dims-that-differ-are-refused
  (doseq [[a b] '[[[:- n 1] [:+ n 1]] [[:+ n 1] [:+ m 1]] [[:* 2 n] [:* 3 n]]
                  [[:max 1 n] [:min 1 n]] [[:quot n 2] [:quot n 3]] [n [:- n 1]] [[:- n 1] 1]]]
    (is (thrown-with-msg? clojure.lang.ExceptionInfo #"differ" (type/unify-dims "dims" a b)))
    (is (thrown-with-msg? clojure.lang.ExceptionInfo #"differ" (type/unify-dims "dims" b a)))
    (is (= a (type/unify-dims "dims" a a)))))

(deftest products-with-the-smaller-of-two-keep-it
  (is (= '[:* [:min 1 r] m] (type/dim* 'm (type/dim-min 1 'r))))
  (is (= '[:* 2 [:min 3 n]] (type/dim* 2 (type/dim-min 3 'n))))
  (is (= '[:+ [:* [:min 1 r] n] n] (type/dim* (type/dim+ (type/dim-min 1 'r) 1) 'n)))
  (is (= '[:* [:max k n] m] (type/dim* 'm (type/dim-max 'n 'k))))
  (is (= '[:* [:min 1 n] [:min 2 m]] (type/dim* (type/dim-min 'n 1) (type/dim-min 2 'm))))
  (doseq [n (range 4), r (range 4)
          :let [sum (type/dim+ (type/dim-min 2 'r) (type/dim-max 'n 1))
                d (type/dim* sum (type/dim-min 'n 'r))]]
    (is (= (* (+ (min 2 r) (max n 1)) (min n r)) (type/dim-value {'n n, 'r r} d)))))
