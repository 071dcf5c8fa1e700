(ns damo.diff.loop.rerun
  "Rounds of a loop made once more, inside the derivative of it: so many as a value says, from a
  round on that a value says. In: a situation of damo.diff.loop.reverse, a builder, ids there. Out:
  the windows behind."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff.loop.bodies :as bodies]
            [damo.diff.node :as node]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(def counter "The type of numbers of rounds." [:i64 []])

(defn node!
  "The id of a loop in builder `to` that makes rounds until its last output says that it was the
  last, none where node `unless` holds. `firsts` are the ids of the first rows of its carries; for
  each token of its body, as `bodies/closed` has it, (spec token) is [:all id], [:carry c row] or
  [:turn]."
  [{:keys [b id]} to {:keys [firsts unless attrs]} {:keys [body tokens notes]} spec]
  (let [[carries args] (bodies/with-arguments [] firsts)
        [unless args] (bodies/with-argument args unless)
        [params args] (reduce (fn [[params args] token]
                                (let [[what x & more :as own] (spec token)]
                                  (if (= :all what)
                                    (let [[at args] (bodies/with-argument args x)]
                                      [(conj params [:all at]) args])
                                    [(conj params own) args])))
                              [[] args] tokens)]
    (op/emit! to (graph/op-of (graph/node b id))
              (assoc attrs :params params, :carries carries, :unless unless, :body body
                     :until true)
              (mapv op/->Id args)
              (cond-> (select-keys (graph/note b id) [:src])
                (seq notes) (assoc :inner {[:body] notes})))))

(defn- read-here!
  "The id in builder `to` of what parameter k of the loop is in round [:base] + t; nil where the
  parameter may stay."
  [{:keys [attrs types]} to own! k]
  (let [[what a from by] (nth (:params attrs) k), turn (own! [:turn] counter)
        round (fn [] (node/emit-template! to turn {'?t turn, '?b (own! [:base] counter)}
                                          '[:add ?t ?b]))]
    (case what
      :turn (round)
      :each (node/emit-template! to turn {'?x (own! [:arg a] (nth types a)), '?t (round)}
                                 [:take {:axis 0} '?x
                                  (if (= 1 by)
                                    [:add [:dim {:dim from}] '?t]
                                    [:sub [:dim {:dim from}] [:add 1 '?t]])])
      nil)))

(defn- some-rounds-body
  "What `bodies/closed` gives for a round of the loop, its sequences read where [:base] and the turn
  say, which is the last when [:rounds] are made."
  [{:keys [attrs] :as s}]
  (let [b (graph/builder), notes (get-in (graph/note (:b s) (:id s)) [:inner [:body]])
        outs (bodies/opened! b (:body attrs) notes), n (count (:carries attrs))
        turn (bodies/param! b [:turn] counter), rounds (bodies/param! b [:rounds] counter)
        last? (node/emit-template! b turn {'?t turn, '?n rounds} '[:ge [:add 1 ?t] ?n])]
    (bodies/closed b (conj (subvec outs 0 n) last?) {} []
                   (fn [to own! token]
                     (when (integer? token) (read-here! s to own! token))))))

(defn some-rounds!
  "The ids in builder `to` of the windows after `rounds` rounds, one at least, from round `base` on,
  all ids there, as are `windows`, the windows before; none are made where node `none` holds; (arg
  a) is argument a of the loop."
  [{:keys [attrs types] :as s} to {:keys [windows rounds base none arg]}]
  (let [depth (fn [a] (first (type/shape-of (nth types a))))
        results (vec (map-indexed (fn [c a] [c (depth a)]) (:carries attrs)))
        spec (fn [token]
               (let [[what at row] (if (integer? token) (nth (:params attrs) token) token)]
                 (case what
                   (:all :arg) [:all (arg at)]
                   :carry [:carry at row]
                   :turn [:turn]
                   :rounds [:all rounds]
                   :base [:all base])))
        id (node! s to {:firsts windows, :unless none, :attrs {:steps nil, :results results}}
                  (some-rounds-body s) spec)]
    (mapv #(node/part! to id %) (range (count results)))))
