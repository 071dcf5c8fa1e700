(ns damo.diff.custom
  "Functions of expressions with a derivative of their own: the function, and what users write
  under :lop and :rop, become the bodies of a :with-derivative node. In: functions of expressions.
  Out: a function of expressions.
  (with-derivative tanh {:lop (fn [[x] y g] (mul g (sub 1 (sqr y))))})"
  (:require [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.data.unify :as unify]
            [damo.diff.bodies :as bodies]
            [damo.op :as op]
            [damo.op.body :as body]
            [damo.op.closing :as closing]
            [damo.ops.all]
            [damo.ops.watch.derivative :as control]))

(set! *warn-on-reflection* true)

;; ## Stand-ins

(defn- gradient-type [e]
  (let [[dtype shape] (expr/type-of e)] [(type/float-of dtype) shape]))

(defn- stand-in
  "An expression in the place of a gradient or tangent of e."
  [e]
  (expr/stand-in (op/node :cast {:dtype (type/dtype-of (gradient-type e))} [e])))

(defn- real? [e] (type/float-dtype? (type/dtype-of (expr/type-of e))))

;; ## What users' functions give

(defn- fitted
  "A result as an expression of the type that is needed; nil and 0 are no contribution."
  [what result expected]
  (let [e (when-not (or (nil? result) (and (number? result) (zero? result)))
            (expr/in-shape (expr/whole result) (type/shape-of expected)))]
    (cond (nil? e) nil
          (not= (type/shape-of expected) (expr/shape-of e))
          (fail! ::bad-derivative
                 (str what " must have the shape " (pr-str (type/shape-of expected)) "; it is "
                      (expr/describe e))
                 (let [unlike {:expected expected, :given (expr/type-of e)}]
                   (merge unlike (some->> (unify/equal-advice unlike) (hash-map :try)))))
          (= expected (expr/type-of e)) e
          :else (op/node :cast {:dtype (type/dtype-of expected)} [e]))))

(defn- gradients-of
  "The gradients that the :lop gives, one an argument, nil for none."
  [lop args out g]
  (let [given (lop args out g)
        given (if (sequential? given) (vec given) [given])]
    (when-not (= (count args) (count given))
      (fail! ::bad-derivative
             (str "the :lop gives a gradient for each argument, nil for none: there are "
                  (count args) " arguments, it gave " (count given))
             {:expected (count args), :given (count given)}))
    (mapv (fn [k x arg] (fitted (str "the gradient by argument " k) x (gradient-type arg)))
          (range) given args)))

;; ## Bodies
;; The parameters of the bodies of a node are its arguments, those of the function and, behind them,
;; what the three bodies mention besides, constants to derivatives. Those of a derivative are
;; besides the value and its gradient, or the value and the tangents of the function's arguments.

(defn- present
  "The positions of what is not nil."
  [given]
  (filterv #(nth given %) (range (count given))))

(defn- split
  "The bodies of the single outputs of a body, 0 where there is none; `given` has an expression, or
  nil, for each."
  [{:keys [outputs] :as body} given]
  (let [place (zipmap (present given) outputs)]
    (mapv #(if-let [out (place %)] (:body (body/closed (assoc body :outputs [out]))) 0)
          (range (count given)))))

(defn- positions
  "The function from the positions in a closed graph of `n` arguments, `more` stand-ins and what is
  captured to those in the node: the captured ones from `captured` on, the stand-ins behind all
  `total` arguments."
  [n more captured total]
  (fn [at]
    (cond (< at n) at
          (< at (+ n more)) (+ total (- at n))
          :else (+ captured (- at n more)))))

(defn- reverse-bodies
  "The closed graph of the gradients that the :lop gives for the value at position k."
  [lop args outs form k]
  (let [own (nth outs k), g (stand-in own)
        gs (assoc (mapv #(op/node :zeros-like {} [%]) outs) k g)
        given (gradients-of lop args (form outs) (form gs))]
    (assoc (closing/closed (filterv some? given) (conj args own g)) :given given, :more 2)))

(defn- forward-body
  "The closed graph of the tangent that the :rop gives for the value at position k."
  [rop args outs form k]
  (let [own (nth outs k), tangents (mapv #(when (real? %) (stand-in %)) args)
        given (rop args (form outs) tangents)
        t (fitted "the tangent" (if (sequential? given) (nth given k nil) given)
                  (gradient-type own))
        places (mapv #(or %1 (stand-in %2)) tangents args)]
    (assoc (closing/closed (filterv some? [t]) (into (conj args own) places))
           :given [t], :more (inc (count args)))))

;; ## One mode from the other
;; The gradients L(g) are linear in g; so ⟨L(g), d⟩ = ⟨g, J d⟩, and differentiating the left side
;; by g gives the tangent J d. The same with tangents and gradients exchanged gives the gradients.

(defn- transposed
  "The body of the transpose of another one by its parameters at the positions `wrt`, for vectors
  that are parameters from position `start` on. Fails when it is not linear in them."
  [body mode wrt start]
  (let [found (bodies/lop body wrt start)]
    (when (some (set wrt) (keys (body/params found)))
      (fail! ::not-linear
             (str "the " mode " is not linear in what it is given")))
    found))

(defn- tangent-of
  "The body of the tangent, in a vector, that the body of the gradients of the arguments at the
  positions `by` stands for; `total` is the number of arguments."
  [body by total]
  (let [g (inc total), far (+ total 2 (count by))]
    (if (contains? (body/params body) g)
      [(body/repositioned (transposed body :lop [g] far)
                          #(if (<= far %) (+ total 1 (by (- % far))) %))]
      [0])))

(defn- gradients-of-tangent
  "The bodies of the gradients of n arguments, 0 for none, that the body of the tangent stands for."
  [body n total]
  (let [tangents (set (range (inc total) (+ total 1 n))), far (+ total 1 n)
        by (filterv tangents (keys (body/params body)))
        found (if (seq by) (transposed body :rop by far) {:outputs []})
        at (zipmap by (range))]
    (split (body/repositioned found #(if (<= far %) (inc total) %))
           (mapv #(at (+ total 1 %)) (range n)))))

(defn- derived-from
  "The bodies that `f` makes of those of the other mode, or, when that cannot be transposed, why
  not."
  [missing f]
  (try (f)
       (catch clojure.lang.ExceptionInfo e
         (str "with-derivative was given no " missing
              ", and it cannot be derived from the other one: " (ex-message e)))))

;; ## The node

(defn- placed
  "The closed graphs with :body over the positions in the node, one after the other; nil stays nil."
  [closeds n]
  (let [total (reduce + n (map (comp count :captured) closeds))]
    (first (reduce (fn [[done start] {:keys [body captured more] :as closed}]
                     [(conj done (when closed
                                   (assoc closed :total total :body
                                          (body/repositioned body (positions n (or more 0) start
                                                                             total)))))
                      (+ start (count captured))])
                   [[] n] closeds))))

(defn- derivative-bodies
  "{:lop :rop}, as a :with-derivative node has them, of what was given of the two."
  [back ahead n]
  (let [{:keys [total]} (or back ahead)
        {:keys [given]} back, zeros (repeat (- total n) 0)
        gradients (if back
                    (split (:body back) given)
                    (derived-from :lop #(gradients-of-tangent (:body ahead) n total)))]
    {:lop (if (string? gradients) gradients (into gradients zeros))
     :rop (cond (nil? ahead) (derived-from :rop #(tangent-of (:body back) (present given) total))
                (some some? (:given ahead)) [(:body ahead)]
                :else [0])}))

(defn- node
  "The expression of the value at position k."
  [{:keys [lop rop]} args outs form k]
  (let [n (count args)
        [value back ahead] (placed [(closing/closed [(nth outs k)] args)
                                    (when lop (reverse-bodies lop args outs form k))
                                    (when rop (forward-body rop args outs form k))]
                                   n)
        captured (mapcat :captured [value back ahead])]
    (-> (op/node :with-derivative
                 (assoc (derivative-bodies back ahead n) :body (:body value))
                 (into args (map control/disconnected-grad) captured))
        (expr/noted {:inner {[:body] (:notes value)}}))))

(defn- check-result! [out]
  (when-not (and (expr/expr? out) (real? out))
    (fail! ::not-differentiable
           (str "a function with a derivative of its own gives a floating-point expression, or a"
                " vector of them; got " (expr/describe out))
           {:given out})))

(defn- applied [f modes args]
  (let [args (mapv expr/whole args), result (apply f args)
        form (if (sequential? result) identity first)
        outs (if (sequential? result) (vec result) [result])]
    (run! check-result! outs)
    (form (mapv #(node modes args outs form %) (range (count outs))))))

(defn with-derivative
  "The function f of expressions with a derivative of its own; see damo.core/with-derivative."
  [f {:keys [lop rop] :as modes}]
  (when-not (or lop rop)
    (fail! ::no-derivative "with-derivative needs a :lop, a :rop, or both" {:given modes}))
  (fn [& args] (applied f modes args)))
