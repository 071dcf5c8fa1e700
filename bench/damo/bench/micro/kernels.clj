(ns damo.bench.micro.kernels
  "The kernels of `bin/damo bench micro` as data: what each computes, of what, and how many flops
  that takes. A kernel is {:arguments [[dtype dims lo hi] …], :f (fn [x …] expressions),
  :flops [:in|:out k]}: the dtype :t is the row's, dims are symbols that its sizes name, numbers are
  uniform from lo to hi (-1 to 1 unless said), and the flops are k for each element of the first
  argument or of the first result. Peers know a kernel by its name (bench/micro_peer.py)."
  (:require [damo.bench.micro.maps :as maps :refer [flops-of kernel unary]]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(def ^:private folds
  {"sum"    (unary d/sum 1 -0.5 1)
   "mean"   (unary d/mean 1 -0.5 1)
   "var"    (unary d/var 4)
   "max"    (unary d/max 1)
   "argmax" (unary #(d/argmax % :axis 0) 1)
   "argmin" (unary #(d/argmin % :axis 0) 1)
   "anysum" (unary #(d/sum (d/gt % 0)) 2)
   "isum"   (kernel '[[:t [n] 0 1000]] [:in 1] d/sum)
   "imax"   (kernel '[[:t [n] 0 1000000]] [:in 1] d/max)
   "iargmax" (kernel '[[:t [n] 0 1000000]] [:in 1] #(d/argmax % :axis 0))
   "sum0"   (kernel '[[:t [m n] -0.5 1]] [:in 1] #(d/sum % :axis 0))
   "sum1"   (kernel '[[:t [m n] -0.5 1]] [:in 1] #(d/sum % :axis 1))
   "max0"   (kernel '[[m n]] [:in 1] #(d/max % :axis 0))
   "max1"   (kernel '[[m n]] [:in 1] #(d/max % :axis 1))
   "argmax0" (kernel '[[m n]] [:in 1] #(d/argmax % :axis 0))
   "argmax1" (kernel '[[m n]] [:in 1] #(d/argmax % :axis 1))
   "any1"   (kernel '[[m n]] [:in 1] #(d/any (d/gt % 0.9) :axis 1))
   "prod1"  (kernel '[[m n]] [:in 1] #(d/prod % :axis 1))
   "var0"   (kernel '[[m n]] [:in 4] #(d/var % :axis 0))
   "var1"   (kernel '[[m n]] [:in 4] #(d/var % :axis 1))})

(def ^:private orders
  {"sort"    (unary d/sort 0)
   "isort"   (kernel '[[:t [n] 0 1000000]] [:in 0] d/sort)
   "argsort" (unary d/argsort 0)
   "topk10"  (unary #(d/topk % 10) 1)
   "argtopk10" (unary #(d/argtopk % 10) 1)
   "sort1"   (kernel '[[m n]] [:in 0] #(d/sort % :axis 1))
   "topk5-1" (kernel '[[m n]] [:in 1] #(d/topk % 5 :axis 1))
   "cumsum"  (unary #(d/cumsum % :axis 0) 1 -0.5 1)
   "cumsum1" (kernel '[[:t [m n] -0.5 1]] [:in 1] #(d/cumsum % :axis 1))
   "cumlogsumexp" (unary #(d/cumlogsumexp % :axis 0) (+ 2 (flops-of :exp) (flops-of :log)))})

(defn- norm-gradient [x g b u]
  (d/grad (d/sum (d/mul u (d/layer-norm x :scale g :shift b))) [x g b]))

(defn- loss-and-gradient [x labels]
  (let [loss (d/mean (d/cross-entropy x labels))]
    [loss (d/grad loss x)]))

(def ^:private rows
  (let [labelled '[[m n] [:i64 [m] 0 n]]]
    {"softmax0"   (kernel '[[m n]] [:in (+ 3 (flops-of :exp))] #(d/softmax % :axis 0))
     "softmax"    (kernel '[[m n]] [:in (+ 3 (flops-of :exp))] d/softmax)
     "logsoftmax" (kernel '[[m n]] [:in (+ 3 (flops-of :exp))] d/log-softmax)
     "logsumexp"  (kernel '[[m n]] [:in (+ 2 (flops-of :exp))] #(d/logsumexp % :axis 1))
     "cegrad"     (kernel labelled [:in (+ 4 (flops-of :exp))] loss-and-gradient)
     "ln"         (kernel '[[m n] [n] [n]] [:in 8] #(d/layer-norm %1 :scale %2 :shift %3))
     "lngrad"     (kernel '[[m n] [n] [n] [m n]] [:in 14] norm-gradient)}))

(defn- embedding-step
  "A table of rows after a step along the gradient of the squared distance of some of them."
  [table rows targets]
  (let [loss (d/sum (d/sqr (d/sub (d/take table rows :axis 0) targets)))]
    (d/sub table (d/mul 0.01 (d/grad loss table)))))

(def ^:private moves
  {"transpose" (kernel '[[:t [m n]]] [:in 0] d/transpose)
   "permute021" (kernel '[[m n k]] [:in 0] #(d/transpose % :axes [0 2 1]))
   "permute210" (kernel '[[m n k]] [:in 0] #(d/transpose % :axes [2 1 0]))
   "roll1"     (kernel '[[m n]] [:in 0] #(d/roll % :shift 3 :axis 1))
   "pad"       (kernel '[[m n]] [:out 0] #(d/pad % [[1 2] [3 4]]))
   "repeat0"   (kernel '[[m n]] [:out 0] #(d/repeat % 3 :axis 0))
   "tile"      (kernel '[[m n]] [:out 0] #(d/tile % [2 3]))
   "addt"      (kernel '[[m n] [n m]] [:in 1] #(d/add %1 (d/transpose %2)))
   "expt"      (kernel '[[m n]] [:in (flops-of :exp)] #(d/exp (d/transpose %)))
   "multsum"   (kernel '[[m n] [n m]] [:in 2] #(d/sum (d/mul %1 (d/transpose %2))))
   "multsum1"  (kernel '[[m n] [n m]] [:in 2] #(d/sum (d/mul %1 (d/transpose %2)) :axis 1))
   "concat0"   (kernel '[[m k] [n k]] [:out 0] #(d/concatenate [%1 %2] :axis 0))
   "concat1"   (kernel '[[k m] [k n]] [:out 0] #(d/concatenate [%1 %2] :axis 1))
   "take"      (kernel '[[m n] [:i64 [k] 0 m]] [:out 0] #(d/take %1 %2 :axis 0))
   "takedot"   (kernel '[[m n] [:i64 [k] 0 m] [k n]] [:out 2]
                       #(d/sum (d/mul (d/take %1 %2 :axis 0) %3) :axis 1))
   "bag"       (kernel '[[m n] [:i64 [k b] 0 m]] [:in 0]
                       #(d/sum (d/take %1 %2 :axis 0) :axis 1))
   "embed-step" (kernel '[[m n] [:i64 [k] 0 m] [k n]] [:out 1] embedding-step)
   "incat"     (kernel '[[m] [:i64 [k] 0 m] [k]] [:out 0] d/inc-at)
   "incat-rows" (kernel '[[m n] [:i64 [k] 0 m] [k n]] [:out 0] d/inc-at)})

;; Products: m·k by k·n. An update is what a step of gradient descent does to weights.
(def ^:private products
  (let [work #(* 2 (% 'm) (% 'n) (% 'k))
        product (fn [arguments f] (assoc (kernel arguments nil f) :flops work))]
    {"gemm"    (product '[[m k] [k n]] d/dot)
     "gemm-bt" (product '[[m k] [n k]] #(d/dot %1 (d/transpose %2)))
     "gemm-at" (product '[[k m] [k n]] #(d/dot (d/transpose %1) %2))
     "gemm-i8" (product '[[:i8 [m k] -100 100] [:i8 [k n] -100 100]]
                        #(d/dot (d/cast %1 :i32) (d/cast %2 :i32)))
     "update"  (product '[[m n] [k m] [k n]]
                        #(d/sub %1 (d/mul 0.01 (d/dot (d/transpose %2) %3))))
     "dense"   (product '[[m k] [k n] [n]] #(d/tanh (d/add (d/dot %1 %2) %3)))
     "vecmat"  (assoc (kernel '[[k] [k n]] nil d/dot) :flops #(* 2 (% 'n) (% 'k)))
     "matvec"  (assoc (kernel '[[m k] [k]] nil d/dot) :flops #(* 2 (% 'm) (% 'k)))
     "ger"     (assoc (kernel '[[m n] [m] [n]] nil #(d/sub %1 (d/mul 0.01 (d/outer %2 %3))))
                      :flops #(* 2 (% 'm) (% 'n)))
     "batched" (assoc (kernel '[[b m k] [b k n]] nil d/matmul)
                      :flops #(* 2 (% 'b) (% 'm) (% 'n) (% 'k)))
     "batched-bt" (assoc (kernel '[[b m k] [b n k]] nil #(d/einsum "bij,bkj->bik" %1 %2))
                         :flops #(* 2 (% 'b) (% 'm) (% 'n) (% 'k)))
     "scores"  (assoc (kernel '[[b m k] [b n k]] nil
                              #(d/softmax (d/mul 0.125 (d/einsum "bij,bkj->bik" %1 %2))))
                      :flops #(* (% 'b) (% 'm) (% 'n) (+ 20 (* 2 (% 'k)))))}))

(def kernels
  "All kernels, by name."
  (merge maps/kernels folds orders rows moves products))
