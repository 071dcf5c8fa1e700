(ns damo.compile.plan.place
  "Which memory holds which value: buffers of their own, places in those of others, rows of what
  loops keep. Memory has keys, [:node id], [:scratch id], [:rows scope output], or [:window key
  offset size]. (memory-of g alias over) is the function from a node to the key of its memory."
  (:require [damo.data.poly :as poly]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(defn- in-ring
  "The row of a ring of so many in which a row lies."
  [row length]
  (let [p (poly/of-dim row), c (get p [] 0)
        row (poly/to-dim (poly/plus p {[] (- (mod c length) c)}))]
    (cond (= 1 length) 0
          (integer? row) (mod row length)
          :else [:mod row length])))

(defn rows
  "The number of rows that a memory has; `over` are the keys of those in which a new row lies where
  the oldest did."
  [{:keys [memories]} over key]
  (let [{:keys [rows ring depth]} (get memories key)]
    (cond rows rows
          (over key) (dec (long ring))
          :else ring)))

(defn size
  "The number of elements of a shape. Where it is the larger or smaller of dims that a call counts,
  :counted, it is the product as it stands: by what they may be, a difference would say too much.
  What is in a body that does not run may have less than no elements; it has none."
  [{:keys [counted regions]} shape]
  (let [size (type/size shape)]
    (cond (and (some #{:min :max} (flatten shape)) (some counted (mapcat type/dim-symbols shape)))
          (into [:*] shape)
          (and (seq regions) (not (type/at-most? 0 size))) [:max 0 size]
          :else size)))

(defn- product?
  "Is a row's offset the product as it stands, [:* size row]? Those of rings are, and of rows that
  have as many elements as a call counts: by that rows are seen to lie apart."
  [{:keys [counted]} offset]
  (let [parts (flatten [offset])] (or (some #{:mod} parts) (some (set counted) parts))))

(defn- beyond
  "The sum of two offsets."
  [g a b]
  (cond (= 0 a) b
        (= 0 b) a
        (some #(product? g %) [a b]) [:+ a b]
        :else (type/signed+ a b)))

(defn- window
  "The key of so many elements of a memory, from an offset on."
  [g [tag of from :as key] offset size]
  (if (= tag :window)
    [:window of (beyond g from offset) size]
    [:window key offset size]))

(defn- in-memory
  "The key of the rows of a place in a memory that has this key and so many rows."
  [g {:keys [shape ring]} key all {:keys [row rows] own-shape :shape}]
  (let [row (if ring (in-ring row all) row), row-shape (or own-shape shape)
        own-shape (into [rows] row-shape), row-size (size g row-shape)]
    (cond (and (= 0 row) (= (type/size own-shape) (type/size (into [all] shape)))) key
          (= 0 row) (window g key 0 (size g own-shape))
          (product? g [row-size row]) (window g key [:* row-size row] (size g own-shape))
          :else (window g key (type/signed* row (type/size row-shape)) (size g own-shape)))))

(defn memory-of
  "The function from a node to the key of its memory. `alias`, {node node}, has those that lie where
  others do, `over` is that of `rows`."
  [{:keys [places memories within] :as g} alias over]
  (letfn [(of-rows [in] (if-let [id (get within in)] (of-node id) [:rows in]))
          (of-node [id]
            (let [id (get alias id id), {:keys [of in offset size] :as place} (get places id)]
              (cond (nil? place) [:node id]
                    in (in-memory g (get memories in) (of-rows in) (rows g over in) place)
                    :else (window g (of-node of) offset size))))]
    (memoize of-node)))
