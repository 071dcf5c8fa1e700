(ns damo.compile.plan.written
  "Graphs with loops and branches as tests write them: bodies are named parameters and expressions.
  (graph '{x [:f64 [n]]} (part 0 (looped {:steps 'n …} (body '[[x [:f64 []]]] '[:exp x]) 'x)))."
  (:require [damo.compile.pass :as pass]
            [damo.compile.plan :as plan]
            [damo.face.parse :as parse]
            [damo.op.body :as body]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(defn- outputs [expressions]
  (into (array-map) (map-indexed (fn [k e] [(symbol (str "out" k)) e])) expressions))

(defn graph
  "The graph of these expressions over inputs, {name type}."
  [inputs & expressions]
  (parse/parse {:inputs inputs, :outputs (outputs expressions)}))

(defn body
  "The body of parameters, [[name type] …], that gives these expressions."
  [params & expressions]
  (let [position (zipmap (map first params) (range))
        param (fn [[op {:keys [name type]} :as node]]
                (if (= op :input) (body/param (position name) type) node))]
    (:body (body/closed (update (apply graph (into (array-map) (map vec) params) expressions)
                                :nodes (partial mapv param))))))

(defn looped
  "The expression of a loop with that body."
  [attrs body & args]
  (into [:loop (merge {:carries []} attrs {:body body})] args))

(defn part
  "Result k of an expression of several."
  [k expression]
  [:part {:at k} expression])

(defn parts
  "All `n` results of an expression."
  [n expression]
  (map #(part % expression) (range n)))

(defn leaves
  "The leaves of that op in a graph, [[name type] …] by name."
  [{:keys [nodes]} op]
  (vec (sort-by (comp str first) (for [[o {:keys [name type]}] nodes :when (= o op)] [name type]))))

(defn program
  "The program of a graph without rules."
  ([g] (program g {}))
  ([g updates]
   (let [returned (apply min (count (:outputs g)) (vals updates))]
     (plan/program (pass/prepare g) {:name "p", :inputs (leaves g :input)
                                     :state (leaves g :shared), :updates updates
                                     :outputs (mapv str (range returned))}))))

(defn all-steps
  "All steps of a program, those in steps included."
  [{:keys [steps]}]
  (mapcat (fn [{:keys [steps cases] :as step}]
            (cons step (mapcat #(all-steps {:steps %}) (cond-> (vec cases) steps (conj steps)))))
          steps))
