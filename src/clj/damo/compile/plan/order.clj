(ns damo.compile.plan.order
  "A program as people read it: its keys, and those of its steps, in the order of docs/program.md.
  The maps are array maps, so that a program has one text whatever the hashes of its keys are.
  (ordered {:steps [{:buffer 3, :do :count}], :name \"f\"}) prints :name first, and :do."
  (:require [clojure.set :as set]))

(set! *warn-on-reflection* true)

(def ^:private program-keys
  [:damo/program :name :dims :valued :counted :requires :buffers :inputs :state :outputs :consts
   :kernels :steps :notes])

(def ^:private step-keys
  [:do :op :kernel :var :extent :until :unless :test :dim :dtype :m :n :k :alpha :a :b :beta :c
   :batch :args :count :counted :note :steps :cases])

(defn- in-order
  "The map with these keys first, the others behind them by name."
  [order m]
  (let [others (sort (set/difference (set (keys m)) (set order)))]
    (apply array-map (mapcat #(find m %) (concat (filter #(contains? m %) order) others)))))

(defn- step-in-order [{:keys [steps cases] :as step}]
  (in-order step-keys (cond-> step
                        steps (update :steps (partial mapv step-in-order))
                        cases (update :cases (partial mapv (partial mapv step-in-order))))))

(defn ordered
  "The program, its meta data kept."
  [program]
  (-> (in-order program-keys (update program :steps (partial mapv step-in-order)))
      (with-meta (meta program))))
