(ns damo.face.function
  "Compiled functions: what d/function makes and a user calls. In: expressions of inputs and
  outputs, updates, options. Out: a Clojure fn of tensors, numbers and nested data, positional or by
  one map of names."
  (:require [clojure.string :as str]
            [damo.compile.plan.note :as note]
            [damo.compile.sizes :as sizes]
            [damo.compile.told :as told]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.later :as later]
            [damo.data.sparse :as sparse]
            [damo.data.thrown :as thrown]
            [damo.data.tree :as tree]
            [damo.face.draw.stream :as stream]
            [damo.face.function.check :as check]
            [damo.face.function.ports :as ports]
            [damo.face.given :as given]
            [damo.face.substitute :as substitute]
            [damo.rule.trace :as trace])
  (:import [clojure.lang IFn]
           [damo DamoException]
           [damo.runtime Function]
           [damo.tensor DType Tensor]
           [java.lang AutoCloseable]
           [java.util HashMap Map]))

(set! *warn-on-reflection* true)

;; ## Results have the form of what was asked for

(defn- form-of
  "{:exprs [e …] :form :one | :vector | [keys] | {:tree skeleton}} of outputs given as one
  expression, a vector or a map, nested or not."
  [outputs]
  (let [outputs (if (sequential? outputs) (vec outputs) outputs)
        {:keys [leaves skeleton]}
        (cond (nil? outputs) {:leaves [], :skeleton []}
              (and (vector? outputs) (not (tree/branch? outputs)))
              {:leaves outputs, :skeleton (vec (range (count outputs)))}
              :else (tree/taken-apart outputs))
        flat? #(every? integer? %)]
    {:exprs (mapv expr/whole leaves)
     :form (cond (integer? skeleton) :one
                 (and (vector? skeleton) (flat? skeleton)) :vector
                 (and (map? skeleton) (flat? (vals skeleton))) (vec (keys skeleton))
                 :else {:tree skeleton})}))

(defn as-asked
  "Values, a vector or an array, in the form in which outputs were asked for."
  [form values]
  (case form
    :one (nth values 0)
    :vector (vec values)
    (if (map? form) (tree/put-together (:tree form) values) (zipmap form values))))

(defn- by-name ^Map [m]
  (let [named (HashMap.)]
    (doseq [[k v] m]
      (.put named (cond (expr/expr? k) (str (:name (expr/attrs-of k)))
                        (instance? clojure.lang.Named k) (name k)
                        :else (str k))
            v))
    named))

(defn- call-core ^objects [^Function function ^objects args]
  (if (and (= 1 (alength args)) (not (instance? Tensor (aget args 0))) (map? (aget args 0)))
    (.callNamed function (by-name (aget args 0)))
    (.call function args)))

(declare run-once signature)

(def ^:private most-arguments
  "More arguments are not looked at: a sequence of them may have no end."
  65536)

;; A call may have any number of arguments; IFn wants one method for each number up to twenty.
(deftype Compiled [^Function function form around spread info]
  IFn
  (invoke [this] (run-once this (object-array 0)))
  (invoke [this a] (run-once this (object-array [a])))
  (invoke [this a b] (run-once this (object-array [a b])))
  (invoke [this a b c] (run-once this (object-array [a b c])))
  (invoke [this a b c d] (run-once this (object-array [a b c d])))
  (invoke [this a b c d e] (run-once this (object-array [a b c d e])))
  (invoke [this a b c d e f] (run-once this (object-array [a b c d e f])))
  (invoke [this a b c d e f g] (run-once this (object-array [a b c d e f g])))
  (invoke [this a b c d e f g h] (run-once this (object-array [a b c d e f g h])))
  (invoke [this a b c d e f g h i] (run-once this (object-array [a b c d e f g h i])))
  (invoke [this a b c d e f g h i j] (run-once this (object-array [a b c d e f g h i j])))
  (invoke [this a b c d e f g h i j k] (run-once this (object-array [a b c d e f g h i j k])))
  (invoke [this a b c d e f g h i j k l] (run-once this (object-array [a b c d e f g h i j k l])))
  (invoke [this a b c d e f g h i j k l m]
    (run-once this (object-array [a b c d e f g h i j k l m])))
  (invoke [this a b c d e f g h i j k l m n]
    (run-once this (object-array [a b c d e f g h i j k l m n])))
  (invoke [this a b c d e f g h i j k l m n o]
    (run-once this (object-array [a b c d e f g h i j k l m n o])))
  (invoke [this a b c d e f g h i j k l m n o p]
    (run-once this (object-array [a b c d e f g h i j k l m n o p])))
  (invoke [this a b c d e f g h i j k l m n o p q]
    (run-once this (object-array [a b c d e f g h i j k l m n o p q])))
  (invoke [this a b c d e f g h i j k l m n o p q r]
    (run-once this (object-array [a b c d e f g h i j k l m n o p q r])))
  (invoke [this a b c d e f g h i j k l m n o p q r s]
    (run-once this (object-array [a b c d e f g h i j k l m n o p q r s])))
  (invoke [this a b c d e f g h i j k l m n o p q r s t]
    (run-once this (object-array [a b c d e f g h i j k l m n o p q r s t])))
  (invoke [this a b c d e f g h i j k l m n o p q r s t more]
    (run-once this (to-array (concat [a b c d e f g h i j k l m n o p q r s t] more))))
  (applyTo [this args] (run-once this (to-array (take most-arguments args))))
  Runnable
  (run [this] (run-once this (object-array 0)))
  Callable
  (call [this] (run-once this (object-array 0)))
  AutoCloseable
  (close [_] (.close function))
  Object
  (toString [this] (signature this)))

;; ## What a failed call says

(defn- made-at [{:keys [src]}]
  (when src (str "\n  function made at: " (fail/position-text src))))

(defn- buffer-facts
  "What is known of the expression that a buffer of a program is for."
  [{:keys [program graph]} buffer]
  (let [id (get (:nodes (meta program)) buffer)]
    (when (get (:nodes graph) id) (note/facts graph id))))

(defn- failed!
  "Throws the failure of a call again with the input, the state or the value that it is about; that
  of an expression says so itself."
  [{:keys [inputs shared] :as info} e]
  (let [e (thrown/as-ex-info e), {:keys [input state buffer expr] :as data} (ex-data e)
        about (if state
                (get shared state)
                (first (filter #(= input (:name (expr/attrs-of %))) inputs)))
        facts (or (expr/facts about) (buffer-facts info buffer))]
    (if expr
      (throw e)
      (fail/explain! e ""
                     (str (when (= :damo/arity-mismatch (:damo/error data))
                            (check/input-lines inputs))
                          (fail/facts-text facts) (made-at info))
                     (cond-> (merge facts (when (:src info) {:made-at (:src info)}))
                       true (assoc :function (:name info)))))))

(defmacro ^:private explaining
  "Runs the body; failures of the core say what they are about."
  [info & body]
  `(try ~@body (catch DamoException e# (failed! ~info e#))))

(defn- handed-out
  "An array of results in the form in which f hands them out."
  [^Compiled f ^objects values]
  (if (identical? :one (.form f)) (aget values 0) (as-asked (.form f) values)))

(defn- spread-out
  "The arguments of a call, sparse matrices as their parts."
  ^objects [^Compiled f ^objects args]
  (if-let [spread (.spread f)] (spread args) args))

(defn- run-once
  "One call. `around`, when there is one, gets the call as a function, and the arguments."
  [^Compiled f ^objects args]
  (let [^Function function (.function f), args (spread-out f args)]
    (explaining (.info f)
      (if-let [around (.around f)]
        (as-asked (.form f) (around #(call-core function args) args))
        (handed-out f (call-core function args))))))

(defn- port-type [{:keys [dtype shape]}] [dtype shape])

(defn- signature
  "A function with the types of its inputs and outputs as one line: #damo/function loss (x [:f32 [n
  3]]) -> [:f32 []]."
  [^Compiled f]
  (let [{:keys [inputs outputs] fn-name :name} (:program (.info f))]
    (str "#damo/function " fn-name " ("
         (str/join ", " (for [{:keys [name] :as port} inputs] (str name " " (port-type port))))
         ") -> " (as-asked (.form f) (mapv port-type outputs)))))

(defmethod print-method Compiled [^Compiled f ^java.io.Writer w]
  (.write w ^String (signature f)))

(defn- compiled ^damo.face.function.Compiled [f]
  (if (instance? Compiled f)
    f
    (fail! :damo.function/not-a-function
           (str "a function made with (function inputs outputs) is needed; got "
            (pr-str f))
           {:given f})))

(defn form "How results are handed out: :one, :vector or a vector of keys." [f]
  (.form (compiled f)))

(defn info
  "What was compiled, and of what: {:program :graph :trace :rewritten}, as damo.compile.pipeline has
  them; the :name, the :inputs, the :states by name and the expressions of those, :shared; :src,
  where it was made; the :request, of which copies and subsets are made."
  [f] (.info (compiled f)))

(defn call-with
  "Calls (call core-function), which gives an array of tensors, and hands them out in the form of
  f's outputs."
  [f call]
  (let [f (compiled f)]
    (explaining (.info f) (as-asked (.form f) (call (.function f))))))

(defn call-n
  "Calls f n times inside native code and returns the last outputs; in the mode :debug one call
  after the other, each checked."
  [f n args]
  (let [^Compiled f (compiled f), ^Function core (.function f), args (to-array args)]
    (if (and (.around f) (integer? n) (pos? (long n)))
      (last (repeatedly n #(run-once f args)))
      (let [args (spread-out f args)]
        (call-with f (fn [_] (.callN core (long n) args)))))))

(defn call-into
  "Calls f with its outputs in the tensors of that array; checked in the mode :debug."
  [f ^objects buffers ^objects args]
  (let [^Compiled f (compiled f), ^Function core (.function f), args (spread-out f args)]
    (explaining (.info f)
      (if-let [around (.around f)]
        (as-asked (.form f) (around #(.callInto core buffers args) args))
        (handed-out f (.callInto core buffers args))))))

(defn explain
  "Prints the rules that fired while f was compiled, how often each, and the steps of its program."
  [f]
  (let [^Function core (.function (compiled f)), {:keys [trace]} (info f)]
    (println (str f))
    (doseq [[rule times] (sort-by (comp str key) (frequencies (map :rule (remove :stopped trace))))]
      (println (str "  rule    " (name rule) (when (< 1 times) (str " × " times)))))
    (run! #(println (str "  stopped " (trace/stop-text %))) (filter :stopped trace))
    (run! #(println (str "  " %)) (.lines (.program core)))))

(defn wrap
  "A compiled function around one of the core, with results in that form. `around`, which may be
  nil, is called for each call with the call as a function, and the arguments."
  ([function form info] (wrap function form nil info))
  ([function form around info]
   (->Compiled function form around (ports/spread (:ports info)) info)))

;; ## The end of results and functions

(defn close!
  "Closes a tensor, a function, or all in a vector or map of such, and returns nil."
  [x]
  (cond (instance? AutoCloseable x) (.close ^AutoCloseable x)
        (map? x) (run! close! (vals x))
        (sequential? x) (run! close! x)
        :else (fail! :damo.function/not-closeable
                     (str "tensors and functions can be closed, and vectors and maps of them; got "
                          (expr/describe x))
                     {:given x})))

;; ## Inputs by name

(defn by-input
  "The values {input value} of a map whose keys are inputs or names of those that `outputs` have."
  [outputs values]
  (let [leaves (filter #(= :input (expr/op-of %))
                       (vals (:exprs (expr/to-graph (:exprs (form-of outputs))))))
        inputs (into (into {} (map (fn [e] [(str (:name (expr/attrs-of e))) e])) leaves)
                     (ports/matrices leaves))
        named (fn [k] (let [text (if (instance? clojure.lang.Named k) (name k) (str k))]
                        (fail/check-name! {:kind :damo.function/no-such-input, :what "input"
                                           :key :input}
                                          (keys inputs) text)
                        (inputs text)))]
    (into {} (for [[k v] values] [(if (or (expr/expr? k) (sparse/sparse? k)) k (named k)) v]))))

;; ## Making a function

(defn- shared-ports [graph]
  (for [id (graph/live graph)
        :let [[op {:keys [name type]}] (nth (:nodes graph) id)] :when (= op :shared)]
    [name type]))

(defn- output-names [form n]
  (if (vector? form)
    (map #(if (keyword? %) (name %) (str %)) form)
    (map #(str "output-" %) (range n))))

(defn- whole-graph
  "{:graph g :states {name State} :shared {name expression} :updated [name …]} of the expressions of
  outputs and updates; the state that `pairs` update is part of it even where nothing reads it."
  [exprs pairs]
  (let [{:keys [graph id-of states] originals :exprs}
        (expr/to-graph (into (vec exprs) (map first) pairs))
        n (count exprs)]
    {:graph (assoc (stream/numbered graph)
                   :outputs (subvec (:outputs graph) 0 n), :keep (subvec (:outputs graph) n))
     :states states
     :shared (into {} (for [[id e] originals :when (expr/state-of e)]
                        [(:name (graph/attrs-of (nth (:nodes graph) id))) e]))
     :updated (for [[s] pairs] (:name (graph/attrs-of (nth (:nodes graph) (id-of s)))))}))

(defn- tensors-of
  "The arguments of a call as tensors, in the order of the inputs; nil when they do not fit, which
  the call itself then reports."
  [inputs ^objects args]
  (let [named (when (and (= 1 (alength args)) (map? (aget args 0))) (by-name (aget args 0)))
        given (if named (map #(get named (str (first %))) inputs) (seq args))]
    (when (= (count inputs) (count given))
      (try (mapv (fn [[_ [dtype]] a]
                   (if (instance? Tensor a) a (Tensor/of a (DType/of (name dtype)))))
                 inputs given)
           (catch DamoException _ nil)))))

(def ^:private checks (later/of 'damo.compile.debug/checks))

(defn- checked-calls
  "What is run around each call in the mode :debug, else nil."
  [graph {:keys [mode inputs] :as spec}]
  (when (= :debug (if (map? mode) (:mode mode) mode))
    (let [checked (checks graph spec)]
      (fn [call args]
        (if-let [tensors (tensors-of inputs args)]
          (checked call tensors)
          (call))))))

(defn- spec-of
  "What damo.compile.pipeline needs to know besides the graph, for n outputs in that form."
  [{fn-name :name :as opts} inputs form n {:keys [graph states updated]}]
  (merge (select-keys opts [:mode :allow-downcast])
         {:name (str (or fn-name "function"))
          :inputs (mapv (comp (juxt :name :type) expr/attrs-of) inputs)
          :state (vec (shared-ports graph))
          :outputs (output-names form n)
          :updates (zipmap updated (iterate inc n))
          :states states}))

(def ^:private function-of (later/of 'damo.compile.pipeline/compiled))

(defn- settled
  "[graph spec] with what is told of dims as damo.compile.told has it, and dims that are values of
  inputs as damo.compile.sizes has them."
  [graph {:keys [inputs state] :as spec}]
  (let [{:keys [graph] :as settled} (told/settled (sizes/settled graph) (concat inputs state))]
    [graph (merge spec (dissoc settled :graph))]))

(defn- configure!
  "Tells a function of the core what its calls may do."
  [^Function function {:keys [threads keep-results trust-input]}]
  (some->> threads int (.threads function))
  (some->> keep-results int (.keepResults function))
  (when trust-input (.trust function)))

(defn- request
  "What is kept of how a function was asked for, besides inputs and form: n of `roots` are outputs,
  the others new values of `pairs`."
  [opts roots n pairs]
  {:exprs (subvec roots 0 n)
   :updates (mapv (fn [[s] e] [s e]) pairs (subvec roots n))
   :opts (dissoc opts :updates :givens), :subsets (atom {})})

(defn- made
  "The function of `function`; `src` is where the user asks for it."
  [inputs outputs {:keys [updates givens on-unused-input no-default-updates] :as opts} src]
  (check/check-options! opts)
  (check/check-inputs! (ports/flat inputs))
  (let [{:keys [exprs form]} (form-of outputs)
        n (count exprs), ports (ports/of inputs)
        known (check/given-pairs givens)
        pairs (cond-> (check/update-pairs updates)
                (not no-default-updates) (stream/with-updates exprs (vals known)))
        {roots :exprs, :keys [dims]} (substitute/in-place-of (into exprs (map second pairs)) known)
        inputs (mapv #(substitute/input-of dims %) (ports/flat inputs))
        _ (check/check-updates! (map (fn [[s] e] [s e]) pairs (subvec roots n)))
        {:keys [graph states shared] :as whole} (whole-graph roots pairs)]
    (check/check-graph! graph inputs (ports/together ports) on-unused-input)
    (let [[graph spec] (settled (dissoc graph :keep) (spec-of opts inputs form n whole))
          {:keys [^Function function] :as result} (function-of graph spec)]
      (configure! function opts)
      (wrap function form (checked-calls graph spec)
            (-> (dissoc result :function)
                (assoc :states states, :shared shared
                       :allow-downcast (boolean (:allow-downcast opts))
                       :ports ports
                       :request (assoc (request opts roots n pairs)
                                       :inputs (ports/joined ports inputs), :form form)
                       :name (:name spec), :inputs (vec inputs), :src src))))))

(defn function
  "The compiled function of `outputs` (an expression, a vector or a map) from `inputs`, a vector of
  inputs. Options: see damo.core/function."
  [inputs outputs opts]
  (let [src (fail/source-position)]
    (try (made inputs outputs opts src)
         (catch clojure.lang.ExceptionInfo e
           (if (or (nil? src) (:made-at (ex-data e)))
             (throw e)
             (fail/explain! e "" (made-at {:src src}) {:made-at src}))))))
