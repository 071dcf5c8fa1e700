(ns damo.jit.product-choice-test
  "Products that are left to a library: that the results are right whatever the sizes and strides,
  and that a machine chooses alike whenever it is asked."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.jit.calling :as calling])
  (:import (damo.codegen Codegen LibraryUse)
           (damo.jit NativeCode ProductChoice)
           (java.nio.file Files Path)
           (java.nio.file.attribute FileAttribute)))

(set! *warn-on-reflection* true)

(defn- program
  "C[m n] = alpha A B + beta C, with strides."
  [dtype a-strides b-strides]
  (-> (calling/program '[m n k] (mapv (fn [access size] [dtype access size]) [:in :in :inout]
                                      ['[:* m k] '[:* k n] '[:* m n]]) [])
      (assoc :steps [{:do :gemm, :dtype dtype, :m 'm, :n 'n, :k 'k, :alpha 2.0, :beta 0.5
                      :a {:buffer 0, :offset 0, :strides a-strides}
                      :b {:buffer 1, :offset 0, :strides b-strides}
                      :c {:buffer 2, :offset 0, :strides '[n 1]}}])))

(defn- whole-numbers [size salt] (mapv #(double (- (mod (+ (* 7 %) salt) 11) 5)) (range size)))

(defn- expected [[m n k] [ai al] [bl bj] a b c]
  (vec (for [i (range m), j (range n)]
         (+ (* 0.5 (nth c (+ (* i n) j)))
            (* 2.0 (reduce + (map #(* (nth a (+ (* i ai) (* % al))) (nth b (+ (* % bl) (* j bj))))
                                  (range k))))))))

(deftest a-library-computes-what-it-is-left
  (doseq [dtype [:f32 :f64]
          [m n k :as sizes] [[48 48 16] [49 63 130] [60 48 128] [47 60 40] [60 50 3] [1 60 200]]
          [a-strides a-step b-strides b-step] [['[k 1] [k 1] '[n 1] [n 1]]
                                               ['[1 m] [1 m] '[1 k] [1 k]]]
          :let [p (program dtype a-strides b-strides)
                contents [(whole-numbers (* m k) 1) (whole-numbers (* k n) 2)
                          (whole-numbers (* m n) 3)]
                module (Codegen/module (calling/read-program p) 256 false LibraryUse/ALL)]]
    (testing [dtype sizes a-strides]
      (with-open [code (NativeCode/compile module)]
        (let [{:keys [status buffers]} (calling/run code p [m n k]
                                                    (into contents (repeat 3 (repeat 0 0))))]
          (is (zero? status))
          (is (= (apply expected sizes a-step b-step contents) (nth buffers 2))))))))

;; Its sums are in another order than those of own products.
(deftest batches-have-the-same-bits-on-any-number-of-threads
  (let [[m n k] [50 60 200], batch [{:extent 3 :a (* m k) :b (* k n) :c (* m n)}]
        random (java.util.Random. 3)
        p (-> (calling/program [] (mapv (fn [access size] [:f32 access (* 3 size)])
                                        [:in :in :inout] [(* m k) (* k n) (* m n)]) [])
              (assoc :steps [{:do :gemm, :dtype :f32, :m m, :n n, :k k, :alpha 0.3, :beta 0.0
                              :a {:buffer 0, :offset 0, :strides [k 1]}
                              :b {:buffer 1, :offset 0, :strides [n 1]}
                              :c {:buffer 2, :offset 0, :strides [n 1]}, :batch batch}]))
        contents (mapv (fn [{:keys [size]}] (vec (repeatedly size #(.nextGaussian random))))
                       (:buffers p))
        module (Codegen/module (calling/read-program p) 256 false LibraryUse/ALL)]
    (with-open [code (NativeCode/compile module)]
      (is (apply = (for [threads [1 2 3]]
                     (nth (:buffers (calling/run code p [] contents :threads threads)) 2)))))))

(deftest only-what-is-asked-calls-a-library
  (let [p (calling/read-program (program :f32 '[k 1] '[n 1]))
        called (fn [use] (->> (tree-seq some? #(.values (.shared ^damo.codegen.LlvmModule %))
                                        (Codegen/module p 256 false use))
                              (mapcat #(keys (.externals ^damo.codegen.LlvmModule %)))
                              (filter #(str/starts-with? % "cblas")) set))]
    (is (= #{} (called LibraryUse/NONE)))
    (is (= #{"cblas_sgemm"} (called LibraryUse/ALL)))))

(defn- fresh-folder ^Path [] (Files/createTempDirectory "damo" (make-array FileAttribute 0)))

(deftest a-machine-chooses-alike
  (let [cache (fresh-folder)
        first-time (ProductChoice/of "unheard of" cache)
        file (io/file (str (.resolve cache "machine")) "products-unheard_of-mkl.edn")]
    (testing "what is measured once is kept"
      (is (str/includes? (.why first-time) "as measured on this machine"))
      (is (= #{:f32 :f64} (set (keys (edn/read-string (slurp file))))))
      (spit file "{:f32 [:deep] :f64 []}")
      (is (= "[DEEP]" (str (.f32 (.library (ProductChoice/of "unheard of" cache)))))))
    (testing "a file that is none, or no folder: own products, and it is said why"
      (spit file "{:f32")
      (let [broken (ProductChoice/of "unheard of" cache)]
        (is (= LibraryUse/NONE (.library broken)))
        (is (str/includes? (.why broken) "nothing can be measured or kept")))
      (is (= LibraryUse/NONE
             (.library (ProductChoice/of "unheard of" (.toPath (io/file "/proc/damo")))))))
    (run! io/delete-file (reverse (file-seq (.toFile cache))))))

(deftest the-table-of-processors-is-data
  (doseq [[cpu {:keys [library f32 f64 why]}]
          (edn/read-string (slurp (io/resource "damo/processors.edn")))]
    (testing cpu
      (is (and (string? cpu) (#{"mkl" "openblas"} library) (not (str/blank? why))))
      (is (every? #{:deep :shallow} (concat f32 f64)))
      (is (str/includes? (.why (ProductChoice/of cpu (fresh-folder))) why)))))
