(ns damo.face.draw.stream
  "Streams of random numbers: shared state, a seed and how many calls there were, of which draws
  make their keys. A function that draws from one moves it on at each call, without being told to.
  The numbers depend on the seed, on the call, and on the order in which the draws of a function
  were written; on nothing else. (draw-key (stream 'noise 42)) = the key of a new draw."
  (:require [damo.data.expr :as expr]
            [damo.data.fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.thrown :as thrown]
            [damo.face.leaf :as leaf]
            [damo.face.tensors :as tensors]
            [damo.op :as op]
            [damo.op.body :as body])
  (:import [damo.data.expr Expr]
           [damo.runtime State]
           [java.util.concurrent.atomic AtomicLong]))

(set! *warn-on-reflection* true)

(def ^:private drawn
  "How many draws this process has made: draws of one function are told apart by it, and get numbers
  of their own in the function."
  (AtomicLong.))

(defn- check-seed [seed]
  (when-not (and (integer? seed) (<= Long/MIN_VALUE seed Long/MAX_VALUE))
    (fail! :damo.random/no-seed (str "a seed is an integer of 64 bits; got " (pr-str seed))
           {:given seed}))
  (long seed))

(defn stream
  "A stream of random numbers, a shared variable: draws take it in the place of a key, and each call
  of a function that draws from it moves it on, calls of `call-n` too. Equal seeds give equal
  numbers, whatever the name. It is saved with functions as other state is."
  [stream-name seed]
  (let [^Expr s (leaf/shared stream-name (tensors/tensor [(check-seed seed) 0] :i64))]
    (expr/->Expr :shared (assoc (expr/attrs-of s) :stream true) [] (expr/type-of s) (expr/src-of s)
                 (expr/state-of s))))

(defn stream?
  "Is that a stream?"
  [x]
  (boolean (and (expr/expr? x) (= :shared (expr/op-of x)) (:stream (expr/attrs-of x)))))

(defn- check-stream! [s]
  (when-not (stream? s)
    (fail! :damo.random/no-stream (str "(r/stream 'name seed) makes a stream; got "
                                       (expr/describe s))
           {:given s})))

(defn seed!
  "Gives a stream another seed, from which it begins anew; returns it."
  [s seed]
  (check-stream! s)
  (leaf/set-value! s [(check-seed seed) 0]))

(defn draw-key
  "The key of a new draw from a stream."
  [s]
  (check-stream! s)
  (op/node :stream-key {:draw (.getAndIncrement ^AtomicLong drawn)} [s]))

;; ## What functions do with streams

(defn- all-below
  "The distinct expressions at and below some."
  [exprs]
  (let [seen (java.util.IdentityHashMap.)]
    (loop [todo (vec exprs)]
      (when-let [e (peek todo)]
        (recur (if (.put seen e true) (pop todo) (into (pop todo) (expr/args-of e))))))
    (keys seen)))

(defn with-updates
  "The pairs [shared expression] of a function with those of the streams that its outputs, updates
  and replacements draw from, which have no pair: one call more."
  [pairs exprs replacements]
  (let [given (java.util.IdentityHashMap.), exprs (concat exprs (map second pairs) replacements)]
    (doseq [[s] pairs] (.put given s true))
    (into (vec pairs)
          (for [s (sort-by (comp str :name expr/attrs-of) (filter stream? (all-below exprs)))
                :when (not (.containsKey given s))]
            [s (op/call :add [s (tensors/tensor [0 1] :i64)])]))))

(defn- draws
  "The numbers of draws in a graph and in the graphs of its nodes."
  [{:keys [nodes]}]
  (mapcat (fn [[op attrs]]
            (if (= :stream-key op)
              [(:draw attrs)]
              (mapcat (comp draws second) (body/graphs op attrs))))
          nodes))

(defn- renamed [{:keys [nodes] :as g} number]
  (assoc g :nodes
         (mapv (fn [[op attrs & args :as node]]
                 (cond (= :stream-key op) (into [op (update attrs :draw number)] args)
                       (seq (body/graphs op attrs))
                       (into [op (body/with-graphs op attrs (fn [_ g] (renamed g number)))] args)
                       :else node))
               nodes)))

(defn numbered
  "The graph of a function with its draws from streams numbered from 0, in the order in which they
  were written."
  [g]
  (let [found (sort (distinct (draws g)))]
    (if (seq found) (renamed g (zipmap found (range))) g)))

;; ## Loops

(defn mark
  "What `check-loop!` takes: where the draws that are made from now on begin."
  []
  (.get ^AtomicLong drawn))

(defn check-loop!
  "Fails when one of the expressions that a loop's body takes from outside is a draw that the body
  made: each step would see the same numbers."
  [captured mark]
  (when-let [draw (first (filter #(and (= :stream-key (expr/op-of %))
                                       (<= (long mark) (long (:draw (expr/attrs-of %)))))
                                 (all-below captured)))]
    (fail! :damo.random/stream-in-loop
           (str "the body of a loop draws from the stream "
                (:name (expr/attrs-of (first (expr/args-of draw))))
                ": each step would see the same numbers")
           (assoc (expr/facts draw)
                  :try (str "give the loop a key for each step: (r/split-array key n) as a"
                            " sequence, or fold the step into a key by r/fold-in")))))
