(ns damo.bench.keep
  "Keeps the results of a run: writes them for this machine, and the page and charts anew."
  (:require [damo.bench.page :as page]
            [damo.bench.results :as results]))


(set! *warn-on-reflection* true)

(defn keep!
  "Keeps the rows of a suite; `versions` of the other programs, by name, and the machine's load when
  the run began."
  [suite versions load rows]
  (let [about (assoc (results/about suite versions) :load load)]
    (println "kept" (str (results/write! about rows)))
    (doseq [path (page/write!)] (println "wrote" path))))
