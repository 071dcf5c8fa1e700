(ns damo.data.transfer
  "Reference arrays as tensors and back, and kernels of ops on whole arrays run on them:
  (->array (->tensor (array/of :f32 [2] [1 2]))) is that array again."
  (:require [damo.data.array :as array]
            [damo.data.fail :refer [fail!]])
  (:import [damo.edn Edn Edn$Keyword Edn$Symbol]
           [damo.runtime HostCall HostKernel]
           [damo.tensor DType Tensor]
           [java.util List Map Set]))

(set! *warn-on-reflection* true)

;; ## Arrays and tensors

(defn- floats-of ^floats [^doubles data]
  (let [out (float-array (alength data))]
    (dotimes [i (alength data)] (aset out i (unchecked-float (aget data i))))
    out))

(defn- doubles-of ^doubles [^floats data]
  (let [out (double-array (alength data))]
    (dotimes [i (alength data)] (aset out i (double (aget data i))))
    out))

(defn- flat-of
  "The elements of a reference array as a Java array where its dtype has one, else as a list."
  [{:keys [dtype data] :as a}]
  (case dtype
    (:f64 :i64) data
    :f32 (floats-of data)
    (array/values a)))

(defn ->tensor
  "The tensor of a reference array."
  ^Tensor [{:keys [dtype shape] :as a}]
  (let [d (DType/of (name dtype))]
    (if (some zero? shape)
      (Tensor/zeros d (long-array shape))
      (.reshape (Tensor/of (if (empty? shape) [(array/element a 0)] (flat-of a)) d)
                (long-array shape)))))

(defn ->array
  "The reference array of a tensor, a copy."
  [^Tensor t]
  (let [dtype (keyword (.label ^DType (.dtype t))), shape (vec (.shape t))]
    (case dtype
      (:f64 :i64) (array/array dtype shape (.toJavaArray t))
      :f32 (array/array dtype shape (doubles-of (.toJavaArray t)))
      (array/of dtype shape (.get (.reshape t (long-array [(.elements t)])))))))

;; ## Attributes

(defn ->clojure
  "A value of EDN as the core reads it as Clojure's reader gives it."
  [x]
  (cond (instance? Edn$Keyword x) (keyword (.name ^Edn$Keyword x))
        (instance? Edn$Symbol x) (symbol (.name ^Edn$Symbol x))
        (instance? Map x) (into {} (map (fn [[k v]] [(->clojure k) (->clojure v)])) x)
        (instance? List x) (mapv ->clojure x)
        (instance? Set x) (into #{} (map ->clojure) x)
        :else x))

(defn attributes
  "The attributes of a host call, by keyword."
  [^Map m]
  (into {} (map (fn [[k v]] [(keyword k) (->clojure v)])) m))

(defn- by-name
  "Attributes as the core gives them to kernels that are written in Java."
  [attrs]
  (let [text (binding [*print-length* nil, *print-level* nil, *print-meta* false] (pr-str attrs))]
    (update-keys (Edn/read text) #(.name ^Edn$Keyword %))))

;; ## Kernels

(defn result
  "The tensor that a kernel gave, `output` unless it returned something: a tensor, or data of the
  dtype of `output`. Fails on anything else, which is no result and would pass for zeros."
  ^Tensor [given ^Tensor output]
  (cond (nil? given) output
        (instance? Tensor given) given
        (or (number? given) (boolean? given) (sequential? given) (some-> given class .isArray))
        (Tensor/of given (.dtype output))
        :else (fail! :damo.transfer/no-result
                     (str "a kernel writes its output and returns nil, or returns a"
                      " tensor, numbers or nested data; this one returned "
                      (pr-str given) ", a " (.getName (class given)))
                     {:given given})))

(defn by-kernel
  "The array of `type` that a :kernel, a function (fn [attrs output & inputs]) or a HostKernel,
  gives for arrays. Fails as the kernel does."
  [kernel op attrs [dtype shape] arrays]
  (let [output (Tensor/zeros (DType/of (name dtype)) (long-array shape))
        inputs (mapv ->tensor arrays)
        given (if (instance? HostKernel kernel)
                (.run ^HostKernel kernel (HostCall/of (name op) (by-name attrs) inputs output))
                (apply kernel attrs output inputs))]
    (->array (result given output))))
