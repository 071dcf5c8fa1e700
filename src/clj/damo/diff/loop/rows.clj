(ns damo.diff.loop.rows
  "Rows of arrays along the leading axis, as derivatives of loops need them: zeros around rows, the
  last rows of something longer, windows of first rows. Builders and ids in, ids out; dims may be
  symbolic. (placed! b 9 7 1 n) is node 7, row 0 now row 1 of n, zeros before and behind it."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff.node :as node]))

(set! *warn-on-reflection* true)

(defn extent
  "The number of rows of node id."
  [b id]
  (first (type/shape-of (graph/node-type b id))))

(defn- with-rows [[dtype [_ & shape]] n] [dtype (into [n] shape)])

(defn zeros!
  "The id of as many rows of zeros, of the type of the rows of an array of that type."
  [b from type n]
  (node/uniform! b from (with-rows type n) 0))

(defn joined!
  "The id of these arrays, one at least, one behind the other."
  [b from ids]
  (if (next ids)
    (let [names (mapv #(symbol (str "?" %)) (range (count ids)))]
      (node/emit-template! b from (zipmap names ids) (into [:concatenate {:axis 0}] names)))
    (first ids)))

(defn slice!
  "The id of the rows `start` to before `stop`, dims, of node id."
  [b from id start stop]
  (if (and (= 0 start) (= stop (extent b id)))
    id
    (node/emit-template! b from {'?x id} [:slice {:axis 0, :start start, :stop stop} '?x])))

(defn flipped!
  "The id of the rows of node id in the opposite order."
  [b from id]
  (node/emit-template! b from {'?x id} [:flip {:axis 0} '?x]))

(defn placed!
  "The id of `total` rows, those of node id from row `start` on, the others zeros."
  [b from id start total]
  (let [type (graph/node-type b id), behind (type/dim- total (type/dim+ start (extent b id)))
        zeros (fn [n] (when (not= 0 n) [(zeros! b from type n)]))]
    (joined! b from (concat (zeros start) [id] (zeros behind)))))

(defn one!
  "The id of the only row of node id."
  [b from id]
  (node/emit-template! b from {'?x id} [:squeeze {:axis 0} '?x]))
