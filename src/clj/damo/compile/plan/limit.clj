(ns damo.compile.plan.limit
  "The limits of programs (damo.Limits, docs/program.md) as far as a graph can reach them: what does
  not fit is refused with the expression and what to do, before a program is made of it.
  (check! g '[n m] memory) fails, or gives nil."
  (:require [damo.compile.plan.note :as note]
            [damo.data.fail :as fail :refer [fail!]])
  (:import [damo Limits]))

(set! *warn-on-reflection* true)

(def ^:private most-constants
  "How many elements the constants of a function may have, which are part of its program as text."
  (quot (.most Limits/TEXT) 27))

(defn- beyond!
  "Fails: there is more than a limit has of what it counts."
  [kind ^Limits limit n data]
  (fail! kind (str "a function has at most " (.most limit) " " (.what limit) "; this one has " n
                   (fail/facts-text data))
         (assoc data :given n, :most (.most limit))))

(defn- check-dims! [dims]
  (when (< (.most Limits/DIMS) (count dims))
    (beyond! :damo.plan.limit/too-many-dimensions Limits/DIMS (count dims) {})))

(defn- check-sizes! [g memory]
  (doseq [[[_ id] {:keys [size]}] memory :when (vector? size)
          :let [parts (count (remove keyword? (flatten size)))]]
    (when (< (.most Limits/PARTS) parts)
      (beyond! :damo.plan.limit/size-too-long
               Limits/PARTS parts (when (integer? id) (note/facts g id))))))

(defn- check-constants! [g memory]
  (let [sizes (into {} (for [[[_ id] {:keys [kind size]}] memory :when (= kind :const)]
                         [id size]))
        n (reduce + (vals sizes))]
    (when (< most-constants n)
      (let [facts (note/facts g (key (apply max-key val sizes)))]
        (fail! :damo.plan.limit/constants-too-large
               (str "the constants of a function have at most " most-constants
                    " elements; here they have " n (fail/facts-text facts))
               (assoc facts :given n, :most most-constants))))))

(defn check!
  "Fails when a program of this graph, with these dims and this memory, [[key {:size :kind}] …],
  would be beyond a limit."
  [g dims memory]
  (check-dims! dims)
  (when (< (.most Limits/BUFFERS) (count memory))
    (beyond! :damo.plan.limit/too-many-arrays Limits/BUFFERS (count memory) {}))
  (check-sizes! g memory)
  (check-constants! g memory))
