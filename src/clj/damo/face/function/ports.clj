(ns damo.face.function.ports
  "Sparse matrices among the inputs of a function. The program has inputs for their parts; a call
  gives a matrix for them, or, as from Java, the parts. (flat [a x]) = [a.data a.columns
  a.row-starts a.shape x]; (spread ports) turns the arguments of a call accordingly."
  (:require [damo.data.expr :as expr]
            [damo.data.fail :refer [fail!]]
            [damo.data.sparse :as sparse :refer [sparse?]]
            [damo.face.sparse.leaf :as leaf]
            [damo.face.sparse.order :as order]
            [damo.face.tensors :as tensors])
  (:import [damo.data.sparse Sparse]
           [damo.tensor Tensor]))

(set! *warn-on-reflection* true)

(def ^:private parts-in-order
  "The parts of a sparse input in the order of inputs."
  [:data :indices :starts :extents])

(defn- matrix? [x] (and (sparse? x) (= :input (:leaf x))))

(defn flat
  "The inputs, with the parts of sparse ones in their places."
  [inputs]
  (if (sequential? inputs)
    (into [] (mapcat (fn [x] (if (matrix? x) (map #(get x %) parts-in-order) [x]))) inputs)
    inputs))

(defn of
  "What is to be known of the inputs for calls: for each {:name :format :shape :index} of a sparse
  one, or its name; nil when none is sparse."
  [inputs]
  (when (and (sequential? inputs) (some matrix? inputs))
    (mapv (fn [x]
            (if (matrix? x)
              (into {} (map (fn [k] [k (get x k)])) [:name :format :shape :index])
              (:name (expr/attrs-of x))))
          inputs)))

(defn together
  "Names of inputs of which all are used where one is: sets."
  [ports]
  (for [{:keys [format name]} ports :when format]
    (set (vals (sparse/parts format name)))))

(defn joined
  "The inputs of a function for its `flat` ones."
  [ports inputs]
  (if (nil? ports)
    (vec inputs)
    (first (reduce (fn [[found left] {:keys [format] :as port}]
                     (if format
                       (let [[data indices starts extents] left]
                         [(conj found (Sparse. format data indices starts
                                               (pop (expr/shape-of extents))
                                               (assoc (select-keys port [:name :index])
                                                      :leaf :input, :extents extents)))
                          (drop 4 left)])
                       [(conj found (first left)) (rest left)]))
                   [[] (seq inputs)] ports))))

(defn matrices
  "{name matrix} of the sparse inputs that expressions of inputs are parts of."
  [leaves]
  (into {} (keep #(when-let [given (expr/sparse-of %)]
                    [(str (first given)) (apply leaf/input given)]))
        leaves))

;; ## Arguments

(defn- narrowed
  "The integers as :i32, which they fit: the shape of the matrix says so, or this fails."
  [t]
  (let [xs (order/longs-of t), ys (int-array (alength xs))]
    (dotimes [i (alength xs)] (aset ys i (Math/toIntExact (aget xs i))))
    (tensors/tensor ys)))

(defn- integers [index t]
  (if (and (= :i32 index) (not= :i32 (tensors/dtype t))) (narrowed t) t))

(defn- parts-of
  "What is given for a sparse input, as its parts."
  [{:keys [index] :as port} x]
  (let [{:keys [data indices starts shape]} (leaf/fitting port x)]
    [data (integers index indices) (integers index starts)
     (tensors/zeros (conj shape 0) :bool)]))

(defn- spread-by-name [ports given]
  (let [text #(cond (expr/expr? %) (str (:name (expr/attrs-of %)))
                    (sparse? %) (str (:name %))
                    (instance? clojure.lang.Named %) (name %)
                    :else (str %))
        sparse-ports (into {} (keep #(when (:format %) [(str (:name %)) %])) ports)]
    (into {} (mapcat (fn [[k x]]
                       (if-let [{:keys [format name] :as port} (sparse-ports (text k))]
                         (map (fn [part value] [((sparse/parts format name) part) value])
                              parts-in-order (parts-of port x))
                         [[k x]])))
          given)))

(defn- spread-in-order [ports given]
  (let [flat-count (reduce + (map #(if (:format %) 4 1) ports))]
    (cond (= (count given) (count ports))
          (into [] (mapcat (fn [port x] (if (:format port) (parts-of port x) [x])) ports given))
          (= (count given) flat-count) given
          :else (fail! :damo/arity-mismatch
                       (str "the function takes " (count ports) " arguments, given " (count given)
                            (apply str (for [{:keys [format name shape] :as port} ports]
                                         (str "\n  input: "
                                              (if format (str name ", a sparse matrix of the shape "
                                                              (pr-str shape))
                                                  port)))))
                       {:expected (count ports), :given (count given)}))))

(defn spread
  "A function from the arguments of a call, an array, to those of the flat inputs; nil where `ports`
  are nil."
  [ports]
  (when ports
    (fn [^objects args]
      (let [x (when (= 1 (alength args)) (aget args 0))]
        (if (and (map? x) (not (instance? Tensor x)))
          (object-array [(spread-by-name ports x)])
          (object-array (spread-in-order ports (vec args))))))))
