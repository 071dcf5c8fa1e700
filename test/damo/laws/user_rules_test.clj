(ns damo.laws.user-rules-test
  "Rule sets of users: placed in the sweeps of a mode, named in traces and by :debug, chosen by name
  and promise, checked by the laws that Damo's own rules keep."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [damo.core :as d :refer [defrules]]
            [damo.rule :as rule])
  (:import [clojure.lang ExceptionInfo]))

(set! *warn-on-reflection* true)

(defrules halves
  "Two halves are one."
  {:name :two-halves, :lhs [:add [:mul 0.5 ?x] [:mul 0.5 ?x]], :rhs ?x
   :keeps :value, :except [:underflow], :why "Nothing to compute."
   :examples [[[:add [:mul 0.5 x] [:mul 0.5 x]] => x]]}
  {:name :sin-of-small, :lhs [:sin [:mul ?c ?x]], :rhs [:mul ?c ?x]
   :when #(and (rule/constant? % ?c) (< (abs (double (rule/number-of % ?c))) 1e-20))
   :keeps :drops-nan, :except [[:lt 1 [:abs ?x]] :underflow]
   :why "The sine of a very small number is that number."
   :examples [[[:sin [:mul 1e-30 x]] => [:mul 1e-30 x]]]
   :refuses [[[:sin [:mul x y]]] [[:sin [:mul 0.5 x]]]]})

(defrules folded
  "What the sign does not change."
  {:phase :canonicalize}
  {:name :cosh-of-abs, :lhs [:cosh [:abs ?x]], :rhs [:cosh ?x], :keeps :bits
   :why "One operation.", :examples [[[:cosh [:abs x]] => [:cosh x]]]})

(def ^:private wrong
  "Rules of which each breaks a law, and the law."
  (do (defrules wrong-value ""
        {:name :wrong, :lhs [:sub ?x [:neg ?y]], :rhs [:sub ?x ?y], :keeps :bits
         :why "Wrong.", :examples [[[:sub x [:neg y]] => [:sub x y]]]})
      (defrules wrong-promise ""
        {:name :plus-nothing-x, :lhs [:sub [:add ?x 1] 1], :rhs ?x, :keeps :value
         :why "Digits are lost.", :examples [[[:sub [:add x 1] 1] => x]]})
      (defrules wrong-form ""
        {:name :wrong, :lhs [:sinh [:neg ?x]], :rhs [:neg [:sinh ?x]], :keeps :bits
         :why "Odd.", :examples [[[:sinh [:neg x]] => [:sinh x]]]})
      (defrules wrong-example ""
        {:name :wrong, :lhs [:sinh [:neg ?x]], :rhs [:neg [:sinh ?x]], :keeps :bits
         :why "Odd.", :examples [[[:cosh [:neg x]] => [:cosh [:neg x]]]]})
      (defrules wrong-guard ""
        {:name :wrong, :lhs [:sinh [:neg ?x]], :rhs [:neg [:sinh ?x]], :keeps :bits
         :when #(rule/float? % ?x), :why "Odd.", :refuses [[[:sinh x]]]
         :examples [[[:sinh [:neg x]] => [:neg [:sinh x]]]]})
      (defrules wrong-ending ""
        {:name :apart, :lhs [:mul 2 ?x], :rhs [:add ?x ?x], :keeps :bits
         :why "add-self turns it back.", :examples [[[:mul 2 x] => [:add x x]]]})
      (defrules wrong-derivative ""
        {:name :wrong, :lhs [:grad-scale {:by ?k} ?x], :rhs ?x, :keeps :bits
         :why "The value is the same.", :examples [[[:grad-scale {:by 3.0} x] => x]]})
      [[wrong-value :values] [wrong-promise :promise] [wrong-form :form] [wrong-example :applied]
       [wrong-guard :guards] [wrong-ending :ending] [wrong-derivative :derivative]]))

(deftest laws-of-a-users-rules
  (let [out (with-out-str (is (= [:two-halves :sin-of-small] (:rules (d/check-rules halves)))))]
    (is (str/starts-with? out "the 2 rules of damo.laws.user-rules-test/halves keep 9 laws:")))
  (with-out-str
    (is (= :derivative (peek (:laws (d/check-rules folded :derivative true))))))
  (doseq [[rule-set law] wrong]
    (testing (str (:name rule-set) " breaks the law " law)
      (let [e (try (d/check-rules rule-set :derivative true) nil (catch ExceptionInfo e e))]
        (is (contains? (set (map :law (:failed (ex-data e)))) law) (some-> e ex-message))))))

;; ## In modes

(defrules late
  "Behind Damo's own."
  {:phase :specialize}
  {:name :exp-of-three, :lhs [:exp [:mul 3 ?x]], :rhs [:pow [:exp ?x] 3], :keeps :regroup
   :why "For the example.", :examples [[[:exp [:mul 3 x]] => [:pow [:exp x] 3]]]})

(def ^:private x (d/input 'x '[:f64 [n]]))
(def ^:private y (d/input 'y '[:f64 [n]]))
(def ^:private halved (d/add (d/mul 0.5 (d/exp x)) (d/mul 0.5 (d/exp x))))

(defn- fired
  "The names of the rules that `explain` tells of."
  [f]
  (set (map (comp keyword second) (re-seq #"  rule    (\S+)" (with-out-str (d/explain f))))))

(deftest rules-of-a-user-run-in-every-mode
  (doseq [mode [:fast-run :fast-compile :debug :nan-guard :sync :none]
          :let [f (d/function [x] halved {:mode {:mode mode, :rules [halves folded]}})]]
    (testing mode
      (is (contains? (fired f) :two-halves))
      (is (= [1.0] @(f [0])))))
  (testing "by name, by promise, or not at all"
    (let [fired? (fn [mode] (contains? (fired (d/function [x] halved {:mode mode})) :two-halves))]
      (is (fired? {:rules [halves]}))
      (is (fired? {:rules [halves], :include #{:two-halves}}))
      (is (fired? {:rules [halves], :include [:value]}))
      (is (not (fired? {:rules [halves], :exclude #{:two-halves}})))
      (is (not (fired? {:rules [halves], :exclude #{:value}})))
      (is (not (fired? :fast-run)))))
  (testing "where they are placed"
    (is (contains? (fired (d/function [x] (d/cosh (d/abs x)) {:mode {:rules [folded]}}))
                   :cosh-of-abs))
    (is (contains? (fired (d/function [x] (d/exp (d/mul 3 x))
                            {:mode {:rules [late], :regroup true}}))
                   :exp-of-three)))
  (testing "and are told of"
    (let [f (d/function [x] halved {:mode {:rules [halves]}})
          made (for [id (range (count (:nodes (d/rewritten f)))), entry (d/why f id)]
                 (:rule entry))]
      (is (some #{:two-halves} made)))))

(deftest debug-names-the-guilty-rule
  (let [[[wrong-value]] wrong
        f (d/function [x y] (d/sub x (d/neg y)) {:mode {:mode :debug, :rules [wrong-value]}})
        e (try (f [1] [2]) nil (catch ExceptionInfo e e))]
    (is (= [:damo.debug/wrong-rule [:wrong]] ((juxt :damo/error :rules) (ex-data e))))
    (is (str/includes? (ex-message e) "the rule :wrong changed a value"))))

;; ## What is refused

(defn- message [make]
  (try (make) nil (catch Exception e (ex-message (or (ex-cause e) e)))))

(deftest rules-that-are-none
  (are [text mode] (str/includes? (message #(d/function [x] x {:mode mode})) text)
    "vector of rule sets, [my/rules]; got the set damo.laws.user-rules-test/halves" {:rules halves}
    "a vector of rule sets, [my/rules]; got :log1p" {:rules :log1p}
    "made by defrules, [my/rules]; among them is [:rules]" {:rules [{:rules []}]}
    "made by defrules, [my/rules]; among them is :log1p" {:rules [:log1p]}
    "2 rules of the name :cosh-of-abs" {:rules [folded folded]}
    "no rule or promise :two-halfs" {:rules [halves], :exclude #{:two-halfs}}
    "no rule or promise :two-halves" {:exclude #{:two-halves}})
  (is (str/includes? (message #(d/check-rules :log1p)) "a rule set is made by defrules")))

(deftest rules-that-are-incomplete
  (are [text rule] (str/includes? (message #(eval `(defrules ~'bad "" ~rule))) text)
    "lacks [:keeps :why :examples]" '{:name :r, :lhs [:neg ?x], :rhs ?x}
    "no key :wen of the rule :r" '{:name :r, :lhs [:neg ?x], :rhs ?x, :keeps :bits, :why ""
                                   :examples [], :wen 1}
    "promises :finite; a promise is one of" '{:name :r, :lhs [:neg ?x], :rhs ?x, :keeps :finite
                                              :why "", :examples []}
    "names [?y] on the right" '{:name :r, :lhs [:neg ?x], :rhs [:add ?x ?y], :keeps :bits, :why ""
                                :examples []}
    "looks like [[:add x 0] => x]" '{:name :r, :lhs [:neg ?x], :rhs ?x, :keeps :bits, :why ""
                                     :examples [[[:neg x] x]]}
    "there is no op :ngi" '{:name :r, :lhs [:ngi ?x], :rhs ?x, :keeps :bits, :why "", :examples []}
    "a name that is no keyword" '{:name "r", :lhs [:neg ?x], :rhs ?x, :keeps :bits, :why ""
                                  :examples []}
    "no phase :early" '{:phase :early}
    "a rule is a map" [1]))

(deftest the-page-of-rules-is-right
  (let [page (slurp (io/file (System/getProperty "damo.root" ".") "docs/rules-guide.md"))
        code (second (re-find #"(?s)```clojure\n(.*?)```" page))
        out (with-out-str (binding [*ns* *ns*] (load-string code)))]
    (is (str/includes? out "the 2 rules of my.rules/rules keep 9 laws"))
    (is (str/includes? out "  rule    two-halves"))
    (testing "and lists all keys, promises and phases"
      (doseq [k (concat @#'rule/keys-of-a-rule (keys rule/promises) (keys rule/phases))]
        (is (str/includes? page (str "`" k "`")))))))
