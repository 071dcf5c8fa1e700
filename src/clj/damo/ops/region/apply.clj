(ns damo.ops.region.apply
  "A function of arrays as one node: a body on arguments, its own or with a derivative declared
  beside it. The rules look into the body; before the schedule it takes the place of the node.
  [:apply {:body {:nodes [[:param {:at 0 :type [:f64 [n]]}] [:exp {} 0]] …}} 3]"
  (:require [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.op.body :as body]
            [damo.op.gens :as gens]))

(set! *warn-on-reflection* true)

(def ^:private body-schema
  {:is :graph, :doc "the graph of the value, whose parameters are the arguments"})

(def ^:private held
  {:ns 'damo.ops.region.apply, :kind :region, :args :variadic
   :internal "d/as-op and d/with-derivative take functions"
   :type (fn [{:keys [body]} types] (body/result-type body types))
   :expand (fn [{:keys [attrs]}] (:body attrs))})

;; ## Examples and generated calls

(defn- product
  "The body of the product of two arguments of that type; of truth values whether both are true."
  [[dtype _ :as type]]
  {:nodes [(body/param 0 type) (body/param 1 type) [(if (= :bool dtype) :logical-and :mul) {} 0 1]]
   :types [type type type], :outputs [2]})

(defn- twice
  "The body of twice a gradient or tangent, of arrays of that type, at a position."
  [at [dtype shape]]
  (let [type [(type/float-of dtype) shape]]
    {:nodes [(body/param at type) [:add {} 0 0]], :types [type type], :outputs [1]}))

(defn- of-arrays
  "A generator function: `attrs-of` a type gives the attributes for two arrays of that type."
  [attrs-of]
  (fn [{:keys [dtype size] :as ctx}]
    (let [shape (gens/variant ctx [[size] [2 size] []])]
      {:attrs (attrs-of [dtype shape])
       :args [(gens/random-array ctx dtype shape) (gens/random-array ctx dtype shape)]})))

;; ## The ops

(op/register!
 (assoc held
        :name :apply
        :lasts true
        :attrs {:body body-schema}
        :gen (of-arrays (fn [type] {:body (product type)}))
        :examples [[[:apply {:body (product [:f64 []])} 2.5 3.0] 7.5]]
        :doc "The value of a graph on arguments. Made by damo.face.region/as-op."))

(defn- templates
  "The templates that put these graphs on the names of the arguments and `more`; of 0 it is 0. Fails
  with the reason that stands in the place of graphs."
  [graphs mode args more]
  (if (string? graphs)
    (fail! :damo.diff/not-implemented graphs {:position mode})
    (mapv #(if (map? %) (into [:apply {:body %}] (concat args more)) 0) graphs)))

(defn- names [types] (map #(symbol (str "?" %)) (range (count types))))

(op/register!
 (assoc held
        :name :with-derivative
        :attrs {:body body-schema
                :lop {:is :graph, :aside true
                      :doc (str "the graphs of the gradients, one an argument, 0 for none, of the"
                                " arguments, the value and its gradient; or why there are none")}
                :rop {:is :graph, :aside true
                      :doc (str "the graph of the tangent, in a vector, of the arguments, the value"
                                " and their tangents; or why there is none")}}
        :lop (fn [{:keys [attrs types]}] (templates (:lop attrs) :lop (names types) '[?out ?g]))
        :rop (fn [{:keys [attrs types]}]
               (let [tangents (map #(symbol (str "?d" %)) (range (count types)))]
                 (first (templates (:rop attrs) :rop (names types) (cons '?out tangents)))))
        :surrogate "the derivative is declared, it is not that of the value"
        :gen (of-arrays (fn [type] {:body (product type), :lop [(twice 3 type) 0]
                                    :rop [(twice 3 type)]}))
        :examples [[[:with-derivative {:body (product [:f64 []]), :lop [(twice 3 [:f64 []]) 0]
                                       :rop [(twice 3 [:f64 []])]}
                     2.5 3.0]
                    7.5]]
        :doc (str "The value of a graph on arguments, with a derivative of its own, graphs of more"
                  " arguments. Made by damo.diff.custom/with-derivative.")))
