(ns damo.rules.linalg
  "Inverses, determinants and factors: A⁻¹·b solves a system, the logarithm of a determinant is a
  sum of logarithms, what is known to be a factor of Cholesky is not factored again."
  (:require [damo.ops.all]
            [damo.ops.linalg.forms :as forms]
            [damo.rule :as rule :refer [defrules]]))

(set! *warn-on-reflection* true)

(defn- product?
  "Is the dot of these a product of matrices, or of a matrix and a vector?"
  [m ?x ?y]
  (and (= 2 (rule/rank-of m ?x)) (<= 1 (long (rule/rank-of m ?y)) 2)))

(defn- solved-from-the-right
  "The template of b·a⁻¹, for b of any rank."
  [m ?b ?a on-failure]
  (let [rank (long (rule/rank-of m ?b)), all (max rank (long (rule/rank-of m ?a)))
        attrs {:on-failure on-failure, :transpose true}]
    (if (= rank 1)
      [:solve attrs ?a ?b]
      (forms/transposed all [:solve attrs ?a (forms/transposed rank ?b)]))))

(defrules inverses
  "Inverses that no one sees."
  {:name :inv-times, :lhs [:matmul [:inv {:on-failure ?f} ?a] ?b]
   :rhs [:solve {:on-failure ?f} ?a ?b], :share :sole, :failures :kept, :keeps :stabilizes
   :except [:overflow :underflow
            [:logical-not [:lt [:mul [:max [:abs ?a]] [:max [:abs [:inv {:on-failure :nan} ?a]]]]
                           1000]]]
   :why "A third of the work, and the condition of a enters once."
   :types {x [:f64 [3 3]] y [:f64 [3 2]]}, :gen {x [1 2] y [-1 1]}
   :examples [[[:matmul [:inv {:on-failure :nan} x] y] => [:solve {:on-failure :nan} x y]]]}
  {:name :inv-dot, :lhs [:dot [:inv {:on-failure ?f} ?a] ?b]
   :rhs [:solve {:on-failure ?f} ?a ?b], :share :sole, :failures :kept, :keeps :stabilizes
   :except [:overflow :underflow
            [:logical-not [:lt [:mul [:max [:abs ?a]] [:max [:abs [:inv {:on-failure :nan} ?a]]]]
                           1000]]]
   :when #(product? % ?a ?b)
   :why "A third of the work, and the condition of a enters once."
   :types {x [:f64 [3 3]] y [:f64 [3 2]]}, :gen {x [1 2] y [-1 1]}
   :examples [[[:dot [:inv {:on-failure :nan} x] y] => [:solve {:on-failure :nan} x y]]]
   :refuses [[[:dot [:inv x] y] {x [:f64 [2 3 3]] y [:f64 [3 2]]}]]}
  {:name :times-inv, :lhs [:matmul ?b [:inv {:on-failure ?f} ?a]]
   :rhs (fn [m] (solved-from-the-right m ?b ?a (m ?f)))
   :share :sole, :failures :kept, :keeps :stabilizes
   :except [:overflow :underflow
            [:logical-not [:lt [:mul [:max [:abs ?a]] [:max [:abs [:inv {:on-failure :nan} ?a]]]]
                           1000]]]
   :why "A third of the work, and the condition of a enters once."
   :types {x [:f64 [3 3]] y [:f64 [2 3]]}, :gen {x [1 2] y [-1 1]}
   :examples [[[:matmul y [:inv {:on-failure :nan} x]]
               => [:transpose {:axes [1 0]}
                   [:solve {:on-failure :nan :transpose true} x [:transpose {:axes [1 0]} y]]]]]}
  {:name :inv-inv, :lhs [:inv {:on-failure :nan} [:inv {:on-failure :nan} ?a]], :rhs ?a
   :keeps :stabilizes, :why "Nothing to compute."
   :types {x [:f64 [2 2]]}, :gen {x [1 2]}
   :examples [[[:inv {:on-failure :nan} [:inv {:on-failure :nan} x]] => x]]})

(defrules determinants
  "Determinants whose logarithm or matrix is known."
  {:name :log-det, :lhs [:log [:det ?a]], :rhs [:logdet ?a], :share :sole, :keeps :stabilizes
   :why "The determinant of a large matrix overflows."
   :types {x [:f64 [3 3]]}, :gen {x [1 2]}
   :examples [[[:log [:det x]] => [:logdet x]]]}
  {:name :log-abs-det, :lhs [:log [:abs [:det ?a]]], :rhs [:part {:at 1} [:slogdet ?a]]
   :share :sole, :keeps :stabilizes, :why "The determinant of a large matrix overflows."
   :types {x [:f64 [3 3]]}, :gen {x [1 2]}
   :examples [[[:log [:abs [:det x]]] => [:part {:at 1} [:slogdet x]]]]}
  {:name :logdet-of-factor
   :lhs [:logdet [:cholesky {:lower ?l :on-failure ?f} ?a]]
   :rhs (fn [m] (let [l [:cholesky {:lower (m ?l) :on-failure (m ?f)} ?a]]
                  [:sum {:axis -1} [:log (forms/diagonal (rule/rank-of m ?a) l)]]))
   :failures :kept, :keeps :stabilizes, :why "A factor of Cholesky is not factored again."
   :except [[:lt [:mul 8 [:abs [:logdet [:cholesky {:on-failure :nan} ?a]]]]
             [:sum [:abs [:log [:diagonal [:cholesky {:on-failure :nan} ?a]]]]]]]
   :types {x [:f64 [2 2]]}, :gen {x [1 2]}
   :examples [[[:logdet [:cholesky {:on-failure :nan} x]]
               => [:sum {:axis -1} [:log [:diagonal {:axis1 0 :axis2 1}
                                          [:cholesky {:on-failure :nan} x]]]]]]}
  {:name :solve-of-factor
   :lhs [:solve {:assume :general :transpose ?t :on-failure ?g}
         [:cholesky {:lower ?l :on-failure ?f} ?a] ?b]
   :rhs (fn [m] [:solve-triangular {:lower (m ?l) :transpose (m ?t)}
                 [:cholesky {:lower (m ?l) :on-failure (m ?f)} ?a] ?b])
   :failures :root, :keeps :stabilizes, :why "A factor of Cholesky is not factored again."
   :types {x [:f64 [2 2]] y [:f64 [2 3]]}, :gen {x [1 2] y [-1 1]}
   :examples [[[:solve {:on-failure :nan} [:cholesky {:on-failure :nan} x] y]
               => [:solve-triangular [:cholesky {:on-failure :nan} x] y]]]})

(def families "The sets of this namespace, as they are gathered." [inverses determinants])
