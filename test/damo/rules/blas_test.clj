(ns damo.rules.blas-test
  "Products that scale, accumulate and are put together: the steps that each form becomes, and its
  values against the interpreter's; and random sums of products."
  (:require [clojure.test :refer [deftest is testing]]
            [clojure.walk :as walk]
            [damo.data.array :as array]
            [damo.laws.running :as running]
            [damo.meaning.eval :as eval]
            [damo.ops.all]
            [damo.rules.programs :as programs])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

;; ## Values

(def ^:private sizes '{n 7, m 3, b 2, t 5, h 3})

(defn- sized [type] (walk/postwalk-replace sizes type))

(defn- random-array [^Random random [dtype shape]]
  (array/of dtype shape (repeatedly (array/size shape)
                                    #(array/convert dtype (- (.nextDouble random) 0.5)))))

(defn- differences
  "What differs between a compiled form and the interpreter: [expected got] of outputs and states."
  [{:keys [graph updates states inputs] :as form} mode seed tolerance]
  (let [random (Random. seed)
        env (into {} (map (fn [[k type]] [k (random-array random (sized type))]))
                  (concat inputs states))
        expected (eval/run graph env)
        c (running/compile graph (assoc form :mode mode))]
    (try
      (let [got (running/call! c env), after (running/state-values c)]
        (filterv (fn [[x y]] (not (running/close? tolerance 4.0 x y)))
                 (concat (map vector expected got)
                         (for [[s x] after] [(if-let [k (updates s)] (expected k) (env s)) x]))))
      (finally (running/close! c)))))

(defn- in-dtype [dtype form] (walk/postwalk-replace {:f32 dtype} form))

;; ## Each form

(def ^:private accumulating
  "[what form steps temporaries]: products and what they are added to; nil for temporaries where
  kernels need some of their own."
  '[["a factor" {:inputs {x [:f32 [n 3]], y [:f32 [3 4]]}, :outputs [[:mul 2.0 [:matmul x y]]]}
     [[n 4 3 :alpha 2.0]] 0]
    ["a factor of the call" {:inputs {x [:f32 [n 3]], y [:f32 [3 4]], s [:f32 []]}
                             :outputs [[:mul [:matmul x y] s]]}
     [[n 4 3 :alpha s]] 0]
    ["a scalar expression as a factor" {:inputs {x [:f32 [n 3]], y [:f32 [3 4]], s [:f32 []]}
                                        :outputs [[:mul [:matmul x y] [:exp s]]]}
     [exp [n 4 3 :alpha s]] 1]
    ["a divisor" {:inputs {x [:f32 [n 3]], y [:f32 [3 4]]}, :outputs [[:div [:matmul x y] 8.0]]}
     [[n 4 3 :alpha 0.125]] 0]
    ["a divisor that is no power of two"
     {:inputs {x [:f32 [n 3]], y [:f32 [3 4]]}, :outputs [[:div [:matmul x y] 5.0]]}
     [[n 4 3 :alpha 0.2]] 0]
    ["a negation" {:inputs {x [:f32 [n 3]], y [:f32 [3 4]]}, :outputs [[:neg [:matmul x y]]]}
     [[n 4 3 :alpha -1.0]] 0]
    ["a gradient step" {:inputs {x [:f32 [n 3]], d [:f32 [n 4]]}, :params {w [:f32 [3 4]]}
                        :new {w [:sub w [:mul 0.5 [:matmul [:transpose x] d]]]}}
     [[3 4 n :alpha -0.5 :beta 1.0]] 0]
    ["momentum" {:inputs {x [:f32 [n 3]], d [:f32 [n 4]]}, :params {v [:f32 [3 4]]}
                 :new {v [:add [:mul 0.5 v] [:matmul [:transpose x] d]]}}
     [[3 4 n :beta 0.5]] 0]
    ["momentum, and what follows it"
     {:inputs {x [:f32 [n 3]], d [:f32 [n 4]]}, :params {v [:f32 [3 4]], w [:f32 [3 4]]}
      :new {v [:add [:mul 0.5 v] [:matmul [:transpose x] d]]
            w [:sub w [:mul 0.25 [:add [:mul 0.5 v] [:matmul [:transpose x] d]]]]}}
     [[3 4 n :beta 0.5] mul-sub] 0]
    ["momentum with factors of the call"
     {:inputs {x [:f32 [n 3]], d [:f32 [n 4]], mu [:f32 []], r [:f32 []]}, :params {v [:f32 [3 4]]}
      :new {v [:add [:mul v mu] [:mul r [:matmul [:transpose x] d]]]}}
     [[3 4 n :alpha s :beta s]] 0]
    ["a state that is taken off" {:inputs {x [:f32 [n 3]], d [:f32 [n 4]]}, :params {w [:f32 [3 4]]}
                                  :new {w [:sub [:matmul [:transpose x] d] w]}}
     [[3 4 n :beta -1.0]] 0]
    ["a moving mean of a product"
     {:inputs {x [:f32 [n 3]], d [:f32 [n 4]]}, :params {w [:f32 [3 4]]}
      :new {w [:sub [:mul 0.75 [:matmul [:transpose x] d]] [:mul -0.25 w]]}}
     [[3 4 n :alpha 0.75 :beta 0.25]] 0]
    ["a new value that is a product" {:inputs {x [:f32 [3 n]], d [:f32 [n 4]]}
                                      :params {w [:f32 [3 4]]}, :new {w [:matmul x d]}}
     [[3 4 n]] 0]
    ["a vector of state, matrix by vector"
     {:inputs {x [:f32 [n 3]], v [:f32 [n]]}, :params {b [:f32 [3]]}
      :new {b [:sub b [:mul 0.5 [:matmul [:transpose x] v]]]}}
     [[3 1 n :alpha -0.5 :beta 1.0]] 0]
    ["a vector of state, vector by matrix"
     {:inputs {x [:f32 [n 3]], v [:f32 [n]]}, :params {b [:f32 [3]]}
      :new {b [:add [:mul 0.5 b] [:matmul v x]]}}
     [[1 3 n :beta 0.5]] 0]
    ["an outer product, a loop over the state"
     {:inputs {u [:f32 [3]], v [:f32 [4]]}, :params {w [:f32 [3 4]]}
      :new {w [:sub w [:mul 0.5 [:outer u v]]]}}
     [mul-sub] 0]
    ["a state of a stack" {:inputs {x [:f32 [2 3 n]], d [:f32 [2 n 4]]}, :params {w [:f32 [2 3 4]]}
                           :new {w [:add w [:mul 0.5 [:matmul x d]]]}}
     [[3 4 n :alpha 0.5 :beta 1.0 :batch [2]]] 0]
    ["a state in another shape" {:inputs {x [:f32 [6 n]], d [:f32 [n 4]]}, :params {w [:f32 [2 12]]}
                                 :new {w [:add w [:reshape {:shape [2 12]} [:matmul x d]]]}}
     [[6 4 n :beta 1.0]] 0]
    ["a state of integers" {:inputs {x [:i64 [3 n]], d [:i64 [n 4]]}, :params {w [:i64 [3 4]]}
                            :new {w [:add w [:matmul x d]]}}
     [matmul add] 1]])

(def ^:private sums
  '[["a sum of products" {:inputs {x [:f32 [n 3]], y [:f32 [3 4]], u [:f32 [n 5]], v [:f32 [5 4]]}
                          :outputs [[:add [:matmul x y] [:matmul u v]]]}
     [[n 4 3] [n 4 5 :beta 1.0]] 0]
    ["with factors" {:inputs {x [:f32 [n 3]], y [:f32 [3 4]], u [:f32 [n 5]], v [:f32 [5 4]]
                              s [:f32 []]}
                     :outputs [[:sub [:mul s [:matmul x y]] [:mul 3 [:matmul u v]]]]}
     [[n 4 3 :alpha s] [n 4 5 :alpha -3.0 :beta 1.0]] 0]
    ["of three" {:inputs {x [:f32 [n 3]], y [:f32 [3 4]], u [:f32 [n 5]], v [:f32 [5 4]]}
                 :outputs [[:add [:matmul x y]
                            [:add [:matmul u v]
                             [:matmul [:slice {:axis 1 :stop 3} u] y]]]]}
     [[n 4 5] [n 4 3 :beta 1.0] [n 4 3 :beta 1.0]] 0]
    ["below a function" {:inputs {x [:f32 [n 3]], y [:f32 [3 4]], u [:f32 [n 5]], v [:f32 [5 4]]}
                         :outputs [[:tanh [:add [:matmul x y] [:matmul u v]]]]}
     [[n 4 3] [n 4 5 :beta 1.0] tanh] 0]
    ["onto a state" {:inputs {x [:f32 [3 n]], y [:f32 [n 4]], u [:f32 [3 m]], v [:f32 [m 4]]}
                     :params {w [:f32 [3 4]]}
                     :new {w [:add [:sub w [:mul 0.5 [:matmul x y]]] [:matmul u v]]}}
     [[3 4 n :alpha -0.5 :beta 1.0] [3 4 m :beta 1.0]] 0]
    ["of vectors" {:inputs {x [:f32 [n 3]], u [:f32 [3]], y [:f32 [n m]], v [:f32 [m]]}
                   :outputs [[:add [:matmul x u] [:matmul y v]]]}
     [[n 1 3] [n 1 m :beta 1.0]] 0]
    ["onto another value that lies in memory"
     {:inputs {x [:f32 [n 3]], y [:f32 [3 4]], z [:f32 [n 4]]}
      :outputs [[:add [:cumsum {:axis 0} z] [:matmul x y]]]}
     [cumsum [n 4 3 :beta 1.0]] nil]
    ["onto an input, in the one loop that has to run over it"
     {:inputs {x [:f32 [n 3]], y [:f32 [3 4]], z [:f32 [n 4]]}
      :outputs [[:add [:mul 0.5 z] [:mul 2.0 [:matmul x y]]]]}
     [[n 4 3 :alpha 2.0] mul-add] nil]
    ["onto a value that is computed where it is added"
     {:inputs {x [:f32 [n 3]], y [:f32 [3 4]], z [:f32 [n 4]]}
      :outputs [[:tanh [:sub [:matmul x y] [:exp [:sqr z]]]]]}
     [[n 4 3] sqr-exp-sub-tanh] nil]
    ["one that is needed elsewhere stays"
     {:inputs {x [:f32 [n 3]], y [:f32 [3 4]], u [:f32 [n 5]], v [:f32 [5 4]]}
      :outputs [[:matmul x y] [:add [:matmul x y] [:matmul u v]]]}
     [[n 4 3] [n 4 5] add] 0]])

(def ^:private operands
  '[["rows of a stack" {:inputs {x [:f32 [b t 3]], y [:f32 [3 4]]}, :outputs [[:matmul x y]]}
     [[[:* b t] 4 3]] 0]
    ["the same by dot" {:inputs {x [:f32 [b t 3]], y [:f32 [3 4]]}, :outputs [[:dot x y]]}
     [[[:* b t] 4 3]] 0]
    ["a matrix that is stretched"
     {:inputs {x [:f32 [b t 3]], y [:f32 [3 4]]}
      :outputs [[:matmul x [:broadcast-to {:shape [b 3 4]} y]]]}
     [[[:* b t] 4 3]] 0]
    ["a gradient of the weights of a stack"
     {:inputs {x [:f32 [b t 3]], d [:f32 [b t 4]]}
      :outputs [[:sum-to {:shape [3 4]} [:matmul [:transpose {:axes [0 2 1]} x] d]]]}
     [[3 4 [:* b t]]] 0]
    ["into a state" {:inputs {x [:f32 [b t 3]], d [:f32 [b t 4]]}, :params {w [:f32 [3 4]]}
                     :new {w [:sub w [:mul 0.5 [:sum {:axis 0}
                                                [:matmul [:transpose {:axes [0 2 1]} x] d]]]]}}
     [[3 4 [:* b t] :alpha -0.5 :beta 1.0]] 0]
    ["of two leading axes" {:inputs {x [:f32 [b h t 3]], d [:f32 [b h t 4]]}
                            :outputs [[:sum {:axis [0 1]}
                                       [:matmul [:transpose {:axes [0 1 3 2]} x] d]]]}
     [[3 4 [:* b h t]]] 0]
    ["one of two leading axes" {:inputs {x [:f32 [b h t 3]], d [:f32 [b h t 4]]}
                                :outputs [[:sum {:axis 1}
                                           [:matmul [:transpose {:axes [0 1 3 2]} x] d]]]}
     [[3 4 [:* h t] :batch [b]]] 0]
    ["attention's scores" {:inputs {q [:f32 [b t h 4]], k [:f32 [b t h 4]]}
                           :outputs [[:div [:matmul [:transpose {:axes [0 2 1 3]} q]
                                            [:transpose {:axes [0 2 3 1]} k]] 2.0]]}
     [[t t 4 :alpha 0.5 :batch [b h]]] 0]
    ["a slice and a transpose" {:inputs {x [:f32 [n 8]], y [:f32 [5 8]]}
                                :outputs [[:matmul [:slice {:axis 1 :start 2 :stop 6} x]
                                           [:slice {:axis 0 :start 1 :stop 5} [:transpose y]]]]}
     [[n 5 4]] 0]
    ["a vector that is a column" {:inputs {x [:f32 [n 8]], y [:f32 [n 4]]}
                                  :outputs [[:matmul [:reshape {:shape [n]}
                                                      [:slice {:axis 1 :start 2 :stop 3} x]] y]]}
     [[1 4 n]] 0]
    ["every second element of a vector" {:inputs {v [:f32 [8]], y [:f32 [4 5]]}
                                         :outputs [[:matmul [:slice {:stop 8 :step 2} v] y]]}
     [[1 5 4]] 0]
    ["a row that is stretched" {:inputs {r [:f32 [3]], y [:f32 [3 4]], z [:f32 [n 1]]}
                                :outputs [[:matmul [:broadcast-to {:shape [n 3]} r] y] z]}
     [[n 4 3] copy] 0]
    ["every second column, which is copied"
     {:inputs {x [:f32 [n 8]], y [:f32 [4 5]]}
      :outputs [[:matmul [:slice {:axis 1 :stop 8 :step 2} x] y]]}
     [copy [n 5 4]] 1]
    ["a transpose of what is computed" {:inputs {x [:f32 [n 3]], d [:f32 [n 4]]}
                                        :outputs [[:matmul [:transpose [:exp x]] d]]}
     [exp [3 4 n]] 1]
    ["a transposed result" {:inputs {x [:f32 [n 3]], y [:f32 [3 4]]}
                            :outputs [[:transpose [:matmul x y]]]}
     [[4 n 3]] 0]
    ["a result in another shape" {:inputs {x [:f32 [6 3]], y [:f32 [3 4]]}
                                  :outputs [[:reshape {:shape [2 3 4]} [:matmul x y]]]}
     [[6 4 3]] 0]
    ["what is computed, in another shape" {:inputs {x [:f32 [n 8]], y [:f32 [8 8]]}
                                           :outputs [[:reshape {:shape [n 2 4]}
                                                      [:tanh [:matmul x y]]]]}
     [[n 8 8] tanh] 0]
    ["twice, in two shapes" {:inputs {x [:f32 [n 8]]}
                             :outputs [[:reshape {:shape [n 2 4]} [:exp x]]
                                       [:reshape {:shape [2 [:* 4 n]]} [:exp x]]]}
     [exp copy] 0]
    ["a new value in another shape" {:inputs {x [:f32 [4 n]], y [:f32 [n 6]]}
                                     :params {w [:f32 [24]]}
                                     :new {w [:reshape {:shape [24]} [:tanh [:matmul x y]]]}}
     [[4 6 n] tanh] 0]
    ["columns scaled" {:inputs {x [:f32 [n 3]], d [:f32 [3]]}, :outputs [[:matmul x [:diag d]]]}
     [mul] 0]
    ["rows of a stack scaled" {:inputs {x [:f32 [b 3 4]], d [:f32 [3]]}
                               :outputs [[:matmul [:diag d] x]]}
     [mul] 0]
    ["a vector scaled" {:inputs {x [:f32 [n]], d [:f32 [n]]}, :outputs [[:matmul [:diag d] x]]}
     [mul] 0]
    ["two vectors" {:inputs {x [:f32 [n]], y [:f32 [n]]}, :outputs [[:matmul x y]]} [mul-sum] 0]])

(def ^:private regrouped
  "Forms of which the mode must allow that sums are regrouped."
  '[["a chain that ends in a vector" {:inputs {x [:f32 [n 8]], a [:f32 [8 8]], v [:f32 [8]]}
                                      :outputs [[:matmul [:matmul x a] v]]}
     [[8 1 8] [n 1 8]] 1]
    ["a chain of four" {:inputs {x [:f32 [2 9]], y [:f32 [9 8]], z [:f32 [8 7]], u [:f32 [7 1]]}
                        :outputs [[:matmul [:matmul [:matmul x y] z] u]]}
     [[8 1 7] [9 1 8] [2 1 9]] 2]
    ["a chain of sizes that are not known stays"
     {:inputs {x [:f32 [n m]], y [:f32 [m t]], z [:f32 [t b]]}
      :outputs [[:matmul [:matmul x y] z]]}
     [[n t m] [n b t]] 1]
    ["a chain whose part is needed elsewhere stays"
     {:inputs {x [:f32 [n 8]], a [:f32 [8 8]], v [:f32 [8]]}
      :outputs [[:matmul x a] [:matmul [:matmul x a] v]]}
     [[n 8 8] [n 1 8]] 0]
    ["a common factor" {:inputs {x [:f32 [n 3]], y [:f32 [3 4]], z [:f32 [3 4]]}
                        :outputs [[:add [:matmul x y] [:matmul x z]]]}
     [add [n 4 3]] 1]
    ["one of many terms" {:inputs {x [:f32 [n 3]], y [:f32 [3 4]], z [:f32 [3 4]], u [:f32 [n 4]]}
                          :outputs [[:add [:matmul x y] [:sub u [:matmul x z]]]]}
     [sub [n 4 3] add] 1]
    ["a sum of rows" {:inputs {x [:f32 [n 3]], y [:f32 [3 4]]}
                      :outputs [[:sum {:axis 0} [:matmul x y]]]}
     [sum [1 4 3]] nil]
    ["a sum of all" {:inputs {x [:f32 [n 3]], y [:f32 [3 4]]}, :outputs [[:sum [:matmul x y]]]}
     [sum sum-mul] nil]
    ["a step along two products"
     {:inputs {x [:f32 [3 n]], y [:f32 [n 4]], u [:f32 [3 m]], v [:f32 [m 4]]}
      :params {w [:f32 [3 4]]}
      :new {w [:sub w [:mul 0.5 [:add [:matmul x y] [:matmul u v]]]]}}
     [[3 4 n :alpha -0.5 :beta 1.0] [3 4 m :alpha -0.5 :beta 1.0]] 0]])

(defn- check-forms [forms mode]
  (doseq [[what form expected temps] forms, dtype [:f32 :f64]]
    (testing (str what ", " dtype)
      (let [form (programs/built (in-dtype dtype form))
            {:keys [program] :as c} (running/compile (:graph form) (assoc form :mode mode))]
        (running/close! c)
        (is (= expected (programs/steps program)))
        (when temps (is (= temps (programs/temporaries program))))
        (is (= [] (differences form mode 3 (if (= dtype :f32) 1e-5 1e-13))))))))

(deftest products-accumulate (check-forms accumulating :fast-run))

(deftest products-add-up (check-forms sums :fast-run))

(deftest operands-are-read-where-they-lie (check-forms operands :fast-run))

(deftest products-are-regrouped-where-that-is-allowed
  (check-forms regrouped {:mode :fast-run, :regroup true}))

(deftest products-of-floats-are-computed-as-written
  (doseq [[what form] (butlast regrouped)]
    (testing what
      (let [{:keys [graph] :as form} (programs/built form)
            c (running/compile graph (assoc form :mode :fast-run))]
        (running/close! c)
        (is (= (count (filter #(= :matmul (first %)) (:nodes graph)))
               (count (filter #(= :gemm (:do %)) (:steps (:program c))))))))))

;; ## Random sums of products

(defn- pick [^Random random xs] (nth xs (.nextInt random (count xs))))

(defn- leaf
  "A name for an input of that type, one of three; `types` remembers it."
  [^Random random types op type]
  (let [s (symbol (str op (hash type) "." (.nextInt random 3)))]
    (vswap! types assoc-in [op s] type)
    s))

(defn- matrix
  "A matrix of these extents: as it is, transposed, of some columns, or computed."
  [random types dtype [m n]]
  (let [plain #(leaf random types 'x [dtype %])]
    (case (int (pick random [0 0 0 1 2 3]))
      0 (plain [m n])
      1 [:transpose (plain [n m])]
      2 [:slice {:axis 1, :start 1, :stop (inc (long n))} (plain [m (+ 2 (long n))])]
      3 [:tanh (plain [m n])])))

(defn- factor [random types dtype]
  (pick random [0.5 -2.0 3.0 0.0 (leaf random types 's [dtype []])
                [:add 1.0 (leaf random types 's [dtype []])]]))

(declare combination)

(defn- term
  "A random array of that shape: a product, a multiple, a state, or a sum again."
  [random types dtype [m n :as shape] depth]
  (let [k (pick random [0 1 2 5 17]), matrix #(matrix random types dtype %)]
    (case (int (pick random (if (pos? (long depth)) [0 0 0 1 1 2 3 4 5 6 7] [0 0 1 4])))
      0 [:matmul (matrix [m k]) (matrix [k n])]
      1 [:mul (factor random types dtype) (term random types dtype shape 0)]
      2 [:neg (term random types dtype shape (dec (long depth)))]
      3 [:div (term random types dtype shape 0) (pick random [4.0 3.0])]
      4 (pick random [(leaf random types 'w [dtype shape]) (matrix shape)])
      5 [:reshape {:shape shape} [:matmul (matrix [(* (long m) (long n)) k]) (matrix [k 1])]]
      6 [:mul (factor random types dtype) (combination random types dtype shape)]
      7 [:transpose [:matmul (matrix [n k]) (matrix [k m])]])))

(defn- combination
  "A sum of random terms of that shape."
  [random types dtype shape]
  (reduce (fn [t u] [(pick random [:add :add :sub]) t u])
          (repeatedly (pick random [1 2 3 4]) #(term random types dtype shape 1))))

(defn- random-form [seed dtype]
  (let [random (Random. seed), types (volatile! {})
        shape #(vector (pick random [0 1 1 3 8]) (pick random [0 1 4 10]))
        outputs (vec (repeatedly 2 #(combination random types dtype (shape))))
        state-shape (shape), state (leaf random types 'w [dtype state-shape])
        new {state [(pick random [:add :sub]) (pick random [state [:mul 0.5 state]])
                    (combination random types dtype state-shape)]}]
    {:inputs (into {} (mapcat @types) '[x s]), :params (get @types 'w), :outputs outputs
     :new new}))

(deftest random-sums-of-products
  (doseq [dtype [:f32 :f64], seed (range 12), mode [:fast-run {:mode :fast-run, :regroup true}]]
    (testing (str dtype ", seed " seed ", " mode)
      (is (= [] (differences (programs/built (random-form seed dtype)) mode seed
                             (if (= dtype :f32) 1e-4 1e-12)))))))
