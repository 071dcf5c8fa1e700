(ns damo.face.derivative
  "Derivatives of expressions: what damo.diff does to graphs, for users. Expressions in, expressions
  over the same inputs out: (grad (sum (sqr x)) x) is 2 x."
  (:require [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail]
            [damo.data.later :as later]
            [damo.data.sparse :as sparse]
            [damo.data.tree :as tree]
            [damo.face.given :as given]
            [damo.face.sparse.derivative :as matrices]
            [damo.meaning.counted :as counted]
            [damo.op :as op]
            [damo.op.whole :as whole]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(defn- ids-of [{:keys [id-of]} exprs] (mapv id-of exprs))

(defn- mentioned
  "The expressions that options mention."
  [{:keys [known-grads consider-constant]}]
  (concat (keys known-grads) (vals known-grads) consider-constant))

(defn- with-ids
  "The options with ids in place of expressions."
  [opts {:keys [id-of] :as m}]
  (-> opts
      (update :consider-constant #(ids-of m %))
      (update :known-grads #(into {} (map (fn [[e g]] [(id-of e) (id-of g)])) %))))

(defn- gradients-of
  "The expressions that a differentiation of a graph gives."
  [differentiate graph {:keys [exprs states] :as m}]
  (let [{g :graph, :keys [grads]} (differentiate graph m)
        {g :graph, :keys [ids]} (counted/tied g grads)]
    (mapv #(expr/weakened % nil) (expr/from-graph (assoc g :outputs ids) exprs states))))

(def ^:private stable-forms (later/of 'damo.diff.stable/forms))
(def ^:private grad-of (later/of 'damo.diff/grad))
(def ^:private lop-of (later/of 'damo.diff/lop))
(def ^:private rop-of (later/of 'damo.diff/rop))
(def ^:private jacobian-of (later/of 'damo.diff.jacobian/jacobian))

(defn- of-stable-forms
  "The same of the stable forms of the expressions `outputs`; nil when there are none, or when they
  cannot be differentiated: what is wrong is said of what was written."
  [differentiate graph {:keys [id-of] :as m} outputs cuts]
  (when-let [{:keys [graph ids]} (stable-forms graph (ids-of m outputs) (ids-of m cuts))]
    (try
      (gradients-of differentiate graph (assoc m :id-of #(let [id (id-of %)] (ids id id))))
      (catch clojure.lang.ExceptionInfo _))))

(defn- plain? [op] (not (op/derivative-declared? op)))

(defn- opened
  "What `expr/to-graph` gave, with the graphs of nodes whose derivative is that of their graph in
  the places of these nodes."
  [{:keys [graph id-of exprs] :as m}]
  (if-not (whole/inlines? graph plain?)
    m
    (let [{:keys [ids] :as inlined} (whole/inlined graph plain?)]
      (assoc m :graph (:graph inlined)
             :id-of (comp ids id-of)
             :exprs (into {} (map (fn [[id e]] [(ids id) e])) (sort-by (comp - key) exprs))))))

(defn- derived
  "Runs a differentiation of the expressions `outputs`, by the expressions `wrt`, and gives the
  resulting ones; `more` are others that it needs, `wholes` the arrays of sparse matrices of which
  some of `wrt` are."
  [{:keys [outputs wrt more opts wholes]} differentiate]
  (try
    (let [m (opened (expr/to-graph (vec (concat outputs wrt more wholes (mentioned opts)))))
          {:keys [graph] :as m} (if (seq wholes) (matrices/dense-forms m wholes) m)
          {:keys [known-grads consider-constant]} opts
          cuts (concat wrt consider-constant (keys known-grads))]
      (or (of-stable-forms differentiate graph m outputs cuts)
          (gradients-of differentiate graph m)))
    (catch clojure.lang.ExceptionInfo e
      (let [src (fail/source-position)]
        (fail/explain! e "" (when src (str "\n  derivative asked for at: "
                                           (fail/position-text src)))
                       (when src {:asked-at src}))))))

(def ^:private schemas
  "The options of derivatives, as damo.data.attribute has schemas."
  {:known-grads {:default nil, :is :map}, :consider-constant {:default nil}
   :disconnected {:default nil, :is :policy}, :mode {:default nil, :is :direction}
   :sparse-gradient {:default nil, :is #{:regular :structured}}})

(defn- options [given names]
  (let [opts (attribute/options (select-keys schemas names) [] given)
        weight (fn [[e g]] [e (if (expr/expr? e) (given/as-type (expr/type-of e) g) g)])]
    (cond-> (into {} (filter (comp some? val)) opts)
      (:known-grads opts) (update :known-grads #(into {} (map weight) %))
      (:consider-constant opts) (update :consider-constant (comp :leaves tree/taken-apart)))))

(defn- one-or-many
  "[expressions skeleton as-asked]: the leaves of one expression, a vector or a map, nested or not,
  and the function that puts as many others in their places. Sparse matrices are leaves."
  [x]
  (let [{:keys [leaves skeleton]} (tree/taken-apart (if (sequential? x) (vec x) x)
                                                    sparse/sparse?)]
    [leaves skeleton #(tree/put-together skeleton (vec %))]))

(defn- by-arrays
  "What (derive by wholes disconnected) gives, the gradients of `outputs` by expressions, as
  gradients by `wrt`, expressions and sparse matrices."
  [outputs wrt {:keys [sparse-gradient disconnected]} derive]
  (if-not (sparse/among? wrt)
    (derive wrt nil disconnected)
    (let [{:keys [by wholes join]} (matrices/plan outputs wrt (= :structured sparse-gradient)
                                                  (fn [by wholes] (derive by wholes :raise)))]
      (join (derive by wholes disconnected)))))

(defn- like
  "The leaves of v, of the structure `skeleton` of the expressions `es`, each of the type of its
  expression where it is data."
  [es skeleton v]
  (mapv #(if (sparse/sparse? %1)
           %2
           (given/as-type (expr/type-of (if (expr/expr? %1) %1 (expr/whole %1))) %2))
        es (tree/parts "the weights of a derivative" skeleton v)))

(defn grad
  "The gradient of `cost`, a 0-d float expression, with respect to one expression or a vector of
  them, likewise; each has the dtype and shape of what it belongs to. Integers count as real numbers
  where the gradient is with respect to them (it is :f64, or :f32 for one-byte ones); computed
  integers pass nothing on. Options: :known-grads {e g} (cost may then be nil), :consider-constant
  [e …], :disconnected :raise | :warn | :ignore (what to do when the cost does not depend on one;
  ignored ones give zeros). A path without a derivative fails: :damo.diff/undefined when there is
  none, :damo.diff/not-implemented when nobody has written it."
  [cost wrt & opts]
  (let [opts (options opts [:known-grads :consider-constant :disconnected :sparse-gradient])
        [wrt _ result] (one-or-many wrt), outputs (when cost [cost])]
    (result
     (by-arrays
      (concat outputs (keys (:known-grads opts))) wrt opts
      (fn [wrt wholes disconnected]
        (derived {:outputs outputs, :wrt wrt, :opts opts, :wholes wholes}
                 (fn [g {:keys [id-of] :as m}]
                   (grad-of g (when cost (id-of cost)) (ids-of m wrt)
                            (assoc (with-ids opts m) :disconnected disconnected)))))))))

(defn lop
  "vᵀ·J: the gradients of the expressions `f` (one or a vector), weighted by `v` of the same types,
  with respect to `wrt` (one or a vector). Reverse mode. Options as grad."
  [f wrt v & opts]
  (let [opts (options opts [:known-grads :consider-constant :disconnected :sparse-gradient])
        [fs skeleton] (one-or-many f), vs (like fs skeleton v)
        [wrt _ result] (one-or-many wrt)]
    (result (by-arrays
             fs wrt opts
             (fn [wrt wholes disconnected]
               (derived {:outputs fs, :wrt wrt, :more vs, :opts opts, :wholes wholes}
                        (fn [g m]
                          (lop-of g (ids-of m fs) (ids-of m vs) (ids-of m wrt)
                                  (assoc (with-ids opts m) :disconnected disconnected)))))))))

(defn rop
  "J·v: the directional derivatives of the expressions `f` (one or a vector) when `wrt` (one or a
  vector) moves along `v`, of the same types. Forward mode. Options :consider-constant and
  :disconnected as in grad."
  [f wrt v & opts]
  (let [opts (options opts [:consider-constant :disconnected])
        [fs _ result] (one-or-many f), [wrt skeleton] (one-or-many wrt)
        {wrt :by, vs :along, :keys [wholes]} (matrices/tangents wrt (like wrt skeleton v))]
    (result (derived {:outputs fs, :wrt wrt, :more vs, :opts opts, :wholes wholes}
                     (fn [g m] (rop-of g (ids-of m fs) (ids-of m wrt) (ids-of m vs)
                                       (with-ids opts m)))))))

(defn jacobian
  "The derivatives of all elements of the expression e with respect to all elements of `wrt`, one
  expression or a vector: for e of shape [a …] and wrt of shape [b …] an array [a … b …]. Dims may
  be symbolic. It is computed in one pass with a batch of gradients, or of tangents where wrt is
  the smaller; :mode :reverse or :forward decides otherwise. Options :consider-constant and
  :disconnected as in grad."
  [e wrt & opts]
  (let [opts (options opts [:consider-constant :disconnected :mode :sparse-gradient])
        [ws _ result] (one-or-many wrt)
        derive (fn [by wholes disconnected]
                 (derived {:outputs [e], :wrt by, :opts opts, :wholes wholes}
                          (fn [g {:keys [id-of] :as m}]
                            (jacobian-of g (id-of e) (ids-of m by)
                                         (assoc (with-ids opts m) :disconnected disconnected)))))
        {:keys [by wholes]} (if (sparse/among? ws)
                              (matrices/of-jacobian [e] ws (:sparse-gradient opts)
                                                    #(derive %1 %2 :raise))
                              {:by ws})]
    (result (derive by wholes (:disconnected opts)))))

(defn hessian
  "The second derivatives of `cost`, a 0-d float expression: for wrt of shape [a …] an array
  [a … a …]. For a vector of wrts the vector of rows of blocks: ((hessian cost [w b]) 0) is the
  second derivatives by w and w, and by w and b. Forward over reverse mode; :mode :reverse takes
  reverse mode twice. Other options as grad."
  [cost wrt & opts]
  (let [opts (options opts (keys schemas))
        [ws _ result] (one-or-many wrt)
        gradients (grad cost ws (dissoc opts :mode))
        second-order (merge {:mode :forward} (dissoc opts :known-grads) {:disconnected :ignore})]
    (result (mapv #(result (jacobian % ws second-order)) gradients))))

(defn hvp
  "H·v: the Hessian of `cost` with respect to `wrt` (one expression or a vector) times `v`; forward
  over reverse mode. Options as grad."
  [cost wrt v & opts]
  (let [opts (options opts [:known-grads :consider-constant :disconnected])
        [ws skeleton result] (one-or-many wrt), vs (like ws skeleton v)]
    (result (rop (grad cost ws opts) ws vs
                 (assoc (dissoc opts :known-grads) :disconnected :ignore)))))

;; ## What derivatives do at a place

(defn grad-clip
  "The value of e; in reverse mode each element of the gradient is held between the numbers lo and
  hi on its way back. Forward mode is not changed: tangents pass as they are."
  [e lo hi]
  (op/node :grad-clip {:lo lo, :hi hi} [e]))

(defn grad-scale
  "The value of e; its derivative is the number k instead of 1, in reverse and in forward mode."
  [e k]
  (op/node :grad-scale {:by k} [e]))

(def ^{:arglists '([f {:keys [lop rop]}])
       :doc
       "The function f of expressions, which gives one or a vector of them, with a derivative of its
  own:
  :lop (fn [args out g] …) gives the gradients by the arguments, a vector with nil for none (for one
  argument the expression itself will do), for the gradient g of the value out; :rop (fn [args out
  tangents] …) gives the tangent of out; tangents of integers are nil. For an f of several values
  out, g and the tangent are vectors. One of the two is enough: the other is its transpose, when it
  is linear as it must be; else differentiating in that mode fails with :damo.diff/not-implemented.
  What f mentions besides its arguments is a constant to derivatives.
  ((with-derivative f {:lop (fn [[x] y g] (mul g y))}) x)"}
  with-derivative
  (later/of 'damo.diff.custom/with-derivative))
