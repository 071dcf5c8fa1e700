(ns damo.face.draw.basic-test
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.core :as d]
            [damo.face.draw.samples :as samples]
            [damo.random :as r])
  (:import [clojure.lang ExceptionInfo]))

(set! *warn-on-reflection* true)

(def ^:private k (r/key 7))

(defn- values [exprs] (mapv deref (d/eval (vec exprs))))

(deftest keys-have-nothing-in-common
  (let [children (into (r/split k 50) (map #(r/fold-in k %)) (range 50))
        grandchildren (for [c (take 4 children), n (range 4)] (r/fold-in c n))
        all (concat children grandchildren)]
    (is (apply distinct? @k (values all)))
    (is (apply distinct? (partition 2 (flatten (values (map #(r/philox4x32 [0 0 0 0] %) all))))))
    (testing "nor have their draws"
      (is (apply distinct? (flatten (values (map #(r/uniform % [20] :dtype :f64)
                                                 (take 30 all)))))))
    (is (= (values (take 3 children)) @(d/eval (r/split-array k 3)))
        "the first keys are those of fewer")
    (is (= @(r/key -1) [0xffffffff 0xffffffff]))
    (is (= @(r/key 5) @(d/eval (r/key (d/tensor 5 :i64)))))))

(deftest distributions
  (are [cdf e] (samples/ks cdf (samples/sample e))
    identity (r/uniform k [20000])
    identity (r/uniform k [20000] :dtype :f64)
    #(/ (+ 2 (double %)) 5) (r/uniform k [9000] :low -2 :high 3)
    samples/normal-cdf (r/normal k [20000])
    samples/normal-cdf (r/normal k [20000] :dtype :f64)
    #(samples/normal-cdf (/ (- (double %) 3) 2)) (r/normal k [9000] :mean 3 :std 2))
  (is (samples/chi2 (zipmap (range 10) (repeat 0.1)) (map long (samples/sample
                                                                (r/integers k [5000] :high 10)))))
  (is (samples/chi2 {0.0 0.7, 1.0 0.3}
                    (samples/sample (d/cast (r/bernoulli k [5000] :p 0.3) :f64))))
  (is (samples/mean-near? 1 (map #(* % %) (samples/sample (r/normal k [20000] :dtype :f64))))))

(deftest ranges
  (let [xs (samples/sample (r/uniform k [100000]))]
    (is (and (<= 0 (reduce min xs)) (< (reduce max xs) 1))))
  (doseq [dtype [:f16 :bf16]
          :let [xs (samples/sample (d/cast (r/uniform k [5000] :dtype dtype) :f64))]]
    (is (and (<= 0 (reduce min xs)) (< (reduce max xs) 1)) (str dtype)))
  (testing "the bound above is not among the values, whatever is rounded"
    (let [xs (samples/sample (r/uniform k [100000] :low 16777215 :high 16777216))]
      (is (= #{16777215.0} (set xs)))))
  (testing "integers of all ranges"
    (are [low high] (every? #(<= low % (dec' high))
                            @(d/eval (r/integers k [500] :low low :high high)))
      0 1, -5 5, 0 4294967296, Long/MIN_VALUE Long/MAX_VALUE, -3 1099511627776)
    (let [xs (map #(/ (double %) (Math/pow 2 62))
                  @(d/eval (r/integers k [5000] :high (bit-shift-left 1 62))))]
      (is (samples/ks identity xs)))
    (is (= @(d/eval (r/integers k [50] :high 1000))
           (let [h (d/input 'h [:i64 []])] @(d/eval (r/integers k [50] :high h) {h 1000})))
        "of numbers and of expressions the same"))
  (is (every? true? @(d/eval (r/bernoulli k [1000] :p 1))))
  (is (not-any? true? @(d/eval (r/bernoulli k [1000] :p 0)))))

(deftest bits-depend-on-key-and-place-alone
  (let [n (d/input 'n [:f32 ['n 3]]), whole (r/normal k ['n 3])
        bits (fn [e v & options] @(apply d/eval e {n v} options))
        zeros (fn [rows] (d/zeros [rows 3] :f32))
        e (d/add n whole), all (bits e (zeros 200))]
    (is (= (take 7 all) (bits e (zeros 7))))
    (is (= (map #(subvec % 1) (drop 5 all)) (bits (d/index e [5 nil] [1 nil]) (zeros 200))))
    (doseq [mode [:none :fast-compile :debug]]
      (is (= (take 20 all) (bits e (zeros 20) :mode mode)) (str mode)))
    (let [before (d/threads)]
      (try (d/set-threads! 2)
           (is (= all (bits e (zeros 200))))
           (is (= @(d/eval (d/sum (r/uniform k [300000])))
                  @(d/eval (d/sum (r/uniform k [300000])) {} :threads 1)))
           (finally (d/set-threads! before))))))

(deftest derivatives-by-parameters
  (let [a (d/input 'a [:f64 []]), b (d/input 'b [:f64 [3]])
        e (fn [a b] (d/sum (d/sqr (d/add (r/normal k [4 3] :mean a :std b)
                                         (r/uniform k [4 3] :low a :high (d/add b 3))))))]
    (is (:relative (d/verify-grad e [0.3 [1 2 3]])))
    (is (= [:f64 []] (d/type-of (d/grad (e a b) a))))))

(defn- error [make] (try (make) nil (catch ExceptionInfo e (:damo/error (ex-data e)))))

(deftest wrong-arguments-are-named
  (are [kind call] (= kind (error (fn [] call)))
    :damo.random/no-key (r/normal 3 [2])
    :damo.random/no-key (r/split (d/tensor [1.0 2.0]))
    :damo.type/bad-type (r/normal k [-1])
    :damo.random/no-values (r/integers k [2] :low 3 :high 3)
    :damo.random/parameter-shape (r/uniform k [] :low (d/tensor [1.0 2.0]))
    :damo.random/no-seed (r/key 1.5)
    :damo.random/bad-count (r/split k -1)
    :damo.random/bad-words (r/philox4x32 [1 2 3] [0 0])
    :damo.random/no-stream (r/seed! (d/shared 'w (d/zeros [2])) 3)
    :damo.attribute/unknown-option (r/normal k [2] :sd 3)
    :damo.attribute/missing (r/integers k [2])))
