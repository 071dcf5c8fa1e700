(ns damo.face.model
  "Compiled functions in files: programs, the state they share, and the form of their results,
  written and read by the Java core. (save \"m.damo\" {:predict f}) and (load \"m.damo\") =
  {:predict f}."
  (:refer-clojure :exclude [load])
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [damo.compile.host :as host]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.later :as later]
            [damo.data.thrown :as thrown]
            [damo.face.function :as function])
  (:import [damo.face.function Compiled]
           [damo.runtime Model State]
           [java.util LinkedHashMap Map]))

(set! *warn-on-reflection* true)

(def ^:private program-text (later/of 'damo.compile.pipeline/program-text))

(defn- check! [functions]
  (when-not (and (map? functions) (seq functions) (every? #(instance? Compiled %) (vals functions)))
    (fail! :damo.model/not-functions
           (str "save takes a map of name to compiled function, {:predict f}; got "
             (pr-str functions))
           {:given functions})))

(defn- shared-states
  "{name State} of all functions; fails when one name means two states."
  [functions]
  (reduce (fn [all [state-name state]]
            (let [other (get all state-name state)]
              (when-not (identical? other state)
                (fail! :damo.model/two-states-of-one-name
                       (str "two different shared variables of these functions are called "
                         state-name
                            "; give them different names to save them in one file")
                       {:name state-name}))
              (assoc all state-name state)))
          {} (mapcat #(:states (function/info %)) (vals functions))))

(defn- texts
  "A Java map from the names of functions to (text f)."
  ^Map [functions text]
  (let [m (LinkedHashMap.)]
    (doseq [[k f] functions] (.put m (name k) (text f)))
    m))

(defn- info-text
  "How results are handed out and, where sparse matrices are among them, what inputs there are."
  [f]
  (let [{:keys [ports]} (function/info f), form (function/form f)]
    (pr-str (if ports {:damo/form form, :damo/ports ports} form))))

(defn save
  "Writes a map of name to compiled function, with their state, to a file, atomically; returns the
  file."
  [file functions]
  (check! functions)
  (let [^Map states (into {} (map (fn [[k s]] [(str k) s])) (shared-states functions))
        downcasts (into #{} (for [[k f] functions :when (:allow-downcast (function/info f))]
                              (name k)))]
    (thrown/translating
     (.save (Model/of (texts functions #(program-text (:program (function/info %))))
                      states
                      (texts functions info-text)
                      downcasts)
            (.toPath (io/file file))))
    file))

(defn- loaded [^Model model ^String n]
  (let [info (edn/read-string (.info model n)), {:damo/keys [form ports]} (when (map? info) info)]
    (function/wrap (.function model n)
                   (if ports form info)
                   {:ports ports
                    :program (edn/read-string (.get (.programs model) n))
                    :states (into {} (map (fn [[k s]] [(symbol k) s])) (.states model))
                    :allow-downcast (.downcasts model n)
                    :trace []})))

(defn load
  "The compiled functions of a file, by keyword. They share their state. Ops of the application's
  own that they use are taken from the registry; fails with :damo/unknown-op when one is not there."
  [file]
  (thrown/translating
   (let [model (Model/load (.toPath (io/file file)) (host/kernels))]
     (into {} (map (fn [n] [(keyword n) (loaded model n)])) (.names model)))))
