(ns damo.laws.graphs
  "Random well-typed graphs for the laws of the compiler. A recipe is plain data of naturals,
  {:steps [[kind a b c] …] :outputs [n …] :updates [[state n] …] :single bool}, so a part of a
  recipe is a recipe; `graph` turns any into a graph, skipping steps that find no operands. Steps
  are of the families of damo.laws.steps; calls of any op of the registry
  (damo.laws.draws); derivatives of what is there; or, with :holders true, loops and branches
  (damo.laws.loops, damo.laws.branches), in whose bodies there are such steps again.
  Values start as small whole numbers; a node knows whether its value is exact and how large it can
  be, and only exact ones decide anything (comparisons, indices, conversions to integers), so that
  rounding cannot turn a choice over."
  (:require [clojure.test.check.generators :as gen]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.diff :as diff]
            [damo.laws.branches :as branches]
            [damo.laws.draws :as draws]
            [damo.laws.loops :as loops]
            [damo.laws.steps :as steps]
            [damo.meaning.counted :as counted]
            [damo.op :as op])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

;; ## Leaves

(def ^:private wide-leaves
  '[[:input a [:f64 [n 3]]] [:input b [:f64 [n m]]] [:input c [:f64 [m]]] [:input e [:f64 [n n]]]
    [:input r [:f64 [1 m]]] [:input l [:f64 [n 1]]] [:input t [:f64 [2 n 3]]] [:input s [:f64 []]]
    [:input i [:i64 [n]]] [:input j [:i32 [m]]] [:input k [:bool [n m]]] [:input o [:f64 [1 n 1 3]]]
    [:shared w1 [:f64 [3 4]]] [:shared w2 [:f64 [3 4]]] [:shared u [:f64 [3 3]]]
    [:shared v [:f64 [4]]] [:shared z [:f64 []]] [:shared y [:i64 [4]]]])

(def ^:private single-leaves
  '[[:input p [:f32 [n m]]] [:input q [:f32 [m]]] [:shared x [:f32 [3 4]]] [:shared f [:f32 [4]]]
    [:input h [:f16 [n]]] [:shared bh [:bf16 [4]]]])

(def ^:private magnitude "The largest absolute value of a leaf." 4)
(def ^:private largest "The largest absolute value that a node may have." 1e5)

(defn- whole-value [^Random random dtype]
  (if (= dtype :bool)
    (.nextBoolean random)
    (- (.nextInt random (inc (* 2 (int magnitude)))) (int magnitude))))

(defn env
  "{name array} of random whole values for the leaves of graphs, given the extents {n 3, m 2}; with
  `fractions` each float moves by less than 1/2."
  [seed dims & {:keys [fractions]}]
  (let [random (Random. seed)
        value (fn [dtype]
                (cond-> (whole-value random dtype)
                  (and fractions (type/float-dtype? dtype)) (+ (.nextDouble random) -0.5)))]
    (into {} (for [[_ s [dtype shape]] (into wide-leaves single-leaves)
                   :let [shape (mapv #(get dims % %) shape)]]
               [s (array/of dtype shape (repeatedly (array/size shape) #(value dtype)))]))))

;; ## Building

(defn- emit-leaves! [b leaves]
  (mapv (fn [[op s type]]
          {:id (op/emit! b op {:name s, :type type} [] nil), :type type, :exact true
           :bound magnitude, :leaf s})
        leaves))

(def ^:private most-nodes "A graph does not grow beyond so many nodes." 400)

(defn- with-node
  "The pool with a node, unless it has too many axes."
  [b pool id about]
  (let [type (graph/node-type b id)]
    (if (< (count (second type)) 5) (conj pool (assoc about :id id :type type)) pool)))

(defn- add-call!
  "The pool with the node of a call, {:args :template :exact :bound}, when its value cannot become
  too large."
  [b pool {:keys [args template exact bound]}]
  (if (< bound largest)
    (let [id (op/instantiate! (op/emitter b nil) (update-vals args :id) template)]
      (with-node b pool id {:bound bound
                            :exact (boolean (and exact (every? :exact (vals args))))}))
    pool))

(defn- derivative
  "{:graph :grads} of a sum of the node x: its gradient with respect to the node w; or the one of
  the node x, in forward or reverse mode."
  [b mode x w]
  (let [options {:disconnected :ignore}, {:keys [id type]} x]
    (case (int mode)
      0 (let [cost (op/instantiate! (op/emitter b nil) {'?x id} (if (empty? (second type))
                                                                  '?x
                                                                  [:sum '?x]))]
          (diff/grad (graph/finish b []) cost [(:id w)] options))
      1 (diff/rop (graph/finish b []) [id] [(:id w)] [(:id w)] options)
      2 (diff/lop (graph/finish b []) [id] [id] [(:id w)] options))))

(def ^:private no-derivative
  "Why a derivative may be refused; any other failure is one of the compiler."
  #{:damo.diff/undefined :damo.diff/not-implemented :damo.diff/disconnected})

(defn- add-derivative! [b pool n1 n2 n3]
  (let [x (steps/pick pool steps/floats? n1), w (steps/pick pool steps/floats? (+ n1 n2))]
    (try
      (if x
        (let [{g :graph, :keys [grads]} (derivative b (mod n3 3) x w)
              ids (graph/load-graph! b g)]
          (reduce #(with-node b %1 (ids %2) {:bound 1e4, :exact false}) pool grads))
        pool)
      (catch clojure.lang.ExceptionInfo e
        (if (no-derivative (:damo/error (ex-data e))) pool (throw e))))))

(declare step!)

(def ^:private deepest "How deep loops and branches of a random graph lie in each other." 3)

(defn- add-holder!
  "The pool with the results of a random loop or branch, in whose bodies there are random steps."
  [b {:keys [level] :or {level 0} :as recipe} pool naturals]
  (let [random (Random. (hash naturals)), inner (assoc recipe :level (inc level))
        n #(.nextInt random 1000)
        grow (fn [b pool _] (step! b inner pool [(n) (n) (n) (n)]))
        drawn! (if (< (.nextInt random 10) 7) loops/drawn! branches/drawn!)]
    (reduce #(with-node b %1 (:id %2) %2) pool (drawn! b pool random grow))))

(defn- holds?
  "Is a step of that kind a loop or a branch?"
  [{:keys [holders level] :or {level 0}} kind]
  (and holders (< level deepest) (< (if (zero? level) 800 900) kind 961)))

(defn- step!
  "The pool with the node of a step, when it finds operands."
  [b {:keys [smooth registry] :as recipe} pool [kind n1 n2 n3]]
  (let [kinds (if smooth steps/smooth-kinds steps/kinds)]
    (cond (< most-nodes (graph/node-count b)) pool
          (empty? pool) pool
          (and registry (< 960 kind)) (add-derivative! b pool n1 n2 n3)
          :else (try
                  (if (holds? recipe kind)
                    (add-holder! b recipe pool [n1 n2 n3])
                    (let [call (if (and registry (< 300 kind))
                                 (draws/call pool (+ (* 1000000 n1) (* 1000 n2) n3))
                                 ((steps/choice kinds kind) pool n1 n2 n3))]
                      (if call (add-call! b pool call) pool)))
                  (catch clojure.lang.ExceptionInfo _ pool)))))

(defn- update-of
  "The id of the new value that the natural n chooses for a state: any node of its type."
  [b pool {:keys [id type]} n]
  (or (:id (steps/pick pool #(and (= type (:type %)) (not= id (:id %))) n))
      (op/instantiate! (op/emitter b nil) {'?w id} [:sub '?w 1])))

(defn- leaf-types [op pool]
  (let [leaf? (set (map :leaf pool))]
    (vec (for [[o s type] (into wide-leaves single-leaves) :when (and (= o op) (leaf? s))]
           [s type]))))

(defn- grown
  "The pool of nodes that the steps of a recipe make in a builder."
  [b {:keys [steps single] :as recipe}]
  (reduce (partial step! b recipe)
          (emit-leaves! b (into wide-leaves (when single single-leaves)))
          steps))

(defn- array-of
  "The node, or a result of it where it has several."
  [{:keys [nodes] :as g} id]
  (if (tuple/type? (graph/type-of g id))
    (first (keep-indexed (fn [at [op _ a]] (when (and (= :part op) (= id a)) at)) nodes))
    id))

(defn- tellers
  "The nodes that count the dims which what these nodes need mentions, where those do not need them
  already."
  [g ids]
  (loop [more []]
    (let [live (graph/live g (concat ids more))
          known (into #{} (comp (mapcat #(counted/counted-by g %)) (map :dim)) live)
          wanted (into #{} (comp (mapcat #(counted/mentions g %)) (remove known)) live)
          found (first (for [id (range (count (:nodes g)))
                             :when (some (comp wanted :dim) (counted/counted-by g id))]
                         (array-of g id)))]
      (if found (recur (conj more found)) more))))

(defn graph
  "{:graph g :updates {state position} :inputs [[name type] …] :states [[name type] …]} of a recipe.
  Its outputs come first, then the new values of the states. Not all inputs and states need be
  used."
  [{:keys [outputs updates] :as recipe}]
  (let [b (graph/builder)
        pool (grown b recipe)
        states (filterv #(and (:leaf %) (= :shared (graph/op-of (graph/node b (:id %))))) pool)
        chosen (into (sorted-map) (map (fn [[s n]] [(mod s (count states)) n])) updates)
        any-id #(:id (steps/pick pool any? %))
        results (into [(:id (peek pool))] (map any-id) outputs)
        news (mapv (fn [[s n]] (update-of b pool (states s) n)) chosen)
        results (into results (tellers (graph/finish b []) (into results news)))]
    {:graph (graph/finish b (into results news))
     :updates (zipmap (map (comp :leaf states key) chosen) (iterate inc (count results)))
     :inputs (leaf-types :input pool)
     :states (leaf-types :shared pool)}))

(defn- add-to-cost! [b cost {:keys [id type]}]
  (op/instantiate! (op/emitter b nil) {'?c cost, '?x id}
                   [:add '?c [:cast {:dtype :f64}
                              [:sum (if (empty? (second type)) '?x [:mul 0.5 '?x])]]]))

(defn gradients
  "As `graph`: the outputs are a scalar cost of the youngest float nodes of a recipe and its
  gradients with respect to the float leaves, whose names are under :wrt."
  [recipe]
  (let [b (graph/builder)
        pool (grown b recipe)
        floats (filterv steps/floats? pool)
        wrt (filterv :leaf floats)
        cost (reduce (partial add-to-cost! b)
                     (op/emit! b :const {:type [:f64 []], :value 1.0} [] nil)
                     (take-last 2 floats))
        {g :graph, :keys [grads]} (diff/grad (graph/finish b [cost]) cost (mapv :id wrt)
                                             {:disconnected :ignore})
        all (assoc g :outputs (range (count (:nodes g))))
        {g :graph, :keys [ids]} (counted/tied all (into [cost] grads))]
    {:graph (assoc g :outputs ids), :wrt (mapv :leaf wrt)
     :updates {}, :inputs (leaf-types :input pool), :states (leaf-types :shared pool)}))

(def ^:private recipe
  (let [n (gen/choose 0 999)]
    (gen/hash-map :steps (gen/vector (gen/tuple n n n n) 3 60)
                  :outputs (gen/vector n 0 4)
                  :updates (gen/vector (gen/tuple n n) 0 4)
                  :single gen/boolean)))

(defn recipes
  "`times` recipes from a seed."
  [times seed]
  (map #(gen/generate recipe 100 (+ (* 100003 (long seed)) %)) (range times)))
