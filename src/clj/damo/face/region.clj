(ns damo.face.region
  "Functions of expressions as ops: what a function gives for its arguments becomes one node, which
  holds the graph of it. ((as-op (fn [x] (log (add 1 (exp x))))) x)"
  (:require [damo.data.attribute :as attribute]
            [damo.data.explain :as explain]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.later :as later]
            [damo.data.tree :as tree]
            [damo.data.type :as type]
            [damo.face.calls :as calls]
            [damo.op :as op]
            [damo.op.closing :as closing]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(defn- check-captured!
  "Fails when an op that may mention its arguments alone mentions more."
  [called captured]
  (when-let [e (first captured)]
    (fail! :damo.region/captured
           (str called " is :strict, and mentions an expression from outside: " (expr/describe e))
           (assoc (expr/facts e) :captured (mapv expr/text captured)))))

(defn- holder
  "The expression of a node that holds the graph of these results."
  [called strict args stand-ins results]
  (let [{:keys [body notes captured]} (closing/closed results stand-ins)]
    (when strict (check-captured! called captured))
    (expr/noted (op/node :apply {:body body} (into args captured))
                {:called called, :inner {[:body] notes}})))

(defn- applied
  "What f gives for these arguments as it gives it, each expression a result of one node."
  [f {:keys [strict]} called args]
  (let [args (mapv expr/whole args), stand-ins (mapv expr/stand-in args)
        {:keys [leaves skeleton]} (tree/taken-apart
                                   (calls/of {:kind :damo.region/wrong-arity, :what called}
                                             f stand-ins))
        results (mapv expr/whole leaves)
        node (when (seq results) (holder called strict args stand-ins results))
        given (if (= 1 (count results))
                [node]
                (mapv #(op/node :part {:at %} [node]) (range (count results))))]
    (->> (map #(expr/weakened %1 (type/made-of (expr/type-of %2))) given results)
         vec
         (tree/put-together skeleton))))

(def ^:private schemas
  {:name {:default nil}, :strict {:default false, :is :flag}, :lop {:default nil}
   :rop {:default nil}})

(def ^:private with-derivative (later/of 'damo.diff.custom/with-derivative))

(defn as-op
  "A function f of expressions as an op of its own: a call of what it gives is one node, which
  shows as (name x …), holds the graph of f, and takes part in everything as f does: it is rewritten
  inside, differentiated in both modes, interpreted, and compiled into what is around it. f gives
  one expression, or a vector or map of them, nested or not. What f mentions besides its arguments
  becomes an argument more; with :strict true it is refused. :name is what the node is called, by
  default as f is. With :lop, :rop or both it has a derivative of its own, as with-derivative has.
  ((as-op (fn [x] (log (add 1 (exp x)))) :name 'softplus) x)"
  [user-fn & options]
  (let [{:keys [name lop rop] :as opts} (attribute/options schemas [] options)
        called (symbol (str (or (when (ident? name) (clojure.core/name name)) name
                                (calls/name-of user-fn) "op")))]
    (explain/explained (keyword called)
                       (if (or lop rop)
                         (with-derivative user-fn {:lop lop, :rop rop})
                         (fn [& args] (applied user-fn opts called args))))))
