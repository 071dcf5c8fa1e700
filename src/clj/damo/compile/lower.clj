(ns damo.compile.lower
  "From a kernel unit of the schedule to a kernel of the program format: loops, loads, scalars,
  accumulators, stores. Values are computed where they are first needed in a body; what a later slot
  needs is computed again when cheap, else it goes through scratch memory. (kernel cx unit) →
  {:kernel … :args [key …] :scratch {key …}}."
  (:require [damo.compile.lower.best :as best]
            [damo.compile.lower.blocks :as blocks]
            [damo.compile.lower.loops :as loops]
            [damo.compile.lower.nonempty :as nonempty]
            [damo.compile.lower.scalar :as scalar]
            [damo.compile.lower.slots :as slots]
            [damo.compile.schedule :as schedule]
            [damo.compile.schedule.reads :as reads]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.op.indexing :as indexing]))

(set! *warn-on-reflection* true)

(defn- node [{:keys [g]} id] (graph/node-at g id))
(defn- entry [cx id] (op/entry (graph/op-of (node cx id))))
(defn- dtype [{:keys [g]} id] (type/dtype-of (graph/type-of g id)))
(defn- shape [{:keys [g]} id] (graph/shape-at g id))

;; ## The kernel being written: parameters and names (mutable, inside `kernel` only)

(defn fresh
  "A new name in a kernel, no dim's: those of the graph that look like one are its :dims."
  [{:keys [counter g] :as cx} prefix]
  (let [s (symbol (str prefix "." (vswap! counter inc)))]
    (if (contains? (:dims g) s) (recur cx prefix) s)))

(defn param
  "The position of the parameter for the memory `key`, [:node id] or [:scratch id], used with access
  :in or :out."
  [{:keys [params memory-of]} key dtype access]
  (let [key (if (= :node (first key)) (memory-of (second key)) key)
        found (get (:index @params) key)
        p (or found (count (:order @params)))]
    (when-not found
      (vswap! params #(-> % (update :order conj key) (assoc-in [:index key] p)
                      (assoc-in [:dtype p] dtype))))
    (vswap! params update-in [:access p] (fnil conj #{}) access)
    p))

(defn body
  "A new, empty list of statements in which the values of `env` have names."
  [env]
  {:stmts (volatile! []), :env (volatile! env), :stores (volatile! [])})

(defn emit! "Adds a statement to a body." [body stmt] (vswap! (:stmts body) conj stmt))

(defn- bind! [body key v] (vswap! (:env body) assoc key v) v)

(defn- name-value! [cx body key expression]
  (let [v (fresh cx "v")]
    (emit! body [:let v expression])
    (bind! body key v)))

(defn dense-index
  "The index of an element given its position along each dim of a dense array, or along a layout's
  strides."
  [offset strides positions]
  (apply type/signed+ offset (map type/signed* strides positions)))

;; ## Reading

(declare kernel-value)

(defn- load! [cx body p index]
  (or (@(:env body) [:load p index])
      (name-value! cx body [:load p index] [:load p index])))

(defn- inline-value [cx id positions]
  (let [[_ {:keys [value axis dim]}] (node cx id)
        d (dtype cx id)
        cast-index (fn [index] (if (= d :i64) [:size index] [:cast d [:size index]]))]
    (cond (some? value) [:const d value]
          (some? dim) (cast-index dim)
          :else (cast-index (nth positions axis)))))

(defn- load-element!
  "The element of node `id` at `positions`, loaded from memory, straight or through its views."
  [{:keys [sched] :as cx} body id positions]
  (let [{:keys [base offset strides]} ((:layouts sched) id)]
    (load! cx body (param cx [:node base] (dtype cx base) :in)
           (dense-index offset strides positions))))

(defn read-at
  "The value of node `id` at `positions` (an index for each dim) in a body: an expression or a
  name."
  [{:keys [g sched unit] :as cx} body loops id positions]
  (let [{:keys [base map]} (reads/reading g (:layouts sched) id)
        base-positions (when map (mapv #(if % (nth positions %) 0) map))]
    (cond (and map (contains? (:level unit) base)) (kernel-value cx body loops base)
          (and map (= :inline (nth (:roles sched) base))) (inline-value cx base base-positions)
          :else (load-element! cx body id positions))))

(defn- domain-positions [{:keys [unit]} loops id]
  (mapv #(if % (nth loops %) 0) (get-in unit [:assigned id])))

(defn- operand!
  "The value of argument k of a loop node at the current indices of the loops."
  [{:keys [sched] :as cx} body loops id k]
  (let [positions (nth (nth (:positions sched) id) k), at (domain-positions cx loops id)]
    (read-at cx body loops (nth (node cx id) (+ 2 k)) (mapv #(if % (nth at %) 0) positions))))

;; ## Computing one node

(defn index-var!
  "Emits the check that makes `value` an index variable below `extent`, and returns its name; node
  `id` is blamed."
  [cx body id value extent]
  (let [v (fresh cx "x")]
    (emit! body [:index v value extent ((:note-of cx) id)])
    (vswap! (:index-vars cx) conj v)
    v))

(defn- as-i64 [cx id value] (if (= :i64 (dtype cx id)) value [:cast :i64 value]))

(defn- check-value! [cx body loops id]
  (let [[_ {:keys [extent]} a] (node cx id)]
    (bind! body id (index-var! cx body id (as-i64 cx a (operand! cx body loops id 0)) extent))))

(defn- cast-to [from to e] (if (= from to) e [:cast to e]))
(defn- guard-value!
  "The operand, after a check that it is none of what the guard refuses; a failure reports where its
  element lies and its bits as a double."
  [cx body loops id]
  (let [[_ {:keys [nan inf big]} a] (node cx id)
        v (bind! body id (operand! cx body loops id 0)), d (type/computed (dtype cx a))
        bound [:const d (or big ##Inf)]
        size [:abs v]
        fine (cond (and inf nan) [(if big :le :lt) size bound]
                   inf [:or [:isnan v] [(if big :le :lt) size bound]]
                   big [:or [:isinf v] (if nan [:le size bound] [:not [:gt size bound]])]
                   :else [:not [:isnan v]])
        at (dense-index 0 (array/strides (shape cx id)) (domain-positions cx loops id))]
    (when (or nan inf big)
      (emit! body [:require fine ((:note-of cx) id) [:size at] [:bits (cast-to d :f64 v)]]))
    v))

(defn index-of!
  "The name of an index variable with the value of an element of the index array `id`, which is
  `value` and counts along an axis of that extent; a value that a check gave is one already."
  [cx body id value extent]
  (if (@(:index-vars cx) value)
    value
    (index-var! cx body id (as-i64 cx id value) extent)))

(defn- gather-value! [cx body loops id]
  (let [[_ {:keys [axis]} x & indices] (node cx id)
        rank (reads/index-rank (:g cx) id)
        values (doall (map-indexed (fn [k i]
                                     (index-of! cx body i (operand! cx body loops id (inc k))
                                                (nth (shape cx x) (axis k))))
                                   indices))
        positions (indexing/source-positions axis rank (domain-positions cx loops id) values)]
    (bind! body id (load-element! cx body x positions))))

(defn- elementwise-value! [cx body loops id]
  (let [[op attrs & args] (node cx id)
        operands (vec (map-indexed (fn [k a] [(operand! cx body loops id k) (dtype cx a)]) args))
        e (scalar/expression op attrs operands (dtype cx id))]
    (if (symbol? e) (bind! body id e) (name-value! cx body id e))))

(defn- results!
  "Names what an arg-reduction has found, the index, or element and index where it gives both."
  [cx body id element index]
  (if (tuple/type? (graph/type-of (:g cx) id))
    (bind! body id [(name-value! cx body [:element id] (element))
                    (name-value! cx body [:index id] index)])
    (name-value! cx body id index)))

(defn- compute!
  "Computes a node in a body and returns its name. A reduction comes here only when every reduced
  dim is 1."
  [cx body loops id]
  (case (:kind (entry cx id))
    :elementwise (elementwise-value! cx body loops id)
    :check (check-value! cx body loops id)
    :guard (guard-value! cx body loops id)
    :require (let [v (bind! body id (operand! cx body loops id 0))]
               (emit! body [:require v ((:note-of cx) id)])
               v)
    :gather (gather-value! cx body loops id)
    :reduce (name-value! cx body id (cast-to (dtype cx (nth (node cx id) 2)) (dtype cx id)
                                             (operand! cx body loops id 0)))
    :part (bind! body id (nth (kernel-value cx body loops (nth (node cx id) 2))
                              (:at (graph/attrs-of (node cx id)))))
    :arg-reduce (results! cx body id #(operand! cx body loops id 0) [:const :i64 0])))

(defn- own-index
  "The index of a node's element in its own dense memory at the current loops; `from` is the first
  axis that the memory spans."
  [{:keys [unit]} loops id from]
  (let [axes (remove nil? (get-in unit [:axes-of id]))
        dims (filter #(<= from %) axes)
        strides (array/strides (mapv #(nth (:axes unit) %) dims))]
    (dense-index 0 strides (map #(nth loops %) dims))))

(defn- kernel-value
  "The value of a node of this kernel: already named here, in memory from an earlier slot, or
  computed now."
  [{:keys [stored scratch paths] :as cx} body loops id]
  (let [here (count loops)
        elsewhere? (not= (take here (paths id)) (take here (:path body)))
        loaded (fn [key from]
                 (load! cx body (param cx key (dtype cx id) :in) (own-index cx loops id from)))]
    (cond (contains? @(:env body) id) (@(:env body) id)
          (and elsewhere? (stored id)) (loaded [:node id] 0)
          (and elsewhere? (scratch id)) (loaded [:scratch id] (scratch id))
          :else (compute! cx body loops id))))

;; ## Reductions

(defn- accumulator! [cx body id]
  (let [{:keys [kind combine init better]} (entry cx id)
        of (dtype cx (nth (node cx id) 2)), sum (scalar/acc-dtype combine (dtype cx id))
        var! (fn [dtype x] (let [v (fresh cx "a")] (emit! body [:var v [:const dtype x]]) v))]
    (vswap! (:accs cx) assoc id
            (if (= kind :arg-reduce)
              {:best (var! of (scalar/worst of better)), :index (var! :i64 0)}
              {:dtype sum, :v (var! sum (init sum))}))))

(defn- finish-reduction! [cx body id]
  (let [{:keys [v best index dtype]} (@(:accs cx) id)]
    (if index
      (results! cx body id (constantly best) index)
      (name-value! cx body id (cast-to dtype (damo.compile.lower/dtype cx id) v)))))

(defn- outer-sum
  "Where a reduction over outer axes accumulates: [memory-key dtype], its own memory, or scratch
  when the accumulator has another dtype."
  [cx id]
  (let [d (dtype cx id), acc (scalar/acc-dtype (:combine (entry cx id)) d)]
    [(if (= acc d) [:node id] [:scratch id]) acc]))

(defn- accumulate-in-memory! [cx body loops id value]
  (let [[key acc] (outer-sum cx id)
        p (param cx key acc :out)
        _ (param cx key acc :in)
        index (own-index cx loops id 0)]
    (vswap! (:stores body) conj [:store p index [(:combine (entry cx id)) [:load p index] value]])))

(defn- best-line
  "The line along which an arg-reduction runs in the loop around which `loops` are, as
  damo.compile.lower.best has it; its values are computed in bodies at that path."
  [{:keys [unit] :as cx} {:keys [path env]} loops id]
  (let [{:keys [better combine]} (entry cx id), d (type/computed (dtype cx (nth (node cx id) 2)))]
    {:better better, :both combine, :dtype d, :float (type/float-dtype? d), :fresh #(fresh cx %)
     :worst [:const d (scalar/worst d better)], :n (nth (:axes unit) (count loops))
     :value (fn [position]
              (let [inner (assoc (body @env) :path path)
                    v (operand! cx inner (conj loops position) id 0)]
                [@(:stmts inner) v]))}))

(defn- accumulate-best! [cx body loops id value]
  (let [{:keys [best index]} (@(:accs cx) id), {:keys [axis]} (graph/attrs-of (node cx id))
        line (best-line cx body (pop loops) id)]
    (run! #(emit! body %)
          (best/step line value (nth (domain-positions cx loops id) axis) best index))))

(defn- accumulate! [{:keys [unit] :as cx} body loops id]
  (let [value (operand! cx body loops id 0)
        {:keys [kind combine]} (entry cx id)
        from (dtype cx (nth (node cx id) 2))]
    (cond (= kind :arg-reduce) (accumulate-best! cx body loops id value)
          (nil? (get-in unit [:known id]))
          (accumulate-in-memory! cx body loops id (cast-to from (second (outer-sum cx id)) value))
          :else (let [{:keys [v dtype]} (@(:accs cx) id)]
                  (emit! body [:acc combine v (cast-to from dtype value)])))))

(defn- reduces? [{:keys [unit] :as cx} id]
  (and (#{:reduce :arg-reduce} (:kind (entry cx id)))
       (not= (get-in unit [:known id]) (get-in unit [:level id]))))

;; ## Bodies

(defn- keep-value!
  "Writes a node's value to its own memory or scratch, where it has any, at the end of the slot."
  [{:keys [stored scratch] :as cx} body loops id]
  (doseq [[key from] (cond-> [] (stored id) (conj [[:node id] 0]) (scratch id)
                      (conj [[:scratch id] (scratch id)]))]
    (vswap! (:stores body) conj
            [:store (param cx key (dtype cx id) :out) (own-index cx loops id from)
             (@(:env body) id)])))

(defn- here! [{:keys [unit stored scratch] :as cx} body loops id]
  (let [innermost? (= (count loops) (count (:axes unit)))]
    (cond (reduces? cx id) (accumulate! cx body loops id)
          (or (not innermost?) (stored id) (scratch id))
          (do (when-not (contains? @(:env body) id) (compute! cx body loops id))
              (keep-value! cx body loops id)))))

(defn- flush-stores! [body]
  (run! #(emit! body %) @(:stores body))
  (vreset! (:stores body) []))

(declare body-stmts)

(defn- search!
  "Emits the loops of an arg-reduction that has them for itself."
  [cx body path loops id]
  (let [{:keys [stmts best]} (best/search (best-line cx (assoc body :path path) loops id))]
    (run! #(emit! body %) stmts)
    (vswap! (:accs cx) assoc id best)))

(defn- inner-loop! [{:keys [unit fixed] :as cx} body path loops deep]
  (let [L (count loops), extent (nth (:axes unit) L), i (fresh cx "i")
        finished (filter #(and (reduces? cx %) (= L (get-in unit [:known %]))) deep)]
    (if (and (every? (or (:apart unit) #{}) deep) (= finished deep) (blocks/along? fixed extent))
      (run! #(search! cx body path loops %) finished)
      (do (run! #(accumulator! cx body %) finished)
          (emit! body (into [:for i extent]
                       (body-stmts cx deep path @(:env body) (conj loops i))))))
    (doseq [id finished]
      (finish-reduction! cx body id)
      (keep-value! cx body loops id))))

(defn- body-stmts
  "The statements of the body inside `loops` at that path for the nodes `ids`."
  [{:keys [unit paths] :as cx} ids path env loops]
  (let [L (count loops)
        body (assoc (body env) :path path)
        slot #(nth (paths %) L)
        by-slot (group-by slot ids)]
    (doseq [s (sort (keys by-slot))
            :let [{here true, deep false} (group-by #(= L (get-in unit [:level %])) (by-slot s))]]
      (when (seq deep) (inner-loop! cx body (conj path s) loops deep))
      (run! #(here! cx body loops %) here)
      (flush-stores! body))
    @(:stmts body)))

(defn- outer-reductions [{:keys [unit] :as cx}]
  (filter #(and (reduces? cx %) (nil? (get-in unit [:known %]))) (:nodes unit)))

(defn- initial-stores
  "Loops that set the memory of reductions over outer axes to their initial value."
  [cx]
  (for [id (outer-reductions cx) :let [[key acc] (outer-sum cx id), i (fresh cx "i")]]
    [:for i (type/size (shape cx id))
     [:store (param cx key acc :out) i [:const acc ((:init (entry cx id)) acc)]]]))

(defn- final-stores
  "Loops that round wide accumulators of reductions over outer axes to the results."
  [cx]
  (for [id (outer-reductions cx)
        :let [[key acc] (outer-sum cx id), d (dtype cx id), i (fresh cx "i")]
        :when (not= acc d)]
    [:for i (type/size (shape cx id))
     [:store (param cx [:node id] d :out) i [:cast d [:load (param cx key acc :in) i]]]]))

(defn writing
  "A context for writing one kernel: {:g graph, :sched schedule, :memory-of (fn [id] key), :note-of
  (fn [id] position)} with room for its parameters and names."
  [cx]
  (assoc cx :counter (volatile! -1), :params (volatile! {:order [] :index {} :dtype {} :access {}})
         :accs (volatile! {}), :index-vars (volatile! #{})))

(defn finished
  "{:kernel … :args [key …]} of what was written in a context with this body."
  [{:keys [params]} kernel-name body]
  (let [{:keys [order dtype access]} @params]
    {:kernel {:name kernel-name
              :params (mapv (fn [p] [(dtype p) (case (access p) #{:in} :in, #{:out} :out, :inout)])
                            (range (count order)))
              :body body}
     :args order}))

(defn kernel-name "The name of the kernel of a unit: the ops of some nodes." [cx {:keys [nodes]}]
  (let [ops (distinct (map #(graph/op-of (node cx %)) nodes))]
    (apply str (interpose "-" (map name (take 6 (remove #{:part} ops)))))))

(defn- scratch-sizes
  "The scratch memory of a kernel: of values that later slots need, and of wide accumulators."
  [{:keys [unit] :as cx} scratch]
  (into (into {} (for [[id from] scratch
                       :let [axes (filter #(and % (<= from %)) (get-in unit [:axes-of id]))]]
                   [[:scratch id] {:dtype (dtype cx id)
                                   :size (apply type/dim* (map #(nth (:axes unit) %) axes))}]))
        (for [id (outer-reductions cx) :let [[key acc] (outer-sum cx id)]
              :when (= :scratch (first key))]
          [key {:dtype acc, :size (type/size (shape cx id))}])))

(defn kernel
  "The kernel of a kernel unit: {:kernel map, :args [memory-key …], :scratch {key {:dtype :size}}}."
  [{:keys [g sched] :as cx} unit]
  (let [deps (slots/kernel-deps g (:layouts sched) unit)
        paths (slots/paths unit deps)
        stored (into #{} (filter (:stored sched)) (schedule/own-nodes unit))
        scratch (slots/scratch g unit deps paths stored)
        cx (assoc (writing cx) :unit unit, :paths paths, :stored stored, :scratch scratch)
        body (vec (concat (nonempty/checks cx unit) (initial-stores cx)
                          (body-stmts cx (:nodes unit) [] {} []) (final-stores cx)))]
    (assoc (finished cx (kernel-name cx unit) (loops/arranged cx body))
           :scratch (scratch-sizes cx scratch))))
