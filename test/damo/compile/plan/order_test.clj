(ns damo.compile.plan.order-test
  (:require [clojure.test :refer [deftest is]]
            [damo.compile.plan.order :as order]))

(set! *warn-on-reflection* true)

(deftest programs-read-from-the-top
  (let [step {:k 1, :m 2, :n 3, :a 4, :b 5, :c 6, :do :gemm, :alpha 7, :beta 8, :note 9
              :dtype :f32}
        program (with-meta {:notes [], :steps [step], :later 1, :kernels [], :consts [], :dims []
                            :outputs [], :inputs [], :state [], :buffers [], :name "f"
                            :damo/program 1}
                           {:nodes [1]})
        ordered (order/ordered program)]
    (is (= program ordered))
    (is (= (meta program) (meta ordered)))
    (is (= [:damo/program :name :dims :buffers :inputs :state :outputs :consts :kernels :steps
            :notes :later]
           (keys ordered)))
    (is (= [:do :dtype :m :n :k :alpha :a :b :beta :c :note] (keys (first (:steps ordered)))))))
