(ns damo.bench.machine-test
  "What is known of the machine that measures, and the limits that it sets."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.bench.limits :as limits]
            [damo.bench.machine :as machine]))

(set! *warn-on-reflection* true)

(deftest lists-of-processors
  (is (= [0 1 2 5] (machine/processors "0-2,5\n")))
  (is (= [7] (machine/processors "7"))))

(def ^:private cpuinfo
  (str "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 26\nmodel\t\t: 2\n"
       "model name\t: AMD EPYC 9555\nstepping\t: 1\nflags\t\t: fpu avx avx2 fma avx512f sse2\n\n"
       "processor\t: 1\nmodel name\t: AMD EPYC 9555\n"))

(deftest facts-of-a-processor
  (is (= {:processor "AMD EPYC 9555", :family "26 2 1", :cores 2, :flags "avx2 avx512f fma"}
         (machine/facts cpuinfo)))
  (is (= {:processor "unknown", :family "", :cores 1, :flags ""} (machine/facts "")))
  (is (= "amd-epyc-9555-26-2-1-2-cores" (machine/folder-name (machine/facts cpuinfo))))
  (is (every? #(not (str/blank? %)) (map (machine/description) [:processor :os :jdk :date]))))

(deftest settings-that-cripple-are-taken-out
  (let [builder (ProcessBuilder. ^java.util.List (list "true"))]
    (.put (.environment builder) "OPENBLAS_CORETYPE" "Haswell")
    (.put (.environment builder) "DAMO_TEST" "1")
    (machine/clean builder)
    (is (= [nil "1"] (map #(.get (.environment builder) %) ["OPENBLAS_CORETYPE" "DAMO_TEST"])))))

(deftest a-thread-stays-where-it-is-pinned
  (when-let [all (machine/allowed)]
    (let [now (fn [] (machine/processors
                      (second (re-find #"(?m)^Cpus_allowed_list:\s*(\S+)$"
                                       (String. (java.nio.file.Files/readAllBytes
                                                 (java.nio.file.Path/of
                                                  "/proc/thread-self/status"
                                                  (make-array String 0))))))))
          found (promise)]
      (.join (doto (Thread. #(deliver found [(machine/pin! [(last all)]) (now)])) .start))
      (is (= [true [(last all)]] @found))
      (is (= [(first all)] (machine/chosen 1)))
      (is (nil? (machine/chosen (inc (count all)))))))
  (is (false? (machine/pin! nil))))

(deftest limits-of-work
  (testing "the larger of both times"
    (is (= 2.0 (limits/least-seconds {:bytes 20, :flops 5} {:copy 10.0, :flops 10.0})))
    (is (= 3.0 (limits/least-seconds {:bytes 20, :flops 30} {:copy 10.0, :flops 10.0}))))
  (is (nil? (limits/least-seconds {:bytes 0} {:copy 1.0, :flops 1.0})))
  (testing "this core does something, and f64 is about half of f32"
    (let [f32 (limits/flops :f32), f64 (limits/flops :f64)]
      (is (< 1e9 f32 1e13))
      (is (< 1.2 (/ f32 f64) 3.5)))
    (is (< 1e8 (limits/copy-rate 1e5) 1e13))))
