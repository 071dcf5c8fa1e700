(ns damo.model
  "Compiled functions in files: programs, the state they share, and the form of their results, written and read by the
  Java core. (save \"m.damo\" {:predict f}) and (load \"m.damo\") = {:predict f}."
  (:refer-clojure :exclude [load])
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [damo.fail :as fail :refer [fail!]]
            [damo.function :as function]
            [damo.run :as run])
  (:import [damo Damo]
           [damo.function Compiled]
           [damo.runtime Model State]
           [java.util LinkedHashMap Map]))

(set! *warn-on-reflection* true)

(defn- check! [functions]
  (when-not (and (map? functions) (seq functions) (every? #(instance? Compiled %) (vals functions)))
    (fail! ::not-functions
           (str "save takes a map of name to compiled function, {:predict f}; got " (pr-str functions))
           {:given functions})))

(defn- shared-states
  "{name State} of all functions; fails when one name means two states."
  [functions]
  (reduce (fn [all [state-name state]]
            (let [other (get all state-name state)]
              (when-not (identical? other state)
                (fail! ::two-states-of-one-name
                       (str "two different shared variables of these functions are called " state-name
                            "; give them different names to save them in one file")
                       {:name state-name}))
              (assoc all state-name state)))
          {} (mapcat #(:states (function/info %)) (vals functions))))

(defn save
  "Writes a map of name to compiled function, with their state, to a file, atomically; returns the file."
  [file functions]
  (check! functions)
  (let [programs (LinkedHashMap.), states (LinkedHashMap.), forms (LinkedHashMap.)]
    (doseq [[k f] functions]
      (.put programs (name k) (run/program-text (:program (function/info f))))
      (.put forms (name k) (pr-str (function/form f))))
    (doseq [[k s] (shared-states functions)] (.put states (str k) s))
    (run/translating (.save (Model/of programs states forms) (.toPath (io/file file))))
    file))

(defn load
  "The compiled functions of a file, by keyword. They share their state."
  [file]
  (run/translating
   (let [model (Damo/load (.toPath (io/file file)))]
     (into {} (for [n (.names model)]
                [(keyword n)
                 (function/wrap (.function model n) (edn/read-string (.info model n))
                                {:program (edn/read-string (.get (.programs model) n))
                                 :states (into {} (map (fn [[k s]] [(symbol k) s])) (.states model)), :trace []})])))))
