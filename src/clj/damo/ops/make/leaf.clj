(ns damo.ops.make.leaf
  "The nodes without arguments: inputs, shared variables and constants. Their type is an attribute.
  [:input {:name x, :type [:f32 [n 784]]}]"
  (:require [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(defn- declared-type [{:keys [type]} _]
  (type/check type))

(defn- scalar-of? [dtype x]
  (case (:kind (type/dtypes dtype))
    :float (float? x)
    :int (and (integer? x) (let [{:keys [lo hi]} (type/dtypes dtype)] (<= lo x hi)))
    :bool (boolean? x)))

(defn- constant-type [{:keys [value] :as attrs} _]
  (let [[dtype shape :as type] (declared-type attrs nil)
        values (if (empty? shape) [value] value)]
    (when-not (every? integer? shape)
      (fail! :damo.op.leaf/symbolic-constant
             (str "a constant has a fixed shape, not " (pr-str shape))
        {:type type}))
    (when-not (and (vector? values) (= (count values) (type/size shape))
               (every? (partial scalar-of? dtype) values))
      (fail! :damo.op.leaf/bad-constant
             (str "a constant of type " (pr-str type) " needs " (type/size shape)
              " value(s) of that dtype in row-major order")
             {:type type}))
    type))

(def ^:private name-and-type
  {:name {:is :symbol
          :doc "a symbol, unique among the inputs and shared variables of a graph"}
   :type {:is :type, :doc "[dtype [dim …]]"}})

(op/register! {:name :input, :kind :leaf, :args [], :attrs name-and-type, :type declared-type
               :doc "A value given at each call."})

(op/register! {:name :shared, :kind :leaf, :args [], :type declared-type
               :attrs (assoc name-and-type :stream
                             {:default nil, :is :flag
                              :doc "true: functions that draw random numbers from it move it on"})
               :normalize (fn [attrs _] (if (:stream attrs) attrs (dissoc attrs :stream)))
               :doc "The value of a shared variable, state that lives between calls."})

(op/register! {:name :param, :kind :leaf, :args [], :type declared-type
               :attrs {:at {:is :data
                            :doc "the position of an argument of the node that holds the graph"}
                       :type {:is :type, :doc "[dtype [dim …]]"}}
               :doc "An argument of the node that holds the graph which this is a node of."})

(op/register! {:name :const, :kind :leaf, :args [], :type constant-type
               :attrs {:value {:is :values
                               :doc "a number or boolean, or the vector of all values, row-major"}
                       :type {:is :type, :doc "[dtype [integer …]]"}}
               :doc "A constant."})
