(ns damo.rules.programs
  "Forms written as data, {:inputs {x [:f32 [n 3]]} :params {w [:f32 [3 4]]}
  :outputs [[:matmul x w]] :new {w [:neg w]}}, as graphs, and what the programs made of them do, as
  short data, for the tests of rules."
  (:require [damo.face.parse :as parse]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(defn built
  "{:graph :updates :inputs :states} of a form's :inputs, :params, :outputs and new values :new."
  [{:keys [inputs params outputs new]}]
  (let [named (fn [prefix es] (map-indexed (fn [k e] [(symbol (str prefix k)) e]) es))]
    {:graph (parse/parse {:inputs inputs, :params (update-vals (or params {}) #(hash-map :type %))
                          :outputs (into (array-map) (concat (named "out" outputs)
                                                             (named "new" (vals new))))})
     :updates (zipmap (keys new) (iterate inc (count outputs)))
     :inputs (vec inputs), :states (vec params)}))

(defn- product-text
  "A product as [m n k], with its factor and that of its addend where they are not 1 and 0."
  [{:keys [m n k alpha beta batch]}]
  (let [factor #(if (map? %) 's (Double/parseDouble (str (float %))))]
    (cond-> [m n k]
      (not= 1.0 alpha) (conj :alpha (factor alpha))
      (not= 0.0 beta) (conj :beta (factor beta))
      batch (conj :batch (mapv :extent batch)))))

(defn steps
  "What a program does: its products, and the names of its kernels."
  [{:keys [steps kernels]}]
  (mapv (fn [{:keys [do kernel] :as step}]
          (case do
            :gemm (product-text step)
            :kernel (symbol (:name (kernels kernel)))))
        steps))

(defn temporaries
  "The number of temporary buffers of a program."
  [{:keys [buffers]}]
  (count (filter #(= :temp (:kind %)) buffers)))
