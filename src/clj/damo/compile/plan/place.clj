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

(defn- window
  "The key of so many elements of a memory, from an offset on."
  [[tag of from :as key] offset size]
  (if (= tag :window)
    [:window of (type/signed+ from offset) size]
    [:window key offset size]))

(defn- in-memory
  "The key of the rows of a place in a memory that has this key and so many rows."
  [{:keys [shape ring]} key all {:keys [row rows] own-shape :shape}]
  (let [row (if ring (in-ring row all) row), row-size (type/size (or own-shape shape))
        own (type/dim* rows row-size)]
    (if (and (= 0 row) (= own (type/dim* all (type/size shape))))
      key
      (window key (type/signed* row row-size) own))))

(defn memory-of
  "The function from a node to the key of its memory. `alias`, {node node}, has those that lie where
  others do, `over` is that of `rows`."
  [{:keys [places memories within] :as g} alias over]
  (letfn [(of-rows [in] (if-let [id (get within in)] (of-node id) [:rows in]))
          (of-node [id]
            (let [id (get alias id id), {:keys [of in offset size] :as place} (get places id)]
              (cond (nil? place) [:node id]
                    in (in-memory (get memories in) (of-rows in) (rows g over in) place)
                    :else (window (of-node of) offset size))))]
    (memoize of-node)))
