(ns damo.laws.precision
  "Derivatives in narrow dtypes: gradients and tangents have the dtype and shape of what they belong
  to, and in :f32 the values of the :f64 ones at the same points. (problems-of :tanh) is empty."
  (:require [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff :as diff]
            [damo.laws.modes :as modes]
            [damo.laws.sampling :refer [problem]]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.op.body :as body]
            [damo.op.gens :as gens])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(def ^:private narrow [:f32 :f16 :bf16])

(def ^:private bound
  "How far :f32 values may be from :f64 ones, relative to the largest of an array."
  1e-4)

(defn- with-vectors
  "[graph' ids]: the graph with inputs of the types of these nodes, called prefix0 …"
  [g prefix ids]
  (let [b (graph/builder), old (graph/load-graph! b g)
        added (mapv (fn [k id] (op/emit! b :input {:name (symbol (str prefix k))
                                                   :type (graph/type-of g id)} [] nil))
                    (range) ids)]
    [(graph/finish b (mapv old (:outputs g))) added]))

(defn- derived
  "{:graph :found [[id-it-belongs-to id] …] :vectors [[id-it-belongs-to id] …]}: gradients by all
  float inputs and the tangent of the output, and the vectors that they are taken for."
  [{:keys [outputs] :as g}]
  (let [floats (modes/floats-of g), ignoring {:disconnected :ignore}
        [g us] (with-vectors g "u" outputs)
        [g vs] (with-vectors g "v" floats)
        {g :graph, gradients :grads} (diff/lop g outputs us floats ignoring)
        {g :graph, tangents :grads} (diff/rop g outputs floats vs ignoring)]
    {:graph g, :found (map vector (concat floats outputs) (concat gradients tangents))
     :vectors (map vector (concat outputs floats) (concat us vs))}))

(defn- wrong-types [{:keys [graph found]}]
  (for [[of id] found :let [expected (graph/type-of graph of), given (graph/type-of graph id)]
        :when (not= expected given)]
    (str "the derivative that belongs to " (pr-str expected) " is of the type " (pr-str given))))

(defn- values
  "The values of all derivatives, for random vectors that `seed` determines."
  [{:keys [graph found vectors]} env seed]
  (let [random (Random. seed)
        like (eval/run (assoc graph :outputs (map first vectors)) env)
        vector-named (fn [[_ id] {:keys [dtype shape]}]
                       [(:name (second ((:nodes graph) id)))
                        (array/cast dtype (modes/random-values random shape))])]
    (eval/run (assoc graph :outputs (map second found))
              (into env (map vector-named vectors like)))))

(defn- far? [x y]
  (let [xs (array/values x), ys (array/values y)
        size (reduce max 1.0 (map #(Math/abs (double %)) ys))]
    (some false? (map (fn [a b] (or (= a b) (and (NaN? a) (NaN? b))
                                    (<= (Math/abs (- (double a) (double b))) (* bound size))))
                      xs ys))))

(defn- widened
  "The call on :f64 arrays of the same values; nil when its attributes name a dtype, or hold graphs,
  whose types are fixed."
  [{:keys [op attrs args] :as c}]
  (when-not (or (some type/dtype? (filter keyword? (vals attrs))) (seq (body/graphs op attrs)))
    (assoc c :args (mapv #(if (type/float-dtype? (:dtype %)) (array/cast :f64 %) %) args))))

(defn- wrong-values [c d seed]
  (when-let [wide (widened c)]
    (let [{:keys [graph env]} (gens/seen-graph wide)
          pairs (map vector (values d (:env (gens/seen-graph c)) seed)
                     (values (derived graph) env seed))]
      (for [[x y] pairs :when (far? x y)]
        (str "a derivative is " (array/nested x) ", in :f64 " (array/nested y))))))

(defn problems-of
  "What is wrong with derivatives of an op in narrow dtypes, on generated calls."
  [op]
  (for [dtype narrow, seed (range 4)
        :let [c (gens/case op dtype 3 seed)]
        :when (and c (type/float-dtype? (type/dtype-of (:type c))))
        :let [d (derived (:graph (gens/seen-graph c)))]
        why (concat (wrong-types d) (when (= dtype :f32) (wrong-values c d seed)))]
    (problem :precision (list `gens/case op dtype 3 seed) why)))
