(ns damo.rules.parts
  "The ops that are there as parts of derivatives, written as what they are, so that other rules see
  the power, the quotient and the choice. Derivatives of higher order are taken before any rule
  runs, of the parts: what these rules write has choices that are wrong to differentiate."
  (:require [damo.data.graph :as graph]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rule :refer [defrules]]))

(set! *warn-on-reflection* true)

(defrules rules
  "Parts of derivatives as the formulas that they stand for."
  {:name :part, :lhs :composite
   :rhs (fn [{:keys [op attrs args type builder]}]
          (when (:slope-part (op/entry op))
            (op/expansion op attrs (mapv #(graph/node-type builder %) args) type)))
   :keeps :stabilizes, :except [:overflow :underflow]
   :why "Powers to constants become products, quotients cancel, choices are decided."
   :gen {x [1 3], y [1 3]}
   :examples [[[:xdivy x y] => [:where [:eq x 0.0] 0.0 [:div x y]]]
              [[:power-term {:c [0 1] :k 1 :m 0} x 2.0] => [:mul x 2.0]]
              [[:power-term {:c [1] :k 0 :m 1} x y]
               => [:where [:eq x 0.0] 0.0 [:mul [:pow x y] [:log x]]]]]})
