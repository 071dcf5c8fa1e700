(ns damo.bench.models.nets
  "The models of `bin/damo bench models`, written as a user would: a transformer block, twelve of
  them, an attention layer on one sequence, an autoencoder, a wide perceptron, LeNet. A model is
  {:inputs [[name shape] …], :parameters [[name shape kind] …], :loss (fn [parameters inputs]
  expression),
  :flops}; bench/models_peer.py has the same. (training-step \"autoencoder\") compiles one."
  (:require [damo.bench.step :as step]
            [damo.bench.task :as task]
            [damo.core :as d]
            [damo.nn :as nn]))

(set! *warn-on-reflection* true)

(def rate "The learning rate of all models." 0.01)
(def check-steps "How many first steps' mean loss is compared." 5)

;; ## Layers, and their parameters by name

(defn- dense-parameters [name in out]
  [[(str "w" name) [in out] :weights] [(str "b" name) [out] :zeros]])

(defn- dense [p name x]
  (d/add (d/dot x (p (str "w" name))) (p (str "b" name))))

(defn- norm-parameters [name width]
  [[(str "g" name) [width] :ones] [(str "s" name) [width] :zeros]])

(defn- norm [p name x]
  (d/layer-norm x :scale (p (str "g" name)) :shift (p (str "s" name))))

(def ^:private width 256)
(def ^:private heads 4)
(def ^:private length 128)

(defn- attention-parameters [k]
  (into (norm-parameters (str "a" k) width)
        (mapcat #(dense-parameters (str % k) width width)) ["q" "k" "v" "o"]))

(defn- attention
  "x plus the attention of its `batch` sequences, x [batch·length width]."
  [p k batch x]
  (let [a (norm p (str "a" k) x), part (quot width heads)
        split #(d/transpose (d/reshape % :shape [batch length heads part]) :axes [0 2 1 3])
        [q key v] (map #(split (dense p (str % k) a)) ["q" "k" "v"])
        scores (d/mul (/ 1.0 (Math/sqrt part)) (d/matmul q (d/transpose key :axes [0 1 3 2])))
        mixed (d/transpose (d/matmul (d/softmax scores) v) :axes [0 2 1 3])]
    (d/add x (dense p (str "o" k) (d/reshape mixed :shape [(* batch length) width])))))

(defn- block-parameters [k]
  (concat (attention-parameters k)
          (norm-parameters (str "m" k) width)
          (dense-parameters (str "u" k) width (* 4 width))
          (dense-parameters (str "d" k) (* 4 width) width)))

(defn- block [p k batch x]
  (let [x (attention p k batch x)
        hidden (d/gelu (dense p (str "u" k) (norm p (str "m" k) x)))]
    (d/add x (dense p (str "d" k) hidden))))

;; ## Models

(defn- attention-flops
  "Of the products of attention, forward: four dense ones and two for each head."
  [batch]
  (let [rows (* batch length)]
    (+ (* 4 2 rows width width) (* 2 2 rows length width))))

(defn- block-flops [batch]
  (+ (attention-flops batch) (* 2 2 batch length width 4 width)))

(defn- mean-square [x] (d/mean (d/sqr x)))

(defn- blocks
  "A model of n blocks for 8 sequences."
  [n]
  {:inputs [["x" [(* 8 length) width]]]
   :parameters (vec (mapcat block-parameters (range n)))
   :loss (fn [p {:strs [x]}] (mean-square (reduce #(block p %2 8 %1) x (range n))))
   :flops (* 3 n (block-flops 8))})

(def ^:private attention-layer
  {:inputs [["x" [length width]]]
   :parameters (vec (attention-parameters 0))
   :loss (fn [p {:strs [x]}] (mean-square (attention p 0 1 x)))
   :flops (* 3 (attention-flops 1))})

(defn- dense-flops
  "Of dense layers of such widths, forward, backward and the weights' gradients; nothing is
  propagated to the inputs."
  [batch widths]
  (let [products (map #(* 2 batch (apply * %)) (partition 2 1 widths))]
    (+ (* 2 (reduce + products)) (reduce + (rest products)))))

(def ^:private autoencoder
  (let [widths [784 256 64 256 784]]
    {:inputs [["x" [128 784]]]
     :parameters (vec (mapcat #(apply dense-parameters %1 %2) (range) (partition 2 1 widths)))
     :loss (fn [p {:strs [x]}]
             (mean-square (d/sub (dense p 3 (reduce #(d/tanh (dense p %2 %1)) x (range 3))) x)))
     :flops (dense-flops 128 widths)}))

(def ^:private perceptron
  {:inputs [["x" [1024 784]] ["y" [1024]]]
   :parameters (into (dense-parameters 0 784 500) (dense-parameters 1 500 10))
   :loss (fn [p {:strs [x y]}]
           (d/mean (d/cross-entropy (dense p 1 (d/tanh (dense p 0 x))) y)))
   :flops (dense-flops 1024 [784 500 10])})

(def ^:private lenet
  "The network of examples/lenet.edn, batches of 20."
  {:inputs [["x" [20 784]] ["y" [20]]]
   :parameters (concat [["k0" [20 1 5 5] :weights] ["c0" [20 1 1] :zeros]
                        ["k1" [50 20 5 5] :weights] ["c1" [50 1 1] :zeros]]
                       (dense-parameters 2 800 500) (dense-parameters 3 500 10))
   :loss (fn [p {:strs [x y]}]
           (let [layer (fn [x k] (d/relu (nn/max-pool2d (d/add (nn/conv2d x (p (str "k" k)))
                                                               (p (str "c" k)))
                                                        :window 2)))
                 images (reduce layer (d/reshape x :shape [20 1 28 28]) [0 1])
                 hidden (d/relu (dense p 2 (d/reshape images :shape [20 800])))]
             (d/mean (d/cross-entropy (dense p 3 hidden) y))))
   :flops (* 2 20 (+ (* 2 20 25 576) (* 3 (+ (* 50 20 25 64) (* 800 500) (* 500 10)))))})

(def models
  "All models, by name."
  {"attention" attention-layer, "block" (blocks 1), "blocks-12" (blocks 12)
   "autoencoder" autoencoder, "mlp-1024" perceptron, "lenet" lenet})

(def names "The names of the models, in the order of the table."
  ["attention" "block" "blocks-12" "autoencoder" "mlp-1024" "lenet"])

(def expected-losses
  "The mean loss of the first five steps, as JAX has it in float32."
  {"attention" 0.335719, "block" 0.371232, "blocks-12" 0.8602714, "autoencoder" 0.3360559
   "mlp-1024" 2.313649, "lenet" 2.235584})

(defn work
  "{:bytes :flops :memory} of a step of a model: its products; every parameter read and written
  once, the inputs read."
  [model]
  (let [{:keys [inputs parameters flops]} (models model)
        numbers #(reduce + (map (fn [[_ shape]] (reduce * shape)) %))]
    {:flops flops
     :bytes (+ (* 8 (numbers parameters)) (* 4 (numbers inputs)))
     :memory (* 4 (+ (numbers parameters) (numbers inputs)))}))

;; ## A step

(defn- value
  "The first value of a parameter: weights uniform, of the stream of its position."
  [position [_ shape kind]]
  (case kind
    :weights (step/tensor-of (task/uniform (+ 41 position) (reduce * shape)
                                           (/ 1.0 (Math/sqrt (first shape))))
                             "f32" shape)
    :zeros (d/zeros shape :f32)
    :ones (d/ones shape :f32)))

(defn input-value
  "An input's tensor: x uniform from -1 to 1, of stream 40; labels y from 0 to 9."
  [[name shape]]
  (if (= name "y")
    (step/tensor-of (long-array (map #(rem (task/hash32 2 %) 10) (range (first shape))))
                    "i64" shape)
    (step/tensor-of (task/uniform 40 (reduce * shape) 1.0) "f32" shape)))

(defn training-step
  "The compiled function of a model's inputs, in order, that performs a step of gradient descent and
  returns the loss."
  [model]
  (let [{:keys [inputs parameters loss]} (models model)
        p (into (sorted-map) (map-indexed (fn [i [name :as q]]
                                            [name (d/shared (symbol name) (value i q))])
                                          parameters))
        xs (mapv (fn [[name shape]]
                   (d/input (symbol name) [(if (= name "y") :i64 :f32) shape]))
                 inputs)
        loss (loss p (zipmap (map first inputs) xs))
        gradients (d/grad loss (vec (vals p)))]
    (d/function xs loss {:name model
                         :updates (zipmap (vals p) (map #(d/sub %1 (d/mul rate %2)) (vals p)
                                                        gradients))})))
