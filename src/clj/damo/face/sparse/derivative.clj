(ns damo.face.sparse.derivative
  "Derivatives by sparse matrices, as derivatives by arrays. The structured one is by the stored
  elements. The regular one is by the whole matrix, zeros included: what was computed of what is
  stored is differentiated as the same computed of arrays, the second argument of sparse-twin."
  (:require [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.sparse :as sparse :refer [sparse?]]
            [damo.face.given :as given]
            [damo.face.sparse.form :as form :refer [node]]
            [damo.op.body :as body]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

;; ## Graphs

(defn- above
  "The set of the ids of a graph that depend on these."
  [{:keys [nodes]} ids]
  (reduce (fn [found id]
            (if (or (found id) (not-any? found (graph/args-of (nodes id)))) found (conj found id)))
          (set ids) (range (count nodes))))

(defn- without-twins
  "A graph in a node with all that was computed of what is stored as computed of arrays."
  [g]
  (body/sweep g (fn [g id] (= :sparse-twin (graph/op-at g id))) (fn [_ _ [_ dense] _ _] dense)))

(defn- emit!
  "The id of a node of a graph in a builder: of a twin that depends on a matrix that of its array,
  and of a matrix, one of `cut`, a node that passes no derivative on."
  [b concerned cut id [op attrs :as node] args type note]
  (let [inside (if (concerned id)
                 (body/with-graphs op attrs (fn [_ g] (:body (body/closed (without-twins
                                                                           (body/opened g nil))))))
                 attrs)
        made (if (and (= :sparse-twin op) (concerned (peek node)))
               (peek args)
               (graph/keep-node! b (assoc node 1 inside) args type note))]
    (if (cut id)
      (graph/add-node! b [:disconnected-grad {} made] type note)
      made)))

(defn- stored-below
  "The ids of the stored elements of which the arrays with these ids are made."
  [{:keys [nodes] :as g} wholes]
  (keep (fn [id] (when (= :csr-dense (graph/op-at g id)) (first (graph/args-of (nodes id)))))
        (graph/live g wholes)))

(defn- check-branches!
  "Fails where the graphs in a node make an array of the matrices for themselves, as those of a
  branch do: a derivative by the whole of it would not be seen."
  [{:keys [nodes] :as g} wholes concerned]
  (let [stored (above g (stored-below g wholes))
        twins? (fn [[_ inner]] (some #(= :sparse-twin (graph/op-of %)) (:nodes inner)))]
    (doseq [id (graph/live g)
            :let [[op attrs & args] (nodes id)]
            :when (and (some stored args) (not (concerned id))
                       (some twins? (body/graphs op attrs)))]
      (fail! :damo.sparse/regular-in-branch
             (str "the regular derivative by a sparse matrix that is used in a branch is not made"
                  (fail/facts-text {:expr (str (name op))}))
             {:op op, :try (str ":sparse-gradient :structured, or what is computed of the matrix"
                                " outside of the branch")}))))

(defn dense-forms
  "What `expr/to-graph` gave, with what depends on the arrays `wholes`, expressions of sparse
  matrices as arrays, computed of these. They pass no derivative on to what is stored."
  [{:keys [graph id-of exprs] :as m} wholes]
  (let [b (graph/builder), cut (set (map id-of wholes)), concerned (above graph cut)
        _ (check-branches! graph cut concerned)
        ids (graph/sweep! graph (fn [id node args type note]
                                  (emit! b concerned cut id node args type note)))]
    (assoc m :graph (graph/finish b (mapv ids (:outputs graph)) (map ids (:keep graph)))
           :id-of (comp ids id-of)
           ;; a twin comes behind its array: the expression of what is stored stands for both
           :exprs (into {} (keep (fn [[id e]] (when-let [now (ids id)] [now e])))
                        (sort-by key exprs)))))

(defn- below
  "The set of the ids that these nodes depend on."
  [{:keys [nodes]} ids]
  (loop [found #{}, [id & more] (seq ids)]
    (cond (nil? id) found
          (found id) (recur found more)
          (= :disconnected-grad (graph/op-of (nodes id))) (recur (conj found id) more)
          :else (recur (conj found id) (concat (graph/args-of (nodes id)) more)))))

(defn- reached
  "The set of those of the arrays `wholes` of matrices and of their stored elements that the outputs
  depend on."
  [outputs wholes stored]
  (let [{:keys [graph id-of]} (dense-forms (expr/to-graph (vec (concat outputs wholes stored)))
                                           wholes)
        found (below graph (map id-of outputs))]
    (into #{} (filter (comp found id-of)) (concat wholes stored))))

;; ## Gradients

(defn- sparse-gradient [s g] (form/with-data s g nil))

(defn- regular-plan
  "What is differentiated by for a sparse matrix, expressions, and the gradient for theirs."
  [{:keys [data] :as s} whole reached connected?]
  (let [both? (and (reached whole) (reached data))]
    ;; a loop has arguments that its rounds do not need any more: who differentiates, knows
    (cond (and both? (connected? data) (connected? whole))
          {:by [whole data]
           :join (fn [[a b]] (node :add {} a (form/to-dense (sparse-gradient s b))))}
          (and (reached data) (not (and both? (connected? whole))))
          {:by [data], :join (fn [[g]] (sparse-gradient s g))}
          :else {:by [whole], :join first})))

(defn plan
  "{:by [expression …] :wholes [array …] :join f}: what is differentiated by in the place of `wrt`,
  expressions and sparse matrices; the arrays that `dense-forms` needs; and the function from the
  gradients to those by `wrt`. (derive by wholes) gives the gradients by expressions; it fails where
  there is no path."
  [outputs wrt structured? derive]
  (let [matrices (filterv sparse? wrt), wholes (mapv form/dense matrices)
        whole-of (zipmap matrices wholes)
        connected? (fn [e] (try (derive [e] wholes) true
                                (catch clojure.lang.ExceptionInfo x
                                  (when-not (= :damo.diff/disconnected (:damo/error (ex-data x)))
                                    (throw x)))))
        reached (if structured? #{} (reached outputs wholes (map :data matrices)))
        plans (mapv (fn [w]
                      (cond (not (sparse? w)) {:by [w], :join first}
                            structured? {:by [(:data w)], :join (fn [[g]] (sparse-gradient w g))}
                            :else (regular-plan w (whole-of w) reached connected?)))
                    wrt)
        ends (reductions + 0 (map (comp count :by) plans))]
    {:by (into [] (mapcat :by) plans)
     :wholes (when-not structured? wholes)
     :join (fn [grads]
             (let [grads (vec grads)]
               (mapv (fn [{:keys [join]} from to] (join (subvec grads from to)))
                     plans ends (rest ends))))}))

(defn of-jacobian
  "{:by :wholes}: what a Jacobian is by in the place of `wrt`: the array of a sparse matrix, or its
  stored elements where `how` is :structured."
  [outputs wrt how derive]
  (let [{:keys [by wholes]} (plan outputs wrt (= :structured how) derive)]
    (when-not (= (count by) (count wrt))
      (fail! :damo.sparse/both-derivatives
             (str "the Jacobian by a matrix of which both the whole and the stored elements are"
                  " used is not made")
             {:try ":sparse-gradient :structured"}))
    {:by by, :wholes wholes}))

;; ## Tangents

(def ^:private other-pattern
  "a sparse tangent has the pattern of what it belongs to; this one has another")

(defn- same-pattern
  "The stored elements of a sparse tangent, after the check that it has the pattern of s."
  [s tangent]
  (let [t (form/of-format (:format s) (form/symbolic tangent))
        parts (map (fn [k] [(get s k) (get t k)]) [:indices :starts])
        alike? (every? (fn [[a b]] (identical? a b)) parts)
        as-long (fn [own other]
                  (if (= (expr/shape-of own) (expr/shape-of other))
                    other
                    (node :specify-shape {:shape (expr/shape-of own)} other)))
        checked (fn [data [own other]]
                  (node :assert {:message other-pattern} data
                        (node :eq {} own (as-long own other))))]
    (when-not (= (:shape s) (mapv #(if (integer? %2) %1 %2) (:shape s) (:shape t)))
      (dorun (map #(when (and (integer? %1) (integer? %2) (not= %1 %2))
                     (fail! :damo.sparse/other-pattern
                            (str "a tangent has the shape of its matrix, " (:shape s) "; it has "
                                 (:shape t))
                            {:expected (:shape s), :given (:shape t)}))
                  (:shape s) (:shape t))))
    (let [data (as-long (:data s) (given/in-dtype (sparse/dtype-of s)
                                                  (if (sparse/value? tangent)
                                                    (:data tangent)
                                                    (:data t))))]
      (if alike? data (reduce checked data parts)))))

(defn- dense-tangent [s tangent]
  (given/as-type (sparse/type-of s) tangent))

(defn tangents
  "{:by :along :wholes}: what moves in the place of `wrt`, expressions and sparse matrices, along
  what. A sparse tangent moves what is stored; an array moves the whole matrix."
  [wrt along]
  (let [pairs (map (fn [w v]
                     (cond (not (sparse? w)) {:by [w], :along [v]}
                           (sparse? v) {:by [(:data w)], :along [(same-pattern w v)]}
                           :else (let [v (dense-tangent w v), whole (form/dense w)]
                                   {:by [whole (:data w)], :along [v (form/at w v)]
                                    :wholes [whole]})))
                   wrt along)]
    {:by (into [] (mapcat :by) pairs), :along (into [] (mapcat :along) pairs)
     :wholes (into [] (mapcat :wholes) pairs)}))
