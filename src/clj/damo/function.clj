(ns damo.function
  "Compiled functions: what d/function makes and a user calls. In: expressions of inputs and
  outputs, updates, options. Out: a Clojure fn of tensors, numbers and nested data, positional or by
  one map of names."
  (:require [clojure.string :as str]
            [damo.expr :as expr]
            [damo.fail :as fail :refer [fail!]]
            [damo.debug :as debug]
            [damo.graph :as graph]
            [damo.run :as run]
            [damo.type :as type])
  (:import [clojure.lang IFn]
           [damo DamoException]
           [damo.runtime Function]
           [damo.tensor DType Tensor]
           [java.util HashMap Map]))

(set! *warn-on-reflection* true)

;; ## Results have the form of what was asked for

(defn- form-of
  "{:exprs [e …] :form :one | :vector | [keys]} of outputs given as one expression, a sequence or a
  map."
  [outputs]
  (cond (map? outputs) {:exprs (mapv expr/whole (vals outputs)), :form (vec (keys outputs))}
        (sequential? outputs) {:exprs (mapv expr/whole outputs), :form :vector}
        (nil? outputs) {:exprs [], :form :vector}
        :else {:exprs [(expr/whole outputs)], :form :one}))

(defn- in-form [form ^objects tensors]
  (case form
    :one (aget tensors 0)
    :vector (vec tensors)
    (zipmap form tensors)))

(defn- by-name ^Map [m]
  (let [named (HashMap.)]
    (doseq [[k v] m] (.put named (if (instance? clojure.lang.Named k) (name k) (str k)) v))
    named))

(defn- call-core ^objects [^Function function ^objects args]
  (if (and (= 1 (alength args)) (map? (aget args 0)))
    (.callNamed function (by-name (aget args 0)))
    (.call function args)))

(defn- run-once
  "One call. `around`, when there is one, gets the call as a function, and the arguments."
  [^Function function form around ^objects args]
  (run/translating
   (in-form form (if around
                   (around #(call-core function args) args)
                   (call-core function args)))))

;; A call may have any number of arguments; IFn wants one method for each number up to twenty.
(deftype Compiled [^Function function form around info]
  IFn
  (invoke [_] (run-once function form around (object-array 0)))
  (invoke [_ a] (run-once function form around (object-array [a])))
  (invoke [_ a b] (run-once function form around (object-array [a b])))
  (invoke [_ a b c] (run-once function form around (object-array [a b c])))
  (invoke [_ a b c d] (run-once function form around (object-array [a b c d])))
  (invoke [_ a b c d e] (run-once function form around (object-array [a b c d e])))
  (invoke [_ a b c d e f] (run-once function form around (object-array [a b c d e f])))
  (invoke [_ a b c d e f g] (run-once function form around (object-array [a b c d e f g])))
  (invoke [_ a b c d e f g h] (run-once function form around (object-array [a b c d e f g h])))
  (invoke [_ a b c d e f g h i] (run-once function form around (object-array [a b c d e f g h i])))
  (invoke [_ a b c d e f g h i j]
    (run-once function form around (object-array [a b c d e f g h i j])))
  (invoke [_ a b c d e f g h i j k]
    (run-once function form around (object-array [a b c d e f g h i j k])))
  (invoke [_ a b c d e f g h i j k l]
    (run-once function form around (object-array [a b c d e f g h i j k l])))
  (invoke [_ a b c d e f g h i j k l m]
    (run-once function form around (object-array [a b c d e f g h i j k l m])))
  (invoke [_ a b c d e f g h i j k l m n]
    (run-once function form around (object-array [a b c d e f g h i j k l m n])))
  (invoke [_ a b c d e f g h i j k l m n o]
    (run-once function form around (object-array [a b c d e f g h i j k l m n o])))
  (invoke [_ a b c d e f g h i j k l m n o p]
    (run-once function form around (object-array [a b c d e f g h i j k l m n o p])))
  (invoke [_ a b c d e f g h i j k l m n o p q]
    (run-once function form around (object-array [a b c d e f g h i j k l m n o p q])))
  (invoke [_ a b c d e f g h i j k l m n o p q r]
    (run-once function form around (object-array [a b c d e f g h i j k l m n o p q r])))
  (invoke [_ a b c d e f g h i j k l m n o p q r s]
    (run-once function form around (object-array [a b c d e f g h i j k l m n o p q r s])))
  (invoke [_ a b c d e f g h i j k l m n o p q r s t]
    (run-once function form around (object-array [a b c d e f g h i j k l m n o p q r s t])))
  (invoke [_ a b c d e f g h i j k l m n o p q r s t more]
    (run-once function form around
              (to-array (concat [a b c d e f g h i j k l m n o p q r s t] more))))
  (applyTo [_ args] (run-once function form around (to-array args)))
  Runnable
  (run [_] (run-once function form around (object-array 0)))
  Callable
  (call [_] (run-once function form around (object-array 0)))
  Object
  (toString [_] (str function)))

(defmethod print-method Compiled [^Compiled f ^java.io.Writer w]
  (.write w (str (.function f))))

(defn- compiled ^damo.function.Compiled [f]
  (if (instance? Compiled f)
    f
    (fail! ::not-a-function (str "a function made with (function inputs outputs) is needed; got "
                                 (pr-str f))
           {:given f})))

(defn form "How results are handed out: :one, :vector or a vector of keys." [f]
  (.form (compiled f)))

(defn info "What was compiled: {:program :trace :states :graph}." [f] (.info (compiled f)))

(defn call-with
  "Calls (call core-function), which gives an array of tensors, and hands them out in the form of
  f's outputs."
  [f call]
  (let [f (compiled f)]
    (run/translating (in-form (.form f) (call (.function f))))))

(defn- step-text [kernels {:keys [do kernel args m n k op]}]
  (case do
    :kernel (str "kernel  " (:name (nth kernels kernel)) " on buffers " args)
    :host (str "host    " op ", a kernel of the application")
    (str "product [" (pr-str m) " " (pr-str k) "] x [" (pr-str k) " " (pr-str n) "]")))

(defn explain
  "Prints the rules that fired while f was compiled, how often each, and the steps of its program."
  [f]
  (let [{:keys [program trace]} (info f)]
    (println (str f))
    (doseq [[rule times] (sort-by (comp str key) (frequencies (map :rule trace)))]
      (println (str "  rule    " (name rule) (when (< 1 times) (str " × " times)))))
    (doseq [step (:steps program)] (println (str "  " (step-text (:kernels program) step))))))

(defn wrap
  "A compiled function around one of the core, with results in that form. `around`, which may be
  nil, is called for each call with the call as a function, and the arguments."
  ([function form info] (wrap function form nil info))
  ([function form around info] (->Compiled function form around info)))

;; ## Checking what was asked for

(def ^:private options
  #{:updates :givens :mode :name :allow-downcast :on-unused-input :trust-input})

(defn- check-options! [opts]
  (when-let [unknown (first (remove options (keys opts)))]
    (fail! ::unknown-option (str "a function has no option " (pr-str unknown) "; the options are "
                                 (str/join ", " (sort options)))
           {:option unknown}))
  (when-not (contains? #{nil :raise :warn :ignore} (:on-unused-input opts))
    (fail! ::unknown-option (str ":on-unused-input is :raise, :warn or :ignore; got "
                                 (pr-str (:on-unused-input opts)))
           {:option :on-unused-input})))

(defn- check-inputs! [inputs]
  (when-not (sequential? inputs)
    (fail! ::not-an-input (str "the inputs of a function are given as a vector, [x y]; got "
                               (expr/describe inputs))
           {:given inputs}))
  (doseq [e inputs]
    (when-not (and (expr/expr? e) (= :input (expr/op-of e)))
      (fail! ::not-an-input
             (str "the inputs of a function are made with (input 'name type); got "
                  (expr/describe e))
             {:given e})))
  (let [names (map (comp :name expr/attrs-of) inputs)]
    (when-let [twice (first (for [[n k] (frequencies names) :when (< 1 k)] n))]
      (fail! ::duplicate-input (str "the input " twice " is listed twice in " (vec names))
        {:name twice}))))

(defn- check-used! [inputs used how]
  (when-let [unused (first (remove #(used (:name (expr/attrs-of %))) inputs))]
    (let [message (str "no output or update needs the input " (expr/describe unused)
                       "\n  leave it out, or say :on-unused-input :ignore")]
      (case how
        (nil :raise) (fail! ::unused-input message {:input (:name (expr/attrs-of unused))})
        :warn (binding [*out* *err*] (println "WARNING:" message))
        :ignore nil))))

(defn- check-listed! [graph listed]
  (doseq [id (graph/live graph)
          :let [[op {:keys [name]}] (nth (:nodes graph) id)]
          :when (and (= op :input) (not (listed name)))]
    (fail! ::missing-input
           (str "the outputs need the input " name " " (pr-str (graph/type-of graph id))
                (when-let [src (get-in graph [:notes id :src])]
                  (str ", written at " (fail/position-text src)))
                ", which is not among the inputs of the function: " (vec (sort-by str listed)))
           {:input name, :inputs listed})))

(defn- check-update! [[s e]]
  (when-not (and (expr/expr? s) (= :shared (expr/op-of s)))
    (fail! ::not-shared (str "only shared variables can be updated; got "
                             (expr/describe s)) {:given s}))
  (when-not (= (expr/type-of s) (expr/type-of e))
    (fail! ::update-mismatch
           (str "the update of " (expr/describe s) "\n  has another type: " (expr/describe e)
                "\n  cast or reshape it to the type of the variable")
           {:expected (expr/type-of s), :given (expr/type-of e)})))

(defn- update-pairs
  "The updates as pairs [shared expression]; a number or an array becomes a constant of the
  variable's dtype."
  [updates]
  (when-not (or (nil? updates) (map? updates) (and (sequential? updates) (every? vector? updates)))
    (fail! ::not-updates (str ":updates is a map {shared expression}; got " (pr-str updates))
           {:given updates}))
  (let [pairs (for [[s e] updates]
                [s (if (or (expr/expr? e) (not (expr/expr? s)))
                     e
                     (let [dtype (DType/of (name (first (expr/type-of s))))]
                       (expr/tensor-constant (run/translating (Tensor/of e dtype)))))])]
    (run! check-update! pairs)
    (when-let [twice (first (for [[s k] (frequencies (map first pairs)) :when (< 1 k)] s))]
      (fail! ::duplicate-update (str "two updates of the shared variable " (expr/describe twice))
        {:shared twice}))
    pairs))

;; ## Substitution

(defn- check-given! [[from to]]
  (when-not (and (expr/expr? from) (expr/expr? to) (= (expr/type-of from) (expr/type-of to)))
    (fail! ::given-mismatch
           (str "what replaces an expression has its type; "
                (expr/describe from)
                "\n  was to be replaced by "
                (expr/describe to))
           {:from from, :to to})))

(defn substitute
  "The expressions with every use of a key of `givens` replaced by its value, of the same type."
  [exprs givens]
  (if (empty? givens)
    exprs
    (let [_ (run! check-given! givens)
          {:keys [graph id-of states]} (expr/to-graph (into (vec exprs) (keys givens)))
          known (into {} (map (fn [[from to]] [(id-of from) to])) givens)]
      (vec (take (count exprs) (expr/from-graph graph known states))))))

;; ## Making a function

(defn- shared-ports [graph]
  (for [id (graph/live graph)
        :let [[op {:keys [name type]}] (nth (:nodes graph) id)] :when (= op :shared)]
    [name type]))

(defn- output-names [form n]
  (if (vector? form)
    (map #(if (keyword? %) (name %) (str %)) form)
    (map #(str "output-" %) (range n))))

(defn- live-inputs [graph]
  (into #{} (for [id (graph/live graph)
                  :let [[op attrs] (nth (:nodes graph) id)] :when (= op :input)]
              (:name attrs))))

(defn- symbols-in [x] (into #{} (filter symbol?) (tree-seq coll? seq x)))

(defn- telling-inputs
  "The names of the inputs that the graph needs for their shape alone: they have a dimension that
  it mentions and that none of the inputs `live` has."
  [graph inputs live]
  (let [dims-of #(symbols-in (expr/type-of %))
        mentioned (into #{} (mapcat #(symbols-in [(nth (:nodes graph) %) (graph/type-of graph %)]))
                        (graph/live graph))
        known (into #{} (comp (filter #(live (:name (expr/attrs-of %)))) (mapcat dims-of)) inputs)]
    (into #{} (comp (filter #(some mentioned (remove known (dims-of %))))
                    (map (comp :name expr/attrs-of)))
          inputs)))

(defn- check-graph! [graph inputs on-unused-input]
  (check-listed! graph (into #{} (map (comp :name expr/attrs-of)) inputs))
  (let [live (live-inputs graph)]
    (when-not (every? #(live (:name (expr/attrs-of %))) inputs)
      (check-used! inputs (into live (telling-inputs graph inputs live)) on-unused-input))))

(defn- whole-graph
  "{:graph g :states {name State} :updated [name …]} of the expressions of outputs and updates; the
  state that `pairs` update is part of it even where no expression reads it."
  [exprs pairs]
  (let [{:keys [graph id-of states]} (expr/to-graph (into (vec exprs) (map first) pairs))
        n (count exprs)]
    {:graph (assoc graph :outputs (subvec (:outputs graph) 0 n), :keep (subvec (:outputs graph) n))
     :states states
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

(defn- checked-calls
  "What is run around each call in the mode :debug, else nil."
  [graph {:keys [mode inputs] :as spec}]
  (when (= :debug (if (map? mode) (:mode mode) mode))
    (let [checked (debug/checks graph spec)]
      (fn [call args]
        (if-let [tensors (tensors-of inputs args)]
          (checked call tensors)
          (call))))))

(defn function
  "The compiled function of `outputs` (an expression, a vector or a map) from `inputs`, a vector of
  inputs. Options: see damo.core/function."
  [inputs outputs {:keys [updates givens on-unused-input] fn-name :name :as opts}]
  (check-options! opts)
  (check-inputs! inputs)
  (let [{:keys [exprs form]} (form-of outputs)
        n (count exprs)
        pairs (update-pairs updates)
        roots (substitute (into exprs (map second pairs)) givens)
        {:keys [graph states updated]} (whole-graph roots pairs)]
    (check-graph! graph inputs on-unused-input)
    (let [spec (merge (select-keys opts [:mode :allow-downcast])
                      {:name (str (or fn-name "function"))
                       :inputs (mapv (comp (juxt :name :type) expr/attrs-of) inputs)
                       :state (vec (shared-ports graph))
                       :outputs (output-names form n)
                       :updates (zipmap updated (iterate inc n))
                       :states states})
          graph (dissoc graph :keep)
          result (run/compiled graph spec)]
      (wrap (:function result) form (checked-calls graph spec)
            (-> (dissoc result :function)
                (assoc :states states, :allow-downcast (boolean (:allow-downcast opts))))))))
