(ns damo.compile.debug.inside-test
  "What modes say of loops and branches: :debug names the rule or the op that is wrong in a body,
  and the round; :nan-guard the line and the round; what fails, fails alike in all modes."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.compile.modes :as modes]
            [damo.core :as d]
            [damo.data.form :as form]
            [damo.op :as op]
            [damo.op.body :as body]
            [damo.rule :refer [defrules]]))

(set! *warn-on-reflection* true)

(defn- failure [f] (try (f) nil (catch clojure.lang.ExceptionInfo e e)))

(def ^:private xs (d/input 'xs [:f64 ['n]]))
(def ^:private m (d/input 'm [:f64 ['n 2]]))

(def ^:private states                              ; the body is on line 23
  (:h (d/scan {:sequences {:x xs}, :state {:h 0.5}}
              (fn [{:keys [x h]}]
                {:h (d/add (d/mul 0.5 (d/tanh x)) (d/mul 0.25 h))}))))

(def ^:private nested
  (:s (d/scan {:sequences {:row m}, :state {:s 0.0}}
              (fn [{:keys [row s]}]
                {:s (d/add s (d/index (:h (d/scan {:sequences {:x row}, :state {:h 1.0}}
                                                  (fn [{:keys [x h]}]
                                                    {:h (d/mul h (d/tanh x))})))
                                      -1))}))))

(def ^:private chosen
  (d/ifelse (d/gt (d/sum xs) 0) (d/tanh xs) (d/neg xs)))

(deftest right-functions-compute-as-always
  (doseq [[e inputs args] [[states [xs] [[1 -2 3]]] [nested [m] [[[1 2] [3 -1]]]]
                           [chosen [xs] [[1 2]]] [chosen [xs] [[-1 -2]]]
                           [(d/grad (d/sum states) xs) [xs] [[1 2 3]]]]]
    (is (= @(apply (d/function inputs e) args)
           @(apply (d/function inputs e {:mode :debug}) args)))))

(defrules wrong
  "A rule that is wrong."
  {:name :tanh-as-sigmoid, :lhs [:tanh ?x], :rhs [:sigmoid ?x], :keeps :value
   :why "It is a test.", :examples [[[:tanh x] => [:sigmoid x]]]})

(defn- blamed [inputs e & args]
  (ex-data (failure #(apply (d/function inputs e {:mode :debug}) args))))

(deftest a-wrong-rule-is-named-in-a-body
  (with-redefs [modes/modes (update-in modes/modes [:debug :before] conj [[wrong]])]
    (let [told #(select-keys % [:damo/error :rules :op :line :iterations :case])]
      (testing "of a loop, with the round"
        (is (= {:damo/error :damo.debug/wrong-rule, :rules [:tanh-as-sigmoid], :op :tanh
                :line 23, :iterations [0]}
               (told (blamed [xs] states [1 2])))))
      (testing "of a branch, with the case"
        (is (= {:damo/error :damo.debug/wrong-rule, :rules [:tanh-as-sigmoid], :op :tanh
                :line 33, :case [:cases 1]}
               (told (blamed [xs] chosen [1 2]))))
        (is (nil? (failure #((d/function [xs] chosen {:mode :debug}) [-1 -2])))
            "the case that is not taken does not count")))))

(defn- with-entry
  "Runs f while the op has these keys of its entry changed."
  [op changes f]
  (let [entry (op/entry op)]
    (try (swap! op/registry update op merge changes)
         (f)
         (finally (swap! op/registry assoc op entry)))))

(deftest wrong-machine-code-is-named-in-a-body
  (doseq [[e inputs line args] [[states [xs] 23 [[0 2 1]]] [chosen [xs] 33 [[1 2]]]]]
    (with-entry :tanh {:scalar '[:sigmoid ?x]}
      #(is (= {:damo/error :damo.debug/wrong-op, :op :tanh, :line line}
              (select-keys (apply blamed inputs e args) [:damo/error :op :line]))))))

;; ## NaN, and failures

(def ^:private roots
  (:h (d/scan {:sequences {:x xs}, :state {:h 1.0}}
              (fn [{:keys [x h]}]
                {:h (d/add h (d/sqrt x))}))))       ; on line 84

(deftest a-guard-names-the-line-and-the-round
  (let [e (failure #((d/function [xs] roots {:mode :nan-guard}) [1 4 -1 9]))]
    (is (= [84 [2]] ((juxt :line :iterations) (ex-data e))) (ex-message e))
    (is (str/includes? (ex-message e) "iteration 2")))
  (is (= [2.0 4.0] @((d/function [xs] roots {:mode :nan-guard}) [1 4]))))

(def ^:private at (d/input 'at [:i64 ['n]]))

(def ^:private picked
  (:y (d/scan {:sequences {:i at}}
              (fn [{:keys [i]}] {:y (d/index (d/tensor [1.0 2.0 3.0]) i)}))))

(deftest failures-are-alike-in-all-modes
  (doseq [mode [:none :fast-run :fast-compile :nan-guard :sync :debug]
          :let [f (d/function [at] picked {:mode mode}), e (failure #(f [0 2 7 1]))]]
    (testing mode
      (is (= [3.0 1.0 1.0] @(f [2 0 -3])))
      (is (= :damo/index-out-of-bounds (:damo/error (ex-data e))))
      (is (str/includes? (str (ex-message e)) "7")))
    (when (#{:none :fast-compile :debug} mode)
      (is (= [2] (:iterations (ex-data e))) (ex-message e)))))

;; ## Looking at loops

(deftest what-fired-in-a-body-is-told
  (let [h0 (d/input 'h0 [:f64 []])
        soft (fn [h] (d/log (d/add 1 (d/exp h))))
        f (d/function [xs h0] (:h (d/scan {:sequences {:x xs}, :state {:h h0}}
                                          (fn [{:keys [x h]}] {:h (d/add x (soft h))}))))
        rewritten (d/rewritten f)
        at (first (keep-indexed #(when (= :loop (first %2)) %1) (:nodes rewritten)))
        {:keys [nodes]} (body/at rewritten [at :body])
        soft-at (first (keep-indexed #(when (= :softplus (first %2)) %1) nodes))]
    (is (= [:log1p :softplus] (map :rule (d/why f soft-at [at :body]))))
    (is (str/includes? (with-out-str (d/explain f)) "softplus"))))

(deftest loops-and-branches-read-as-such
  (let [shown (fn [e notes?]
                (let [g (cond-> (d/graph e) (not notes?) (assoc :notes {}))]
                  (pr-str (form/form (form/of-graph g) 6 (first (:outputs g))))))]
    (testing "as they were called, and where nothing tells that, with what their bodies see"
      (is (= "(part (ifelse (gt (sum xs) 0.0) xs))" (shown chosen true)))
      (is (str/includes? (shown states false) "(loop [%0 (row xs) %1 (carry "))
      (is (re-find #"^\(part \(branch .* \(fn \[%0\] " (shown chosen false))))))
