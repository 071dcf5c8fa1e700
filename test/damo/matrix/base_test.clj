(ns damo.matrix.base-test
  (:require [clojure.test :refer [deftest is]]
            [damo.data.array :as array]
            [damo.matrix.base :as base]))

(set! *warn-on-reflection* true)

(deftest matrices-are-row-major
  (let [a (double-array [1 2 3 4 5 6])]
    (is (= 6.0 (base/at a 3 1 2)))
    (is (= [1.0 4.0 2.0 5.0 3.0 6.0] (vec (base/transposed a 2 3))))
    (is (= [14.0 32.0 32.0 77.0] (vec (base/times a 2 3 (base/transposed a 2 3) 2))))
    (is (= [5.0 6.0] (vec (base/part a 3 [1 2] [1 3]))))
    (is (= [3.0 1.0 6.0 4.0] (vec (base/picked a 2 3 [2 0]))))
    (is (= [[1.0 0.0] [0.0 1.0]] (map vec (partition 2 (base/identity 2)))))))

(deftest norms-neither-overflow-nor-vanish
  (is (< 4.99e200 (base/column-norm (double-array [3e200 4e200]) 2 1 0 0) 5.01e200))
  (is (= 4.0 (base/column-norm (double-array [3 4]) 2 1 0 1)))
  (is (= 0.0 (base/column-norm (double-array 0) 0 1 0 0)))
  (is (NaN? (base/column-norm (double-array [1 ##NaN]) 2 1 0 0))))

(deftest leading-axes-are-batches
  (let [x (array/of :f32 [2 1 2] [1 2 3 4])
        [sums copies] (base/each (fn [a m n] [(double-array [(reduce + a)]) a]) [[] [1 2]] x)]
    (is (= [:f32 [2]] (array/type-of sums)))
    (is (= [3.0 7.0] (array/nested sums)))
    (is (= [[[1.0 2.0]] [[3.0 4.0]]] (array/nested copies)))))
