(ns damo.ops.watch.watch-test
  "assert stops calls and leaves state alone; print and tap show what passes; all three are
  transparent to derivatives."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(defn- failure [f] (try (f) nil (catch clojure.lang.ExceptionInfo e e)))

(def ^:private x (d/input 'x [:f64 ['n]]))

(deftest a-false-assertion-stops-the-call
  (let [w (d/shared 'w 1.0)
        checked (d/assert x (d/gt x 0) :message "x is not positive")      ; line 16
        total (d/sum (d/log checked))
        f (d/function [x] [total (d/grad total x)] {:updates {w (d/add w total)}, :name "sums"})]
    (is (= [(+ (Math/log 2.0) (Math/log 4.0)) [0.5 0.25]] (map deref (f [2 4]))))
    (let [before @(d/value w), e (failure #(f [2 -4]))]
      (is (= (str "in sums: assert: x is not positive\n"
                  "  argument 0: (gt x 0.0) [:bool [n]]\n"
                  "  expression: (all (gt x 0.0))\n"
                  "  written at: watch_test.clj:16")
             (ex-message e)))
      (is (= [:damo/requirement-failed :assert 16]
             ((juxt :damo/error :op :line) (ex-data e))))
      (is (= before @(d/value w))))
    (testing "also where there is nothing to let through"
      (let [g (d/function [x] (d/assert (d/index x [0 0]) (d/gt (d/sum x) 5)))]
        (is (= [] @(g [6])))
        (is (some? (failure #(g [1]))))))
    (testing "conditions are booleans"
      (is (str/includes? (ex-message (failure #(d/assert x x))) "bool")))))

(deftest print-and-tap-show-what-passes
  (let [seen (promise), watch #(deliver seen %)
        y (d/sum (d/sqr (d/tap (d/print x :message "x is" :limit 2) :key "x")))
        f (d/function [x] [y (d/grad y x) (d/rop y x x)])]
    (add-tap watch)
    (try
      (let [out (java.io.StringWriter.)
            values (binding [*out* out] (mapv deref (f [1 2 3])))]
        (is (= [14.0 [2.0 4.0 6.0] 28.0] values))
        (is (str/includes? (str out) "x is f64 [3] 1.0 2.0 …"))
        (is (= {:key "x", :dtype :f64, :shape [3], :value [1.0 2.0 3.0]}
               (deref seen 5000 :nothing))))
      (finally (remove-tap watch)))))
