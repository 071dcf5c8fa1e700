(ns damo.bench.models.main-test
  "Models of the benchmark: their losses, what a step must do, and one beside a fake server."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.bench.models.main :as main]
            [damo.bench.models.nets :as nets]
            [damo.bench.seats :as seats]
            [damo.bench.task :as task])
  (:import [java.io StringWriter]))

(set! *warn-on-reflection* true)

(deftest names-are-of-models
  (is (= (set nets/names) (set (keys nets/models)) (set (keys nets/expected-losses)))))

(deftest work-of-models
  (testing "a perceptron: nothing is propagated to the images"
    (is (= {:flops (* 2 1024 (+ (* 2 784 500) (* 3 5000)))
            :bytes (+ (* 8 (+ (* 785 500) 5010)) (* 4 1024 785))
            :memory (* 4 (+ (* 785 500) 5010 (* 1024 785)))}
           (nets/work "mlp-1024"))))
  (testing "a block: 1024 rows, 12 products of 256 by 256, and those of the heads, three times"
    (is (= (* 3 2 1024 (+ (* 12 256 256) (* 2 128 256))) (:flops (nets/work "block")))))
  (is (= (* 12 (:flops (nets/work "block"))) (:flops (nets/work "blocks-12")))))

(deftest losses-are-those-of-the-other-programs
  (doseq [model ["attention" "autoencoder" "mlp-1024" "lenet"]]
    (testing model
      (is (task/near? (nets/expected-losses model) (:loss (main/damo model)))))))

(defn- fake [name loss]
  {:name name, :kinds #{"models"}, :threads #{1}
   :command (str "echo ready; while read -r word rest; do case $word in make) echo made " loss
                 ";; time) echo 5e10;; esac; done")})

(deftest a-model-beside-fake-servers
  (let [places (seats/places)
        rows (binding [*err* (StringWriter.)]
               (main/measured "attention" 1 [(fake "slow" 0.335719) (fake "wrong" 0.4)
                                             (assoc (fake "two" 0.335719) :threads #{2})]
                              places 1e11 {:least 2, :most 2, :bound 0.1, :seconds 0.01
                                           :batch-seconds 0.001}))]
    (seats/leave! places)
    (is (= ["damo" "slow"] (map :program rows)))
    (is (= 5e10 (:ns (second rows))))
    (is (not-any? :mismatch rows))
    (is (re-find #"^attention +1t  damo .* of the limit, 2 rounds\)  slow 50000\.00 ms "
                 (main/line rows)))))
