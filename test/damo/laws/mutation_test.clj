(ns damo.laws.mutation-test
  "The laws notice what is wrong: three wrong rules and three wrong derivatives, each of which looks
  right at a glance, are planted here for a moment."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.laws.entry :as laws]
            [damo.laws.rules.examples :as examples]
            [damo.laws.modes :as modes]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rule :refer [defrules]]))

(set! *warn-on-reflection* true)

;; ## Rules

(defrules right
  "The rules that the wrong ones below resemble."
  {:name :sub-of-neg, :lhs [:sub ?x [:neg ?y]], :rhs [:add ?x ?y], :keeps :bits
   :why "One operation.", :examples [[[:sub x [:neg y]] => [:add x y]]]}
  {:name :sum-of-transpose, :lhs [:sum {:axis [0] :keepdims false} [:transpose {:axes [1 0]} ?x]]
   :rhs [:sum {:axis [1]} ?x], :keeps :value, :why "No transpose.", :types {x [:f64 [3 3]]}
   :examples [[[:sum {:axis 0} [:transpose x]] => [:sum {:axis [1]} x]]]}
  {:name :plus-nothing, :lhs [:add ?x 0], :rhs ?x, :keeps :value, :why "Nothing is added."
   :examples [[[:add x 0] => x]]})

(defrules wrong
  "The sign of a term; an axis that the transpose moved; a promise that -0 + 0 breaks."
  {:name :sub-of-neg, :lhs [:sub ?x [:neg ?y]], :rhs [:sub ?x ?y], :keeps :bits
   :why "One operation.", :examples [[[:sub x [:neg y]] => [:sub x y]]]}
  {:name :sum-of-transpose, :lhs [:sum {:axis [0] :keepdims false} [:transpose {:axes [1 0]} ?x]]
   :rhs [:sum {:axis [0]} ?x], :keeps :value, :why "No transpose.", :types {x [:f64 [3 3]]}
   :examples [[[:sum {:axis 0} [:transpose x]] => [:sum {:axis [0]} x]]]}
  {:name :plus-nothing, :lhs [:add ?x 0], :rhs ?x, :keeps :bits, :why "Nothing is added."
   :examples [[[:add x 0] => x]]})

(deftest wrong-rules-are-caught
  (doseq [rule (:rules right)]
    (is (empty? (examples/changed-values rule)) (str (:name rule))))
  (doseq [rule (:rules wrong)]
    (is (seq (examples/changed-values rule)) (str (:name rule)))))

;; ## Derivatives

(defn- laws-broken
  "The laws of derivatives that an op breaks while its entry is changed by f."
  [op f]
  (let [entry (op/entry op), slopes (first (filter #(= :slopes (:name %)) laws/laws))]
    (try
      (swap! op/registry update op f)
      (cond-> #{}
        (seq (modes/problems-of op)) (conj :both-modes)
        (and (:partials entry) (seq ((:check slopes) (op/entry op)))) (conj :slopes))
      (finally (swap! op/registry assoc op entry)))))

(defn- without-ddof
  "A derivative of var, (fn [node] form), that divides by n where it is n - ddof."
  [form]
  (fn [node] (form (assoc-in node [:attrs :ddof] 0))))

(defn- forwards
  "A transpose of cumsum that runs in the same direction."
  [{:keys [attrs], [[_ shape]] :types}]
  [[:reshape {:shape shape} [:cumsum attrs '?g]]])

(deftest wrong-derivatives-are-caught
  (testing "the sign of one of two partial derivatives"
    (is (= #{} (laws-broken :atan2 identity)))
    (is (= #{:both-modes :slopes}
           (laws-broken :atan2 #(update % :partials (fn [[x [_ y]]] [x y]))))))
  (testing "the direction in which a gradient runs along an axis"
    (is (= #{} (laws-broken :cumsum identity)))
    (is (= #{:both-modes}
           (laws-broken :cumsum #(assoc % :transpose forwards)))))
  (testing "the divisor of a variance, in one mode and in both"
    (is (= #{} (laws-broken :var identity)))
    (is (= #{:both-modes} (laws-broken :var #(update % :lop without-ddof))))
    (is (= #{:both-modes} (laws-broken :var #(-> % (update :lop without-ddof)
                                                 (update :rop without-ddof)))))))
