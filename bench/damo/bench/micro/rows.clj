(ns damo.bench.micro.rows
  "The rows of `bin/damo bench micro`: kernels with sizes, a dtype and a number of threads, and what
  each must move and do. A row is {:name, :kernel, :sizes {m 1000 n 1000}, :dtype, :threads}.
  (work (row \"add-1e6\")) => {:bytes 12000000, :flops 1000000}."
  (:require [clojure.string :as str]
            [damo.bench.micro.kernels :as kernels]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

;; ## The table

(def ^:private lengths {"1e4" '{n 10000}, "1e6" '{n 1000000}, "1e7" '{n 10000000}})

(defn- sizes-of
  "The sizes that a tag tells: 1e6; 1000x1000, m x n; 60x500x784, m x n x k; 8x128x128x64, b m n k."
  [tag]
  (or (lengths tag)
      (let [numbers (mapv #(long (parse-double %)) (str/split tag #"x"))]
        (zipmap ('[nil [n] [m n] [m n k] [b m n k]] (count numbers)) numbers))))

(defn- row [kernel tag dtype threads]
  {:name (str kernel "-" tag (when (not= :f32 dtype) (str "-" (name dtype)))
              (when (< 1 threads) (str "-" threads "t")))
   :kernel kernel, :sizes (sizes-of tag), :dtype dtype, :threads threads})

(def ^:private square ["1000x1000"])
(def ^:private shapes ["1000x1000" "10x1e6" "1e6x10"])
(def ^:private lines ["60x10" "1000x1000" "64x50000"])

;; [kernels tags], of f32 and one thread.
(def ^:private table
  [[["add" "chain10" "tanh" "exp" "log" "sigmoid" "where" "pow" "sqrt" "sum" "mean" "max" "argmax"
     "var" "cast64"] ["1e4" "1e6" "1e7"]]
   [["gelu" "mask" "anysum" "cumsum" "sort" "argsort" "topk10"] ["1e4" "1e6"]]
   [["argmin" "argtopk10" "cumlogsumexp"] ["1e6"]]
   [["sum0" "sum1" "max0" "max1" "argmax1" "var0"] shapes]
   [["argmax0" "var1" "cumsum1" "sort1" "topk5-1"] square]
   [["softmax" "logsoftmax" "logsumexp" "cegrad"] lines]
   [["ln" "lngrad"] ["1024x256" "1000x1000"]]
   [["transpose"] ["2000x2000" "1e6x10" "10x1e6" "300000x3" "3x300000" "60000x31"]]
   [["max1" "argmax1" "sum1" "any1" "prod1" "var1"] ["300000x3" "60000x16" "30000x33"]]
   [["max1"] ["10000x100"]]
   [["sum0" "max0" "var0"] ["3x300000" "10x100000" "100x10000"]]
   [["permute021" "permute210"] ["100x100x100" "10000x10x10" "3x1000x300"]]
   [["roll1" "pad" "repeat0" "tile"] ["1000x1000" "100000x10"]]
   [["addt" "expt" "multsum" "multsum1"] ["2000x2000"]]
   [["softmax0"] square]
   [["concat0" "concat1"] ["500x500x1000"]]
   [["take" "takedot"] ["100000x64x100000"]]
   [["bag"] ["16x100000x64x10000"]]
   [["embed-step"] ["100000x64x10000"]]
   [["incat"] ["10000x1x100000"]]
   [["incat-rows"] ["10000x64x100000"]]
   [["outeradd"] square]
   [["mixed"] ["1e6"]]
   [["three"] ["10"]]
   [["scalar"] ["1"]]
   [["plus1"] ["256" "25600" "2621440"]]])

(def ^:private product-table
  [[["gemm" "gemm-bt"] ["60x500x784" "60x1000x1000" "10x500x784" "10x1000x1000" "60x10x500"
                        "128x128x64" "1000x1000x1000"]]
   [["gemm"] ["500x500x500" "2000x2000x2000" "1024x500x784" "1024x1024x256"]]
   [["gemm-at"] ["256x1024x1024"]]
   [["update"] ["784x500x60" "1000x1000x60" "784x500x10" "500x10x60" "1000x1000x10"]]
   [["dense"] ["60x500x784" "10x500x784" "1024x1024x256"]]
   [["vecmat" "matvec"] ["1000x1000x1000" "500x500x784"]]
   [["ger"] ["1000x1000x1" "784x500x1"]]
   [["batched"] ["10000x2x2x2" "1000x4x4x4" "1000x8x8x8" "1000x16x16x16" "32x128x64x128"]]
   [["batched-bt" "scores"] ["32x128x128x64"]]])

(def ^:private double-table
  [[["add" "exp" "tanh" "log" "sum" "max" "argmax" "var" "cumsum" "sort"] ["1e6"]]
   [["softmax" "sum0" "max1" "var0"] square]
   [["gemm"] ["60x500x784" "10x500x784" "500x500x500"]]
   [["update"] ["784x500x60"]]
   [["transpose"] ["2000x2000"]]])

(def ^:private integer-table
  [[:i64 ["arith" "isum" "imax" "iargmax" "isort" "mod7"]]
   [:i32 ["arith" "isum" "imax" "iargmax" "isort" "bits"]]])

(def ^:private short-table
  [[:bf16 "add" "1e6"] [:bf16 "tanh" "1e6"] [:bf16 "sum" "1e6"] [:bf16 "softmax" "1000x1000"]
   [:bf16 "gemm" "500x500x500"] [:f16 "add" "1e6"]])

;; Elementwise kernels of one number or two, by dtype.
(def ^:private map-table
  [[:f32 ["exp2" "expm1" "log2" "log10" "log1p" "sin" "cos" "tan" "asin" "acos" "atan" "sinh"
          "cosh" "asinh" "acosh" "atanh" "erf" "erfc" "erfinv" "gammaln" "digamma" "atan2" "hypot"
          "softplus" "silu" "elu" "selu" "gelutanh" "gelugrad" "rsqrt" "reciprocal" "div" "floor"
          "round" "trunc" "sign" "abs" "clip" "relu" "maximum" "lt" "eq0" "isnan" "where01" "fmod"
          "fmod1" "casti32" "casti64" "castu8" "castbool" "castbf16" "castf16"]]
   [:f64 ["pow" "log1p" "log2" "log10" "sin" "tan" "asin" "sinh" "acosh" "erf" "atan2" "fmod"
          "cast32" "casti32" "casti64" "castbf16" "castf16"]]
   [:i64 ["quot7" "modn" "quotn" "mods" "shifts" "ilt" "iclip" "icast32" "icast64"]]
   [:i32 ["mod7" "quot7" "modn" "quotn" "mods" "shifts" "ilt" "iclip" "icast32" "icasti64"]]
   [:u8 ["icast32" "icasti32"]]
   [:bf16 ["exp" "relu" "chain10" "casti32"]]])

(def ^:private thread-table
  [[["add" "exp" "sum" "chain10"] ["1e6" "1e7"]]
   [["argmax" "sort"] ["1e6"]]
   [["softmax" "ln" "cegrad" "sum0" "sum1" "transpose"] square]
   [["gemm"] ["60x500x784" "10x1000x1000" "1000x1000x1000"]]
   [["update"] ["784x500x60" "1000x1000x60"]]
   [["vecmat"] ["1000x1000x1000"]]
   [["batched-bt" "scores"] ["32x128x128x64"]]])

(defn- crossed [table dtype threads]
  (for [[kernels tags] table, kernel kernels, tag tags] (row kernel tag dtype threads)))

(def rows
  "All rows in the order in which they are measured."
  (vec (concat (crossed table :f32 1)
               (crossed product-table :f32 1)
               (crossed double-table :f64 1)
               (for [[dtype kernels] integer-table, kernel kernels] (row kernel "1e6" dtype 1))
               (for [[dtype kernel] [[:i32 "gemm"] [:i64 "gemm"] [:i32 "gemm-i8"]]]
                 (row kernel "500x500x500" dtype 1))
               (for [[dtype kernel tag] short-table] (row kernel tag dtype 1))
               (for [[dtype kernels] map-table, kernel kernels] (row kernel "1e6" dtype 1))
               (crossed thread-table :f32 2))))

;; ## One row

(defn arguments
  "The arguments of a row, [{:dtype :dims :shape :lo :hi} …], of its kernel and sizes; those of the
  dtype that all floats have unless said are the row's."
  [{:keys [kernel sizes dtype]}]
  (vec (for [[t dims lo hi] (:arguments (kernels/kernels kernel))
             :let [sized #(get sizes % %)]]
         {:dtype (if (= :t t) dtype t), :dims dims, :shape (mapv sized dims)
          :lo (or (sized lo) -1), :hi (or (sized hi) 1)})))

(defn- inputs [row axes]
  (vec (map-indexed (fn [i argument]
                      (d/input (symbol (str "x" i)) [(:dtype argument) (axes argument)]))
                    (arguments row))))

(defn expression
  "[inputs outputs] of a row, for `d/function`: sizes are symbols but for 0 and 1. The outputs are
  a vector."
  [row]
  (let [xs (inputs row :dims)
        ys (apply (:f (kernels/kernels (:kernel row))) xs)]
    [xs (if (sequential? ys) (vec ys) [ys])]))

(defn- bytes-of [dtype shape]
  (* ({:f64 8, :i64 8, :f32 4, :i32 4, :f16 2, :bf16 2, :i16 2, :bool 1, :i8 1, :u8 1} dtype)
     (reduce * 1 shape)))

(defn work
  "{:bytes :flops} that a row must move and do: every argument is read once and every result
  written once; the flops are its kernel's."
  [{:keys [kernel sizes] :as row}]
  (let [{:keys [f flops]} (kernels/kernels kernel)
        outputs (flatten [(apply f (inputs row :shape))])
        in (:shape (first (arguments row))), out (d/shape (first outputs))]
    {:bytes (+ (reduce + (map #(bytes-of (:dtype %) (:shape %)) (arguments row)))
               (reduce + (map #(bytes-of (d/dtype %) (d/shape %)) outputs)))
     :flops (if (fn? flops)
              (flops sizes)
              (let [[which k] flops] (* k (reduce * 1 (if (= :in which) in out)))))}))
