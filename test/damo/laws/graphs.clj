(ns damo.laws.graphs
  "Random well-typed graphs for the laws of the compiler. A recipe is plain data of naturals,
  {:steps [[kind a b c] …] :outputs [n …] :updates [[state n] …] :single bool}, so a part of a
  recipe is a recipe; `graph` turns any into a graph, skipping steps that find no operands. Steps
  are of the families below, which meet many rules; calls of any op of the registry
  (damo.laws.draws); or derivatives of what is there.
  Values start as small whole numbers; a node knows whether its value is exact and how large it can
  be, and only exact ones decide anything (comparisons, indices, conversions to integers), so that
  rounding cannot turn a choice over."
  (:require [clojure.test.check.generators :as gen]
            [damo.array :as array]
            [damo.diff :as diff]
            [damo.graph :as graph]
            [damo.laws.draws :as draws]
            [damo.op :as op]
            [damo.type :as type])
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

;; ## What a step does: [template exact? bound] of the operands chosen; nil when it finds none

(defn- floats? [{[dtype] :type}] (type/float-dtype? dtype))
(defn- ints? [{[dtype] :type}] (type/int-dtype? dtype))
(defn- numbers? [x] (not= :bool (first (:type x))))
(defn- bools? [x] (= :bool (first (:type x))))
(defn- shape-of [x] (second (:type x)))
(defn- rank [x] (count (shape-of x)))

(defn- pick
  "The node of the pool that the natural n chooses among those that fit; 0 is the youngest."
  [pool fits? n]
  (let [fitting (filterv fits? pool)]
    (when (seq fitting) (fitting (- (count fitting) 1 (mod n (count fitting)))))))

(defn- broadcasts? [x]
  (fn [y] (try (type/broadcast-shapes (shape-of x) (shape-of y)) true
               (catch clojure.lang.ExceptionInfo _ false))))

(defn- choice [coll n] (nth coll (mod n (count coll))))

(defn- unary [fits? templates]
  (fn [pool a b _]
    (when-let [x (pick pool fits? a)]
      (let [[template exact? bound] (choice templates b)]
        {:args {'?x x}, :template template, :exact exact?, :bound (bound (:bound x))}))))

(defn- binary [fits? templates]
  (fn [pool a b c]
    (when-let [x (pick pool fits? a)]
      (when-let [y (pick pool #(and (fits? %) ((broadcasts? x) %)) b)]
        (let [[template exact? bound] (choice templates c)]
          {:args {'?x x, '?y y}, :template template, :exact exact?
           :bound (bound (:bound x) (:bound y))})))))

(def ^:private one (constantly 1.0))

(def ^:private smooth
  [[[:tanh '?x] false one] [[:sigmoid '?x] false one] [[:softplus '?x] false inc]
   [[:exp [:neg [:abs '?x]]] false one] [[:log1p [:sqr '?x]] false identity]
   [[:sqrt [:add 1 [:sqr '?x]]] false inc] [[:sin '?x] false one] [[:mul 0.1 '?x] false identity]
   [[:log [:add 1 [:exp [:minimum '?x 50]]]] false inc]
   [[:pow [:add 2 [:tanh '?x]] 3] false (constantly 27.0)]])

(def ^:private plain
  [[[:neg '?x] true identity] [[:abs '?x] true identity] [[:sqr '?x] true #(* % %)]
   [[:relu '?x] true identity] [[:sub 1 '?x] true inc] [[:mul 2 '?x] true #(* 2 %)]
   [[:sub '?x '?x] true identity] [[:maximum '?x 1] true inc]])

(def ^:private arithmetic
  [[[:add '?x '?y] true +] [[:sub '?x '?y] true +] [[:mul '?x '?y] true *]
   [[:maximum '?x '?y] true max] [[:minimum '?x '?y] true max]
   [[:add [:mul '?x '?y] '?x] true (fn [x y] (+ x (* x y)))]])

(def ^:private quotients
  [[[:div '?x [:add 1 [:abs '?y]]] false (fn [x _] x)]
   [[:logaddexp '?x '?y] false +]
   [[:sub '?x [:mul 0.1 '?y]] false +]])

(def ^:private comparisons
  [[[:lt '?x '?y] true one] [[:ge '?x '?y] true one] [[:eq '?x '?y] true one]
   [[:ne [:add '?x 1] '?y] true one]])

(defn- choosing [pool a b c]
  (when-let [x (pick pool numbers? a)]
    (when-let [t (pick pool #(and (bools? %) ((broadcasts? x) %)) b)]
      (when-let [y (pick pool #(and (= (first (:type %)) (first (:type x)))
                                    ((broadcasts? x) %) ((broadcasts? t) %)) c)]
        {:args {'?t t, '?x x, '?y y}, :template [:where '?t '?x '?y], :exact true
         :bound (max (:bound x) (:bound y))}))))

(defn- converting [pool a b _]
  (when-let [x (pick pool (constantly true) a)]
    (let [dtype (choice [:f64 :i64 :f32 :bool :f64 :i32] b)]
      (when (or (:exact x) (#{:f64 :f32} dtype))
        {:args {'?x x}, :template [:cast {:dtype dtype} '?x], :exact true, :bound (:bound x)}))))

;; ## Reductions and products

(defn- axes-of [x n]
  (filterv #(bit-test n %) (range (rank x))))

(defn- reducing [fits? exact? ops]
  (fn [pool a b c]
    (when-let [x (pick pool fits? a)]
      (let [[op bound] (choice ops b)
            axes (if (zero? (mod c 5)) nil (axes-of x (quot c 2)))]
        {:args {'?x x}, :template [op {:axis axes, :keepdims (odd? c)} '?x], :exact exact?
         :bound (bound (:bound x))}))))

(defn- searching [pool a b c]
  (when-let [x (pick pool #(and (numbers? %) (:exact %) (< 0 (rank %))) a)]
    {:args {'?x x}, :template [(choice [:argmax :argmin] b)
                               {:axis (mod (quot c 2) (rank x)), :keepdims (odd? c)} '?x]
     :exact true, :bound 10}))

(defn- along-axis [pool a b c]
  (when-let [x (pick pool #(and (floats? %) (< 0 (rank %))) a)]
    (let [[op bound] (choice [[:softmax one] [:log-softmax #(+ 10 (* 2 %))] [:logsumexp #(+ 10 %)]
                              [:var #(* % %)]] b)
          axis (mod c (rank x))]
      {:args {'?x x}, :template [op {:axis axis} '?x], :exact false, :bound (bound (:bound x))})))

(defn- multiplying [pool a b c]
  (when-let [x (pick pool #(and (numbers? %) (< 0 (rank %))) a)]
    (when-let [y (pick pool #(and (numbers? %) (< 0 (rank %))
                                  (= (peek (shape-of x))
                                     (nth (shape-of %) (max 0 (- (rank %) 2))))) b)]
      {:args {'?x x, '?y y}, :template [(choice [:matmul :dot] c) '?x '?y], :exact true
       :bound (* 10 (:bound x) (:bound y))})))

(defn- squaring [pool a b _]
  (when-let [x (pick pool #(and (numbers? %) (= 2 (rank %))) a)]
    {:args {'?x x}, :exact true, :bound (* 10 (:bound x) (:bound x))
     :template (choice [[:matmul '?x [:transpose {:axes [1 0]} '?x]]
                        [:matmul [:transpose {:axes [1 0]} '?x] '?x]] b)}))

;; ## Views, joins, indices

(defn- viewing [pool a b c]
  (when-let [x (pick pool (constantly true) a)]
    (let [r (rank x), shape (shape-of x)]
      (when-let [view (case (int (mod b 8))
                        0 [:transpose {:axes nil}]
                        1 (when (< 1 r) [:transpose {:axes (vec (concat (range 1 r) [0]))}])
                        2 [:expand-dims {:axis (mod c (inc r))}]
                        3 [:squeeze]
                        4 [:reshape {:shape [-1]}]
                        5 (when (< 1 r) [:reshape {:shape (conj (subvec shape 1) (first shape))}])
                        6 [:broadcast-to {:shape (into [2] shape)}]
                        7 (when (< 1 r) [:swapaxes {:axis1 0, :axis2 (mod c r)}]))]
        {:args {'?x x}, :template (conj view '?x), :exact true, :bound (:bound x)}))))

(defn- cutting [pool a b c]
  (when-let [x (pick pool #(< 0 (rank %)) a)]
    (let [bounds (choice [{:start 1} {:stop -1} {:stop 2} {:start 1, :step 2} {:stop 0}] b)]
      {:args {'?x x}, :template [:slice (assoc bounds :axis (mod c (rank x))) '?x]
       :exact true, :bound (:bound x)})))

(defn- stretching [pool a b c]
  (when-let [x (pick pool (constantly true) a)]
    (when-let [y (pick pool (broadcasts? x) b)]
      {:args {'?x x}, :exact true, :bound (* 2 (:bound x))
       :template [:broadcast-to {:shape (type/broadcast-shapes (shape-of x) (shape-of y))}
                  (if (odd? c) '?x [:reshape {:shape (shape-of x)} '?x])]})))

(defn- joining [pool a b c]
  (when-let [x (pick pool #(< 0 (rank %)) a)]
    (let [axis (mod c (rank x)), others #(assoc (shape-of %) axis nil)]
      (when-let [y (pick pool #(and (= (rank x) (rank %)) (= (bools? x) (bools? %))
                                    (= (others x) (others %))) b)]
        {:args {'?x x, '?y y}, :exact true, :bound (max (:bound x) (:bound y))
         :template (if (and (even? b) (= (:type x) (:type y)))
                     [:stack {:axis axis} '?x '?y]
                     [:concatenate {:axis axis} '?x '?y])}))))

(defn- indexing [pool a b c]
  (when-let [x (pick pool #(and (numbers? %) (< 0 (rank %) 4)) a)]
    (when-let [i (pick pool #(and (ints? %) (:exact %) (< (rank %) 3)) b)]
      (let [axis (mod c (rank x)), extent (nth (shape-of x) axis)
            at [:mod [:cast {:dtype :i64} '?i] (if (integer? extent) extent [:dim {:dim extent}])]
            at (case (int (mod c 7)) 0 [:sub at 1], 1 '?i, at)        ; ?i alone may be out of range
            taken [:take {:axis axis} '?x at]]
        {:args {'?x x, '?i i}, :exact true, :bound (* 10 (:bound x))
         :template (if (odd? (quot c 3)) [:inc-at {:axis axis} '?x at [:mul 2 taken]] taken)}))))

(defn- writing
  "A block of an array, its first or last element along an axis, or every other one, set or added
  to; the block is made from the array, from another one of its type, or is a number."
  [pool a b c]
  (when-let [x (pick pool #(and (numbers? %) (< 0 (rank %) 4)) a)]
    (when-let [y (pick pool #(= (:type x) (:type %)) b)]
      (let [axis (mod c (rank x)), along #(assoc (vec (repeat (rank x) nil)) axis %)
            bounds (choice [{:start 0, :stop 1} {:start -1} {:step 2} {:start 1, :stop 3}] c)
            part [:slice (assoc bounds :axis axis) [:mul 2 '?y]]
            block (into {} (map (fn [[k v]] [k (if (= k :step) (mapv #(or % 1) (along v))
                                                   (along v))]))
                        bounds)]
        {:args {'?x x, '?y y}, :exact true, :bound (+ (:bound x) (* 2 (:bound y)))
         :template [(choice [:set-slice :inc-slice] b) block
                    (if (zero? (mod a 5)) [:mul 0 '?x] '?x) part]}))))

(defn- counting [pool a b c]
  (when-let [x (pick pool #(and (numbers? %) (< 0 (rank %))) a)]
    {:args {'?x x}, :exact true, :bound (* 10 (:bound x))
     :template [(choice [:add :mul :maximum] c) '?x
                [:iota {:shape (shape-of x), :axis (mod b (rank x)), :dtype (first (:type x))}]]}))

(defn- labelling [pool a b _]
  (when-let [i (pick pool #(and (ints? %) (:exact %)) b)]
    (let [label [:mod '?i 3]]
      (if-let [x (pick pool #(and (floats? %) (= (shape-of %) (conj (shape-of i) 3))) a)]
        {:args {'?x x, '?i i}, :template [:cross-entropy '?x label], :exact false
         :bound (+ 10 (* 2 (:bound x)))}
        {:args {'?i i}, :template [:one-hot {:classes 3, :dtype :f64} label], :exact true
         :bound 1}))))

(def ^:private smooth-kinds
  [(binary floats? (subvec arithmetic 0 3)) (binary floats? quotients) (unary floats? smooth)
   (unary floats? (subvec plain 0 6))
   (reducing floats? false [[:mean identity] [:sum #(* 20 %)]])
   along-axis multiplying squaring viewing viewing cutting stretching joining indexing writing])

(def ^:private kinds
  [(binary numbers? arithmetic) (binary floats? arithmetic) (binary floats? quotients)
   (unary floats? smooth) (unary floats? smooth) (unary numbers? plain)
   (binary #(and (numbers? %) (:exact %)) comparisons)
   choosing converting
   (reducing numbers? true [[:sum #(* 20 %)] [:max identity] [:min identity] [:sum #(* 20 %)]])
   (reducing floats? false [[:mean identity] [:sum #(* 20 %)]])
   (reducing bools? true [[:any one] [:all one] [:sum (constantly 20.0)]])
   searching along-axis along-axis multiplying squaring
   viewing viewing cutting stretching joining indexing writing counting labelling])

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
  (let [x (pick pool floats? n1), w (pick pool floats? (+ n1 n2))]
    (try
      (let [{g :graph, :keys [grads]} (derivative b (mod n3 3) x w)
            ids (graph/load-graph! b g)]
        (reduce #(with-node b %1 (ids %2) {:bound 1e4, :exact false}) pool grads))
      (catch clojure.lang.ExceptionInfo e
        (if (no-derivative (:damo/error (ex-data e))) pool (throw e))))))

(defn- step!
  "The pool with the node of a step, when it finds operands."
  [b {:keys [smooth registry]} pool [kind n1 n2 n3]]
  (let [kinds (if smooth smooth-kinds kinds)]
    (cond (< most-nodes (graph/node-count b)) pool
          (and registry (< 960 kind)) (add-derivative! b pool n1 n2 n3)
          :else (try
                  (let [call (if (and registry (< 300 kind))
                               (draws/call pool (+ (* 1000000 n1) (* 1000 n2) n3))
                               ((choice kinds kind) pool n1 n2 n3))]
                    (if call (add-call! b pool call) pool))
                  (catch clojure.lang.ExceptionInfo _ pool)))))

(defn- update-of
  "The id of the new value that the natural n chooses for a state: any node of its type."
  [b pool {:keys [id type]} n]
  (or (:id (pick pool #(and (= type (:type %)) (not= id (:id %))) n))
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

(defn graph
  "{:graph g :updates {state position} :inputs [[name type] …] :states [[name type] …]} of a recipe.
  Its outputs come first, then the new values of the states. Not all inputs and states need be
  used."
  [{:keys [outputs updates] :as recipe}]
  (let [b (graph/builder)
        pool (grown b recipe)
        states (filterv #(and (:leaf %) (= :shared (graph/op-of (graph/node b (:id %))))) pool)
        chosen (into (sorted-map) (map (fn [[s n]] [(mod s (count states)) n])) updates)
        results (into [(:id (peek pool))] (map #(:id (pick pool (constantly true) %))) outputs)
        news (mapv (fn [[s n]] (update-of b pool (states s) n)) chosen)]
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
        floats (filterv floats? pool)
        wrt (filterv :leaf floats)
        cost (reduce (partial add-to-cost! b)
                     (op/emit! b :const {:type [:f64 []], :value 1.0} [] nil)
                     (take-last 2 floats))
        {g :graph, :keys [grads]} (diff/grad (graph/finish b [cost]) cost (mapv :id wrt)
                                             {:disconnected :ignore})]
    {:graph (assoc g :outputs (into [cost] grads)), :wrt (mapv :leaf wrt)
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
