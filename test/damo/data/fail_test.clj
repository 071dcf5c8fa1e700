(ns damo.data.fail-test
  "Tests of failing and of source positions."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.test :refer [deftest is testing]]
            [damo.data.fail :as fail])
  (:import [damo DamoException]))

(set! *warn-on-reflection* true)

(deftest failures-carry-their-keyword-and-cause
  (let [cause (RuntimeException. "below")
        e (try (fail/fail! ::bad "no good" {:axis 3} cause) (catch clojure.lang.ExceptionInfo e e))]
    (is (= "no good" (ex-message e)))
    (is (= {:axis 3, :damo/error ::bad} (ex-data e)))
    (is (identical? cause (ex-cause e)))))

(defn- here [] (fail/source-position))

(deftest positions-are-the-callers
  (testing "tests count as users"
    (let [{:keys [file line]} (here)]
      (is (= "fail_test.clj" file))
      (is (pos? line))))
  (is (= "model.clj:12" (fail/position-text {:file "model.clj", :line 12})))
  (is (= "an unknown place" (fail/position-text nil))))

(deftest an-explained-failure-takes-the-place-of-the-first
  (let [first-one (try (fail/fail! ::bad "no good" {:axis 3})
                       (catch clojure.lang.ExceptionInfo e e))
        e (try (fail/explain! first-one "sum: " " at 3" {:op :sum})
               (catch clojure.lang.ExceptionInfo e e))]
    (is (= "sum: no good at 3" (ex-message e)))
    (is (= {:axis 3, :op :sum, :damo/error ::bad} (ex-data e)))
    (is (nil? (ex-cause e)) "a REPL shows the innermost cause: it must be this one")
    (is (= (vec (.getStackTrace ^Throwable first-one)) (vec (.getStackTrace ^Throwable e))))))

(deftest java-finds-the-advice-that-is-written
  (let [all (edn/read-string (slurp (io/resource "damo/advice.edn")))
        core (filter #(= "damo" (namespace (key %))) all)]
    (is (< 5 (count core)))
    (doseq [[kind text] core]
      (is (= text (get (.data (DamoException. (name kind) "x")) "try")) (str kind)))
    (is (nil? (get (.data (DamoException. "no-such-kind" "x")) "try")))))
