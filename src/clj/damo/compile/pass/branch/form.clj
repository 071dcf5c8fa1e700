(ns damo.compile.pass.branch.form
  "A branch taken apart, for passes that change one: what its cases read are nodes around it instead
  of positions of arguments. `emit!` puts it together again, each argument once, and none that no
  case reads, but those that may fail.
  (opened [:branch {:cases [f g]}] [3 5 7] note) has the :test 3 and the :args [5 7]."
  (:require [damo.compile.pass.loop.form :as loop-form]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.meaning.failing :as failing]
            [damo.op :as op]
            [damo.op.body :as body])
  (:import [java.util HashMap]))

(set! *warn-on-reflection* true)

(defn opened
  "The branch [op attrs] on these arguments, ids: the :cases are graphs whose parameters stand for
  the :args."
  [[op {:keys [cases] :as attrs}] [test & args] {:keys [inner] :as note}]
  {:op op, :attrs (dissoc attrs :cases), :test test, :args (vec args), :note note
   :cases (vec (map-indexed (fn [k case] (body/opened case (get inner [:cases k]))) cases))})

(defn results
  "The number of results of a branch."
  [{:keys [cases]}]
  (count (:outputs (first cases))))

(defn with-positions
  "A case with its parameters at other positions, a function of those they have; equal ones are
  one."
  [case position]
  (:body (loop-form/reread {:body case}
                           (fn [id]
                             (let [[op {:keys [at type]}] (graph/node-at case id)]
                               (when (= op :param) (body/param (position at) type)))))))

(defn emit!
  "The id of the node that a branch is, its arguments in the builder."
  [b {:keys [op attrs test args note must] :as branch}]
  (let [cases (mapv graph/prune (:cases branch))
        read (into #{} (mapcat (fn [case] (map #(nth args %) (keys (body/params case))))) cases)
        new-args (vec (distinct (filter (into read must) args))), place (zipmap new-args (range))
        closed (mapv #(body/closed (with-positions % (comp place args))) cases)
        inner (body/case-notes closed)]
    (op/emit! b op (assoc attrs :cases (mapv :body closed))
              (mapv op/->Id (cons test (concat new-args (remove (set (cons test new-args)) must))))
              (cond-> (dissoc note :inner) (seq inner) (assoc :inner inner)))))

(defn renewed!
  "What `replaced` takes for a branch whose results stay what they are."
  [b {:keys [note] :as branch}]
  (let [id (emit! b branch)]
    {:id id, :parts (mapv #(loop-form/part! b id % note) (range (results branch)))}))

(defn replaced
  "The graph with what (change! b id branch) makes in the place of its branches: {:id :parts}, the
  node of a builder that stands for the branch, and its results there, nil where it stays. The
  branch that it is given is taken apart, its arguments in the builder, with the :types of its
  results; those that may fail are under :must, and stay arguments."
  [g change!]
  (let [b (graph/builder), made (HashMap.), flags (failing/flags b)
        branched! (fn [id node args type note]
                    (let [must (filterv #(failing/may-fail? flags %) (distinct (rest args)))
                          branch (assoc (opened node args note) :types (tuple/types type)
                                        :must must)]
                      (when-let [new-branch (change! b id branch)]
                        (.put made id new-branch)
                        (:id new-branch))))
        ids (graph/sweep!
             g (fn [id [op attrs :as node] args type note]
                 (or (case (op/kind op)
                       :branch (branched! id node args type note)
                       :part (some-> (.get made (nth node 2)) :parts (get (:at attrs)))
                       nil)
                     (graph/keep-node! b node args type note))))]
    (:graph (graph/swept b g ids))))
