(ns damo.data.thrown
  "Exceptions of the Java core as failures of the compiler: (translating (Tensor/of [[1] [2 3]]))
  throws an ex-info with the kind, the message and the data of the exception."
  (:require [clojure.edn :as edn]
            [clojure.string :as string])
  (:import [damo DamoException]
           [java.util List]))

(set! *warn-on-reflection* true)

(defn- datum
  "An entry of the data of an exception of the core, as the compiler has such data."
  [k v]
  (cond (#{:op :from :to} k) (keyword v)
        (#{:input :state :dimension} k) (symbol v)
        (= k :type) (edn/read-string v)
        (instance? List v) (vec v)
        (some-> v class .isArray) (vec v)
        :else v))

(def ^:private expression-class
  "How the core, which knows no expressions, names what they are."
  "damo.data.expr.Expr")

(defn- where-expressions
  "Message and data of a failure; an expression that stands where numbers are needed is called one,
  with what to try."
  [message data]
  (if (= expression-class (:class data))
    (let [advice "(d/eval e) is the value of an expression e that depends on no input"]
      [(str (string/replace message (str "a " expression-class) "an expression")
            "\n  try: " advice)
       (assoc data :try advice)])
    [message data]))

(defn as-ex-info
  "The exception of the core as an ex-info: its kind as :damo/error :damo/<kind>, its data by
  keyword, as docs/errors.md has them. It takes the place of the other, which is suppressed rather
  than its cause, as in `fail/explain!`."
  [^DamoException e]
  (let [data (into {:damo/error (keyword "damo" (.kind e))}
                   (map (fn [[k v]] (let [k (keyword k)] [k (datum k v)]))) (.data e))
        [message data] (where-expressions (.getMessage e) data)
        ^Throwable x (ex-info message data)]
    (doto x
      (.setStackTrace (.getStackTrace e))
      (.addSuppressed e))))

(defmacro translating
  "Runs the body; exceptions of the core come out as ex-infos."
  [& body]
  `(try ~@body (catch DamoException e# (throw (as-ex-info e#)))))
