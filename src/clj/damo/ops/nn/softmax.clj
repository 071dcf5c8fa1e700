(ns damo.ops.nn.softmax
  "Softmax and the losses of classification, stable for all logits, with derivatives of their own.
  All are sums and choices that fuse with what is around them; a label is compared, never used to
  address memory."
  (:require [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.scalar.base :as scalar]))

(set! *warn-on-reflection* true)

(def ^:private axis-attr {:axis {:default -1, :is :axis, :doc "the axis of the classes"}})

(defn- rule [attrs [[dtype shape] :as types]]
  (typing/check-dtype :float dtype)
  (typing/check-nonempty shape [(:axis (typing/normal-axis attrs types))])
  [dtype shape])

(defn- kept [{:keys [axis]}]
  {:axis [axis], :keepdims true})

;; ## Reference

(defn- logits-of
  "[max log-sum-exp] over the axis, kept, as :f64 arrays."
  [{:keys [axis]} x]
  (let [x (array/cast :f64 x)
        highest (array/reduce-axes :f64 (typing/choosing #(reduce max %)) x [axis] true)
        total (array/reduce-axes :f64 #(reduce + 0.0 %)
                                 (array/map-elements :f64 (fn [a m] (Math/exp (- a m))) [x highest])
                                 [axis] true)]
    [x highest (array/map-elements :f64 (fn [t] (Math/log t)) [total])]))

(defn- log-softmax-of
  "log softmax as an :f64 array."
  [attrs x]
  (array/map-elements :f64 (fn [a m l] (- a m l)) (logits-of attrs x)))

;; ## Softmax

(defn- shifted [attrs]
  [:sub '?x [:max (kept attrs) '?x]])

(defop softmax
  "e^x / Σ e^x along an axis, without overflow; sums to 1."
  {:kind :composite, :args [?x], :attrs axis-attr, :type rule
   :eval (fn [attrs {:keys [dtype] :as x}]
           (array/map-elements dtype (fn [a] (Math/exp a)) [(log-softmax-of attrs x)]))
   :expand (fn [{:keys [attrs]}]
             (let [e [:exp (shifted attrs)]] [:div e [:sum (kept attrs) e]]))
   :lop (fn [{:keys [attrs]}] [[:mul ?out [:sub ?g [:sum (kept attrs) [:mul ?g ?out]]]]])
   :rop (fn [{:keys [attrs]}] [:mul ?out [:sub ?dx [:sum (kept attrs) [:mul ?dx ?out]]]])
   :slope-ulp "some ulp of the value times the largest gradient or tangent"
   :gen (gens/on-shapes (fn [n] [[{} [n]] [{} [3 n]] [{:axis 0} [n 3]] [{:axis 1} [2 n 3]]]))
   :examples [[[:softmax [:mul 1000.0 [:iota {:shape [2] :axis 0}]]] [0.0 1.0]]]})

;; The slope of a sure logit is made of the probabilities of the others: 1 - p would be 0, as would
;; what is left of a tangent at the sure place when the mean is taken off. At most one p is above
;; 1/2.

(defn complement-of
  "The template of 1 - p for the template of a softmax; `over` are the attributes of a sum over its
  classes that keeps the axis."
  [over p]
  (let [sure [:gt p 0.5]]
    [:where sure [:sum over [:where sure 0 p]] [:sub 1 p]]))

(defop log-softmax
  "log(softmax x) along an axis: x - log Σ e^x, without overflow."
  {:kind :composite, :args [?x], :attrs axis-attr, :type rule
   :eval (fn [attrs {:keys [dtype] :as x}] (array/cast dtype (log-softmax-of attrs x)))
   :expand (fn [{:keys [attrs]}]
             [:sub (shifted attrs) [:log [:sum (kept attrs) [:exp (shifted attrs)]]]])
   :lop (fn [{:keys [attrs]}]
          (let [p [:exp ?out], others [:sub [:sum (kept attrs) ?g] ?g]]
            [[:sub [:mul ?g (complement-of (kept attrs) p)] [:mul p others]]]))
   :rop (fn [{:keys [attrs]}]
          (let [p [:exp ?out]
                moved [:sub ?dx [:sum (kept attrs) [:where [:gt p 0.5] ?dx 0]]]]
            [:sub moved [:sum (kept attrs) [:mul p moved]]]))
   :slope-ulp "some ulp of the exponent x - log Σ e^x, also for sure logits"
   :gen (gens/on-shapes (fn [n] [[{} [n]] [{} [3 n]] [{:axis 0} [n 3]] [{:axis 1} [2 n 3]]]))
   :examples [[[:log-softmax [:mul 1000.0 [:iota {:shape [2] :axis 0}]]] [-1000.0 0.0]]]})

;; ## Cross-entropy of labels

(defn- cross-entropy-type [_ [[dtype logits :as type] [label-dtype labels]]]
  (typing/check-dtype :int label-dtype)
  (when (empty? logits)
    (fail! :damo.op.softmax/rank-mismatch
           "the logits need an axis of classes; they are 0-d" {:shape logits}))
  (rule {:axis -1} [type])
  [dtype (typing/unify-shapes "one label is needed for each row of logits" (pop logits) labels)])

(defn- cross-entropy-of [_ {:keys [dtype shape] :as logits} labels]
  (let [checked (array/checked-indices labels (peek shape))
        log-p (log-softmax-of {:axis (dec (count shape))} logits)
        loss (fn [row] (- (array/at log-p (conj row (array/at checked row)))))]
    (array/from-indices dtype (pop shape) loss)))

(defn- last-axis [{[[_ logits]] :types}]
  {:axis [(dec (count logits))]})

(defn- at-label
  "The template of a :bool array like the logits, true at the label of each row; fails for labels
  out of range."
  [{[[_ logits]] :types :as node}]
  [:eq [:expand-dims (last-axis node) [:check-index {:extent (peek logits)} '?labels]]
   [:iota {:shape [(peek logits)], :axis 0}]])

(defn- slope
  "The template of softmax(logits) - one-hot(labels)."
  [node]
  (let [p [:softmax '?logits], over (assoc (last-axis node) :keepdims true)]
    [:where (at-label node) [:neg [:sum over [:where (at-label node) 0 p]]] p]))

(defop cross-entropy
  "The loss -log softmax(logits) at the label, for each row: logits [… c], integer labels […] →
  […]. A label outside 0 … c-1 fails."
  {:kind :composite, :args [?logits ?labels], :coerce [0], :type cross-entropy-type
   :eval cross-entropy-of
   :expand (fn [node]                   ; max, exp and sum are shared with softmax, in the gradient
             (let [over (assoc (last-axis node) :keepdims true)
                   low [:sub ?logits [:max over ?logits]]]
               [:squeeze (last-axis node)
                [:sub [:log [:sum over [:exp low]]]
                 [:sum over [:where (at-label node) low 0]]]]))
   :lop (fn [node] [[:mul [:expand-dims (last-axis node) ?g] (slope node)] 0])
   :rop (fn [node] [:sum (last-axis node) [:mul (slope node) ?dlogits]])
   :slope-ulp "some ulp of the exponent x - log Σ e^x, also for sure logits"
   :gen (fn [{:keys [dtype size] :as ctx}]
          (let [shape (gens/variant ctx [[size 3] [3] [2 size 4]])]
            {:attrs {}
             :args [(gens/random-array ctx dtype shape)
                    (gens/indices ctx (pop shape) 0 (peek shape))]}))
   :examples [[[:cross-entropy [:zeros {:shape [2], :dtype :f64}] 1] (Math/log 2.0)]
              [[:cross-entropy [:mul 1000.0 [:iota {:shape [2] :axis 0}]] 0] 1000.0]]})

;; ## Cross-entropy of two classes

(def ^:private on-true '[:select [:eq ?t 0] 0 [:mul ?t [:log ?p]]])
(def ^:private on-false
  (let [l '[:log1p [:neg ?p]]]          ; l - t l is rounded once, but ∞ - ∞ where l is infinite
    [:select [:eq '?t 1] 0
     [:select [:lt [:abs '?p] 1] [:fma [:neg '?t] l l] [:mul [:sub 1 '?t] l]]]))

(defop binary-cross-entropy
  "-(t·log p + (1-t)·log(1-p)) of probabilities p and targets t, elementwise; 0·log 0 counts as 0.
  For logits see sigmoid-cross-entropy, which is stable."
  {:kind :elementwise, :args [?p ?t], :type :float
   :eval (fn [^double p ^double t]
           (- 0.0 (+ (scalar/xlogy t p) (scalar/xlog1py (- 1.0 t) (- p)))))
   :partials [[:binary-cross-entropy-slope ?p ?t]
              [:sub [:log [:sub 1 ?p]] [:log ?p]]]
   :scalar [:sub 0 [:select [:eq ?t 0] on-false [:fma ?t [:log ?p] on-false]]]
   :ulp {:of [:maximum [:abs on-true] [:abs on-false]]}    ; they cancel for t outside [0, 1]
   :slope-ulp {:by {0 {:except [:or [:lt ?p 0] [:gt ?p 1]]}     ; no probabilities
                    1 {:of [:maximum [:abs [:log ?p]] [:abs [:log1p [:neg ?p]]]]}}}
   :gen {?p [0.1 0.9], ?t [0.1 0.9]}
   :ill-conditioned "targets of -1e10 cancel to nothing in :f32"
   :examples [[[:binary-cross-entropy 0.5 1.0] (Math/log 2.0)]
              [[:binary-cross-entropy 0.0 0.0] 0.0]]})

(defop binary-cross-entropy-slope
  "-t/p + (1-t)/(1-p), elementwise, where 0/0 counts as 0: the derivative of binary-cross-entropy by
  the probabilities, 1 and -1 for a certain and right p."
  {:kind :composite, :args [?p ?t], :coerce [0 1], :slope-part true, :internal true
   :batch {:operands :broadcast}
   :type (fn [_ types]
           (typing/check-dtype :float (type/dtype-of (first types)))
           [(type/dtype-of (first types)) (apply type/broadcast-shapes (map type/shape-of types))])
   :eval (fn [_ {:keys [dtype] :as p} t]
           (array/map-elements dtype (fn [^double p ^double t]
                                       (if (#{0.0 1.0} p)
                                         (- (if (== t 1.0) 0.0 (/ (- 1.0 t) (- 1.0 p)))
                                            (if (zero? t) 0.0 (/ t p)))
                                         (/ (- p t) (* p (- 1.0 p)))))
                               [p t]))
   :expand (fn [_]
             [:where [:eq [:mul ?p [:sub 1 ?p]] 0]
              [:sub [:xdivy [:sub 1 ?t] [:sub 1 ?p]] [:xdivy ?t ?p]]
              [:div [:sub ?p ?t] [:mul ?p [:sub 1 ?p]]]])
   :partials [[:add [:xdivy {:n 2} ?t ?p] [:xdivy {:n 2} [:sub 1 ?t] [:sub 1 ?p]]]
              [:neg [:add [:div 1 ?p] [:div 1 [:sub 1 ?p]]]]]
   :gen (fn [{:keys [dtype size] :as ctx}]
          {:attrs {}, :args [(gens/random-array ctx dtype [size] [0.1 0.9])
                             (gens/random-array ctx dtype (gens/choose ctx [[size] []]) [0 1])]})
   :examples [[[:binary-cross-entropy-slope 0.5 1.0] -2.0]
              [[:binary-cross-entropy-slope 0.0 0.0] 1.0]]})

(defn- logistic-loss
  "softplus(x) - t·x without the difference: of a sure and right answer a small loss is left, where
  50 - 50 would leave 0."
  [^double x ^double t]
  (+ (if (pos? x) (* (- 1.0 t) x) (- (* t x))) (Math/log1p (Math/exp (- (Math/abs x))))))

(defop sigmoid-cross-entropy
  "The loss of logits x and targets t (probabilities of class 1), elementwise:
  binary-cross-entropy(sigmoid x, t) = softplus(x) - t·x, without overflow."
  {:kind :elementwise, :args [?x ?t], :type :float
   :eval logistic-loss
   :partials [[:where [:gt ?x 0]       ; 1 - t is exact near 1, where sigmoid rounds to 1
               [:sub [:sub 1 ?t] [:sigmoid [:neg ?x]]]
               [:sub [:sigmoid ?x] ?t]]
              [:neg ?x]]
   :scalar (let [tail [:log1p [:exp [:neg [:abs ?x]]]]]
             [:select [:gt ?x 0]
              [:add [:mul [:sub 1 ?t] ?x] tail]
              [:fma [:neg ?t] ?x tail]])
   :ulp {:of [:maximum [:softplus ?x] [:abs [:mul ?t ?x]]]}
   :slope-ulp {:by {0 {:of [:maximum [:sigmoid [:neg [:abs ?x]]]        ; they cancel
                            [:abs [:select [:gt ?x 0] [:sub 1 ?t] ?t]]]}}}
   :gen {?t [0 1]}
   :examples [[[:sigmoid-cross-entropy -800.0 0.0] 0.0]
              [[:sigmoid-cross-entropy 0.0 1.0] (Math/log 2.0)]
              [[:sigmoid-cross-entropy 50.0 1.0] (Math/exp -50.0)]]})
