(ns damo.diff.loop.given
  "What the gradients of the results of a loop give to its rows, for reverse mode. Of a carry, that
  of the last rows, no more than its depth, is pending at the beginning; others give to a row in
  each round, and to the first rows at the end. In: a situation of damo.diff.loop.reverse. Out:
  ids."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff.loop.rows :as rows]
            [damo.diff.mask :as mask]
            [damo.diff.node :as node]
            [damo.op :as op]
            [damo.op.looping :as looping]))

(set! *warn-on-reflection* true)

;; ## The rows that a gradient has

(defn- part-of-zeros
  "{:start :stop :id} of a gradient that is zeros but for these rows, node :id; nil of others."
  [b g]
  (let [[op {:keys [start stop step]} zeros id] (graph/node b g)
        [_ [_ & shape]] (graph/node-type b g)]
    (when (and (= :patch (op/kind op)) (mask/zero-node? b zeros) (every? #{1} step)
               (every? #{0} (rest start)) (= shape (next stop)))
      {:start (first start), :stop (first stop), :id id})))

(defn- terms
  "[[result gradient] …]: a gradient of a result as gradients of the last rows alone, where it is
  zeros before them, and sums of such."
  [b [o _ & order :as result] g]
  (let [[op _ x y] (graph/node b g), {:keys [start stop id]} (part-of-zeros b g)
        last-rows (if (looping/backwards? result)
                    (when (= 0 start) stop)
                    (when (and stop (= stop (rows/extent b g))) (type/dim- stop start)))]
    (cond last-rows (terms b (into [o last-rows] order) id)
          (= :add op) (mapcat #(terms b result %) [x y])
          :else [[result g]])))

(defn by-output
  "{output [[result gradient] …]} of {result number, gradient} of a loop."
  [b attrs g]
  (reduce (fn [m [r id]] (let [result (nth (:results attrs) r)]
                           (update m (first result) (fnil into []) (terms b result id))))
          {} (sort g)))

;; ## Where they go

(defn depth
  "The depth of carry o of the loop of a situation."
  [{:keys [attrs types]} o]
  (looping/depth attrs types o))

(defn total
  "The rows that output o has after the last round."
  [{:keys [attrs types]} o]
  (looping/total attrs types o))

(defn real
  "The type of gradients of what has that type."
  [[dtype shape]]
  [(type/float-of dtype) shape])

(defn- few? [{:keys [attrs] :as s} [o rows]]
  (and (integer? rows) (looping/first-rows attrs o) (<= rows (depth s o))))

(defn to-rows
  "What gives to a row of output o in each round: the gradients :id, all rows of them, which are
  read from row :from on, :by 1 or -1, :back? where the latest row comes first, and known as
  :token."
  [{:keys [b id given] :as s} o]
  (for [[i [result g]] (map-indexed vector (remove (comp (partial few? s) first) (given o)))
        :let [total (total s o), back? (looping/backwards? result)
              start (if back? 0 (type/dim- total (rows/extent b g)))]]
    {:token [:given o i], :back? back?, :from (if back? 0 total), :by (if back? 1 -1)
     :id (rows/placed! b id g start total)}))

(defn pending!
  "The id of the gradient of row j of the last window of carry c before a round is looked at."
  [{:keys [b id given attrs types] :as s} c j]
  (let [d (depth s c), type (real (nth types (looping/first-rows attrs c)))
        found (for [[[_ n :as result] g] (given c) :when (few? s result)
                    :let [i (if (looping/backwards? result) (- d 1 j) (- j (- d n)))]
                    :when (< -1 i n)]
                (rows/slice! b id g i (inc i)))]
    (if (seq found)
      (reduce #(node/sum! b id %1 %2) found)
      (rows/zeros! b id type 1))))

(defn to-first-rows
  "The ids of what results of the loop give to the first rows of carry c."
  [{:keys [b id rounds] :as s} c]
  (for [{g :id, :keys [back?]} (get-in s [:rows c]) :let [d (depth s c)]]
    (if back?
      (rows/flipped! b id (rows/slice! b id g rounds (type/dim+ rounds d)))
      (rows/slice! b id g 0 d))))
