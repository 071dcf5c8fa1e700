(ns damo.compile.pass.loop.hoist
  "What does not change from round to round moves out of the body, computed once before the loop;
  what may stop a call stays, for there may be no round, and so does what counts. Constants go the
  other way: where an argument is the same number everywhere, the body has it, so that rules for
  constants see it.
  (hoisted g) is g with loops of less in their bodies; (filled g) with constants in them."
  (:require [damo.compile.pass.loop.form :as form]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.meaning.counted :as counted]
            [damo.meaning.failing :as failing]
            [damo.op :as op]
            [damo.op.body :as body])
  (:import [java.util HashMap]))

(set! *warn-on-reflection* true)

;; ## What nodes depend on

(defn reading
  "For each node of the body of a loop the set of the ways in which it reads, of :each :carry :all
  :turn; :fixed too where it, or what it needs, must stay in the body: it may stop a call, or
  counts, or is of what is counted in it."
  [{:keys [body] :as l}]
  (let [stops (failing/stopping body), dims (into #{} (map :dim) (counted/binders body))
        fixed? (fn [id] (or (stops id) (seq (counted/counted-by body id))
                            (and (seq dims) (some dims (counted/mentions body id)))))]
    (reduce (fn [found id]
              (let [read (first (form/read-of l id))]
                (conj found (cond-> (into #{} (mapcat found) (graph/args-at body id))
                              read (conj read)
                              (fixed? id) (conj :fixed)))))
            [] (range (count (:nodes body))))))

(defn- computes?
  "Is a node more than elements of others, or such that are made where they are read?"
  [[op]]
  (not (#{:leaf :view :generate :part :tuple} (op/kind op))))

(defn- worth?
  "Is there something to compute in what a node of a body needs?"
  [body id]
  (boolean (some #(computes? (graph/node-at body %)) (graph/live body [id]))))

;; ## Sizes

(def ^:private most-growth
  "How many times larger than what it is made of may be what is kept instead."
  64)

(defn- size [[_ shape]] (type/size shape))

(defn no-larger?
  "Is an array of a type no larger, by rank and as far as numbers tell, than the largest of these?"
  [[_ shape :as type] types]
  (and (<= (count shape) (reduce max 1 (map type/rank-of types)))
       (or (not (every? integer? (cons (size type) (map size types))))
           (<= (size type) (* most-growth (reduce max 1 (map size types)))))))

(defn sources
  "The types of the parameters that a node of the body of a loop needs."
  [{:keys [body]} id]
  (into [] (comp (filter #(body/param? (graph/node-at body %))) (map #(graph/type-of body %)))
        (graph/live body [id])))

;; ## Out of the body

(defn border
  "The nodes of a body that are wanted, those of them that another node or an output reads."
  [{:keys [outputs] :as body} wanted]
  (let [read (into (set outputs) (mapcat #(when-not (wanted %) (graph/args-at body %)))
                   (graph/live body))]
    (into [] (filter #(and (wanted %) (read %))) (graph/live body))))

(defn outside!
  "{id id'}: what these nodes of the body of a loop are in the builder around it; (param! id) gives
  what a parameter is there."
  [b {:keys [body note]} roots param!]
  (let [ids (HashMap.)]
    (doseq [id (graph/live body roots) :let [[op attrs & args :as node] (graph/node-at body id)]]
      (.put ids id (if (body/param? node)
                     (param! id)
                     (graph/add-node! b (into [op attrs] (map #(.get ids %)) args)
                                      (graph/type-of body id)
                                      (merge (select-keys note [:src])
                                             (get-in body [:notes id]))))))
    (into {} (map (fn [id] [id (.get ids id)])) roots)))

(defn with-reads
  "The loop whose body reads {id read} in the place of these nodes."
  [{:keys [reads body] :as l} found]
  (let [at (zipmap (keys found) (iterate inc (count reads)))]
    (form/reread (assoc l :reads (into reads (vals found)))
                 (fn [id] (some-> (at id) (body/param (graph/type-of body id)))))))

(defn- unchanging
  "The nodes of the body of a loop that can move out of it."
  [{:keys [body] :as l}]
  (let [read (reading l)
        free? #(and (empty? (disj (read %) :all))
                    (not (tuple/type? (graph/type-of body %)))
                    (worth? body %)
                    (no-larger? (graph/type-of body %) (sources l %)))]
    (border body (into #{} (filter free?) (graph/live body)))))

(defn hoisted
  "The graph whose loops compute before their first round what does not change."
  [g]
  (form/replaced g (fn [b _ l]
                     (when-let [roots (seq (unchanging l))]
                       (let [found (outside! b l roots #(second (form/read-of l %)))]
                         (form/renewed! b (with-reads l (update-vals found #(vector :all %)))))))))

;; ## Constants into it

(defn- constants
  "{id node}: the parameters of the body of a loop that are one number everywhere."
  [b {:keys [body] :as l}]
  (into {} (for [id (graph/live body) :let [[what a] (form/read-of l id)]
                 :when (#{:each :all} what)
                 :let [node (form/number-node b a)] :when node]
             [id node])))

(defn filled
  "The graph whose loops have in their bodies the arguments that are one number everywhere."
  [g]
  (form/replaced g (fn [b _ l]
                     (let [found (constants b l)]
                       (when (seq found)
                         (form/renewed! b (update l :body form/with-numbers found)))))))
