(ns damo.compile.lower.sorting
  "Kernels that sort the lines of an array along an axis, stably and with NaN at the end, or find
  the first :k of what is sorted. Elements become integers in that order (damo.compile.lower.keys).
  (sort-body cx id), (argsort-body cx id) and (both-body cx id) give [statements scratch]."
  (:require [damo.compile.lower :as lower]
            [damo.compile.lower.keys :as keys]
            [damo.compile.lower.leading :as leading]
            [damo.compile.lower.nests :as nests]
            [damo.compile.lower.ranks :as ranks]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(defn- way
  "How a line is sorted: {:statements function :memory {name [dtype size]}}."
  [key n k places?]
  (let [native {:keys [key n], :room [key n]}]
    (cond (not places?) {:statements leading/elements, :memory native}
          (= key :i32) {:statements leading/packed, :memory {:keys [:i64 n], :room [:i64 n]}}
          (= k n) {:statements ranks/statements, :memory (ranks/memory n)}
          :else {:statements leading/searched, :memory (assoc native :seen [:i64 k])})))

(defn- scratch-param [{:keys [id cx]} name dtype]
  (lower/param cx [:scratch [id name]] dtype :in)
  (lower/param cx [:scratch [id name]] dtype :out))

(defn- element-writer
  "The function that writes elements: made of their keys. Where zeros have one key, `zeros-equal`,
  they are read where they were, for their sign."
  [{:keys [cx n dtype descending read out] :as line} zeros-equal]
  (fn [body q key place]
    (let [v (keys/value-of cx body dtype key descending)]
      (if (and zeros-equal (type/float-dtype? dtype))
        (let [v (keys/named cx body "v" v)]
          (out body q v)
          (lower/emit! body (keys/conditional
                             [:eq v [:const dtype 0.0]]
                             (fn [inner]
                               (out inner q
                                    (read inner (if (symbol? place)
                                                  place
                                                  (keys/checked! line inner place n))))))))
        (out body q v)))))

(defn- line-at
  "The line whose elements stand where (at i) says; `element` and `place` are the parameters of the
  results, nil for what is no result."
  [{:keys [cx x dtype descending result-shape] :as line} {:keys [element place]} at]
  (let [strides (array/strides result-shape)
        index (fn [i] (lower/dense-index 0 strides (at i)))
        read (fn [body i] (let [at (at i)] (lower/read-at cx body at x at)))
        store (fn [p] (when p (fn [body q v] (lower/emit! body [:store p (index q) v]))))
        line (assoc line :read read, :out (store element), :index! (store place)
                    :result (fn [i] [:load place (index i)])
                    :in (fn [body i]
                          (keys/key-of! cx body dtype (read body i) descending (some? place))))]
    (assoc line :element! (when element (element-writer line (some? place))))))

(defn- body
  "[statements scratch] of the node; `results` says which node has which of its results in memory,
  {:element :place}."
  [{:keys [g] :as cx} id results]
  (let [[_ {:keys [axis descending k]} x] (nth (:nodes g) id)
        [from shape] (graph/type-of g x), n (nth shape axis), dtype (type/computed from)
        key (keys/key-dtype dtype), k (or k n)
        {:keys [statements memory]} (way key n k (some? (:place results)))
        out (fn [what dtype] (when-let [of (what results)] (lower/param cx [:node of] dtype :out)))
        params {:element (out :element from), :place (out :place :i64)}
        line {:cx cx, :id id, :x x, :n n, :k k, :dtype dtype, :key key, :descending descending
              :result-shape (assoc shape axis k)}]
    (when (:places memory) (lower/param cx [:node (:place results)] :i64 :in))
    [(nests/statements
      cx (into (subvec shape 0 axis) (subvec shape (inc axis)))
      (fn [body lead]
        (let [line (merge (line-at line params
                                   (fn [i] (vec (concat (take axis lead) [i] (drop axis lead)))))
                          (into {} (for [[name [d]] memory] [name (scratch-param line name d)])))]
          (run! #(lower/emit! body %) (statements line)))))
     (into {} (for [[name [d size]] memory] [[:scratch [id name]] {:dtype d, :size size}]))]))

(defn argsort-body
  "[statements scratch] of the node: the permutation that sorts the lines along :axis."
  [cx id]
  (body cx id {:place id}))

(defn sort-body
  "[statements scratch] of the node: the lines along :axis, sorted."
  [cx id]
  (body cx id {:element id}))

(defn both-body
  "[statements scratch] of the node with both results, the lines sorted and the permutation."
  [cx id]
  (let [{element 0, place 1} (get-in cx [:sched :parts id])]
    (body cx id {:element element, :place place})))
