(ns damo.compile.pass.loop.unite
  "Two loops of equal rounds as one: their bodies side by side. They make the same rounds where
  their :steps are equal, and, where they may end early, their until conditions are the same once
  the arguments stand in them.
  (together l m) is the loop of two that are taken apart, or nil."
  (:require [damo.compile.pass.loop.carry :as carry]
            [damo.data.graph :as graph]))

(set! *warn-on-reflection* true)

(defn- moved-reads [reads carries]
  (mapv #(if (= :carry (first %)) (update % 1 + carries) %) reads))

(defn both
  "The graph of two bodies, its parameters those of the first, of which there are `n`, then those of
  the second, its outputs in the order that (arrange outputs-1 outputs-2) gives."
  [one two n arrange]
  (let [b (graph/builder)
        add! (fn [g by]
               (let [ids (graph/sweep! g (fn [_ node args type note]
                                           (graph/keep-node!
                                            b (if (= :param (graph/op-of node))
                                                (update-in node [1 :at] + by)
                                                node)
                                            args type note)))]
                 [(mapv ids (:outputs g)) (mapv ids (:keep g))]))
        [[first-outputs kept] [outputs more]] [(add! one 0) (add! two n)]]
    (graph/finish b (arrange first-outputs outputs) (into kept more))))

(defn- beside
  "One loop that does what two do, in as many rounds as the first; its results are those of the
  first, then those of the second. Where they may end early both say so, the first last."
  [{:keys [firsts reads results] :as one} two]
  (let [n (count firsts), m (count (:firsts two)), until? (:until (:attrs one))
        kept-1 (- (count (:outputs (:body one))) n (if until? 1 0))
        split (fn [outputs c] [(subvec outputs 0 c)
                               (cond-> (subvec outputs c) until? pop)
                               (when until? [(peek outputs)])])
        arrange (fn [a b] (let [[c1 k1 u1] (split a n), [c2 k2 u2] (split b m)]
                            (vec (concat c1 c2 k1 k2 u2 u1))))
        place-1 (fn [o] (if (< o n) o (+ o m)))
        place-2 (fn [o] (if (< o m) (+ n o) (+ n kept-1 o)))]
    (assoc one
           :firsts (into firsts (:firsts two))
           :reads (into reads (moved-reads (:reads two) n))
           :results (into (mapv #(update % 0 place-1) results)
                          (map #(update % 0 place-2)) (:results two))
           :body (both (:body one) (:body two) (count reads) arrange))))

(defn- one-until
  "The loop of two that end by one condition, where that is one once equal carries are; nil where it
  is not."
  [l]
  (let [{agreed :loop} (carry/agreement l), outputs (:outputs (:body agreed))]
    (when (= (peek outputs) (peek (pop outputs)))
      (update-in l [:body :outputs] #(conj (pop (pop %)) (peek %))))))

(defn together
  "The loop that does what two do, or nil where they do not make the same rounds."
  [{a :attrs, :as one} {b :attrs, :as two}]
  (let [same (juxt :steps :until :as)]
    (when (and (= (:op one) (:op two)) (= (same a) (same b)) (= (:unless one) (:unless two)))
      (cond-> (beside one two) (:until a) one-until))))
