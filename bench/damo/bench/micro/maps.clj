(ns damo.bench.micro.maps
  "The elementwise kernels of `bin/damo bench micro`, as in damo.bench.micro.kernels: functions of
  one and two numbers, comparisons, integers, and conversions from each dtype to others."
  (:require [damo.core :as d]))

(set! *warn-on-reflection* true)

;; What a function takes at least, in flops an element: reduction of the argument, a polynomial that
;; is good for 2 units in the last place of f32, what puts the parts together.
(def flops-of
  "Flops of an element of a math function."
  {:exp 14, :log 16, :tanh 18, :sigmoid 18, :pow 34, :sqrt 4, :erf 20, :sin 18})

(defn kernel
  "A kernel of arguments, which are dims or [dtype dims lo hi], with its flops."
  [arguments flops f]
  {:arguments (mapv #(if (keyword? (first %)) % [:t %]) arguments), :flops flops, :f f})

(defn unary
  "A kernel of one line of numbers, from -3 to 3 unless told."
  [f flops & [lo hi]]
  (kernel [[:t '[n] (or lo -3) (or hi 3)]] [:in flops] f))

(defn binary
  "A kernel of two lines of numbers."
  [f flops & range]
  (kernel (repeat 2 (into [:t '[n]] range)) [:in flops] f))

(defn- ten
  "Ten elementwise ops of two arrays."
  [x y]
  (-> (d/add x y) (d/mul 0.5) (d/sub y) (d/add 1.0) (d/mul x) (d/maximum 0.1) (d/add y)
      (d/mul 0.25) (d/sub x)))

(defn- gradient
  "A function and its derivative, both."
  [f]
  (fn [x] (let [y (f x)] [y (d/grad (d/sum y) x)])))

(def ^:private usual
  {"add"     (binary d/add 1)
   "chain10" (binary ten 9)
   "where"   (binary #(d/where (d/gt %1 0) %1 %2) 1)
   "mask"    (binary #(d/logical-and (d/gt %1 0) (d/lt %2 0.5)) 3)
   "pow"     (binary d/pow (flops-of :pow) 0.1 3)
   "plus1"   (unary #(d/add % 1) 1)
   "tanh"    (unary d/tanh (flops-of :tanh))
   "exp"     (unary d/exp (flops-of :exp))
   "log"     (unary d/log (flops-of :log) 0.1 3)
   "sigmoid" (unary d/sigmoid (flops-of :sigmoid))
   "sqrt"    (unary d/sqrt (flops-of :sqrt) 0.1 3)
   "gelu"    (unary d/gelu (+ 4 (flops-of :erf)))
   "three"   (kernel '[[n] [n] [n]] [:in 2] #(d/add (d/mul %1 %2) %3))
   "scalar"  (kernel '[[]] [:in 1] #(d/add % 1))
   "mixed"   (kernel '[[n] [:f64 [n]] [:i64 [n] 0 1000]] [:in 2] #(d/add (d/mul %1 %2) %3))
   "arith"   (kernel '[[:t [n] 0 1000] [:t [n] 0 1000]] [:in 3]
                     #(d/add (d/mul %1 %2) (d/sub %1 3)))
   "bits"    (kernel '[[:t [n] 0 100000] [:t [n] 0 100000]] [:in 3]
                     #(d/bit-xor (d/bit-and %1 %2) (d/right-shift %1 3)))
   "outeradd" (kernel '[[m 1] [1 n]] [:out 1] d/add)})

(def ^:private functions
  {"exp2"   (unary d/exp2 (flops-of :exp))
   "expm1"  (unary d/expm1 (flops-of :exp))
   "log2"   (unary d/log2 (flops-of :log) 0.1 3)
   "log10"  (unary d/log10 (flops-of :log) 0.1 3)
   "log1p"  (unary d/log1p (flops-of :log) -0.9 3)
   "sin"    (unary d/sin (flops-of :sin))
   "cos"    (unary d/cos (flops-of :sin))
   "tan"    (unary d/tan (flops-of :sin))
   "asin"   (unary d/asin (flops-of :sin) -1 1)
   "acos"   (unary d/acos (flops-of :sin) -1 1)
   "atan"   (unary d/atan (flops-of :sin))
   "sinh"   (unary d/sinh (flops-of :tanh))
   "cosh"   (unary d/cosh (flops-of :tanh))
   "asinh"  (unary d/asinh (flops-of :log))
   "acosh"  (unary d/acosh (flops-of :log) 1 4)
   "atanh"  (unary d/atanh (flops-of :log) -0.99 0.99)
   "erf"    (unary d/erf (flops-of :erf))
   "erfc"   (unary d/erfc (flops-of :erf))
   "erfinv" (unary d/erfinv (flops-of :erf) -0.99 0.99)
   "gammaln" (unary d/gammaln (flops-of :pow) 0.1 3)
   "digamma" (unary d/psi (flops-of :pow) 0.1 3)
   "atan2"  (binary d/atan2 (+ 4 (flops-of :sin)) -3 3)
   "hypot"  (binary d/hypot 8 -3 3)
   "softplus" (unary d/softplus (+ (flops-of :exp) (flops-of :log)))
   "silu"   (unary d/silu (flops-of :sigmoid))
   "elu"    (unary d/elu (flops-of :exp))
   "selu"   (unary d/selu (flops-of :exp))
   "gelutanh" (unary #(d/gelu % :approximate :tanh) (+ 6 (flops-of :tanh)))
   "gelugrad" (unary (gradient d/gelu) (+ 8 (flops-of :erf) (flops-of :exp)))})

(def ^:private simple
  {"rsqrt"  (unary #(d/div 1 (d/sqrt %)) 5 0.1 3)
   "reciprocal" (unary d/reciprocal 1 0.1 3)
   "div"    (binary d/div 1 0.1 3)
   "floor"  (unary d/floor 1)
   "round"  (unary d/round 1)
   "trunc"  (unary d/trunc 1)
   "sign"   (unary d/sign 1)
   "abs"    (unary d/abs 1)
   "clip"   (unary #(d/clip % -1 1) 2)
   "relu"   (unary d/relu 1)
   "maximum" (binary d/maximum 1 -3 3)
   "lt"     (binary d/lt 1 -3 3)
   "eq0"    (unary #(d/eq % 0) 1)
   "isnan"  (unary d/isnan 1)
   "where01" (unary #(d/where (d/gt % 0) 1.0 0.5) 1)
   "fmod"   (binary d/mod 4 0.1 3)
   "fmod1"  (unary #(d/mod % 0.7) 4)})

(def ^:private whole
  (let [numbers (fn [f] (kernel '[[:t [n] -100000 100000]] [:in 4] f))
        pairs (fn [f] (kernel '[[:t [n] -100000 100000] [:t [n] 1 1000]] [:in 4] f))]
    {"mod7"  (kernel '[[:t [n] 0 100000]] [:in 4] #(d/mod % 7))
     "quot7" (numbers #(d/int-div % 7))
     "modn"  (kernel '[[:t [n] -100000 100000] [:t [] 7 8]] [:in 4] d/mod)
     "quotn" (kernel '[[:t [n] -100000 100000] [:t [] 7 8]] [:in 4] d/int-div)
     "mods"  (pairs d/mod)
     "shifts" (kernel '[[:t [n] 0 100000] [:t [n] 0 20]] [:in 1] d/right-shift)
     "ilt"   (pairs d/lt)
     "iclip" (numbers #(d/clip % -7 1000))}))

;; A conversion is named by what it makes; what it takes is the row's dtype.
(def ^:private casts
  {"cast64"  (unary #(d/cast % :dtype :f64) 1)
   "cast32"  (unary #(d/cast % :dtype :f32) 1)
   "casti32" (unary #(d/cast % :dtype :i32) 1)
   "casti64" (unary #(d/cast % :dtype :i64) 1)
   "castu8"  (unary #(d/cast % :dtype :u8) 1 0 100)
   "castbool" (unary #(d/cast % :dtype :bool) 1)
   "castbf16" (unary #(d/cast % :dtype :bf16) 1)
   "castf16" (unary #(d/cast % :dtype :f16) 1)
   "icast32" (kernel '[[:t [n] 0 100]] [:in 1] #(d/cast % :dtype :f32))
   "icast64" (kernel '[[:t [n] 0 100]] [:in 1] #(d/cast % :dtype :f64))
   "icasti32" (kernel '[[:t [n] 0 100]] [:in 1] #(d/cast % :dtype :i32))
   "icasti64" (kernel '[[:t [n] 0 100]] [:in 1] #(d/cast % :dtype :i64))})

(def kernels
  "All elementwise kernels, by name."
  (merge usual functions simple whole casts))
