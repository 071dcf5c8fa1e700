(ns damo.compile.host
  "The kernels that the ops of the registry give to compiled functions: Clojure and Java functions
  of whole arrays, C functions of scalars or arrays. (kernels) finds them by the name of their op,
  as programs have it; an op that has only a meaning runs that."
  (:require [clojure.string :as str]
            [damo.data.fail :refer [fail!]]
            [damo.data.transfer :as transfer]
            [damo.data.type :as type]
            [damo.meaning.eval :as eval]
            [damo.op :as op])
  (:import [damo.runtime HostCall HostKernel NativeArray NativeArray$Count NativeArray$Gives
            NativeArray$Pointer NativeArray$Scalar NativeFunction OpKernels]
           [damo.tensor DType Tensor]
           [java.lang.foreign MemorySegment]))

(set! *warn-on-reflection* true)

;; ## Kernels of whole arrays

(defn- by-function
  "The kernel that calls (f attrs output & inputs), which writes the tensor `output` and returns
  nil, or returns a tensor."
  [f]
  (let [cache (volatile! nil)
        attributes (fn [given]
                     (let [[known attrs] @cache]
                       (if (identical? known given)
                         attrs
                         (let [attrs (transfer/attributes given)]
                           (vreset! cache [given attrs])
                           attrs))))]
    (reify HostKernel
      (run [_ call]
        (let [output (.output ^HostCall call)]
          (transfer/result (apply f (attributes (.attributes ^HostCall call)) output
                                  (.inputs ^HostCall call))
                           output))))))

(defn- by-meaning
  "The kernel that evaluates the op as the reference interpreter does."
  [entry]
  (reify HostKernel
    (run [_ call]
      (transfer/->tensor (eval/value entry (transfer/attributes (.attributes ^HostCall call))
                                     (mapv transfer/->array (.inputs ^HostCall call)))))))

;; ## C functions

(defn- dtype-of ^DType [op dtype]
  (when-not (type/dtype? dtype)
    (fail! :damo.host/bad-signature
           (str "the op " op " names the dtype " (pr-str dtype)
                " in its :native; C functions take and give :f64 :f32 :i64 :i32")
           {:op op, :dtype dtype}))
  (DType/of (name dtype)))

(defn- address-of ^MemorySegment [op {:keys [address library symbol]}]
  (cond (instance? MemorySegment address) address
        (integer? address) (MemorySegment/ofAddress (long address))
        (and (string? symbol) (or (nil? library) (string? library) (= library :blas)))
        (NativeFunction/symbol (if (keyword? library) (name library) (or library "")) symbol)
        :else (fail! :damo.host/bad-signature
                     (str "the op " op " needs :symbol, the name of a C function, in its :native,"
                          " with :library, a file, a name such as \"libm.so.6\", or :blas; or"
                          " :address, a MemorySegment or an integer")
                     {:op op})))

(defn- bad-argument [op a]
  (fail! :damo.host/bad-signature
         (str "the op " op " has " (pr-str a) " among the :args of its :native; a C function of"
              " arrays takes [:count :i32] or [:count :i64], the number of elements; [:in 0 :f64],"
              " the address of an input; [:out :f64], that of the output; [:i32 1], a number;"
              " [:f64 :alpha], an attribute")
         {:op op, :argument a}))

(defn- argument [op a]
  (let [[head x y] (when (vector? a) a)]
    (cond (= head :count) (NativeArray$Count. (dtype-of op x))
          (= head :out) (NativeArray$Pointer. -1 (dtype-of op x))
          (and (= head :in) (nat-int? x)) (NativeArray$Pointer. (int x) (dtype-of op y))
          (and (type/dtype? head) (number? x)) (NativeArray$Scalar. (dtype-of op head) x)
          (and (type/dtype? head) (keyword? x))
          (NativeArray$Scalar. (dtype-of op head) (name x))
          :else (bad-argument op a))))

(defn- gives [op x]
  (case x
    nil NativeArray$Gives/NOTHING
    :status NativeArray$Gives/STATUS
    (:f64 :f32 :i64 :i32) (NativeArray$Gives/valueOf (str/upper-case (name x)))
    (fail! :damo.host/bad-signature
           (str "the op " op " has :gives " (pr-str x) " in its :native; it is"
            " nil, :status, :f64, :f32, :i64 or :i32")
           {:op op})))

(defn- native-kernel [op kind {:keys [args] :as native}]
  (let [address (address-of op native)]
    (if (= kind :elementwise)
      (NativeFunction/of address (dtype-of op (:gives native))
                         (into-array DType (map #(dtype-of op %) args)))
      (NativeArray/of address (gives op (:gives native)) (mapv #(argument op %) args)))))

;; ## The kernels of ops

(defn kernel-of
  "What runs the op of an entry in a compiled function, a damo.runtime.OpKernel: its :native or
  :kernel, else its meaning."
  [{:keys [kind native kernel] op :name :as entry}]
  (cond native (native-kernel op kind native)
        (instance? HostKernel kernel) kernel
        kernel (by-function kernel)
        :else (by-meaning entry)))

(defn kernels
  "The kernels of the registry as it is now, found by the name of their op: a
  damo.runtime.OpKernels."
  ^OpKernels []
  (let [registry @op/registry]
    (reify OpKernels
      (find [_ op]
        (when-let [entry (get registry (keyword op))]
          (when (not= :leaf (:kind entry)) (kernel-of entry)))))))
