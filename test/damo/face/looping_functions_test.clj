(ns damo.face.looping-functions-test
  "Functions with loops and branches: numbers of steps that are inputs, also where others take their
  places; files, modes, calls in a row; what failures in a step say."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x [:f64 ['n]]))
(def ^:private k (d/input 'k [:i64 []]))
(def ^:private m (d/input 'm [:i32 []]))

(def ^:private powers
  (:h (d/scan {:state {:h 1}, :n-steps (d/add k 1)} (fn [{:keys [h]}] {:h (d/mul 2 h)}))))

(deftest steps-are-inputs
  (let [f (d/function [k] powers)]
    (is (= [{:dim 'k.value, :input "k"}] (:valued (d/program f))))
    (is (= [[2] [2 4 8]] (mapv #(deref (f %)) [0 2])))
    (is (thrown-with-msg? Exception #"input k is -1" (f -1))))
  (testing "of fewer bits"
    (is (= [2 2 2] @((d/function [m] (:y (d/scan {:n-steps m} (fn [_] {:y 2})))) 3))))
  (testing "in whose place others come"
    (is (= [2 4 8 16 32] @((d/function [m] powers {:givens {k (d/mul 2 (d/cast m :i64))}}) 2)))
    (is (= [2 4 8] @((d/function [] powers {:givens {k 2}})))))
  (testing "that come to a number"
    (is (= 6.0 @((d/function [x] (d/foldl d/add 0.0 x
                                          :n-steps (d/cast (d/sum (d/tensor [1 2])) :i64)))
                 [1 2 3 4])))))

(deftest functions-with-loops-go-through-files
  (let [file (doto (java.io.File/createTempFile "loops" ".damo") .deleteOnExit)
        f (d/function [k x] {:p powers, :s (d/foldl d/add 0.0 x)
                             :c (d/ifelse (d/gt k 2) (d/sum x) 0.0)})]
    (d/save file {:f f})
    (is (= {:p [2 4 8], :s 6.0, :c 0.0} (update-vals ((:f (d/load file)) 2 [1 2 3]) deref)))))

(deftest calls-in-a-row-go-on-with-the-state
  (let [s (d/shared 's 1.0)
        r (d/scan {:sequences {:x x}} (fn [{:keys [x]}] {:y s, :updates {s (d/mul s x)}}))
        f (d/function [x] (:y r) {:updates (:updates r)})]
    (is (= [4.0 4.0] @(d/call-n f 3 [1 2])))
    (is (= 8.0 @s))))

(deftest all-modes-agree
  (let [r (d/scan {:sequences {:x x}, :state {:h 0.0}}
                  (fn [{:keys [x h]}]
                    {:h (d/add x (d/ifelse (d/gt h 0) (d/mul 2 h) h)), :until (d/gt h 3)}))
        asked [(:h r) (d/grad (d/sum (d/sqr (:h r))) x)]]
    (doseq [mode [:fast-run :fast-compile :none :debug :nan-guard :sync]]
      (is (= [[0.5 2.0 7.0 15.0] [305.0 152.0 74.0 30.0 0.0]]
             (mapv deref ((d/function [x] asked {:mode mode}) [0.5 1 3 1 9])))
          (str mode)))))

(deftest failures-tell-the-step
  (let [f (d/function [x] (d/map-steps #(d/assert (d/log %) (d/gt % 0) :message "positive") x))
        e (try (f [1 2 -1 3]) nil (catch clojure.lang.ExceptionInfo e e))]
    (is (str/includes? (ex-message e) "positive"))
    (is (str/includes? (ex-message e) "iteration 2"))
    (is (= "looping_functions_test.clj" (:file (ex-data e))))))
