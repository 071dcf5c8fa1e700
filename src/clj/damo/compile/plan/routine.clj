(ns damo.compile.plan.routine
  "Steps of a program that routines of libraries run, one call a matrix of the batch. What the entry
  of an op has under :routine is
  {:name \"?syevd\", :args {:n n, :a [:part 0], :tau [:arg 1], :info [:work 0]}
   :works [[:i32 lead]], :copies {[:part 0] 0}}
  sizes and keywords as the routine has them, arrays that are results, arguments or memory to work
  in, of these types, and which of them begin as a copy of which argument.
  (steps cx id) are the steps of a node, with memory keys that `resolve-buffers` replaces."
  (:require [clojure.string :as str]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(defn- named
  "The name of a routine for elements of a dtype: \"dsyevd\" of \"?syevd\"."
  [name dtype]
  (str/replace name "?" (case dtype :f32 "s" :f64 "d")))

(defn- temporary [key [dtype shape]]
  {:key key, :type [dtype shape], :temps {key {:dtype dtype, :size (type/size shape)}}})

(defn- memories
  "{[:part k] {:key :type :temps} …}: the memory of results, arguments and works; a result that
  nothing uses is a temporary."
  [{:keys [g sched]} id works]
  (let [used (get-in sched [:parts id]), args (graph/args-at g id)
        all (fn [tag make xs] (map-indexed (fn [k x] [[tag k] (make k x)]) xs))]
    (into {}
          (concat
           (all :part (fn [k type]
                        (if-let [part (get used k)]
                          {:key [:node part], :type type}
                          (temporary [:unused id k] type)))
                (tuple/types (graph/type-of g id)))
           (all :arg (fn [_ a] {:key [:node (:base ((:layouts sched) a))]
                                :type (graph/type-of g a)}) args)
           (all :work (fn [k type] (temporary [:work id k] type)) works)))))

(defn- place
  "An array of a call for matrix t of a batch whose shape has that rank: {:memory key :offset
  size}."
  [{:keys [key], [_ shape] :type} rank t]
  {:memory key
   :offset (if (and t (pos? rank)) (type/dim* (type/size (subvec shape rank)) t) 0)})

(defn- rounds
  "How many matrices there are in an array of that shape, none where they have no elements; nil for
  certainly one without a batch."
  [shape]
  (let [own (filterv #(not (and (integer? %) (pos? %))) (take-last 2 shape))
        lead (drop-last 2 shape)]
    (when (or (seq own) (seq lead))
      (apply type/dim* (if (seq own) (into [:min 1] (distinct own)) 1) lead))))

(defn- zeros
  "The step that makes the report 0, which no call does where matrices have no elements."
  [info known]
  (let [{:keys [key], [dtype shape] :type} (known info), size (type/size shape)]
    (when key
      [{:do :kernel, :args [key]
        :kernel {:name "zeros", :params [[dtype :out]]
                 :body [[:for 'i.0 size [:store 0 'i.0 [:const dtype 0]]]]}}])))

(defn steps
  "The steps of a node: copies of arguments, and the call, in a loop over a batch."
  [{:keys [g] :as cx} id]
  (let [[op attrs & args] (graph/node-at g id), types (mapv #(graph/type-of g %) args)
        {routine :name, given :args, :keys [works copies]}
        ((:routine (op/entry op)) {:attrs attrs, :types types})
        known (memories cx id works), [_ shape] (first types), lead (drop-last 2 shape)
        rounds (rounds shape), t (when rounds (symbol (str "matrix." id)))
        values (update-vals given #(if (known %) (place (known %) (count lead) t) %))
        call {:do :call, :routine (named routine (type/dtype-of (first types))), :values values
              :args (vec (keep :memory (vals values))), :temps (into {} (map :temps) (vals known))}]
    (-> (into [] (for [[to arg] copies]
                   {:do :copy, :from (:key (known [:arg arg])), :to (:key (known to))
                    :type (nth types arg)}))
        (into (when t (zeros (:info given) known)))
        (conj (if t {:do :loop, :var t, :extent rounds, :steps [call]} call)))))

(defn resolve-buffers
  "The step with buffer ids in place of memory keys."
  [{:keys [do routine values]} buffer-of]
  (let [resolved (fn [{:keys [memory offset]}]
                   (let [to (buffer-of memory)]
                     (cond (not (map? to)) {:buffer to, :offset offset}
                           (= 0 offset) {:buffer (:buffer to), :offset (:offset to)}
                           :else {:buffer (:buffer to), :offset [:+ offset (:offset to)]})))]
    {:do do, :routine routine, :args (update-vals values #(if (map? %) (resolved %) %))}))
