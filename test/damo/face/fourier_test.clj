(ns damo.face.fourier-test
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.core :as d]
            [damo.fft :as fft])
  (:import [clojure.lang ExceptionInfo]))

(set! *warn-on-reflection* true)

(defn- naive
  "[re im] of the transform of a complex line, by its definition."
  [sign re im]
  (let [n (count re)
        sum (fn [k part]
              (reduce + (map (fn [j a b]
                               (let [t (/ (* 2 Math/PI (mod (* j k) n)) n)
                                     c (Math/cos t), s (* (double sign) (Math/sin t))]
                                 (if (= part 0) (- (* a c) (* b s)) (+ (* a s) (* b c)))))
                             (range) re im)))]
    (mapv (fn [part] (mapv #(sum % part) (range n))) [0 1])))

(defn- near? [tolerance a b]
  (every? #(<= (Math/abs (double %)) (double tolerance))
          (map #(- (double %1) (double %2)) (flatten [a]) (flatten [b]))))

(defn- line [n seed] @(d/random :uniform [n] :seed seed :dtype :f64))

(defn- call [f & args] (mapv deref (apply f args)))

(deftest transforms-of-all-lengths
  (let [known (fn [n] [(d/input 're [:f64 [n]]) (d/input 'im [:f64 [n]])])
        parts (known 'n), unknown (d/function parts (fft/fft parts))
        back (d/function parts (fft/ifft (fft/fft parts)))]
    (doseq [n [1 2 8 17 26 45 77 289 512]
            :let [re (line n 1), im (line n 2), w (naive -1 re im), parts (known n)]]
      (is (near? 1e-12 w (call (d/function parts (fft/fft parts)) re im)) (str n))
      (is (near? 1e-12 w (call unknown re im)) (str n ", found in the call"))
      (is (near? 1e-14 [re im] (call back re im)) (str n ", and back")))))

(deftest real-transforms
  (let [there-and-back (fn [x n] (let [both (fft/rfft x)] (conj (vec both) (fft/irfft both :n n))))
        unknown (let [x (d/input 'x [:f64 ['n]])] (d/function [x] (there-and-back x 'n)))]
    (doseq [n [1 2 7 16 34]
            :let [x (d/input 'x [:f64 [n]]), data (line n 3), m (inc (quot n 2))
                  w (mapv #(subvec % 0 m) (naive -1 data (repeat n 0.0)))]
            f [(d/function [x] (there-and-back x n)) unknown]
            :let [[re im back] (call f data)]]
      (is (near? 1e-13 w [re im]) (str n))
      (is (near? 1e-14 data back) (str n)))))

(deftest values-of-numpy
  (let [pair (fn [e] (mapv #(deref (d/eval %)) e))]
    (testing "imaginary parts that no real array has do not count"
      (is (near? 1e-15 [2 -1 0 0] @(d/eval (fft/irfft [(d/tensor [1 2 3.0])
                                                       (d/tensor [7 1 9.0])])))))
    (testing "padded, cut, along another axis"
      (is (near? 1e-14 [[3 0 0] [0 (- (Math/sqrt 3)) (Math/sqrt 3)]]
                 (pair (fft/fft (d/tensor [1 2.0]) :n 3))))
      (is (near? 1e-15 [[3 -1] [0 0]] (pair (fft/fft (d/tensor [1 2 5.0]) :n 2))))
      (is (near? 1e-15 [[[4 6] [-2 -2]] [[0 0] [0 0]]]
                 (pair (fft/fft (d/tensor [[1 2] [3 4.0]]) :axis 0)))))
    (testing "norms"
      (are [norm scale] (near? 1e-15 [[(* scale 10) (* scale -2) (* scale -2) (* scale -2)]
                                      [0 (* scale 2) 0 (* scale -2)]]
                               (pair (fft/fft (d/tensor [1 2 3 4.0]) :norm norm)))
        :backward 1.0, :ortho 0.5, :forward 0.25)
      (doseq [norm [:backward :ortho :forward], n [5 6], :let [x (d/tensor (line n 4))]]
        (is (near? 1e-14 @x @(d/eval (fft/irfft (fft/rfft x :norm norm) :n n :norm norm))))))
    (is (near? 1e-15 [[[10 -2] [-4 0]] [[0 0] [0 0]]] (pair (fft/fftn (d/tensor [[1 2] [3 4.0]])))))
    (is (near? 1e-15 [[[1 2] [3 4]] [[0 0] [0 0]]]
               (pair (fft/ifftn (fft/fftn (d/tensor [[1 2] [3 4.0]]))))))
    (is (near? 1e-15 [0 0.2 0.4 -0.4 -0.2] @(d/eval (fft/fftfreq 5))))
    (is (near? 1e-15 [0 0.5 -1 -0.5] @(d/eval (fft/fftfreq 4 :d 0.5))))
    (is (near? 1e-15 [0 0.25 0.5] @(d/eval (fft/rfftfreq 4))))
    (is (= [3 4 0 1 2] @(d/eval (fft/fftshift (d/arange 5)))))
    (is (= [0 1 2 3 4] @(d/eval (fft/ifftshift (fft/fftshift (d/arange 5))))))))

(deftest derivatives-in-both-modes
  (doseq [n [6 17]
          :let [power (fn [[re im]] (d/sum (d/mul (d/arange (first (second (d/type-of re))))
                                                  (d/add (d/sqr re) (d/mul re im)))))
                m (inc (quot n 2))]]
    (is (:relative (d/verify-grad
                    (fn [a b c e]
                      (d/add (power (fft/rfft a)) (power (fft/fft [a b]))
                             (d/sum (d/sqr (fft/irfft [c e] :n n)))))
                    [(line n 5) (line n 6) (line m 7) (line m 8)]))
        (str n))))

(deftest single-precision-and-batches
  (let [cases [[[3 64] -1] [[64 3] 0] [[2 3 30] 2] [[2 30 3] 1]]
        data (mapv #(d/random :uniform (first %) :seed 7 :dtype :f32) cases)
        inputs (fn [dtype] (mapv #(d/input (symbol (str (name dtype) %2)) [dtype (first %1)])
                                 cases (range)))
        single (inputs :f32), double (inputs :f64)
        spectra (fn [xs] (mapcat (fn [x [_ axis]] (fft/rfft x :axis axis)) xs cases))
        f (d/function (into single double) (into (vec (spectra single)) (spectra double)))
        [a b] (split-at 8 (apply call f (into data (map deref) data)))]
    (doseq [k (range 8)]
      (is (near? 2e-5 (nth b k) (nth a k)) (str (cases (quot k 2)))))))

(defn- error [make] (try (make) nil (catch ExceptionInfo e (:damo/error (ex-data e)))))

(deftest wrong-arguments-are-named
  (are [kind call] (= kind (error (fn [] call)))
    :damo.fft/no-pair (fft/ifft (d/tensor [1.0 2.0]))
    :damo.fft/no-pair (fft/irfft 3)
    :damo.fft/no-axis (fft/fft 1.0)
    :damo.fft/parts-differ (fft/fft [(d/tensor [1.0 2.0]) (d/tensor [1.0])])
    :damo.fft/empty-line (fft/fft (d/zeros [0]))
    :damo.fft/empty-line (fft/rfft (d/tensor [1.0]) :n 0)
    :damo.fft/empty-line (fft/irfft [(d/tensor [1.0]) (d/tensor [0.0])])
    :damo.fft/unknown-length (fft/fft (d/input 'x [:f64 ['n]]) :n 8)
    :damo.attribute/unknown-option (fft/fft [1.0 2.0] :foo 1)))
