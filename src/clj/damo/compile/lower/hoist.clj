(ns damo.compile.lower.hoist
  "Moves values and checked indices out of the loops that do not change them: LLVM moves no check,
  and vectorises no loop around one. Kernel body in, kernel body out."
  (:require [clojure.set :as set]))

(set! *warn-on-reflection* true)

(defn- symbols [x] (into #{} (filter symbol?) (tree-seq vector? seq x)))

(defn- changed
  "What the statements of a loop bind or change: names, and the parameters that they store to."
  [body]
  (into #{} (mapcat (fn [[head a :as s]]
                      (case head
                        (:let :var :index :local :set :store) [a]
                        :acc [(nth s 2)]
                        :for (cons a (changed (drop 3 s)))
                        :if (changed (drop 2 s))
                        nil)))
        body))

(defn- loaded
  "The parameters and local arrays that an expression loads from."
  [x]
  (into #{} (comp (filter #(and (vector? %) (= :load (first %)))) (map second))
        (tree-seq vector? seq x)))

(defn- movable?
  "May a statement stand before a loop that changes these?"
  [changes [head :as s]]
  (and (or (= head :index) (= head :let))
       (let [more (subvec s 2)] (not-any? changes (set/union (symbols more) (loaded more))))))

(defn- split
  "[moved kept] of the statements of a loop over `i`."
  [i body]
  (loop [moved [], kept body]
    (let [changes (conj (changed kept) i)
          more (filter #(movable? (disj changes (second %)) %) kept)]
      (if (empty? more)
        [moved kept]
        (recur (into moved more) (remove (set more) kept))))))

(defn hoist
  "A kernel body in which statements stand outside of the loops that do not change them. What a loop
  of no rounds would not look at, is looked at: where an index may be wrong a check has said so
  before."
  [body]
  (into []
        (mapcat (fn [[head i extent & inner :as s]]
                  (if (= head :for)
                    (let [[moved kept] (split i (hoist inner))]
                      (conj (vec moved) (into [:for i extent] kept)))
                    [s])))
        body))
