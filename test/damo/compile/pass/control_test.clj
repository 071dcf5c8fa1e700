(ns damo.compile.pass.control-test
  "Loops and branches of functions on their way to a program: what the passes and rules together
  leave of them, in loops, rows, bytes; how modes leave passes out; what is told of it."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.compile.modes :as modes]
            [damo.compile.pass.loop.sample :as s]
            [damo.compile.pipeline :as pipeline]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(defn- optimized
  ([es] (optimized es :fast-run))
  ([es mode] (:graph (pipeline/optimized (d/graph es) mode))))

(def ^:private u (d/input 'u [:f64 '[n]]))

(defn- seven-states
  "The loop of Theano's test of what it stores: outputs of u alone and states that look one round
  back or two."
  [n]
  (let [u (d/input 'u [:f64 [n]]), back {:init (d/input 'k [:f64 [2]]), :taps [-2 -1]}]
    (d/scan {:sequences {:u u}, :state {:d back, :e 0.5, :f back, :g 0.25}}
            (fn [{[d2 d1] :d, [f2 f1] :f, :keys [u e g]}]
              {:a (d/add u 1), :b (d/add u 2), :c (d/add u 3)
               :d (d/add (d/mul u 0.1) (d/mul d1 d2)), :e (d/sin (d/add u e f1))
               :f (d/cos (d/add u f2)), :g (d/tanh (d/add (d/mul u e) g))}))))

(deftest rows-that-are-read-are-kept
  (let [{:keys [d e f g]} (seven-states 20)
        es [(d/index d -7) (d/index e [-3 -1]) (d/index f [-6 nil]) (d/index g -1)]
        rows (fn [es] (let [[l] (s/loops (optimized es))] [(:steps l) (mapv second (:results l))]))]
    (is (= [20 [7 3 6 1]] (rows es)))
    (testing "and a prefix makes fewer rounds"
      (is (= [18 [1]] (rows [(d/index d -3)])))
      (is (= [5 [:all]] (rows [(d/index g [nil 5])]))))
    (let [in [(d/tensor (map #(* 0.125 %) (range 20))) (d/tensor [0.25 2.0])]
          args [(d/input 'u [:f64 [20]]) (d/input 'k [:f64 [2]])]
          call (fn [mode] (map deref (apply (d/function args es {:mode mode}) in)))]
      (is (= (call :none) (call :fast-run) (call :debug))))))

(deftest a-loop-of-a-million-rounds-needs-one-number
  (let [x (:x (d/scan {:state {:x 1.0}, :n-steps 1000000} (fn [{:keys [x]}] {:x (d/cos x)})))
        f (d/function [] (d/index x -1))]
    (is (= [1 1] (map :size (:buffers (d/program f)))) "the result, and the state")
    (is (< (abs (- 0.7390851332151607 @(f))) 1e-15))))

(deftest fibonacci-needs-two-rows
  (let [f (:f (d/scan {:state {:f {:init (d/tensor [1.0 1.0]), :taps [-2 -1]}}, :n-steps 1000}
                      (fn [{[a b] :f}] (let [c (d/add a b)] {:f c, :until (d/gt c 34.0)}))))
        g (optimized (d/index f -1)), [{:keys [results]}] (s/loops g)]
    (is (= [[0 1]] results))
    (is (= 55.0 @((d/function [] (d/index f -1)))))))

(deftest the-gauss-newton-product-has-its-value
  (let [w (d/input 'w [:f64 [4 4]]), x (d/tensor (repeat 6 (repeat 4 1.0)))
        f (:h (d/scan {:sequences {:x x}, :state {:h (d/zeros [4])}}
                      (fn [{:keys [h x]}] {:h (d/tanh (d/add (d/dot h w) x))})))
        product (d/lop f w (d/rop f w (d/ones [4 4])))
        half (d/tensor (for [i (range 4)] (for [j (range 4)] (if (= i j) 0.5 0.0))))]
    (is (= 2 (count (s/loops (optimized product)))))
    (doseq [mode [:none :fast-compile :fast-run]]
      (is (every? #(< (abs (- 0.73392899 %)) 1e-8)
                  (flatten (deref ((d/function [w] product {:mode mode}) half))))))))

(deftest passes-are-left-out-by-name-and-by-promise
  (let [row (fn [f] (:y (d/scan {:sequences {:u u}} (fn [{:keys [u]}] {:y (f u)}))))
        until (fn [f] (:y (d/scan {:sequences {:u u}}
                                  (fn [{:keys [u]}] {:y (f u), :until (d/gt u 9.0)}))))
        loops (fn [es mode] (count (s/loops (optimized es mode))))
        maps [(row d/sin) (row d/cos)], ends [(until d/sin)]]
    (is (= 0 (loops maps :fast-run)))
    (is (= 1 (loops maps {:mode :fast-run, :exclude #{:loop-batch}})
           (loops maps {:mode :fast-run, :exclude #{:value}})
           (loops maps :fast-compile)))
    (is (= 2 (loops maps {:mode :fast-run, :exclude #{:loop-batch :unite}}) (loops maps :none)))
    (is (= 1 (loops ends :fast-run)))
    (testing "and named as rules are"
      (is (= :damo.run/unknown-rule
             (try (modes/options {:mode :fast-run, :exclude #{:loop-batches}}) nil
                  (catch clojure.lang.ExceptionInfo e (:damo/error (ex-data e)))))))))

(deftest rules-fire-in-bodies-and-say-so
  (let [x (:x (d/scan {:state {:x 1.0}, :n-steps 9} (fn [{:keys [x]}] {:x (d/mul (d/sin x) 1)})))
        c (d/input 'c [:bool []])
        b (d/ifelse c (fn [] (d/log (d/add 1 (d/index x -1)))) (fn [] (d/input 'z [:f64 []])))
        f (d/function [c (d/input 'z [:f64 []])] b), g (d/rewritten f)
        at (first (keep-indexed (fn [id [op]] (when (= op :branch) id)) (:nodes g)))]
    (let [case (get-in g [:nodes at 1 :cases 1])
          id-of #(.indexOf ^java.util.List (mapv first (:nodes %)) %2)
          looped (id-of case :loop), body (get-in case [:nodes looped 1 :body])]
      (is (= [:log1p] (map :rule (d/why f (id-of case :log1p) [at [:cases 1]]))))
      (is (= [:mul-one :cast-same]
             (map :rule (d/why f (id-of body :sin) [at [:cases 1] looped :body])))
          "in the loop in the case"))
    (testing "the loop lies in the case that needs it"
      (is (= [0 1] [(count (filter #{:loop} (map first (:nodes g)))) (count (s/loops g))])))
    (testing "and passes are stages"
      (is (some #(re-find #"the passes .*loop-rows" (:what %))
                (pipeline/stages (d/graph (d/index x -1)) :fast-run))))))
