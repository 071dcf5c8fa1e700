(ns damo.face.machine-test
  "What is told of the machine."
  (:require [clojure.edn :as edn]
            [clojure.string :as str]
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

(defn- elsewhere
  "What the form prints in another process whose vectors are bounded so, read."
  [bits form]
  (let [command [(str (System/getProperty "java.home") "/bin/java")
                 "--enable-native-access=ALL-UNNAMED" (str "-Ddamo.vector-bits=" bits)
                 "-Ddamo.products=own" "-cp" (System/getProperty "java.class.path") "clojure.main"
                 "-e" (pr-str form)]
        process (.start (.redirectErrorStream (ProcessBuilder. ^java.util.List command) true))]
    (edn/read-string (slurp (.getInputStream process)))))

(deftest narrower-vectors-than-the-machine-has
  (let [[machine sums error]
        (elsewhere 128
                   '(let [d (partial ns-resolve (doto 'damo.core require))
                          x (range 33), e ((d 'sum) ((d 'dot) [x x] ((d 'transpose) [x x])))]
                      (prn [((d 'describe-machine)) @((d 'eval) e)])))]
    (is (nil? error))
    (is (= 128 (:vector-bits machine)))
    (is (contains? #{"x86-64-v2" (:cpu (d/describe-machine))} (:cpu machine)))
    (is (= (* 4 (reduce + (map #(* % %) (range 33)))) sums)))
  (is (= "bad-data" (elsewhere 64 '(do (require 'damo.core)
                                       (try ((resolve 'damo.core/describe-machine))
                                            (catch Exception e
                                              (prn (name (:damo/error (ex-data e)))))))))))
