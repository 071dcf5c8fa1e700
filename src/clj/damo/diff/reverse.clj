(ns damo.diff.reverse
  "Reverse mode: gradients pulled back from what is differentiated, node by node, from the forms
  :partials, :transpose and :lop; an op without one is differentiated through its :expand.
  (pull-back! b {9 g} {} [0] stops) is {:grads {0 id …} :reached ids}."
  (:require [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.diff.holders :as holders]
            [damo.diff.mask :as mask]
            [damo.diff.node :as node]
            [damo.diff.reach :as reach]
            [damo.op :as op]
            [damo.rules.smooth :as smooth])
  (:import [java.util BitSet HashMap]))

(set! *warn-on-reflection* true)

(declare pull-back!)

(defn- fitted!
  "A contribution in the type of the argument it belongs to: what broadcasting stretched is summed."
  [b from position id]
  (let [[op _ & args] (graph/node b from)
        [dtype shape] (node/gradient-type b (nth args position))
        [_ given] (graph/node-type b id)]
    (when-not (or (= given shape) (= :elementwise (op/kind op)) (:partials (op/entry op)))
      (fail! :damo.diff/bad-derivative
             (str "the derivative of " (name op) " in argument " position " has the shape "
                  (pr-str given) ", the argument " (pr-str shape))
             {:op op, :position position, :expected shape, :given given}))
    (node/cast-to! b from dtype
                   (if (= given shape)
                     id
                     (node/emit-template! b from {'?x id} [:sum-to {:shape shape} '?x])))))

(defn- reverse-templates
  "One template an argument (0: no contribution, nil: not differentiable), or nil when the entry
  declares no derivative."
  [b id]
  (let [{:keys [partials transpose lop]} (op/entry (graph/op-of (graph/node b id)))]
    (cond partials (mapv #(when (some? %) (node/times '?g %)) (node/form-of b id :partials))
          transpose (node/form-of b id :transpose)
          lop (node/form-of b id :lop))))

(defn- declared-contributions! [b id g positions templates]
  (let [[op _ & args] (graph/node b id)
        bindings (node/widened! b id (merge (op/bindings op args) (node/result-bindings! b id)
                                            (node/gradient-bindings! b id g)))]
    (doall
     (for [i positions
           :let [template (nth templates i nil)
                 template (if (nil? template) (node/no-derivative! b id i) template)]
           :when (not (and (number? template) (zero? template)))]
       [(nth args i) (fitted! b id i (mask/emit-contribution! b id bindings template))]))))

(defn contributions-of!
  "[source gradient] pairs of what lies between the sources and the root of a template that stands
  for a node, for its gradient g."
  [b g root sources]
  (let [{:keys [^HashMap grads]} (pull-back! b {root g} {} sources (reach/bits sources))]
    (for [a sources :when (.get grads a)] [a (.get grads a)])))

(defn- contributions!
  "[argument gradient] pairs of the arguments at these positions, for gradient g of node id. That of
  a node of several results is {result gradient}: each part gives it one."
  [b id g positions]
  (node/check-derivable! b id positions)
  (let [[op {:keys [at]} & args] (graph/node b id)]
    (case (op/kind op)
      :part [[(first args) {at g}]]
      :tuple (for [i positions :when (get g i)] [(nth args i) (get g i)])
      (let [{:keys [pull-back]} (holders/of (op/kind op)), templates (reverse-templates b id)]
        (cond pull-back (pull-back b id g positions)
              templates (declared-contributions! b id g positions templates)
              :else (contributions-of! b g (node/expansion! b id)
                                       (distinct (map #(nth args %) positions))))))))

(defn- ask!
  "Remembers in `asked` which result of a node the part `id` reaches."
  [b id ^HashMap asked]
  (let [[op {:keys [at]} x] (graph/node b id)]
    (when (= :part (op/kind op))
      (.put asked x (conj (or (.get asked x) #{}) at)))))

(defn pull-back!
  "{:grads {id gradient}, :reached ids}: gradients of the nodes between the seeds {id gradient} and
  `wrt`. A known gradient replaces what would be computed; the arguments of `stops` get nothing.
  A node that is reached and has no gradient has the gradient 0."
  [b seeds known wrt ^BitSet stops]
  (let [grads (doto (HashMap. ^java.util.Map seeds) (.putAll known))
        roots (into (vec (keys seeds)) (keys known))
        marked (reach/between b roots wrt stops), reached (reach/bits roots)
        fixed (into (set wrt) (concat (keys known) (reach/members stops))), asked (HashMap.)]
    (loop [id (.previousSetBit reached (int (reduce max -1 roots)))]
      (when (<= 0 id)
        (when (and (.get marked id) (not (.get stops id)))
          (let [args (graph/args-of (graph/node b id))
                positions (reach/connected-positions b id marked (.get asked id))]
            (ask! b id asked)
            (doseq [i positions] (.set reached (int (nth args i))))
            (when-let [g (and (seq positions) (.get grads id))]
              (doseq [[a h] (if-let [{:keys [root sources]} (smooth/instead! b id fixed)]
                              (contributions-of! b g root (filter #(.get marked (int %)) sources))
                              (contributions! b id g positions))
                      :when (not (contains? known a))]
                (node/add-gradient! b grads a h)))))
        (recur (.previousSetBit reached (dec id)))))
    {:grads grads, :reached (doto reached (.and marked))}))
