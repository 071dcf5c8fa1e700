(ns damo.compile.plan.host
  "Steps of a program that kernels of the application run: whole arrays in, one whole array out.
  (step cx id) is such a step for a node, with memory keys that `resolve-buffers` replaces."
  (:require [damo.data.fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(defn op-name
  "The name of an op as programs have it: \"half\", \"my.lib/half\"."
  [op]
  (subs (str op) 1))

(defn- plain?
  "Is x data that a program can hold?"
  [x]
  (cond (vector? x) (every? plain? x)
        (map? x) (every? plain? (mapcat identity x))
        :else (or (nil? x) (boolean? x) (int? x) (float? x) (string? x) (keyword? x)
                  (symbol? x))))

(defn- check-attrs! [op attrs]
  (doseq [[k v] attrs :when (not (plain? v))]
    (fail! :damo.plan.host/bad-attribute
           (str "the attribute " k " of the op " op " is " (pr-str v) "; attributes are plain data:"
                " numbers, booleans, strings, keywords, symbols, and vectors and maps of them"
                "\n  try: give arrays as arguments, and choose functions by a keyword")
           {:op op, :attribute k, :given v})))

(defn step
  "The :host step of a node; inputs and output are {:memory key :shape dims}. Fails with
  :damo.plan.host/bad-attribute when an attribute is no plain data."
  [{:keys [g sched note-of]} id]
  (let [[op attrs & args] (nth (:nodes g) id)
        _ (check-attrs! op attrs)
        array (fn [a base] {:memory [:node base], :shape (type/shape-of (graph/type-of g a))})
        ins (mapv #(array % (:base ((:layouts sched) %))) args)
        out (array id id)]
    {:do :host, :op (op-name op), :attrs attrs, :ins ins, :out out, :note (note-of id)
     :args (mapv :memory (conj ins out))}))

(defn resolve-buffers
  "The step with buffer ids in place of memory keys."
  [step buffer-of]
  (let [resolved (fn [{:keys [memory shape]}] {:buffer (buffer-of memory), :shape shape})]
    (-> (dissoc step :args)
        (update :ins #(mapv resolved %))
        (update :out resolved))))
