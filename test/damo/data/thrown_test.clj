(ns damo.data.thrown-test
  (:require [clojure.test :refer [deftest is]]
            [damo.core :as d])
  (:import [clojure.lang ExceptionInfo]))

(set! *warn-on-reflection* true)

(defn- failure [f]
  (try (f) nil (catch ExceptionInfo e [(:damo/error (ex-data e)) (:try (ex-data e))
                                       (ex-message e)])))

(deftest an-expression-where-numbers-are-needed-is-called-one
  (let [x (d/input 'x [:f32 ['n]]), w (d/shared 'w (d/zeros [2] :f32))
        f (d/function [x] (d/sum x))]
    (doseq [[what make] {"set-value!" #(d/set-value! w (d/mul w 2.0)), "shared" #(d/shared 'v x)
                         "input x" #(f x), "got an expression at [1]" #(d/tensor [1.0 x])}
            :let [[kind advice ^String message] (failure make)]]
      (is (= :damo/bad-data kind) what)
      (is (re-find #"\(d/eval e\)" (str advice)) what)
      (is (and (.contains message what) (.contains message "got an expression")) message)
      (is (= 2 (count (.split message "try: "))) "the advice is said once"))))
