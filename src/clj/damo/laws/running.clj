(ns damo.laws.running
  "Graphs compiled and run on reference arrays, for the laws: what the compiler makes of a graph
  beside what the reference interpreter says. (compile g {:rules false}) is a compiled graph,
  (call! c {'x array}) its outputs as reference arrays."
  (:refer-clojure :exclude [compile])
  (:require [damo.compile.host :as host]
            [damo.compile.pass :as pass]
            [damo.compile.pipeline :as pipeline]
            [damo.compile.plan :as plan]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.transfer :as transfer])
  (:import [damo DamoException]
           [damo.program Programs]
           [damo.runtime Function State]
           [damo.tensor DType Tensor]))

(set! *warn-on-reflection* true)

;; ## Compiling

(defn- leaves [g op]
  (vec (sort-by (comp str first)
                (for [id (graph/live g) :let [[o {:keys [name type]}] (nth (:nodes g) id)]
                      :when (= o op)]
                  [name type]))))

(defn- program-of [g spec mode]
  (if mode
    (:program (pipeline/program-of g (assoc spec :mode mode)))
    (plan/program (pass/prepare g) spec)))

(defn compile
  "A compiled graph {:function :program :inputs names :states {name State}}. Options: :rules,
  whether the rules of :fast-run apply, or :mode, one of damo.compile.pipeline; :updates {state-name
  position-of-output}, the outputs from the first of these positions on are new values of state;
  :inputs [[name type] …] when not all are live."
  [g {:keys [rules mode updates inputs states]}]
  (let [returned (apply min (count (:outputs g)) (vals updates))
        inputs (or inputs (leaves g :input))
        states (or states (leaves g :shared))
        cells (into {} (for [[s [dtype shape]] states]
                         [s (State/of (str s) (Tensor/zeros (DType/of (name dtype))
                                                            (long-array shape))
                                      (boolean-array 0))]))
        program (program-of g {:name "law", :inputs inputs, :state states, :updates (or updates {})
                               :outputs (map str (range returned))}
                            (or mode (when rules :fast-run)))]
    {:program program, :inputs (mapv first inputs), :states cells
     :function (Function/compile (Programs/read (pipeline/program-text program))
                                 (update-keys cells str) false (host/kernels) true)}))

(defn call!
  "The outputs of a compiled graph as reference arrays; `env` has the inputs by name and the values
  that the states are set to before the call."
  [{:keys [^Function function inputs states]} env]
  (doseq [[s ^State cell] states] (.set cell (transfer/->tensor (env s))))
  (mapv transfer/->array (.call function (to-array (map (comp transfer/->tensor env) inputs)))))

(defn state-values
  "{name array} of what the states of a compiled graph hold."
  [{:keys [states]}]
  (update-vals states (fn [^State s] (transfer/->array (.value s)))))

(defn close!
  "Frees a compiled graph."
  [{:keys [^Function function states]}]
  (.close function)
  (run! (fn [^State s] (.close s)) (vals states)))

(defn outcome
  "{:values (f)}, or {:fails message} when f throws an exception of Damo."
  [f]
  (try {:values (f)}
       (catch DamoException e {:fails (.getMessage e)})
       (catch clojure.lang.ExceptionInfo e {:fails (ex-message e)})))

;; ## Agreement

(defn element-close?
  "Do two elements agree, as `close?` has it?"
  [tolerance scale x y]
  (cond (not (float? x)) (= x y)
        (Double/isNaN x) (Double/isNaN y)
        (= (double x) (double y)) true
        :else (<= (Math/abs (- (double x) (double y)))
                  (* (double tolerance) (max (double scale) (Math/abs (double x)))))))

(defn close?
  "Do two reference arrays agree: one type, integers and booleans equal, floats within `tolerance`
  relative to themselves or to `scale`, NaN where the other has NaN?"
  [tolerance scale x y]
  (and (= (array/type-of x) (array/type-of y))
       (every? true? (map #(element-close? tolerance scale %1 %2)
                          (array/values x) (array/values y)))))
