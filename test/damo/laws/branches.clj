(ns damo.laws.branches
  "Random branches over the nodes of a random graph: on a truth value or an integer, of one to three
  results, whose cases may differ in a dim. (drawn! b pool random grow) are the results of one."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.laws.inside :as inside :refer [chance one-of some-of]]
            [damo.laws.loops :as loops]
            [damo.op :as op])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(defn- index!
  "{:node i :cases n}: the case of a branch of n cases, rarely one that is not there; or nil."
  [b pool ^Random random]
  (let [ints (filterv #(and (:exact %) (type/int-dtype? (first (:type %)))) pool)]
    (if (and (seq ints) (chance random 0.5))
      (let [n (one-of random [1 2 2 3]), x (one-of random ints)
            i (inside/made! b {'?x x} [:mod [:sum [:cast {:dtype :i64} '?x]] n] true n)]
        {:cases n, :node (if (chance random 0.05) (inside/made! b {'?x i} [:add '?x 1] true n) i)})
      (when-let [t (inside/truth! b pool random)]
        {:cases 2, :node t}))))

(defn- cut!
  "The node with its first element along an axis left out, and {axis true}; or as it is."
  [b random {[_ shape] :type :as x}]
  (let [axes (filterv #(not= 0 (nth shape %)) (range (count shape)))]
    (if (and (seq axes) (chance random 0.25))
      (let [axis (one-of random axes)]
        [(inside/made! b {'?x x} [:slice {:start 1, :axis axis} '?x] true (:bound x)) axis])
      [x nil])))

(defn- chosen!
  "[nodes axes]: what a case gives in the places of the results `wanted`, and for each the axis in
  which it differs, or nil."
  [{:keys [b pool]} random wanted]
  (let [cut (mapv (fn [{:keys [type exact bound]}]
                    (cut! b random (inside/of-type! b pool random type exact (max 4 bound))))
                  wanted)]
    [(mapv first cut) (mapv second cut)]))

(defn- counted
  "The dims that a branch counts, {[result axis] symbol}, given the axes in which results of cases
  are cut."
  [axes-of-cases name]
  (into {} (for [axes axes-of-cases, [j axis] (map-indexed vector axes) :when axis]
             [[j axis] (symbol (str name "." j "." axis))])))

(defn drawn!
  "The results of a random branch over nodes of a pool; (grow b pool k) makes random steps in its
  cases."
  [b pool ^Random random grow]
  (let [pool (filterv #(< (inside/rank %) 4) pool)]
    (when-let [{:keys [node cases]} (index! b pool random)]
      (let [args (into [(one-of random pool)] (some-of random 3 pool))
            [inner & more :as inners] (vec (repeatedly cases #(inside/grown args random grow)))
            wanted (into [(one-of random (:pool inner))] (some-of random 2 (:pool inner)))
            wanted (filterv #(loops/known? (:b inner) %) wanted)]
        (when (seq wanted)
          (let [others (mapv #(chosen! % random wanted) more)
                name (str "case" (.nextInt random 1000000))
                outputs (into [wanted] (map first) others)
                id (op/emit! b :branch
                             {:cases (mapv #(inside/closed (:b %1) %2) inners outputs)
                              :as (not-empty (counted (map second others) name))}
                             (mapv (comp op/->Id :id) (into [node] args)) nil)]
            (loops/parts! b id (for [j (range (count wanted))]
                                 {:bound (apply max (map #(:bound (nth % j)) outputs))
                                  :exact (every? #(:exact (nth % j)) outputs)}))))))))
