(ns damo.compile.pass.loop.unread
  "What a loop gives and nobody reads: results without a part, outputs and carries that no result
  and no other carry needs. What may stop a call stays: that an index is out of range is a failure,
  also where its value does not matter.
  (dropped g) is g with loops of less."
  (:require [damo.compile.pass.loop.form :as form]
            [damo.compile.pass.parts :as parts]
            [damo.data.graph :as graph]
            [damo.meaning.failing :as failing]))

(set! *warn-on-reflection* true)

(defn- carries-read
  "The carries whose windows these nodes of the body of a loop read, what they need included."
  [{:keys [body] :as l} ids]
  (into #{} (keep #(let [[what c] (form/read-of l %)] (when (= :carry what) c)))
        (graph/live body ids)))

(defn- needed-by
  "These outputs and those that they need round after round."
  [l outputs]
  (loop [known (set outputs)]
    (let [more (into known (carries-read l (form/outputs-of l known)))]
      (if (= more known) known (recur more)))))

(defn needed
  "The outputs of a loop that the results at these positions need, or that may stop a call."
  [{:keys [results body] :as l} read]
  (let [until (form/until-output l), stops (failing/stopping body)
        wanted (needed-by l (cond-> (into (carries-read l (:keep body))
                                          (map (comp first results)) read)
                              until (conj until)))
        computed (set (graph/live body (form/outputs-of l wanted)))
        fails? (fn [o] (some #(and (stops %) (not (computed %)))
                             (graph/live body (form/outputs-of l [o]))))]
    (needed-by l (into wanted (filter fails?) (range (count (:outputs body)))))))

(defn restricted
  "The loop with these outputs alone, and the results at these positions."
  [{:keys [firsts body results reads] :as l} outputs positions]
  (let [outputs (vec (sort outputs)), place (zipmap outputs (range))
        still? #(or (not= :carry (first %)) (place (second %)))]
    (assoc l
           :firsts (into [] (comp (filter #(form/carry? l %)) (map firsts)) outputs)
           :reads (mapv #(if (and (= :carry (first %)) (still? %)) (update % 1 place) %) reads)
           :results (mapv #(update (nth results %) 0 place) positions)
           :body (assoc body :outputs (form/outputs-of l outputs)))))

(defn- dropped-from
  "The loop without what is not read, of the results at the positions `read`; nil where all is."
  [{:keys [body results] :as l} read]
  (let [outputs (needed l read)]
    (when-not (and (= (count read) (count results)) (= (count outputs) (count (:outputs body))))
      (restricted l outputs read))))

(defn dropped
  "The graph with what is not read dropped from its loops."
  [g]
  (let [read (parts/parts g)]
    (form/replaced g (fn [b id l]
                       (let [positions (vec (sort (keys (read id))))]
                         (when-let [less (dropped-from l positions)]
                           (update (form/renewed! b less) :parts #(zipmap positions %))))))))
