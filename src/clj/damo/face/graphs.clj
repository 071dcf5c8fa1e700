(ns damo.face.graphs
  "Graphs as users have them: of expressions, as expressions again, in files. All are plain EDN.
  (expr (graph e)) is e again, (read-graph (write-graph \"g.edn\" (graph e))) is (graph e)."
  (:require [damo.data.expr :as expr]
            [damo.data.graph :as graph]
            [damo.face.substitute :as substitute]
            [damo.op.whole :as whole]))

(set! *warn-on-reflection* true)

(defn type-of
  "The type of an expression, [dtype [dim …]]."
  [e]
  (expr/type-of (expr/whole e)))

(defn graph
  "The graph of an expression or a vector of them as plain EDN: {:nodes [[op attrs & ids] …]
  :types [type …] :outputs [id …] :notes {id {:src …}}}."
  [e]
  (graph/check (:graph (expr/to-graph (if (sequential? e) (mapv expr/whole e) [(expr/whole e)])))))

(defn expr
  "The expression of a graph with one output, else the vector of them. `leaves` maps names of inputs
  and shared variables to expressions that stand for them; symbols of dims are bound to what they
  are there."
  ([g] (expr g {}))
  ([g leaves]
   (let [{:keys [nodes] :as g} (whole/check-types (graph/check g))
         known (into {} (for [[id [op {:keys [type] :as attrs}]] (map-indexed vector nodes)
                              :when (#{:input :shared} op)
                              :let [e (leaves (:name attrs))] :when e]
                          [id [(expr/->Expr op attrs [] type nil nil) e]]))
         {:keys [exprs]} (substitute/in-graph g known {})]
     (if (= 1 (count exprs)) (first exprs) exprs))))

(defn write-graph
  "Writes a graph to a file as EDN, whole or not at all; returns the file."
  [file g]
  (graph/write-graph file g))

(defn read-graph
  "The graph in a file, its form and types checked; never evaluates anything."
  [file]
  (whole/check-types (graph/read-graph file)))
