(ns damo.codegen.instructions-test
  "Every instruction on every dtype that it takes, and every conversion, compiled and compared with
  the reference over special values."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.codegen.reference :as reference]
            [damo.jit.calling :as calling])
  (:import (damo.program Instructions Instructions$Row)
           (damo.tensor DType)))

(set! *warn-on-reflection* true)

(defn- dtype-key [^DType t] (keyword (.label t)))

(defn- rows-for [^DType t]
  (for [[name ^Instructions$Row row] (Instructions/rows)
        :when (and (not (.math row)) (.takes row t))]
    {:op (keyword name) :args (.args row) :gives (dtype-key (.gives row t))}))

(defn- operands
  "All tuples of special values; for :select, with the condition first."
  [op dtype n]
  (let [values (reference/special dtype)]
    (case (if (= op :select) :select n)
      1 (map vector values)
      2 (for [x values y values] [x y])
      3 (for [x values y (take 8 values) z (take-nth 2 values)] [x y z])
      :select (for [c [true false] x values y values] [c x y]))))

(defn- unit
  "One kernel of the test program: an instruction over its operands, from one buffer an operand."
  [dtype {:keys [op args gives] :as row}]
  (let [tuples (vec (operands op dtype args))
        dtypes (if (= op :select) [:bool dtype dtype] (repeat args dtype))]
    (assoc row :tuples tuples :dtypes dtypes
           :kernel {:name (name op)
                    :params (conj (mapv #(vector % :in) dtypes) [gives :out])
                    :body [[:for 'i (count tuples)
                            [:store args 'i (into [op] (for [k (range args)] [:load k 'i]))]]]})))

(defn- whole
  "One program of all units, with its buffers' contents before the call."
  [units]
  (let [ports (for [[u unit] (map-indexed vector units)
                    [k dtype] (map-indexed vector (conj (vec (:dtypes unit)) (:gives unit)))]
                {:unit u :name (str u "." k) :dtype dtype :size (count (:tuples unit))
                 :result (= k (:args unit))
                 :values (if (= k (:args unit))
                           (repeat (count (:tuples unit)) (if (= dtype :bool) false 0))
                           (map #(nth % k) (:tuples unit)))})
        ports (map-indexed #(assoc %2 :buffer %1) ports)
        port #(hash-map :name (:name %) :dtype (:dtype %) :shape [(:size %)] :buffer (:buffer %))]
    {:ports ports
     :program {:damo/program 1 :name "units" :dims []
               :buffers (mapv #(hash-map :dtype (:dtype %) :size (:size %)
                                         :kind (if (:result %) :output :input)) ports)
               :inputs (mapv port (remove :result ports))
               :state [] :outputs (mapv port (filter :result ports)) :consts []
               :kernels (mapv :kernel units)
               :steps (mapv (fn [u] {:do :kernel :kernel u
                                     :args (mapv :buffer (filter #(= u (:unit %)) ports))})
                            (range (count units)))
               :notes []}}))

(defn- results
  "What each unit computes: a vector of vectors."
  [units]
  (let [{:keys [program ports]} (whole units)
        {:keys [status buffers]} (calling/call program [] (map :values ports))]
    (is (= 0 status))
    (mapv #(nth buffers (:buffer %)) (filter :result ports))))

(deftest instructions-test
  (doseq [^DType t (remove #(.storage ^DType %) (DType/values))
          :let [dtype (dtype-key t)
                units (map #(unit dtype %) (rows-for t))]]
    (testing dtype
      (is (< 10 (count units)))
      (doseq [[{:keys [op tuples]} computed] (map vector units (results units))]
        (reference/check-all [op dtype] tuples
                             (map #(reference/apply-instruction op dtype %) tuples) computed)))))

;; Floats where whole numbers of a dtype end.
(def ^:private ends
  (let [around (fn [x] [x (Math/nextUp (double x)) (Math/nextDown (double x))])
        floats (fn [x] (let [x (float x)] [x (Math/nextUp x) (Math/nextDown x)]))
        edges (for [x [0.5 1.0 127.0 127.5 128.0 129.0 255.0 255.5 256.0 32767.5 32768.0 32769.0
                       2147483647.0 2147483648.0 2147483649.0 9.223372036854775807e18 1.8e19]
                    sign [1 -1]]
                (* sign x))]
    {:f64 (vec (mapcat around edges)), :f32 (vec (mapcat floats edges))}))

(deftest casts-test
  (doseq [from (map dtype-key (DType/values))
          :let [values (into (reference/special from) (ends from))
                tos (map dtype-key (DType/values))
                units (for [to tos]
                        {:op :cast :args 1 :gives to :dtypes [from] :tuples (map vector values)
                         :kernel {:name (str (name from) "-" (name to))
                                  :params [[from :in] [to :out]]
                                  :body [[:for 'i (count values)
                                          [:store 1 'i [:cast to [:load 0 'i]]]]]}})]
          [to computed] (map vector tos (results units))]
    (reference/check-all [:cast from to] values
                         (map #(reference/convert from to %) values) computed)))
