(ns damo.compile.plan-test
  "Programs: dimensions, ports, buffers, shared kernels, and whole programs of three functions
  pinned as golden files. To renew these after a wanted change, run the tests with
  -Ddamo.golden=write and read the difference before it is committed."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.pprint :as pprint]
            [clojure.test :refer [deftest is testing]]
            [damo.compile.pass :as pass]
            [damo.compile.plan :as plan]
            [damo.core :as d]
            [damo.face.parse :as parse])
  (:import [damo.program Programs]))

(set! *warn-on-reflection* true)

(defn- program [inputs & expressions]
  (let [names (mapv #(symbol (str "out" %)) (range (count expressions)))
        g (pass/prepare (parse/parse {:inputs inputs, :outputs (zipmap names expressions)}))]
    (plan/program g {:name "p", :inputs (vec inputs), :state [], :outputs (map str names)
                     :updates {}})))

(deftest equal-kernels-are-one
  (let [{:keys [kernels steps]} (program '{x [:f64 [n m]], y [:f64 [n m]]}
                                         '[:exp [:matmul x [:transpose y]]]
                                         '[:exp [:matmul y [:transpose x]]])]
    (is (= 1 (count kernels)))
    (is (= [0 0] (keep :kernel steps)))
    (is (apply distinct? (keep :args steps)))))

(deftest dimensions-are-bound-by-inputs-in-order
  (is (= '[n m] (:dims (program '{x [:f64 [n [:+ n m]]], y [:f64 [m n]]} '[:sum x] '[:sum y]))))
  (testing "also by inputs that nothing else needs"
    (is (= '[n] (:dims (program '{x [:f64 []], y [:f32 [n]]} '[:broadcast-to {:shape [n 2]} x])))))
  (testing "an axis that is a sum tells no dimension"
    (let [e (try (program '{x [:f64 [[:+ n m]]], y [:f64 [m]]} '[:sum x] '[:sum y])
                 (catch clojure.lang.ExceptionInfo e e))]
      (is (= :damo.plan/free-dimension (:damo/error (ex-data e))))
      (is (= 'n (:dim (ex-data e)))))))

(deftest constants-lie-in-buffers-of-their-own
  (let [{:keys [consts buffers]} (program '{x [:f64 [2]]}
                                          '[:add x [:const {:type [:f64 [2]] :value [0.5 ##NaN]}]])]
    (is (= 1 (count consts)))
    (is (= :const (:kind (buffers (:buffer (first consts))))))
    (is (= "[0.5 ##NaN]" (pr-str (:data (first consts)))))))

(deftest notes-say-what-failed-and-where
  (let [x (d/input 'x [:f64 ['n 3]]), i (d/input 'i [:i64 ['m]])
        [note] (:notes (d/program (d/function [x i] (d/tanh (d/take x i)))))]
    (is (= {:op "take", :file "plan_test.clj"} (select-keys note [:op :file])))
    (is (integer? (:line note)))))

;; ## Golden programs

(defn- softmax []
  (let [x (d/input 'x [:f32 ['n 10]])] (d/function [x] (d/softmax x) {:name "softmax"})))

(defn- layer-norm []
  (let [x (d/input 'x [:f32 ['n 64]])
        g (d/shared 'g (d/ones [64] :f32)), b (d/shared 'b (d/zeros [64] :f32))
        centred (d/sub x (d/mean x :axis -1 :keepdims true))
        variance (d/mean (d/sqr centred) :axis -1 :keepdims true)]
    (d/function [x] (d/add b (d/mul g (d/div centred (d/sqrt (d/add variance 1e-5)))))
                {:name "layer-norm"})))

(defn- mlp-step []
  (let [x (d/input 'x [:f32 ['n 784]]), y (d/input 'y [:i64 ['n]])
        [w1 b1 w2 b2 :as params] (map (fn [s shape] (d/shared s (d/zeros shape :f32)))
                                      '[w1 b1 w2 b2] [[784 500] [500] [500 10] [10]])
        logits (d/add (d/dot (d/tanh (d/add (d/dot x w1) b1)) w2) b2)
        loss (d/mean (d/cross-entropy logits y))
        updates (zipmap params (map #(d/sub %1 (d/mul 0.1 %2)) params (d/grad loss params)))]
    (d/function [x y] loss {:updates updates, :name "mlp-step"})))

(defn- without-places
  "A program without the files and lines of its notes."
  [program]
  (update program :notes (partial mapv #(dissoc % :file :line))))

(defn- printed [program]
  (binding [pprint/*print-right-margin* 96]
    (with-out-str (pprint/pprint program))))

(deftest golden-programs
  (doseq [[name f] {"softmax" (softmax), "layer-norm" (layer-norm), "mlp-step" (mlp-step)}
          :let [file (io/file "test/golden" (str name ".edn"))
                program (without-places (d/program f))]]
    (when (= "write" (System/getProperty "damo.golden")) (spit file (printed program)))
    (is (= (edn/read-string (slurp file)) program) name)
    (is (some? (Programs/read (slurp file))) "the core accepts the file")))

(deftest a-training-step-touches-its-weights-in-place
  (let [{:keys [steps state kernels]} (d/program (mlp-step))
        product-into (fn [s] (first (filter #(= (:buffer s) (get-in % [:c :buffer])) steps)))]
    (doseq [s state :when (= 2 (count (:shape s)))]
      (is (= 1.0 (:beta (product-into s))) "w ← w - 0.1 xᵀ d, by one product"))
    (is (not-any? #(= "copy" (:name %)) kernels))))
