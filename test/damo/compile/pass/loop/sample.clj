(ns damo.compile.pass.loop.sample
  "Graphs with loops and branches written by hand, for tests of the passes that change them.
  (graph '{x [:f64 [n]]} [l [:loop {…} x]] [[:part {:at 0} l]]) is a graph of one output."
  (:require [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.face.parse :as parse]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.op.body :as body]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(defn graph
  "The graph of these inputs, {name type}, and outputs, forms over them and over what :let names."
  ([inputs outputs] (graph inputs [] outputs))
  ([inputs lets outputs]
   (parse/parse {:inputs inputs, :let lets
                 :outputs (apply array-map (mapcat (fn [k x] [(symbol (str "out" k)) x])
                                                   (range) outputs))})))

(defn body
  "The body of parameters [name type …], whose outputs are forms over them and what :let names."
  ([params outputs] (body params [] outputs))
  ([params lets outputs]
   (let [place (zipmap (take-nth 2 params) (range))
         g (graph (apply array-map params) lets outputs)]
     (body/check (dissoc (update g :nodes
                                 (partial mapv (fn [[op {:keys [name type]} :as node]]
                                                 (if (= op :input)
                                                   (body/param (place name) type)
                                                   node))))
                         :notes)))))

(defn at-op
  "The attributes of the live nodes of an op, those in graphs in nodes included."
  [g op]
  (mapcat (fn [id]
            (let [[own attrs] (graph/node-at g id)]
              (concat (when (= own op) [attrs])
                      (mapcat #(at-op (second %) op) (body/graphs own attrs)))))
          (graph/live g)))

(defn loops
  "The attributes of the loops of a graph, those in others included."
  [g]
  (filter some? (mapcat #(at-op g %) (filter #(= :loop (op/kind %)) (keys @op/registry)))))

(defn values
  "What a graph gives for inputs {name [shape numbers dtype]}, :f64 where it is left out, nested
  vectors; a dim n that no input tells has the value that `env` has for it."
  [g env]
  (let [arrays (filter (comp vector? val) env)]
    (mapv array/nested
          (eval/run g (into {} (map (fn [[k [shape xs dtype]]]
                                      [k (array/of (or dtype :f64) shape xs)]))
                            arrays)
                    (into {} (remove (comp vector? val)) env)))))

(defn error
  "The kind of failure of a graph on these inputs, nil when it does not fail."
  [g env]
  (try (values g env) nil (catch clojure.lang.ExceptionInfo e (:damo/error (ex-data e)))))
