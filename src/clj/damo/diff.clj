(ns damo.diff
  "Derivatives of graphs, from the forms that the ops declare: reverse mode (`grad`, `lop`) and
  forward mode (`rop`). In: a graph and ids. Out: {:graph g', :grads [id …]}: g' is the graph with
  the nodes of the derivative added, its ids unchanged. Linear in the nodes that lie between
  what is differentiated and `wrt`; others are not visited.
  (diff/grad g 5 [0] {}) gives node 5 differentiated with respect to node 0."
  (:require [damo.expr :as expr]
            [damo.fail :as fail :refer [fail!]]
            [damo.graph :as graph]
            [damo.op :as op]
            [damo.type :as type])
  (:import [java.util BitSet HashMap]))

(set! *warn-on-reflection* true)

;; ## Nodes of the builder

(defn- describe-node [b id]
  (let [[op attrs] (graph/node b id), {:keys [type src]} (graph/note b id)]
    (str (name op) (when (:name attrs) (str " " (:name attrs))) " " (pr-str type)
         (when src (str ", written at " (fail/position-text src))))))

(defn- emit-template!
  "The id of a template, a vector or a name; its nodes carry the source position of node `from`."
  [b from bindings template]
  (op/instantiate! (op/emitter b (select-keys (graph/note b from) [:src])) bindings template))

(defn- uniform!
  "The id of a node of that type, all of whose elements are x."
  [b from [dtype shape] x]
  (let [attrs {:type [dtype []], :value (expr/const-value dtype x)}
        id (op/emit! b :const attrs [] (select-keys (graph/note b from) [:src]))]
    (if (empty? shape)
      id
      (emit-template! b from {'?x id} [:broadcast-to {:shape shape} '?x]))))

(defn- found-or-zeros!
  "The gradient or tangent of node id, zeros when none was found."
  [b id ^HashMap found]
  (or (.get found id) (uniform! b id (graph/node-type b id) 0)))

(defn- cast-to! [b from dtype id]
  (if (= dtype (type/dtype-of (graph/node-type b id)))
    id
    (emit-template! b from {'?x id} [:cast {:dtype dtype} '?x])))

(defn- sum! [b from x y]
  (emit-template! b from {'?x x '?y y} [:add '?x '?y]))

(defn- float-node? [b id]
  (type/float-dtype? (type/dtype-of (graph/node-type b id))))

(defn- context [b id]
  (let [[_ attrs & args] (graph/node b id)]
    {:attrs attrs, :types (mapv #(graph/node-type b %) args), :type (graph/node-type b id)}))

(defn- declared
  "The form that an entry declares under key k, for a node."
  [entry k ctx]
  (let [form (k entry)] (if (fn? form) (form ctx) form)))

(defn- no-derivative! [b id position]
  (let [[op] (graph/node b id), reason (:no-gradient (op/entry op))
        reason (if (map? reason) (reason position) reason)]
    (fail! ::no-gradient
           (str "the op " (name op) " cannot be differentiated"
                (when position (str " in its argument " position))
                (when reason (str ": " reason)) "\n  at " (describe-node b id)
                "\n  use :consider-constant to leave this path out of the derivative")
           {:op op, :id id, :position position, :reason reason})))

(defn- expansion!
  "The id of what a composite node stands for; fails when its entry does not say."
  [b id]
  (let [[op _ & args] (graph/node b id), entry (op/entry op)]
    (if-let [template (and (:expand entry) (declared entry :expand (context b id)))]
      (emit-template! b id (op/bindings op args) template)
      (no-derivative! b id nil))))

;; ## Which nodes lie between

(defn- bits ^BitSet [ids]
  (let [s (BitSet.)] (doseq [id ids] (.set s (int id))) s))

(defn- below
  "The set of ids that the roots need, down to `floor`; arguments of `stops` are not followed."
  ^BitSet [b roots floor ^BitSet stops]
  (let [needed (bits roots)]
    (loop [id (.previousSetBit needed (int (reduce max -1 roots)))]
      (when (and (<= 0 id) (<= (long floor) id))
        (when-not (.get stops id)
          (doseq [a (graph/args-of (graph/node b id)) :when (<= (long floor) (long a))]
            (.set needed (int a))))
        (recur (.previousSetBit needed (dec id)))))
    needed))

(defn- between
  "The set of ids that the roots need and that depend on `wrt` through floating-point nodes only."
  ^BitSet [b roots wrt ^BitSet stops]
  (let [needed (below b roots (reduce min Integer/MAX_VALUE wrt) stops)
        found (BitSet.), sources (bits wrt)]
    (loop [id (.nextSetBit needed 0)]
      (when (<= 0 id)
        (when (or (.get sources id)
                  (and (not (.get stops id)) (float-node? b id)
                       (some #(.get found (int %)) (graph/args-of (graph/node b id)))))
          (.set found id))
        (recur (.nextSetBit needed (inc id)))))
    found))

;; ## Reverse mode

(declare pull-back!)

(defn- fitted!
  "A contribution in the type of the argument it belongs to: what broadcasting stretched is summed."
  [b from position id]
  (let [[op _ & args] (graph/node b from)
        [dtype shape] (graph/node-type b (nth args position))
        [_ given] (graph/node-type b id)]
    (when-not (or (= given shape) (= :elementwise (op/kind op)))
      (fail! ::bad-derivative
             (str "the derivative of " (name op) " in argument " position " has the shape "
                  (pr-str given) ", the argument " (pr-str shape))
             {:op op, :position position, :expected shape, :given given}))
    (cast-to! b from dtype
              (if (= given shape)
                id
                (emit-template! b from {'?x id} [:sum-to {:shape shape} '?x])))))

(defn- times [factor partial]
  (cond (or (nil? partial) (vector? partial) (symbol? partial)) [:mul factor partial]
        (== partial 0) 0
        (== partial 1) factor
        (== partial -1) [:neg factor]
        :else [:mul factor partial]))

(defn- reverse-templates
  "One template an argument (0: no contribution, nil: not differentiable), or nil when the entry
  declares no derivative."
  [entry ctx]
  (cond (:partials entry) (mapv #(times '?g %) (declared entry :partials ctx))
        (:transpose entry) (declared entry :transpose ctx)
        (:lop entry) (declared entry :lop ctx)))

(defn- declared-contributions! [b id g positions templates]
  (let [[op _ & args] (graph/node b id)
        bindings (assoc (op/bindings op args) '?out id '?g g)]
    (doall
     (for [i positions
           :let [template (nth templates i nil)
                 template (if (nil? template) (no-derivative! b id i) template)]
           :when (not (and (number? template) (zero? template)))]
       [(nth args i) (fitted! b id i (emit-template! b id bindings template))]))))

(defn- expanded-contributions! [b id g positions]
  (let [args (graph/args-of (graph/node b id))
        root (expansion! b id)
        wrt (vec (distinct (map #(nth args %) positions)))
        {:keys [^HashMap grads]} (pull-back! b {root g} {} wrt (bits wrt))]
    (for [a wrt :when (.get grads a)] [a (.get grads a)])))

(defn- contributions!
  "[argument gradient] pairs of the arguments at these positions, for gradient g of node id."
  [b id g positions]
  (let [[op] (graph/node b id), entry (op/entry op)]
    (if-let [templates (reverse-templates entry (context b id))]
      (declared-contributions! b id g positions templates)
      (if (string? (:no-gradient entry))
        (no-derivative! b id nil)
        (expanded-contributions! b id g positions)))))

(defn- marked-positions [^BitSet marked args]
  (filterv #(.get marked (int (nth args %))) (range (count args))))

(defn- add-gradient! [b ^HashMap grads id g]
  (.put grads id (if-some [h (.get grads id)]
                   (sum! b id h g)
                   g)))

(defn- pull-back!
  "{:grads {id gradient}, :reached ids}: gradients of the nodes between the seeds {id gradient} and
  `wrt`. A known gradient replaces what would be computed; the arguments of `stops` get nothing.
  A node that is reached and has no gradient has the gradient 0."
  [b seeds known wrt ^BitSet stops]
  (let [grads (doto (HashMap. ^java.util.Map seeds) (.putAll known))
        roots (into (vec (keys seeds)) (keys known))
        marked (between b roots wrt stops), reached (bits roots)]
    (loop [id (.previousSetBit reached (int (reduce max -1 roots)))]
      (when (<= 0 id)
        (when (and (.get marked id) (not (.get stops id)))
          (let [args (graph/args-of (graph/node b id)), positions (marked-positions marked args)]
            (doseq [i positions] (.set reached (int (nth args i))))
            (when-let [g (and (seq positions) (.get grads id))]
              (doseq [[a h] (contributions! b id g positions) :when (not (contains? known a))]
                (add-gradient! b grads a h)))))
        (recur (.previousSetBit reached (dec id)))))
    {:grads grads, :reached (doto reached (.and marked))}))

;; ## Forward mode

(declare push-forward!)

(defn- tangent-name [s] (symbol (str "?d" (subs (name s) 1))))

(defn- tangent-bindings [b op args tangents]
  (let [values (op/bindings op args)]
    (into values (map (fn [[s id]] [(tangent-name s) (found-or-zeros! b id tangents)])) values)))

(defn- linear-tangent!
  "The tangent of a node that is linear in the arguments at `linear`: the same op on tangents."
  [b id linear positions ^HashMap tangents]
  (let [[op attrs & args] (graph/node b id), args (vec args)
        note (select-keys (graph/note b id) [:src])
        apply-to (fn [ids] (op/emit! b op attrs (mapv op/->Id ids) note))]
    (if (= linear :all)
      (apply-to (mapv #(found-or-zeros! b % tangents) args))
      (->> positions
           (mapv (fn [i]
                   (when-not (linear i) (no-derivative! b id i))
                   (apply-to (assoc args i (.get tangents (nth args i))))))
           (reduce #(sum! b id %1 %2))))))

(defn- partial-tangent! [b id partials positions ^HashMap tangents]
  (let [[op _ & args] (graph/node b id), bindings (assoc (op/bindings op args) '?out id)
        terms (for [i positions
                    :let [partial (nth partials i)
                          _ (when (nil? partial) (no-derivative! b id i))
                          template (times '?d partial)]
                    :when (not (and (number? template) (zero? template)))]
                (emit-template! b id (assoc bindings '?d (.get tangents (nth args i))) template))]
    (when (seq terms)
      (reduce #(sum! b id %1 %2) terms))))

(defn- expanded-tangent! [b id ^HashMap tangents]
  (let [args (graph/args-of (graph/node b id))
        root (expansion! b id)
        known (into {} (for [a args :when (.get tangents a)] [a (.get tangents a)]))
        ^HashMap found (push-forward! b [root] known (bits args))]
    (.get found root)))

(defn- tangent!
  "The id of the tangent of node id, or nil when it is zero."
  [b id positions tangents]
  (let [[op _ & args] (graph/node b id), entry (op/entry op)
        form (fn [k] (when (k entry) (declared entry k (context b id))))]
    (cond (:partials entry) (partial-tangent! b id (form :partials) positions tangents)
          (:linear-in entry) (linear-tangent! b id (form :linear-in) positions tangents)
          (:rop entry) (let [bindings (assoc (tangent-bindings b op args tangents) '?out id)
                             template (form :rop)]
                         (when-not (number? template)
                           (emit-template! b id bindings template)))
          (string? (:no-gradient entry)) (no-derivative! b id nil)
          :else (expanded-tangent! b id tangents))))

(defn- stretched! [b id tangent]
  (let [[dtype shape] (graph/node-type b id)
        tangent (cast-to! b id dtype tangent)]
    (if (= shape (type/shape-of (graph/node-type b tangent)))
      tangent
      (emit-template! b id {'?x tangent} [:broadcast-to {:shape shape} '?x]))))

(defn- push-forward!
  "{id tangent} of the nodes between the tangents given, {id tangent}, and the roots; zero tangents
  are left out."
  [b roots given ^BitSet stops]
  (let [tangents (HashMap. ^java.util.Map given), marked (between b roots (keys given) stops)]
    (loop [id (.nextSetBit marked 0)]
      (when (<= 0 id)
        (let [args (graph/args-of (graph/node b id))
              positions (filterv #(.get tangents (nth args %)) (marked-positions marked args))]
          (when-let [t (and (seq positions) (not (.get stops id))
                            (tangent! b id positions tangents))]
            (add-gradient! b tangents id (stretched! b id t))))
        (recur (.nextSetBit marked (inc id)))))
    tangents))

;; ## The public face

(defn- check-differentiable! [b role ids]
  (doseq [id ids]
    (when-not (float-node? b id)
      (fail! ::integer-derivative
             (str role " must be of a floating dtype; this one is not: " (describe-node b id)
                  "\n  cast it to :f32 or :f64 first")
             {:id id, :type (graph/node-type b id)}))))

(defn- check-seeds! [b seeds]
  (doseq [[id g] seeds]
    (when-not (= (graph/node-type b id) (graph/node-type b g))
      (fail! ::bad-seed
             (str "a gradient or tangent has the type of what it belongs to: " (describe-node b id)
                  " was given " (describe-node b g))
             {:expected (graph/node-type b id), :given (graph/node-type b g)}))))

(defn- disconnected!
  "Zeros of the type of node id, after raising or warning as `how` says."
  [b id what how]
  (let [message (str what ": " (describe-node b id)
                     "\n  paths through integers, booleans and :consider-constant nodes do not count")]
    (case how
      (nil :raise) (fail! ::disconnected
                          (str message "\n  :disconnected :ignore gives zeros instead") {:id id})
      :warn (binding [*out* *err*] (println "WARNING:" message))
      :ignore nil)
    (uniform! b id (graph/node-type b id) 0)))

(defn- loaded [graph]
  (let [b (graph/builder)] [b (graph/load-graph! b graph)]))

(defn- finished [b graph ids grads]
  {:graph (graph/finish b (mapv ids (:outputs graph))), :grads grads})

(defn- reverse-mode [b ids seeds known wrt {:keys [consider-constant disconnected]}]
  (check-differentiable! b "what is differentiated with respect to" wrt)
  (check-seeds! b (concat seeds known))
  (let [{:keys [^HashMap grads ^BitSet reached]}
        (pull-back! b seeds known wrt (bits (map ids consider-constant)))]
    (mapv (fn [id]
            (if (.get reached (int id))
              (found-or-zeros! b id grads)
              (disconnected! b id "the cost does not depend on what it is differentiated by"
                             disconnected)))
          wrt)))

(defn- check-cost! [b cost]
  (let [[dtype shape] (graph/node-type b cost)]
    (when-not (and (empty? shape) (type/float-dtype? dtype))
      (fail! ::non-scalar-cost
             (str "the cost of a gradient is one floating-point number, of type [:f32 []] or"
                  " [:f64 []]; this one is " (describe-node b cost)
                  "\n  reduce it with sum or mean, or use lop with a gradient for it")
             {:type [dtype shape]}))))

(defn grad
  "{:graph g' :grads [id …]}: the gradients of node `cost`, a float without axes, with respect to
  the nodes `wrt`, each of the type of its node. Options: :known-grads {id gradient-id} replace
  gradients (cost may then be nil); :consider-constant [id …] are not differentiated through;
  :disconnected :raise (default), :warn or :ignore says what happens where the cost does not
  depend on a node: its gradient is then zeros.
  Fails with ::non-scalar-cost, ::integer-derivative, ::disconnected, ::no-gradient, ::bad-seed."
  [graph cost wrt {:keys [known-grads] :as opts}]
  (let [[b ids] (loaded graph), cost (when cost (ids cost))
        known (into {} (map (fn [[id g]] [(ids id) (ids g)])) known-grads)]
    (when cost (check-cost! b cost))
    (let [seeds (if cost {cost (uniform! b cost (graph/node-type b cost) 1)} {})]
      (finished b graph ids (reverse-mode b ids seeds known (mapv ids wrt) opts)))))

(defn- summed-seeds [b pairs]
  (let [seeds (HashMap.)]
    (doseq [[id g] pairs] (add-gradient! b seeds id g))
    (into {} seeds)))

(defn lop
  "{:graph g' :grads [id …]}: gradients · Jacobian of the nodes `outputs` with respect to `wrt`, in
  reverse mode. `gradients` are nodes of the types of the outputs. Options and failures as `grad`,
  without :known-grads."
  [graph outputs gradients wrt opts]
  (let [[b ids] (loaded graph), pairs (mapv vector (map ids outputs) (map ids gradients))]
    (check-differentiable! b "what is differentiated" (map first pairs))
    (check-seeds! b pairs)
    (finished b graph ids (reverse-mode b ids (summed-seeds b pairs) {} (mapv ids wrt) opts))))

(defn rop
  "{:graph g' :grads [id …]}: Jacobian · tangents, in forward mode: the tangents of the nodes
  `outputs` when the nodes `wrt` have the nodes `tangents`, of their types. Where an output depends
  on no wrt, the option :disconnected decides as in `grad`. Failures as `grad`."
  [graph outputs wrt tangents {:keys [consider-constant disconnected]}]
  (let [[b ids] (loaded graph), outputs (mapv ids outputs), wrt (mapv ids wrt)
        pairs (mapv vector wrt (map ids tangents)), stops (bits (map ids consider-constant))]
    (check-differentiable! b "what is differentiated with respect to" wrt)
    (check-differentiable! b "what is differentiated" outputs)
    (check-seeds! b pairs)
    (let [marked (between b outputs wrt stops)
          found (push-forward! b outputs (summed-seeds b pairs) stops)]
      (finished b graph ids
                (mapv (fn [id]
                        (if (.get marked (int id))
                          (found-or-zeros! b id found)
                          (disconnected! b id "an output does not depend on what it is differentiated by"
                                         disconnected)))
                      outputs)))))
