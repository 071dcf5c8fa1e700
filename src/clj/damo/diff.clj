(ns damo.diff
  "Derivatives of graphs, from the forms that the ops declare: reverse mode (`grad`, `lop`) and
  forward mode (`rop`). In: a graph and ids. Out: {:graph g', :grads [id …]}: g' is the graph with
  the nodes of the derivative added, its ids unchanged. Linear in the nodes that lie between
  what is differentiated and `wrt`; others are not visited.
  (diff/grad g 5 [0] {}) gives node 5 differentiated with respect to node 0."
  (:require [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.unify :as unify]
            [damo.data.type :as type]
            [damo.diff.forward :as forward]
            [damo.diff.node :as node]
            [damo.diff.reach :as reach]
            [damo.diff.reverse :as reverse])
  (:import [java.util BitSet HashMap]))

(set! *warn-on-reflection* true)

(defn- check-float! [b ids]
  (doseq [id ids]
    (when-not (node/float-node? b id)
      (fail! ::integer-derivative
             (str "what is differentiated must be of a floating dtype; its type is "
                  (pr-str (graph/node-type b id)) (fail/facts-text (node/facts b id)))
             (node/facts b id)))))

(defn- check-seeds! [b seeds]
  (doseq [[id g] seeds :let [expected (node/gradient-type b id)]]
    (when-not (= expected (graph/node-type b g))
      (fail! ::bad-seed
             (str "the gradient or tangent of " (node/describe-node b id) " has the type "
                  (pr-str expected) "; given was " (node/describe-node b g))
             (let [unlike {:expected expected, :given (graph/node-type b g)}]
               (merge (node/facts b id) unlike
                      (some->> (unify/equal-advice unlike) (hash-map :try))))))))

(defn- disconnected!
  "Zeros of the type of node id, after raising or warning as `how` says, with what `facts` has: the
  expressions that do not depend on each other."
  [b id {:keys [outputs wrt]} how]
  (let [text (fn [title ids]
               (apply str (for [i ids] (str "\n  " title ": " (node/describe-node b i)))))
        message (str "what is differentiated does not depend on what it is differentiated by"
                     (text "of" (take 3 outputs)) (text "by" (take 3 wrt)))]
    (case how
      (nil :raise) (fail! ::disconnected message (node/facts b id))
      :warn (binding [*out* *err*]
              (println (str "WARNING: " message "\n  try: " (fail/advice ::disconnected))))
      :ignore nil)
    (node/uniform! b id (node/gradient-type b id) 0)))

(defn- loaded [graph]
  (let [b (graph/builder)] [b (graph/load-graph! b graph)]))

(defn- finished [b graph ids grads]
  {:graph (graph/finish b (mapv ids (:outputs graph))), :grads grads})

(defn- reverse-mode [b ids seeds known wrt {:keys [consider-constant disconnected]}]
  (check-seeds! b (concat seeds known))
  (let [{:keys [^HashMap grads ^BitSet reached]}
        (reverse/pull-back! b seeds known wrt (reach/bits (map ids consider-constant)))]
    (mapv (fn [id]
            (if (.get reached (int id))
              (node/found-or-zeros! b id grads)
              (disconnected! b id {:outputs (map first (concat seeds known)), :wrt [id]}
                             disconnected)))
          wrt)))

(defn- check-cost! [b cost wrt]
  (let [[dtype shape] (graph/node-type b cost)]
    (when-not (and (empty? shape) (or (type/float-dtype? dtype) (some #{cost} wrt)))
      (fail! ::non-scalar-cost
             (str "the cost of a gradient is one floating-point number, of type [:f32 []] or"
                  " [:f64 []]; this one has the type " (pr-str [dtype shape])
                  (fail/facts-text (node/facts b cost)))
             (cond-> (node/facts b cost)
               (not (type/float-dtype? dtype))
               (assoc :try "cast it to :f32 or :f64, or differentiate what it was made of"))))))

(defn- known-ids [ids known-grads]
  (into {} (map (fn [[id g]] [(ids id) (ids g)])) known-grads))

(defn grad
  "{:graph g' :grads [id …]}: the gradients of node `cost`, a float without axes, with respect to
  the nodes `wrt`, each of the type of its node (a float of that shape for an
  integer). Options: :known-grads {id gradient-id} replace
  gradients (cost may then be nil); :consider-constant [id …] are not differentiated through;
  :disconnected :raise (default), :warn or :ignore says what happens where the cost does not
  depend on a node: its gradient is then zeros.
  Integers count as real numbers where the gradient is with respect to them; computed ones pass
  nothing on. Three outcomes are failures of their own: ::disconnected, ::undefined (the derivative
  does not exist), ::not-implemented. Others: ::non-scalar-cost, ::integer-derivative, ::bad-seed."
  [graph cost wrt {:keys [known-grads] :as opts}]
  (let [[b ids] (loaded graph), cost (when cost (ids cost))
        known (known-ids ids known-grads)
        wrt (mapv ids wrt)]
    (when cost (check-cost! b cost wrt))
    (let [seeds (if cost {cost (node/uniform! b cost (node/gradient-type b cost) 1)} {})]
      (finished b graph ids (reverse-mode b ids seeds known wrt opts)))))

(defn- summed-seeds [b pairs]
  (let [seeds (HashMap.)]
    (doseq [[id g] pairs] (node/add-gradient! b seeds id g))
    (into {} seeds)))

(defn lop
  "{:graph g' :grads [id …]}: gradients · Jacobian of the nodes `outputs` with respect to `wrt`, in
  reverse mode. `gradients` are nodes of the types of the outputs. Options and failures as `grad`."
  [graph outputs gradients wrt {:keys [known-grads] :as opts}]
  (let [[b ids] (loaded graph), pairs (mapv vector (map ids outputs) (map ids gradients))]
    (check-float! b (map first pairs))
    (check-seeds! b pairs)
    (finished b graph ids
              (reverse-mode b ids (summed-seeds b pairs) (known-ids ids known-grads)
                            (mapv ids wrt) opts))))

(defn rop
  "{:graph g' :grads [id …]}: Jacobian · tangents, in forward mode: the tangents of the nodes
  `outputs` when the nodes `wrt` have the nodes `tangents`, of their types. Where an output depends
  on no wrt, the option :disconnected decides as in `grad`. Failures as `grad`."
  [graph outputs wrt tangents {:keys [consider-constant disconnected]}]
  (let [[b ids] (loaded graph), outputs (mapv ids outputs), wrt (mapv ids wrt)
        pairs (mapv vector wrt (map ids tangents)), stops (reach/bits (map ids consider-constant))]
    (check-float! b outputs)
    (check-seeds! b pairs)
    (let [marked (reach/between b outputs wrt stops)
          found (forward/push-forward! b outputs (summed-seeds b pairs) stops)]
      (finished b graph ids
                (mapv (fn [id]
                        (if (.get marked (int id))
                          (node/found-or-zeros! b id found)
                          (disconnected! b id {:outputs [id], :wrt wrt} disconnected)))
                      outputs)))))
