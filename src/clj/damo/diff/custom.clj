(ns damo.diff.custom
  "Functions of expressions with a derivative of their own: what users write under :lop and :rop
  becomes graphs in the attributes of a :with-derivative node. In: functions of expressions. Out: a
  function of expressions. (with-derivative tanh {:lop (fn [[x] y g] (mul g (sub 1 (sqr y))))})"
  (:require [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff :as diff]
            [damo.op :as op]
            [damo.ops.all]
            [damo.ops.watch.derivative :as control]))

(set! *warn-on-reflection* true)

;; ## Placeholders
;; In the graphs the arguments are ?1 …, the value is ?out, its gradient ?g, the tangents ?d1 ….

(defn- gradient-type [e]
  (let [[dtype shape] (expr/type-of e)] [(type/float-of dtype) shape]))

(defn- placeholder
  "An input that no other expression mentions, of the type of the gradients of e."
  [e]
  (op/node :input {:name (gensym "placeholder"), :type (gradient-type e)} []))

(defn- real? [e] (type/float-dtype? (type/dtype-of (expr/type-of e))))

(defn- numbered
  "{e name}: the names ?1 ?2 … or, with the prefix ?d, ?d1 ?d2 … of expressions; nil has none."
  [prefix exprs]
  (into {} (keep-indexed (fn [k e] (when e [e (symbol (str prefix (inc k)))]))) exprs))

;; ## What users' functions give

(defn- fitted
  "A result as an expression of the type that is needed; nil and 0 are no contribution."
  [what result expected]
  (let [e (when-not (or (nil? result) (and (number? result) (zero? result))) (expr/whole result))]
    (cond (nil? e) nil
          (not= (type/shape-of expected) (expr/shape-of e))
          (fail! ::bad-derivative
                 (str what " must have the shape " (pr-str (type/shape-of expected)) "; it is "
                      (expr/describe e))
                 {:expected expected, :given (expr/type-of e)})
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

;; ## Closed graphs
;; {:graph g, :roots [id or nil …], :extra [expr …]}: inputs are placeholders. What a derivative
;; mentions besides becomes an argument more, a constant to derivatives, behind the others.

(defn- cut
  "The graph with the nodes of `names`, {id name}, replaced by inputs of these names."
  [g names]
  (reduce-kv (fn [g id name]
               (assoc-in g [:nodes id] [:input {:name name, :type (graph/type-of g id)}]))
             g names))

(defn- leaves-besides [{:keys [nodes] :as g} names]
  (filterv #(and (#{:input :shared} (graph/op-of (nodes %))) (not (names %))) (graph/live g)))

(defn- closed
  "The closed graph of results, over what `named`, {expr name}, mentions; `n` is the number of
  arguments."
  [results named n]
  (let [{:keys [graph id-of exprs]} (expr/to-graph (into (filterv some? results) (keys named)))
        roots (mapv #(some-> % id-of) results)
        names (into {} (map (fn [[e name]] [(id-of e) name])) named)
        g (assoc (cut graph names) :outputs (filterv some? roots))
        extra (leaves-besides g names)]
    {:graph (cut g (zipmap extra (map #(symbol (str "?" (+ 1 n %))) (range))))
     :roots roots, :extra (mapv exprs extra)}))

(defn- template
  "The template of one root of a graph: the part that it needs; 0 when there is none."
  [graph root]
  (if root
    (select-keys (graph/prune (assoc graph :outputs [root])) [:nodes :outputs])
    0))

(defn- templates [{:keys [graph roots]}]
  (mapv #(template graph %) roots))

;; ## One mode from the other
;; The gradients L(g) are linear in g; so ⟨L(g), d⟩ = ⟨g, J d⟩, and differentiating the left side
;; by g gives the tangent J d. The same with tangents and gradients exchanged gives the gradients.

(defn- input-named [{:keys [nodes]} name]
  (first (keep-indexed (fn [id [op attrs]] (when (and (= op :input) (= name (:name attrs))) id))
                       nodes)))

(defn- with-inputs
  "[graph' ids]: the graph with inputs of these names and types, found or added; nil stays nil."
  [g named]
  (let [b (graph/builder), ids (graph/load-graph! b g)
        new (mapv (fn [[name type :as x]]
                    (when x
                      (or (some-> (input-named g name) ids)
                          (op/emit! b :input {:name name, :type type} [] nil))))
                  named)]
    [(graph/finish b (mapv ids (:outputs g))) new]))

(defn- transposed
  "The closed graph of the transpose of another one, by its inputs `from`, [[name type] or nil …],
  for the vectors `to` in the place of its roots. Fails when it is not linear in them."
  [{:keys [graph roots] :as closed} mode from to]
  (let [[g sources] (with-inputs graph from)
        [g vectors] (with-inputs g to)
        pairs (filterv (fn [[root v]] (and root v)) (map vector roots vectors))
        wrt (filterv some? sources)
        {g :graph, :keys [grads]} (diff/lop g (mapv first pairs) (mapv second pairs) wrt
                                            {:disconnected :ignore})]
    (when (some (set wrt) (graph/live g grads))
      (fail! ::not-linear (str "the " mode " is not linear in what it is given")))
    (assoc closed :graph g
           :roots (let [found (zipmap wrt grads)] (mapv #(some-> % found) sources)))))

(defn- derived-from
  "The templates that `f` makes of the other mode, or, when that cannot be transposed, why not."
  [missing f]
  (try (templates (f))
       (catch clojure.lang.ExceptionInfo e
         (str "with-derivative was given no " missing
              ", and it cannot be derived from the other one: " (ex-message e)))))

;; ## Both modes

(defn- placeholder-types [prefix exprs]
  (vec (map-indexed (fn [k e]
                      (when (real? e) [(symbol (str prefix (inc k))) (gradient-type e)]))
                    exprs)))

(defn- reverse-graph
  "The closed graph of the gradients that the :lop gives for the value at position k."
  [lop args outs form k]
  (let [own (nth outs k), g (placeholder own)
        gs (assoc (mapv #(op/node :zeros-like {} [%]) outs) k g)]
    (closed (gradients-of lop args (form outs) (form gs))
            (merge (numbered "?" args) {own '?out, g '?g}) (count args))))

(defn- forward-graph
  "The closed graph of the tangent that the :rop gives for the value at position k; `n` arguments
  and extras come before its own."
  [rop args outs form k n]
  (let [own (nth outs k), tangents (mapv #(when (real? %) (placeholder %)) args)
        given (rop args (form outs) tangents)
        t (fitted "the tangent" (if (sequential? given) (nth given k nil) given)
                  (gradient-type own))]
    (closed [t] (merge (numbered "?" args) {own '?out} (numbered "?d" tangents)) n)))

(defn- derivative-attrs
  "[attributes extras] of the node of the value at position k."
  [{:keys [lop rop]} args outs form k]
  (let [n (count args), gradient [['?g (gradient-type (nth outs k))]]
        tangents (placeholder-types "?d" args)
        back (when lop (reverse-graph lop args outs form k))
        ahead (when rop (forward-graph rop args outs form k (+ n (count (:extra back)))))
        extra (into (vec (:extra back)) (:extra ahead))
        gradients (if back
                    (templates back)
                    (derived-from :lop #(transposed ahead :rop tangents gradient)))]
    [{:lop (if (string? gradients)
             gradients
             (-> [0] (into gradients) (into (repeat (count extra) 0))))
      :rop (if ahead
             (templates ahead)
             (derived-from :rop #(transposed back :lop gradient tangents)))}
     extra]))

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
    (form (mapv (fn [k out]
                  (let [[attrs extra] (derivative-attrs modes args outs form k)]
                    (op/node :with-derivative attrs
                             (concat [(control/disconnected-grad out)] args
                                     (map control/disconnected-grad extra)))))
                (range) outs))))

(defn with-derivative
  "The function f of expressions with a derivative of its own; see damo.core/with-derivative."
  [f {:keys [lop rop] :as modes}]
  (when-not (or lop rop)
    (fail! ::no-derivative "with-derivative needs a :lop, a :rop, or both" {:given modes}))
  (fn [& args] (applied f modes args)))
