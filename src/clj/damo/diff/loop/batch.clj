(ns damo.diff.loop.batch
  "A loop on a batch is a loop of batched bodies: the axis of the batch lies behind that of the
  rows, so that a round reads and writes rows of all elements together. What ends the loop must be
  the same for all elements. In: a builder, a loop, its operands as damo.diff.batch has them. Out:
  the id of a :tuple of its results, the batch axis in front of each."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff.batch :as batch]
            [damo.diff.loop.bodies :as bodies]
            [damo.diff.node :as node]
            [damo.diff.reach :as reach]
            [damo.op :as op])
  (:import [java.util BitSet]))

(set! *warn-on-reflection* true)

;; ## What depends on the batch

(defn- dependent-outputs
  "The outputs of the inner builder that depend on these ids."
  [inner outs ids]
  (let [found (reach/dependent inner outs ids (reach/bits ids)
                               (fn [id ^BitSet found]
                                 (some #(.get found (int %))
                                       (graph/args-of (graph/node inner id)))))]
    (into #{} (keep-indexed (fn [o id] (when (.get found (int id)) o))) outs)))

(defn- varying
  "{:params :outputs}: the parameters and outputs of the body that depend on the batch, over all
  rounds; `batched?` tells of arguments."
  [{:keys [attrs inner outs batched?]}]
  (let [{:keys [params carries]} attrs, ids (bodies/params inner)
        carried (fn [outputs] (into #{} (filter #(< % (count carries))) outputs))]
    (loop [active (into #{} (keep-indexed (fn [c a] (when (batched? a) c))) carries)]
      (let [ks (into #{} (keep-indexed (fn [k [what at]]
                                         (when (case what (:each :all) (batched? at)
                                                     :carry (active at) :turn false)
                                           k)))
                     params)
            outputs (dependent-outputs inner outs (keep ids ks))
            more (into active (carried outputs))]
        (if (= more active)
          {:params ks, :outputs (into outputs active)}
          (recur more))))))

;; ## The loop

(defn- axes-swapped!
  "The id with its first two axes swapped."
  [b id x]
  (let [rank (count (type/shape-of (graph/node-type b x)))]
    (node/emit-template! b id {'?x x} [:transpose {:axes (into [1 0] (range 2 rank))} '?x])))

(defn- in-front! [b id x n]
  (let [shape (into [n] (type/shape-of (graph/node-type b x)))]
    (node/emit-template! b id {'?x x} [:broadcast-to {:shape shape} '?x])))

(defn- body!
  "What `bodies/closed` gives for the batched body; parameters that depend on the batch are tokens
  [:batched k]."
  [{:keys [inner outs n varying]}]
  (let [ids (select-keys (bodies/params inner) (:params varying))
        seeds (into {} (for [[k id] (sort ids) :let [[dtype shape] (graph/node-type inner id)]]
                         [id (bodies/param! inner [:batched k] [dtype (into [n] shape)])]))
        at (vec (sort (:outputs varying)))
        made (zipmap at (batch/batched inner (mapv outs at) seeds n))
        outputs (vec (map-indexed (fn [o id] (get made o id)) outs))]
    (bodies/closed inner outputs {} [] (constantly nil))))

(defn- rows-of!
  "The id of the batched argument a, its rows in front."
  [{:keys [b id operands n]} a]
  (let [{:keys [batched] x :id} (nth operands a)]
    (axes-swapped! b id (or batched (in-front! b id x n)))))

(defn- spec
  "[params args] with what the parameter of that token is."
  [{:keys [attrs operands] :as s} [params args] token]
  (let [own? (integer? token), [what a & more] (nth (:params attrs) (if own? token (second token)))
        id (case what
             :each (if own? (:id (nth operands a)) (rows-of! s a))
             :all ((if own? :id :batched) (nth operands a))
             nil)
        [at args] (if id (bodies/with-argument args id) [a args])]
    [(conj params (into (if at [what at] [what]) more)) args]))

(defn- result! [{:keys [b id n varying]} [o] part]
  (if ((:outputs varying) o) (axes-swapped! b id part) (in-front! b id part n)))

(defn- emit! [{:keys [b id attrs operands varying] :as s}]
  (let [{:keys [tokens] :as body} (body! s), {:keys [carries results unless]} attrs
        own #(:id (nth operands %))
        [params args] (reduce (partial spec s) [[] []] tokens)
        firsts (map-indexed (fn [c a] (if ((:outputs varying) c) (rows-of! s a) (own a))) carries)
        [carries args] (bodies/with-arguments args firsts)
        [unless args] (if unless (bodies/with-argument args (own unless)) [nil args])
        attrs (assoc attrs :params params, :carries carries, :unless unless)
        looped (bodies/emit! b id attrs args body)]
    (op/emit! b :tuple {}
              (mapv (fn [r result] (op/->Id (result! s result (node/part! b looped r))))
                    (range) results)
              (select-keys (graph/note b id) [:src]))))

(defn counterpart!
  "The id of a :tuple of the results of loop `id` for a batch of n of its operands; nil where the
  number of rounds depends on the batch."
  [b id operands n]
  (let [[_ {:keys [until unless] :as attrs}] (graph/node b id), inner (graph/builder)
        outs (bodies/opened! inner (:body attrs) (get-in (graph/note b id) [:inner [:body]]))
        s {:b b, :id id, :attrs attrs, :operands operands, :n n, :inner inner, :outs outs
           :batched? #(:batched (nth operands %))}
        {:keys [outputs] :as varying} (varying s)]
    (when-not (or (and until (outputs (dec (count outs))))
                  (and unless (:batched (nth operands unless))))
      (emit! (assoc s :varying varying)))))
