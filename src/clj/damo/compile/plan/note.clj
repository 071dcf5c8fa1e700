(ns damo.compile.plan.note
  "Notes of a program: what a call that fails at a node says of it. The op, its expression and
  arguments with their types, and where the user wrote it.
  (notes g [7]) = [{:op \"take\" :expr \"(take x i)\" :file \"a.clj\" :line 3 …}]"
  (:require [damo.data.form :as form]
            [damo.data.graph :as graph]
            [damo.op :as op]))

(set! *warn-on-reflection* true)


(defn- passed
  "The node that a guard or a check lets through, as the user wrote it: an index before the extent
  is added to negative ones."
  [g id]
  (let [a (first (graph/args-at g id))
        [op _ & args] (graph/node-at g a)]
    (if (and (= :check (op/kind (graph/op-at g id))) (= :where op)) (last args) a)))

(defn- arguments
  "The arguments of a node, without what a region needs besides."
  [{:keys [region-of] :as g} id]
  (let [{:keys [takes]} (get region-of id)]
    (cond->> (graph/args-at g id) takes (take takes))))

(defn- look
  "How the nodes of a graph look: guards and checks read as what they let through."
  [g]
  (let [look (form/of-graph g)]
    (fn [id]
      (cond-> (assoc (look id) :args (arguments g id))
        (#{:guard :check} (op/kind (graph/op-at g id))) (assoc :same [(passed g id)])))))

(defn- text [g id depth] (form/text (form/form (look g) depth id)))

(defn facts
  "What a failure says of node `id`: the :op, the :expr as text, its :type, :file and :line."
  [g id]
  (form/facts (graph/op-at g id) (form/form (look g) 3 id) (graph/type-of g id)
              (get-in g [:notes id :src])))

(defn- reader
  "The first node that reads node `id`, itself or through views; `id` when there is none."
  [g users id]
  (let [user (first (users id))]
    (cond (nil? user) id
          (= :view (op/kind (graph/op-at g user))) (recur g users user)
          :else user)))

(defn- counts-from-end?
  "Is node `id` the check of an index that may be negative, for which the extent was added?"
  [g id]
  (and (= :check (op/kind (graph/op-at g id)))
       (not= (passed g id) (first (graph/args-at g id)))))

(defn note
  "What a failure of node `id` says of it. A guard speaks of the node that it guards, a check of an
  index of what reads or writes there."
  [g users id]
  (let [{{:keys [file line]} :src, :keys [told]} (get-in g [:notes id])
        from-end? (counts-from-end? g id)
        [op {:keys [extent message] :as attrs} & args] (graph/node-at g id)
        {:keys [failure kind]} (op/entry op)
        id (case kind (:guard :require) (first args), :check (reader g users id), id)
        op (graph/op-at g id), args (arguments g id)]
    (cond-> {:op (name (get-in g [:notes id :part-of] op)), :expr (text g id 3)
             :type (pr-str (graph/type-of g id))
             :arguments (mapv #(str (text g % 1) " " (pr-str (graph/type-of g %))) args)}
      (= kind :guard) (assoc :guard true)
      (and (= kind :guard) failure) (assoc :message message)
      from-end? (assoc :from-end true)
      (not= kind :guard) (assoc :message
                                (cond message message
                                      failure (str (if (fn? failure) (failure attrs) failure)
                                                   (when told (str "; " told)))
                                      extent
                                      "an index must lie between 0 and the extent of its axis"
                                      (op/on-host? op) "its kernel failed"
                                      :else "there is nothing to reduce"))
      file (assoc :file file :line line))))

(defn notes
  "The notes of these nodes of a graph, in their order."
  [g ids]
  (mapv (partial note g (graph/users g)) ids))
