(ns damo.face.parse-test
  "Let forms: what they mean, and which entry a message blames."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is]]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.face.parse :as parse]
            [damo.meaning.eval :as eval]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(def ^:private model
  '{:inputs {x [:f64 [n 2]]}
    :params {w {:type [:f64 [2 3]] :init :normal}}
    :let [h [:tanh [:dot x w]]
          half [:mul 0.5 h]
          both [:concatenate {:axis 0} [h half]]]
    :outputs {y half, total [:sum {:axis 0} both], one 1}})

(deftest a-form-is-a-graph
  (let [{:keys [outputs notes] :as g} (parse/parse model)
        values (eval/run g {'x (array/of :f64 [1 2] [0 0]) 'w (array/full :f64 [2 3] 1)})]
    (is (= ['half 'total 'one] (map #(:name (notes %)) outputs)) "a name of :let stays")
    (is (= [[:f64 ['n 3]] [:f64 [3]] [:f64 []]] (map #(graph/type-of g %) outputs)))
    (is (= [[[0.0 0.0 0.0]] [0.0 0.0 0.0] 1.0] (map array/nested values)))
    (is (= [[:shared {:name 'w :type [:f64 [2 3]]}]] (filter #(= :shared (first %)) (:nodes g))))))

(deftest equal-parts-are-one-node
  (let [g (parse/parse '{:inputs {x [:f64 [3]]}
                         :let [a [:exp x], b [:exp x]]
                         :outputs {y [:add a b]}})]
    (is (= [:input :exp :add] (map first (:nodes g))))))

(defn- message-of [form]
  (try (parse/parse form) nil
       (catch clojure.lang.ExceptionInfo e (str (:damo/error (ex-data e)) " " (ex-message e)))))

(deftest a-message-names-the-entry
  (are [texts form] (let [message (message-of form)]
                      (every? #(str/includes? (str message) %) texts))
    [":damo.parse/bad-form" "at the top" "map"] '[:inputs]
    [":damo.parse/bad-form" ":layers"] '{:layers [] :outputs {y 1}}
    [":damo.parse/bad-form" ":let"] '{:let [a] :outputs {y 1}}
    [":damo.parse/bad-form" ":let"] '{:let {a 1} :outputs {y 1}}
    [":damo.parse/bad-form" ":outputs"] '{:inputs {x [:f64 []]}}
    [":damo.parse/bad-form" ":outputs"] '{:outputs {}}
    [":damo.parse/bad-form" ":inputs" "\"x\""] '{:inputs {"x" [:f64 []]} :outputs {y 1}}
    [":damo.parse/bad-form" ":params" "x is used twice"]
    '{:inputs {x [:f64 []]} :params {x {:type [:f64 []]}} :outputs {y x}}
    [":damo.parse/bad-form" ":let" "h is used twice"] '{:let [h 1 h 2] :outputs {y h}}
    [":damo.parse/unknown-name" ":let h" "[:tanh z]" "there are x"]
    '{:inputs {x [:f64 []]} :let [h [:tanh z]] :outputs {y h}}
    [":damo.parse/unknown-name" ":let a" "b"] '{:let [a [:neg b] b 1] :outputs {y a}}
    [":damo.parse/bad-expression" ":outputs y" "{:a 1}"] '{:outputs {y {:a 1}}}
    [":damo.op/unknown-op" ":let h" "tahn" "did you mean"]
    '{:inputs {x [:f64 []]} :let [h [:tahn x]] :outputs {y h}}
    [":damo.op/wrong-arity" ":let h" "add: takes 2"]
    '{:inputs {x [:f64 []]} :let [h [:add x]] :outputs {y h}}
    [":damo.type/bad-type" ":inputs x" "[:f65 []]"] '{:inputs {x [:f65 []]} :outputs {y x}}
    ["shape-mismatch" ":let h" "[n 3]"]
    '{:inputs {x [:f64 [n 3]]} :let [h [:dot x x]] :outputs {y h}}))

(deftest nothing-is-evaluated
  (is (str/includes? (str (message-of '{:outputs {y (System/exit 3)}})) "System/exit")))
