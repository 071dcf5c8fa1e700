(ns damo.diff.loop.active
  "What of a loop derivatives pass through: from the attributes and the arguments that are
  differentiated by, the parameters, carries and outputs of its body that depend on them; and from
  the outputs that have a gradient, those that it reaches.
  (forwards attrs #{1}) = {:params #{0 2}, :carries #{0}, :outputs #{0 3}}."
  (:require [damo.data.type :as type]
            [damo.diff.reach :as reach]
            [damo.op.looping :as looping]))

(set! *warn-on-reflection* true)

(defn float-output?
  "Is output o of the body of a loop of floats?"
  [attrs o]
  (type/float-dtype? (type/dtype-of (looping/output-type attrs o))))

(defn- positions [pred xs] (into #{} (keep-indexed (fn [i x] (when (pred x) i))) xs))

(defn- of-floats
  "The carries of floats among these outputs."
  [{:keys [carries] :as attrs} outputs]
  (into #{} (filter #(and (< % (count carries)) (float-output? attrs %))) outputs))

(defn forwards
  "{:params :carries :outputs :inside}: the positions that depend on the arguments at the positions
  `wanted`, over all rounds; :inside has for each output the parameters that it depends on."
  [{:keys [params carries] :as attrs} wanted]
  (let [inside (reach/outputs-of (:body attrs))
        reads? (fn [active] (fn [[what at]]
                              (case what (:each :all) (wanted at), :carry (active at) :turn nil)))
        outputs (fn [ks] (positions #(some ks %) inside))]
    (loop [active (of-floats attrs (positions wanted carries))]
      (let [ks (positions (reads? active) params)
            more (into active (of-floats attrs (outputs ks)))]
        (if (= more active)
          {:params ks, :carries active, :outputs (outputs ks), :inside inside}
          (recur more))))))

(defn backwards
  "Of what `forwards` gave, what a gradient of the outputs `given` reaches: {:carries :outputs}."
  [{:keys [params]} {:keys [carries outputs inside] ks :params} given]
  (let [read-by (fn [o] (keep #(let [[what at] (nth params %)] (when (= :carry what) at))
                              (filter ks (nth inside o))))]
    (loop [reached (set given)]
      (let [more (into reached (comp (filter outputs) (mapcat read-by)) reached)]
        (if (= more reached)
          {:carries (sort (filter carries reached)), :outputs (sort (filter outputs reached))}
          (recur more))))))
