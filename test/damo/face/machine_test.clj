(ns damo.face.machine-test
  "What is told of the machine."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [damo.core :as d]
            [damo.face.machine :as machine]))

(deftest the-machine-is-data
  (let [{:keys [cpu name vector-bits processors threads blas warnings products]}
        (d/describe-machine)]
    (is (every? string? [cpu name (:name blas) (:version blas) (:why products)]))
    (is (#{128 256 512} vector-bits))
    (is (<= 1 processors))
    (is (= threads (d/threads)))
    (is (vector? warnings))
    (is (every? #{:deep :shallow} (concat (:f32 products) (:f64 products))))))

(deftest an-environment-that-cripples-a-library-is-told
  (let [environment {"OPENBLAS_CORETYPE" "Haswell", "PATH" "/bin"}]
    (is (= [] (machine/warnings environment "mkl")))
    (is (= [] (machine/warnings {"PATH" "/bin"} "openblas")))
    (let [[warning & more] (machine/warnings environment "openblas")]
      (is (str/includes? warning "OPENBLAS_CORETYPE=Haswell"))
      (is (nil? more)))))
