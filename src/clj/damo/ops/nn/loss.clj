(ns damo.ops.nn.loss
  "Losses besides those of softmax.clj: cross-entropy with targets that are probabilities, of logits
  and of probabilities; Huber's. (huber x y :delta 1) is quadratic near y, straight far from it."
  (:require [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.ops.nn.softmax :as softmax]
            [damo.scalar.base :as scalar]))

(set! *warn-on-reflection* true)

(defn- check-classes [[dtype shape]]
  (typing/check-dtype :float dtype)
  (when (empty? shape)
    (fail! :damo.op.loss/rank-mismatch "the first argument needs an axis of classes; it is 0-d"
           {:shape shape}))
  (typing/check-nonempty shape [(dec (count shape))]))

(defn- last-axis
  "The attributes of a reduction over the classes, the last axis of the first argument."
  [{[[_ shape]] :types}]
  {:axis [(dec (count shape))]})

(defn- kept [node]
  (assoc (last-axis node) :keepdims true))

;; ## Targets that are probabilities

(defn- probabilities-rule [_ [[dtype shape :as type] [_ targets]]]
  (check-classes type)
  (typing/unify-shapes "the targets must have the shape of the logits" shape targets)
  [dtype (pop shape)])

(defn- log-softmax-of
  "log softmax of an array along its last axis, as doubles."
  [{:keys [shape] :as x}]
  (let [x (array/cast :f64 x)
        sum (array/reduce-axes :f64 (fn [xs] (reduce scalar/logaddexp ##-Inf xs)) x
                               [(dec (count shape))] true)]
    (array/map-elements :f64 - [x sum])))

(defn- sum-of-classes [dtype {:keys [shape] :as x}]
  (array/reduce-axes dtype #(- (double (reduce + 0.0 %))) x [(dec (count shape))] false))

(defn- log-p [node]
  [:log-softmax {:axis (first (:axis (last-axis node)))} '?logits])

(defn- soft-slope
  "The template of the gradient by the logits for each row, p·Σ targets - targets, as
  p·(Σ targets - targets) - (1 - p)·targets."
  [node]
  (let [p [:exp (log-p node)], over (kept node)]
    [:sub [:mul p [:sub [:sum over '?targets] '?targets]]
     [:mul (softmax/complement-of over p) '?targets]]))

(defop soft-cross-entropy
  "The loss -Σ targets·log softmax(logits) of each row: logits [… c] and targets [… c],
  probabilities of the classes, give […]. For labels that are integers see cross-entropy."
  {:kind :composite, :args [?logits ?targets], :coerce [0 1], :type probabilities-rule
   :eval (fn [_ logits targets]
           (sum-of-classes (:dtype logits)
                           (array/map-elements :f64 (fn [l t] (if (zero? t) 0.0 (* t l)))
                                               [(log-softmax-of logits) targets])))
   :expand (fn [node]
             [:neg [:sum (last-axis node)
                    [:where [:eq ?targets 0] 0 [:mul ?targets (log-p node)]]]])
   :lop (fn [node]
          (let [g [:expand-dims (last-axis node) ?g]]
            [[:mul g (soft-slope node)] [:neg [:mul g (log-p node)]]]))
   :rop (fn [node]
          [:sum (last-axis node)
           [:sub [:mul ?dlogits (soft-slope node)] [:mul ?dtargets (log-p node)]]])
   :slope-ulp "some ulp of p·Σ targets; for one target, also of a sure logit, of the exponent"
   :gen (fn [{:keys [dtype size] :as ctx}]
          (let [shape (gens/variant ctx [[size 3] [3] [2 size 2]])]
            {:attrs {}, :args [(gens/random-array ctx dtype shape)
                               (gens/random-array ctx dtype shape [0.1 0.9])]}))
   :examples [[[:soft-cross-entropy [:zeros {:shape [2], :dtype :f64}]
                [:div [:ones {:shape [2], :dtype :f64}] 2]]
               (Math/log 2.0)]]})

(defn- labels? [[[_ shape] [dtype targets]]]
  (and (type/int-dtype? dtype) (= (count targets) (dec (count shape)))))

(defn- categorical-rule [_ [[dtype shape :as type] [_ targets] :as types]]
  (check-classes type)
  (if (labels? types)
    [dtype (typing/unify-shapes "one label is needed for each row" (pop shape) targets)]
    (do (typing/unify-shapes "the targets must be labels, or have the shape of the probabilities"
                             shape targets)
        [dtype (pop shape)])))

(defn- categorical [_ {:keys [dtype shape] :as p} targets]
  (if (labels? [(array/type-of p) (array/type-of targets)])
    (let [checked (array/checked-indices targets (peek shape))]
      (array/from-indices dtype (pop shape)
                          (fn [row] (- (Math/log (array/at p (conj row (array/at checked row))))))))
    (sum-of-classes dtype (array/map-elements :f64 (fn [p t] (scalar/xlogy t p)) [p targets]))))

(defn- at-label
  "The template of a :bool array like the probabilities, true at the label of each row."
  [{[[_ p]] :types :as node}]
  [:eq [:expand-dims (last-axis node) [:check-index {:extent (peek p)} '?targets]]
   [:iota {:shape [(peek p)], :axis 0}]])

;; The derivative at a label is one quotient by p: the rules see it meet the softmax that made p.

(defn- as-targets [{[[dtype] [from]] :types}]
  (typing/as-dtype dtype from '?targets))

(defn- over-p
  "The template of the derivative of -Σ targets·log p by p, times t."
  [{:keys [types] :as node} t]
  (if (labels? types)
    [:where (at-label node) [:neg [:div t '?p]] 0]
    [:neg [:xdivy [:mul t (as-targets node)] '?p]]))

(defn- categorical-lop [{:keys [types] :as node}]
  (let [g [:expand-dims (last-axis node) '?g]]
    [(over-p node g) (if (labels? types) 0 [:neg [:xlogy g '?p]])]))

(defn- categorical-rop [{:keys [types] :as node}]
  (let [along-p (over-p node '?dp)]
    [:sum (last-axis node)
     (if (labels? types) along-p [:sub along-p [:xlogy '?dtargets '?p]])]))

(defop categorical-cross-entropy
  "The loss -Σ targets·log p of each row: probabilities [… c] and targets, probabilities [… c] too
  or integer labels […], give […]. A target of 0 counts as 0 whatever p is. For logits see
  cross-entropy and soft-cross-entropy, which are stable."
  {:kind :composite, :args [?p ?targets], :coerce [0], :type categorical-rule, :eval categorical
   :expand (fn [{:keys [types] :as node}]
             [:neg
              (if (labels? types)
                [:log [:sum (last-axis node) [:where (at-label node) ?p 0]]]
                [:sum (last-axis node)
                 [:mul (as-targets node) [:log [:where [:eq (as-targets node) 0] 1 ?p]]]])])
   :lop categorical-lop, :rop categorical-rop
   :gen (fn [{:keys [dtype size] :as ctx}]
          (let [shape (gens/variant ctx [[size 3] [3] [2 size 2]])]
            {:attrs {}
             :args [(gens/random-array ctx dtype shape [0.1 0.9])
                    (if (gens/choose ctx [true false])
                      (gens/indices ctx (pop shape) 0 (peek shape))
                      (gens/random-array ctx dtype shape [0.1 0.9]))]}))
   :examples [[[:categorical-cross-entropy [:div [:ones {:shape [2], :dtype :f64}] 2] 1]
               (Math/log 2.0)]]})

;; ## Huber's loss

(defn- pair-rule [_ types]
  [(type/float-of (type/dtype-of (first types)))
   (apply type/broadcast-shapes (map type/shape-of types))])

(defn- error-of
  "The template of x - y as a float."
  [{[[from]] :types, [dtype] :type}]
  [:sub (typing/as-dtype dtype from '?x) (typing/as-dtype dtype from '?y)])

(defn- huber-of ^double [^double e ^double delta]
  (let [size (Math/abs e)]
    (if (<= size delta) (* 0.5 size size) (* delta (- size (* 0.5 delta))))))

(defn- huber-slope [{{:keys [delta]} :attrs :as node}]
  [:clip (error-of node) (- (double delta)) delta])

(defop huber
  "Huber's loss of the error e = x - y, elementwise: e²/2 up to |e| = delta, beyond that the
  straight line delta·(|e| - delta/2)."
  {:kind :composite, :args [?x ?y], :coerce [0 1]
   :attrs {:delta {:default 1.0, :doc "where the line begins, a number above 0"}}
   :type pair-rule
   :eval (fn [{:keys [delta]} x y]
           (array/map-elements (type/float-of (:dtype x))
                               (fn [a b] (huber-of (- (double (scalar/number a))
                                                      (double (scalar/number b)))
                                                   delta))
                               [x y]))
   :expand (fn [{{:keys [delta]} :attrs :as node}]
             ;; with c = min(|e|, delta) both are c·(|e| - c/2)
             (let [size [:abs (error-of node)], c [:minimum size delta]]
               [:mul c [:sub size [:mul 0.5 c]]]))
   :lop (fn [{[[_ x] [_ y]] :types :as node}]
          [[:sum-to {:shape x} [:mul ?g (huber-slope node)]]
           [:neg [:sum-to {:shape y} [:mul ?g (huber-slope node)]]]])
   :rop (fn [node] [:mul [:sub ?dx ?dy] (huber-slope node)])
   :gen (gens/with-choices
         (gens/on-shapes (fn [n] [[{} [n] [n]] [{} [2 n] [n]] [{} [n] []] [{} [] []]]))
         :delta [1.0 0.5])
   :examples [[[:huber 3.0 1.0] 1.5] [[:huber {:delta 2.0} 1.0 0.0] 0.5]]})

(defop smooth-l1
  "huber(x, y) with :delta beta, divided by beta: the absolute error, rounded off within beta of 0."
  {:kind :composite, :args [?x ?y], :coerce [0 1]
   :attrs {:beta {:default 1.0, :doc "where the line begins, a number above 0"}}
   :type pair-rule
   :eval (fn [{:keys [beta]} x y]
           (array/map-elements (type/float-of (:dtype x))
                               (fn [a b] (/ (huber-of (- (double (scalar/number a))
                                                         (double (scalar/number b)))
                                                      beta)
                                            (double beta)))
                               [x y]))
   :expand (fn [{{:keys [beta]} :attrs}] [:div [:huber {:delta beta} ?x ?y] beta])
   :gen (gens/with-choices
         (gens/on-shapes (fn [n] [[{} [n] [n]] [{} [2 n] [n]] [{} [n] []]])) :beta [1.0 0.5])
   :examples [[[:smooth-l1 {:beta 0.5} 3.0 1.0] 1.75]]})
