(ns damo.compile.pass.traces
  "The memory of what loops give round after round (damo.compile.pass.looped): which outputs of a
  body are needed, whether all their rows are kept or a ring of the last, where results lie in it.
  (memory attrs types note 0 [[0 :all]]) = {:dtype :f32, :shape [64], :depth 1, :rows [:+ 1 n]}."
  (:require [damo.compile.pass.scoped :as scoped]
            [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.poly :as poly]
            [damo.data.type :as type]
            [damo.meaning.failing :as failing]
            [damo.op.body :as body]
            [damo.op.looping :as looping]))

(set! *warn-on-reflection* true)

;; ## Rows

(defn difference
  "The difference of two dims, which may be negative."
  [a b]
  (poly/to-dim (poly/of-dim [:- a b])))

;; ## What is needed

(defn wanted
  "{output [result …]}: the results that are used, of positions `parts`, by the output of the body."
  [{:keys [results]} parts]
  (group-by first (keep-indexed #(when (parts %1) %2) results)))

(defn- carries-read
  "The carries of which nodes of the body, those below these ids, read rows."
  [{:keys [params]} body ids]
  (for [id (graph/live body ids) :let [[op {:keys [at]}] (graph/node-at body id)]
        :when (= op :param) :let [[what c] (nth params at)] :when (= what :carry)]
    c))

(defn- may-fail?
  "May what runs for one of these nodes of a body stop a call?"
  [body ids]
  (some #(or (failing/in-kernel? body %)
             (seq (failing/requirements (graph/op-at body %) (graph/attrs-at body %)
                                        (mapv (partial graph/type-of body)
                                              (graph/args-at body %)))))
        ids))

(defn failing
  "The positions of the outputs of a body, besides those that are `sure` to be computed, for which
  what may fail would run."
  [body sure]
  (let [{:keys [outputs] :as body} (body/opened body nil)
        below (set (graph/live body (map outputs sure)))]
    (filter #(may-fail? body (remove below (graph/live body [(outputs %)])))
            (remove (set sure) (range (count outputs))))))

(defn needed
  "The outputs of the body that are computed, in order: those of results that are `wanted`, of
  carries that the body reads for them, whether the loop ends, and what may fail."
  [{:keys [until] {:keys [outputs] :as body} :body :as attrs} wanted]
  (let [closed (fn [found]
                 (let [more (into found (carries-read attrs (body/opened body nil)
                                                      (map outputs found)))]
                   (if (= more found) found (recur more))))
        sure (closed (cond-> (set (keys wanted)) until (conj (dec (count outputs)))))]
    (vec (sort (closed (into sure (failing body sure)))))))

;; ## Memory

(defn- endless! [note o]
  (fail! :damo.flat/endless-memory
         (str "all rows of output " o " of a loop are wanted, and nothing bounds how many rounds it"
              " makes" (fail/facts-text (:src note))
              "\n  try: say how many there are at most (:max-steps), or keep the last rows alone"
              " (:keep)")
         (merge {:output o} (:src note))))

(defn memory
  "The memory of output o, given the results that are wanted of it: all :rows, :backwards where they
  lie so, or a :ring of the rows that later rounds and the results need, one less where the new row
  may be written :over the oldest; `shape` is that of its rows outside of the body."
  [{:keys [steps] :as attrs} types note o shape results]
  (let [[dtype] (looping/output-type attrs o), depth (looping/depth attrs types o)
        most (map second results), total (looping/total attrs types o)
        last-rows (reduce max 0 (filter integer? most))
        ring (max last-rows (if (pos? depth) (inc depth) 1))
        memory {:dtype dtype, :shape shape, :depth depth}]
    (cond (and (every? integer? most)
               (not (and (integer? total) (<= total ring) (< 1 last-rows))))
          (assoc memory :ring ring, :over? (and (pos? depth) (<= last-rows 1)))
          (nil? steps) (endless! note o)
          :else (assoc memory :rows total
                       :backwards (and (zero? depth) (not (looping/counts? attrs))
                                       (every? looping/backwards? results))))))

(defn row-shape
  "The shape of the rows of output o, in the dims of the body."
  [attrs o]
  (type/shape-of (looping/output-type attrs o)))

(defn next-row
  "The row of its memory that an output has in round t."
  [{:keys [depth rows backwards]} t]
  (if backwards (difference rows (type/dim+ 1 t)) (type/dim+ depth t)))

;; ## Results

(defn- turned
  "How the rows of an array lie in the opposite order."
  [rows shape]
  (let [[stride & more] (array/strides (into [rows] shape))]
    {:offset (type/signed* stride (difference rows 1))
     :strides (into [(type/signed* -1 stride)] more)}))

(defn- last-of-ring
  "A maker of the last rows of a ring in their order."
  [memory {:keys [dtype shape ring]} total rows back?]
  (fn [writer of _ note]
    (let [whole (scoped/place! writer (scoped/add! writer [:part {:at memory}] [of]
                                                   [dtype (into [ring] shape)] note)
                               {:in memory, :row 0, :rows ring} nil)
          iota [:iota {:shape [rows], :axis 0, :dtype :i64}]
          row (if back?
                [:sub [:dim {:dim total}] [:add iota 1]]
                [:add [:dim {:dim (difference total rows)}] iota])]
      (scoped/template! writer [:take {:axis [0]} '?x
                                [:check-index {:extent ring} [:mod row ring]]]
                        {'?x whole} note))))

(defn result
  "Where a result lies in the memory of its output, {:place :strided}, or {:make f}, what makes it."
  [attrs types key {:keys [ring shape backwards] :as memory} [o most :as wish]]
  (let [rows (looping/rows attrs types wish), total (looping/total attrs types o)
        back? (boolean (looping/backwards? wish))]
    (cond (and ring (= 1 most))
          {:place {:in key, :row (difference total 1), :rows rows}}
          ring {:make (last-of-ring key memory total rows back?)}
          :else {:place {:in key, :row (if backwards 0 (difference total rows)), :rows rows}
                 :strided (when (not= back? (boolean backwards)) (turned rows shape))})))
