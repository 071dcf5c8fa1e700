(ns damo.compile.plan.host
  "Steps of a program that kernels of the application run: whole arrays in, one whole array out.
  (step cx id) is such a step for a node, with memory keys that `resolve-buffers` replaces."
  (:require [damo.data.fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(defn op-name
  "The name of an op as programs have it: \"half\", \"my.lib/half\"."
  [op]
  (subs (str op) 1))

(defn- plain?
  "Is x data that a program can hold?"
  [x]
  (cond (or (vector? x) (set? x)) (every? plain? x)
        (map? x) (every? plain? (mapcat identity x))
        :else (or (nil? x) (boolean? x) (int? x) (float? x) (string? x) (char? x) (keyword? x)
                  (symbol? x))))

(defn- check-attrs! [op attrs]
  (doseq [[k v] attrs :when (not (plain? v))]
    (fail! :damo.plan.host/bad-attribute
           (str "the attribute " k " of the op " op " is " (pr-str v) "; attributes are plain data:"
                " numbers, booleans, strings, keywords, symbols, and vectors, sets and maps of"
                " them"
                "\n  try: give arrays as arguments, and choose functions by a keyword")
           {:op op, :attribute k, :given v})))

(defn- sized
  "{false {attribute data}, true {attribute dims}}: the attributes of a node that a call leaves as
  they are, and those in which it gives dims their values."
  [op attrs types]
  (reduce-kv (fn [m k x] (assoc-in m [(boolean (seq (op/dims-in op {k x} types))) k] x))
             {false {}} attrs))

(defn step
  "The :host step of a node; inputs and output are {:memory key :shape dims}. Fails with
  :damo.plan.host/bad-attribute when an attribute is no plain data."
  [{:keys [g sched note-of]} id]
  (let [[op attrs & args] (nth (:nodes g) id)
        _ (check-attrs! op attrs)
        {plain false, sizes true} (sized op attrs (delay (graph/types-at g id)))
        array (fn [a base] {:memory [:node base], :shape (type/shape-of (graph/type-of g a))})
        ins (mapv #(array % (:base ((:layouts sched) %))) args)
        out (array id id)]
    (cond-> {:do :host, :op (op-name op), :attrs plain, :ins ins, :out out, :note (note-of id)
             :args (mapv :memory (conj ins out))}
      sizes (assoc :sizes sizes))))

(defn resolve-buffers
  "The step with buffer ids in place of memory keys."
  [step buffer-of]
  (let [resolved (fn [{:keys [memory shape]}]
                   (let [to (buffer-of memory)]
                     (assoc (if (map? to) to {:buffer to}) :shape shape)))]
    (-> (dissoc step :args)
        (update :ins #(mapv resolved %))
        (update :out resolved))))
