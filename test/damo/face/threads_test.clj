(ns damo.face.threads-test
  "How many threads a call may use: of the process, of a function, while others call; and that
  calls on several threads give what one gives, whoever calls beside them."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d])
  (:import (damo Damo)
           (damo.jit Pool)
           (damo.lib Blas)))

(set! *warn-on-reflection* true)

(defmacro ^:private with-threads-after
  "The body, after which calls have one thread again."
  [& body]
  `(try ~@body (finally (d/set-threads! 1))))

(defn- error-of [f]
  (try (f) nil (catch clojure.lang.ExceptionInfo e (:damo/error (ex-data e)))))

(deftest one-number-for-all
  (with-threads-after
   (is (= 1 (d/threads)))
   (is (= 3 (d/set-threads! 3)))
   (is (= 3 (d/threads) (Damo/threads) (.threads (Blas/get))))
   (Damo/threads 2)
   (is (= 2 (d/threads) (.threads (Blas/get))))
   (testing "that is a number of threads"
     (doseq [n [0 -1 1025 1.5 nil "2" 4294967297]]
       (is (some? (error-of #(d/set-threads! n))) (pr-str n)))
     (is (= 2 (d/threads))))))

(def ^:private x (d/input 'x '[:f32 [m n]]))

(deftest functions-may-have-less
  (with-threads-after
   (let [y (d/softmax (d/tanh x)), data (d/full [300 400] 0.5 :f32)
         before (Pool/workers)
         f (d/function [x] y :threads 1), g (d/function [x] y :threads (+ 2 before))]
     (d/set-threads! 1000)
     (f data)
     (is (= before (Pool/workers)) "a function that has one thread starts none")
     (is (= (seq (d/->array (f data))) (seq (d/->array (g data)))))
     (is (= (+ 1 before) (Pool/workers)))
     (doseq [n [0 1.5 "2" 2000]]
       (is (some? (error-of #(d/function [x] y :threads n))) (pr-str n))))))

(defn- bits [t] (vec (d/->array t)))

(deftest calls-beside-each-other
  (with-threads-after
   (let [w (d/shared 'w (d/zeros [500] :f32)), z (d/input 'z '[:f32 [m 500]])
         fs [(d/function [x] (d/softmax (d/tanh x)))
             (d/function [x] [(d/sum x) (d/sum x :axis 0) (d/max x :axis 1)])
             (d/function [z] (d/sum (d/mul z w)) :updates {w (d/add w (d/mean z :axis 0))})]
         data (mapv #(d/full [% 500] (/ 1.0 (double %)) :f32) [1 7 150 400])
         results (fn [] (mapv (fn [f] (mapv #(let [r (f %)] (if (vector? r) (mapv bits r) (bits r)))
                                            data))
                              (pop fs)))
         expected (results)
         done (promise)
         setter (future (while (not (realized? done))
                          (run! d/set-threads! [1 2 4 3])
                          (Thread/sleep 1)))
         updater (future (while (not (realized? done)) ((peek fs) (peek data))))]
     (is (every? #(every? #{expected} @%)
                 (mapv (fn [_] (future (doall (repeatedly 20 results)))) (range 4))))
     (testing "and functions that are closed meanwhile"
       (dotimes [k 5]
         (let [f (d/function [x] (d/exp (d/mul x k)))]
           (is (= 200000 (count (d/->array (f (peek data))))))
           (d/close f))))
     (deliver done true)
     @setter
     @updater)))

(deftest interrupts-reach-all-threads
  (with-threads-after
   (d/set-threads! 2)
   (let [a (d/input 'a '[:f64 [n]])
         triples (d/lt (d/add (d/reshape a ['n 1 1]) (d/reshape a [1 'n 1])) (d/reshape a [1 1 'n]))
         f (d/function [a] (d/sum (d/cast triples :f64) :axis [1 2]))
         long-one (d/full [20000] 1.0 :f64)
         end (promise)
         thread (Thread. #(deliver end (error-of (fn [] (f long-one)))))]
     (.start thread)
     (Thread/sleep 100)
     (.interrupt thread)
     (is (= :damo/interrupted (deref end 60000 :stuck)))
     (is (= [2.0 2.0 0.0] (bits (f [1 1 3]))) "and the function is good"))))
