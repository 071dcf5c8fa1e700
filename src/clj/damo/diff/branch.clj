(ns damo.diff.branch
  "Both modes of branches: the derivative of a branch is a branch of the derivatives of its cases,
  each computed inside its case, zeros where a case does not depend on what is differentiated by.
  In: a builder, a branch, gradients or tangents. Out: those of its arguments or results."
  (:require [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.diff.forward :as forward]
            [damo.diff.loop.bodies :as bodies]
            [damo.diff.loop.given :as given]
            [damo.diff.node :as node]
            [damo.diff.reach :as reach]
            [damo.diff.reverse :as reverse]
            [damo.op :as op]
            [damo.op.body :as body])
  (:import [java.util HashMap]))

(set! *warn-on-reflection* true)

(defn- float-results
  "The positions of the results of floats of branch `id`."
  [b id]
  (keep-indexed (fn [j [dtype]] (when (type/float-dtype? dtype) j))
                (tuple/types (graph/node-type b id))))

(defn- derived!
  "The ids of the results of a branch like `id` on its test and the arguments `args`, the bodies of
  whose cases are those of the outputs that (outputs-of builder outs) adds to them."
  [b id args as outputs-of]
  (let [[op attrs test] (graph/node b id), {:keys [src inner]} (graph/note b id)
        closed (mapv (fn [k body]
                       (let [to (graph/builder)
                             outs (bodies/opened! to body (get inner [:cases k]))]
                         (bodies/closed to (outputs-of to outs) {} (range (count args))
                                        (constantly nil))))
                     (range) (:cases attrs))
        notes (body/case-notes closed)
        node (op/emit! b op {:cases (mapv :body closed), :as (not-empty as)}
                       (mapv op/->Id (into [test] args))
                       (cond-> {} src (assoc :src src) (seq notes) (assoc :inner notes)))]
    (mapv #(node/part! b node %) (range (count (tuple/types (graph/node-type b node)))))))

(defn- fitted!
  "A gradient of what a branch gives as that of what a case of it gives, whose extents may differ:
  while the case runs they are equal. Elements are looked up, since what is stated of dims, as by
  specify-shape, would be required of calls that take another case."
  [b out g]
  (reduce (fn [g [axis d]]
            (if (= d (nth (type/shape-of (graph/node-type b g)) axis))
              g
              (node/emit-template! b out {'?g g}
                                   [:take {:axis [axis]} '?g [:iota {:shape [d], :axis 0}]])))
          g (map-indexed vector (type/shape-of (graph/node-type b out)))))

;; ## Reverse mode

(defn- pulled!
  "The ids of the gradients by the parameters at the positions `wanted`, of those types, in one
  case, for gradients of its results that are parameters, {result [position type]}."
  [b outs given wanted]
  (let [params (bodies/params b), seeds (HashMap.)
        targets (keep params (keys wanted))]
    (doseq [[j [at type]] given :let [out (nth outs j)]]
      (node/add-gradient! b seeds out (fitted! b out (bodies/param! b at type))))
    (let [{:keys [^HashMap grads]} (reverse/pull-back! b (into {} seeds) {} targets
                                                       (reach/bits []))]
      (mapv (fn [[at type]]
              (or (some->> (params at) (.get grads)) (node/uniform! b (first outs) type 0)))
            wanted))))

(defn contributions!
  "[argument gradient] pairs of a branch, for the gradients {result gradient}, of the arguments at
  these positions."
  [b id g positions]
  (let [args (subvec (graph/args-of (graph/node b id)) 1), wanted (mapv dec positions)
        given (filter g (float-results b id)), gradients (mapv g given)
        places (zipmap given (map vector (iterate inc (count args))
                                  (map #(graph/node-type b %) gradients)))
        types (into (sorted-map) (map (fn [a] [a (node/gradient-type b (nth args a))])) wanted)]
    (when (seq given)
      (map vector (map #(nth args %) (keys types))
           (derived! b id (into args gradients) nil #(pulled! %1 %2 places types))))))

;; ## Forward mode

(defn- pushed!
  "The ids of the tangents of the outputs of a case at the positions `wished`, for tangents of its
  parameters that are parameters, {position [position' type]}."
  [b outs given wished]
  (let [params (bodies/params b)
        tangents (into {} (for [[a [at type]] given :when (params a)]
                            [(params a) (bodies/param! b at type)]))
        ^HashMap found (forward/push-forward! b (mapv outs wished) tangents (reach/bits []))]
    (mapv (fn [out] (or (.get found out)
                        (node/uniform! b out (given/real (graph/node-type b out)) 0)))
          (map outs wished))))

(defn tangents!
  "{result tangent} of a branch, for the tangents {id tangent} of the arguments at these positions."
  [b id positions ^HashMap tangents]
  (let [[_ {:keys [as]} _ & args] (graph/node b id), args (vec args)
        through (reach/results-of (graph/node b id))
        wished (filterv #(some (nth through %) positions) (float-results b id))
        moved (mapv #(.get tangents (nth args (dec %))) positions)
        given (into {} (map (fn [position at t] [(dec position) [at (graph/node-type b t)]])
                            positions (iterate inc (count args)) moved))
        as (into {} (for [[[j axis] dim] as :let [i (.indexOf ^java.util.List wished j)]
                          :when (nat-int? i)]
                      [[i axis] dim]))]
    (zipmap wished (derived! b id (into args moved) as #(pushed! %1 %2 given wished)))))
