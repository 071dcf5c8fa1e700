(ns damo.program.shape-match-test
  "Dimensions from the shapes of a call, and the message when shapes do not match."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.program.sample :as sample])
  (:import (damo DamoException)
           (damo.program Programs)
           (damo.verify Bindings)))

(set! *warn-on-reflection* true)

(defn- dims-of [form & shapes]
  (vec (Bindings/dimsOf (Programs/read (pr-str form)) (into-array (map long-array shapes)))))

(defn- mismatch [form & shapes]
  (try
    (apply dims-of form shapes)
    nil
    (catch DamoException e
      (is (= "shape-mismatch" (.kind e)))
      e)))

(def ^:private two-inputs
  (-> (sample/with-body)
      (assoc :inputs '[{:name "x" :dtype :f32 :shape [n] :buffer 0}
                       {:name "z" :dtype :f32 :shape [m [:* n 2]] :buffer 2}])))

(deftest dimensions-come-from-shapes
  (is (= [60] (dims-of sample/program [60 784] [784 10] [10])))
  (is (= [5 3] (dims-of two-inputs [5] [3 10])))
  (doseq [[shapes message]
          [[[[60 785] [784 10] [10]] #"input x .*, axis 1: expected 784, given 785"]
           [[[60 784] [784 11] [10]] #"state w .*, axis 1: expected 10, given 11"]
           [[[60 784] [784 10] [10 1]] #"state b .*: expected 1 axes, given 2, \[10, 1\]"]
           [[[60] [784 10] [10]] #"input x \[:f32 \[n 784\]\]: expected 2 axes, given 1"]
           [[[60 784]] #"has 1 inputs and 2 state variables, given 1 shapes"]]]
    (is (re-find message (ex-message (apply mismatch sample/program shapes)))))
  (let [e ^DamoException (mismatch two-inputs [5] [3 11])]
    (is (= (str "in one: input z [:f32 [m [:* n 2]]], axis 1: expected 10, given 11 ([:* n 2] with"
                " n = 5); dimension n is bound by input x, axis 0, to 5")
           (.what e)))
    (is (= {"input" "z" "axis" 1 "expected" 10 "given" 11 "dimension" "n"
            "bound-by" "input x, axis 0, to 5"}
           (dissoc (into {} (.data e)) "try"))))
  (testing "a dimension named twice in one shape"
    (let [square (assoc-in (sample/with-body) [:inputs 1 :shape] '[m m])]
      (is (= (str "in one: input like-y [:f32 [m m]], axis 1: expected 3, given 4; "
                  "dimension m is bound by input like-y, axis 0, to 3")
             (.what ^DamoException (mismatch square [5] [3 4])))))))
