(ns damo.core
  "Damo's public face: symbolic expressions of arrays, their derivatives, and functions compiled to
  machine code. Every op of the registry is a function here, by its name: (tanh x), (sum x :axis 1).
  (def x (input 'x [:f32 ['n 3]]))  (def f (function [x] (sum (sqr x))))  @(f [[1 2 3]]) = 14.0"
  (:refer-clojure :exclude
    [+ - * / abs assert bit-and bit-not bit-or bit-xor cast eval flatten load max min mod
     print repeat sort take])
  (:require [clojure.core :as clj]
            [damo.data.attribute :as attribute]
            [damo.data.explain :as explain]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.later :as later]
            [damo.data.thrown :as thrown]
            [damo.data.told :as told]
            [damo.face.branch :as branch]
            [damo.face.code :as code]
            [damo.face.derivative :as derivative]
            [damo.face.function :as function]
            [damo.face.function.copy :as copy]
            [damo.face.graphs :as graphs]
            [damo.face.leaf :as leaf]
            [damo.face.loops :as loops]
            [damo.face.machine :as machine]
            [damo.face.model :as model]
            [damo.face.operators :as operators]
            [damo.face.parameters :as parameters]
            [damo.face.parse :as parse]
            [damo.face.random :as random]
            [damo.face.region :as region]
            [damo.face.scan :as scan]
            [damo.face.tensors :as tensors]
            [damo.face.verify :as verify]
            [damo.op :as op]
            [damo.op.home :as home]
            [damo.ops.all]
            [damo.ops.fold.sort :as sort]
            [damo.ops.linear.einsum :as einsum]
            [damo.ops.move.arrange :as arrange]
            [damo.ops.move.grid :as grid]
            [damo.ops.move.mask :as mask]
            [damo.ops.move.subtensor :as subtensor]
            [damo.ops.nn.normalize :as normalize]
            [damo.ops.watch.derivative :as control]
            [damo.rule.trace :as trace]
            [damo.tool.describe :as describe])
  (:import [damo.face.function Compiled]
           [damo.lib Threads]
           [damo.tensor Tensor]))

(set! *warn-on-reflection* true)

;; ## Ops

(home/export-ops)

(defn- exported
  "The definition of the function named `f` under its own name here, with doc and arguments."
  [f value]
  (let [{:keys [doc arglists]} (meta (resolve f))]
    `(def ~(with-meta (symbol (name f)) {:doc doc, :arglists `'~arglists}) ~value)))

(defmacro ^:private export
  "Functions under their own names here."
  [& functions]
  `(do ~@(for [f functions] (exported f f))))

(defmacro ^:private export-makers
  "Functions that make expressions under their own names here; failures name them."
  [& functions]
  `(do ~@(for [f functions] (exported f `(explain/explained ~(keyword (name f)) ~f)))))

(export-makers
 normalize/layer-norm normalize/batch-norm-train normalize/batch-norm-test
 subtensor/index subtensor/set-at subtensor/inc-at arrange/split grid/meshgrid grid/indices
 grid/shape-i grid/shape-vector grid/unravel-index grid/ravel-multi-index mask/nonzero
 mask/masked mask/unique-all)

(def ^{:doc (:doc (meta #'einsum/call-einsum)), :arglists '([subscripts & operands])} einsum
  (explain/explained :einsum einsum/call-einsum))

(def ^{:doc (:doc (meta #'sort/call-bincount)), :arglists '([x & attributes])} bincount
  (explain/explained :bincount sort/call-bincount))

(defmacro ^:private alias-ops
  "Ops under second names: the doc says which op it is."
  [names]
  `(do ~@(for [[second-name op-name] (partition 2 names)
               :let [{:keys [arglists op]} (meta (resolve op-name))]]
           `(def ~(with-meta second-name {:doc (str "The same as " op-name "."), :op op
                                          :arglists `'~arglists})
              ~op-name))))

(alias-ops
 [+ add, * mul, / div, true-div div, neq ne, invert bit-not, ravel flatten, digamma psi])

(defn -
  "x - y, elementwise; of one argument its negative."
  ([x] (neg x))
  ([x y] (sub x y)))

(defn divmod
  "[(int-div x y) (mod x y)]: the whole quotient and the remainder, x = y·quotient + remainder."
  [x y]
  [(int-div x y) (mod x y)])

(defmacro math
  "The body, in which + - * / < > <= >= = not= min max abs mod inc dec zero? pos? neg? not are those
  of damo.face.operators: Clojure's for numbers alone, Damo's as soon as an expression, tensor,
  array or vector is among the arguments. (math (grad (sum (* 0.5 (- x 1) (- x 1))) x))."
  [& body]
  `(let [~@(mapcat (fn [s] [s (symbol "damo.face.operators" (name s))]) operators/names)]
     ~@body))

;; ## Leaves

(export leaf/input leaf/shared leaf/value leaf/set-value!)

;; ## Dims

(defmacro with-dims
  "The value of the body, in which what is told of dims holds: '{n m, p 3, k [:* 2 n]}, dims that
  are equal, and '{n [:>= 1], m [:<= 100], p [:in 1 n]}, their bounds. It holds for expressions made
  while the body runs, also in functions that it calls, with arguments from anywhere; what is made
  carries the check, which is made when a call of a compiled function binds its dims. Types have the
  dims on the right. What contradicts itself is refused."
  [dims & body]
  `(told/within ~dims (fail/source-position) (fn [] ~@body)))

;; ## Tensors

(export tensors/tensor tensors/full tensors/zeros tensors/ones tensors/arange tensors/eye
        tensors/shape tensors/dtype tensors/->array tensors/part random/random)

;; ## Expressions and graphs

(export graphs/type-of graphs/graph graphs/expr graphs/write-graph graphs/read-graph)

(defn parse
  "The graph of a let form, data such as {:inputs {x [:f32 [n 784]]} :params {w {:type [:f32 [784
  10]]}}
  :let [h [:tanh [:dot x w]]] :outputs {y [:softmax h]}}; fails saying which entry is wrong."
  [form]
  (parse/parse form))

(defn- public-names []
  (map keyword (keys (ns-publics 'damo.core))))

(defn describe
  "Prints all that is known of an op or of a function of this namespace, named by a keyword or a
  symbol: (describe :log1p), (describe 'grad)."
  [op]
  (let [{:keys [arglists doc macro] own :op :as found}
        (when (ident? op) (meta (ns-resolve 'damo.core (symbol (name op)))))]
    (if (and found (not own) (= "damo.core" (str (:ns found))))
      (println (describe/function-text (name op) arglists doc macro))
      (describe/describe (or own (keyword op)) (public-names)))))

;; ## Ops of the user's own

(defmacro defop
  "Registers an op and defines the function of its name, which makes expressions:
  (defop half \"x / 2.\" {:kind :elementwise, :args [?x], :type :float, :eval (fn [x] (/ x 2.0)),
  :partials [0.5]}). The kind is :elementwise (:eval is of numbers), :host (:eval is of reference
  arrays, or :kernel (fn [attrs output & inputs]) of tensors) or :composite (:expand gives a
  template of other ops). docs/ops-guide.md lists the keys. Fails when the entry is incomplete or
  the name is taken."
  {:arglists '([name doc entry])}
  [op-name doc entry]
  (list `op/defop op-name doc entry))

(def ^{:doc (:doc (meta #'op/remove!)), :arglists '([op])} remove-op! op/remove!)

(def ^{:arglists '([op])
       :doc
       "Runs the laws on an op and prints the report: its meaning against the compiled op over
  dtypes, sizes and special values, the declared type against the actual one, derivatives against
  finite differences, both modes and second derivatives against each other, expansions, examples.
  Returns {:op :laws}, the laws that hold; fails with :damo.check/failed and a case of each law that
  does not, with :damo.check/no-generator when no calls of the op can be made up. Takes seconds."}
  check-op
  (later/of 'damo.laws.check/check-op))

;; ## Rules of the user's own

(defmacro defrules
  "Defines a set of rewrite rules for {:mode {:rules [my-rules]}}:
  (defrules my-rules \"What they do.\"
    {:name :halves, :lhs [:add [:mul 0.5 ?x] [:mul 0.5 ?x]], :rhs ?x, :keeps :value
     :why \"Nothing to compute.\", :examples [[[:add [:mul 0.5 x] [:mul 0.5 x]] => x]]}).
  docs/rules-guide.md tells the keys of a rule, and what its functions may ask of a match. Fails
  when a rule is incomplete or names what is not there."
  {:arglists '([set-name doc & rules] [set-name doc options & rules])}
  [set-name doc & rules]
  (require 'damo.rule)
  `(do (require '~'damo.rule)
       (damo.rule/defrules ~set-name ~doc ~@rules)))

(def ^{:private true} run-laws-of-rules (later/of 'damo.laws.rules/check-rules))

(defn check-rules
  "Runs the laws on a rule set and prints the report: each rule is applied to its examples and gives
  the stated form; types are kept; values as it promises, over the whole range of each dtype, with
  infinities and NaN; it refuses what it says, and needs each guard; sweeps with Damo's own rules
  come to rest. Returns {:rules :laws}; fails with :damo.check/rules-failed and a case of each law
  that a rule does not keep. Options: :derivative true also compares the derivatives of both sides."
  [rules & options]
  (run-laws-of-rules rules (attribute/options {:derivative {:default false, :is :flag}} []
                                              options)))

;; ## Derivatives

(export derivative/grad derivative/lop derivative/rop derivative/jacobian derivative/hessian
        derivative/hvp derivative/grad-clip derivative/grad-scale derivative/with-derivative
        control/consider-constant verify/verify-grad region/as-op)

;; ## Loops and branches

(export-makers
 scan/scan scan/map-steps scan/reduce-steps scan/foldl scan/foldr loops/while-loop branch/ifelse
 branch/switch)

;; ## Functions

(defn function
  "A compiled function. `inputs` is a vector of inputs; `outputs` one expression, a vector or a map,
  and results have the same form. Call it with tensors, numbers or nested data, positional or as one
  map of name → value. Options:
  :updates {shared expr} – computed from the old values, applied together after the outputs
  :givens {expr expr} – replaced before compiling
  :mode :fast-run | :fast-compile | :debug | :nan-guard | :sync | :none, or a map of it,
    {:mode :fast-run, :exclude #{rules or promises}, :include …, :regroup true, :rules [my-rules]}
  :threads – how many threads a call may use, where the process has more (see set-threads!)
  :keep-results – of how many calls the results stay open; those before them are closed by the next,
    and their memory serves it, which makes results that a loop drops as cheap as call-into
  :trust-input – a call costs less; no other thread may close its arguments meanwhile
  :no-default-updates true – streams of random numbers stay where they are
  :name – for messages; :allow-downcast – lets :f64 data be rounded to :f32 inputs
  :on-unused-input :raise | :warn | :ignore"
  [inputs outputs & options]
  (function/function inputs outputs (attribute/as-map options)))

(defn call-n
  "Calls a compiled function n times inside native code, updates applied between, and returns the
  last outputs."
  [f n & args]
  (function/call-n f n args))

(export copy/outputs-subset copy/copy-function)

(defn- buffers-of
  "The buffers that `call-into` was given, as an array."
  ^objects [buffers]
  (when-not (and (sequential? buffers) (every? #(instance? Tensor %) buffers))
    (fail! ::not-tensors (str "the buffers are a vector of tensors; got " (pr-str buffers))
           {:given buffers}))
  (.toArray ^java.util.Collection buffers ^objects (make-array Tensor (count buffers))))

(defn call-into
  "Calls a compiled function and writes its outputs, in order, into the tensors `buffers`, of their
  types; returns them in the form of the outputs."
  {:arglists '([f buffers & args])}
  ([f buffers] (function/call-into f (buffers-of buffers) (object-array 0)))
  ([f buffers a] (function/call-into f (buffers-of buffers) (object-array [a])))
  ([f buffers a b] (function/call-into f (buffers-of buffers) (object-array [a b])))
  ([f buffers a b & more]
   (function/call-into f (buffers-of buffers) (to-array (list* a b more)))))

(defn close
  "Ends a tensor, a compiled function, or all in a vector or map of results: the memory of a tensor
  goes to the next result of its size at once, where one that is dropped waits for the garbage
  collector. Further use is refused with :damo/closed; (with-open [y (f x)] …) does the same."
  [x]
  (function/close! x))

(defn eval
  "The value of an expression, or of a vector or map of them, by compiling: (eval e {x value}), a
  tensor; streams of random numbers stay where they are. The values are those of inputs, given
  themselves or by name, and options those of `function`."
  ([e] (eval e {}))
  ([e values & options]
   (let [given (function/by-input e values)]
     (clj/apply (function (vec (keys given)) e (merge {:on-unused-input :ignore
                                                       :no-default-updates true}
                                                      (attribute/as-map options)))
                (vals given)))))

(defn program
  "The program of a compiled function, the EDN that the Java core runs (docs/program.md)."
  [f]
  (:program (function/info f)))

(defn explain
  "Prints what became of a compiled function: the rules that fired, its kernels and products."
  [f]
  (function/explain f))

(defn rewritten
  "The graph of a compiled function after the rules, before composite ops are expanded: what `why`
  tells about."
  [f]
  (:graph (:rewritten (function/info f))))

(defn why
  "The rules that made node `id` of (rewritten f), in order: [{:rule :before :after …} …]; or of a
  graph that a node of it holds, to which the path leads: (why f 2 [5 :body])."
  ([f id] (why f id []))
  ([f id path]
   (let [{:keys [graph trace]} (:rewritten (function/info f))]
     (when-not graph
       (fail! ::no-trace "a function that was loaded from a file has no trace of rules" {}))
     (trace/why trace graph id path))))

(defn set-threads!
  "Sets how many threads a call may use in this process, the one that calls among them: for loops,
  products, and the linear algebra library. Results are the same for every number. It is 1 at first,
  or what the system property damo.threads says; (function … :threads n) allows less. Returns n."
  [n]
  (when-not (and (int? n) (clj/<= 1 n Threads/MOST))
    (fail! ::bad-threads (str "the number of threads is an integer from 1 to " Threads/MOST
                              "; got " (fail/value-text n))
           {:given n}))
  (thrown/translating (Threads/set (int n)))
  n)

(defn threads
  "How many threads a call may use in this process."
  []
  (thrown/translating (Threads/get)))

(export code/code-cache code/set-code-cache! machine/describe-machine)

;; ## Files

(defn save
  "Writes compiled functions and the state that they use as one file, whole or not at all:
  (save \"model.damo\" {:predict f}). Returns the file."
  [file functions]
  (model/save file functions))

(defn load
  "The functions of a file that `save` wrote, by name. They share their state; {:predict f}."
  [file]
  (model/load file))

(parameters/guard! *ns*)
