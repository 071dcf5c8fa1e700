(ns damo.compile.pass.loop.form
  "A loop taken apart, for passes that change one: what its body reads and what its carries begin
  with are nodes around it instead of positions of arguments. `emit!` puts it together again in
  normal form: each argument once, equal parameters once, none that the body does not mention.
  (opened [:loop {:params [[:each 0 0 1]] :carries [1] …}] [7 9] note) has the :reads
  [[:each 7 0 1]] and the :firsts [9]."
  (:require [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.meaning.failing :as failing]
            [damo.op :as op]
            [damo.op.body :as body]
            [damo.op.looping :as looping])
  (:import [java.util HashMap]))

(set! *warn-on-reflection* true)

;; ## Taking apart

(defn- with-argument
  "A parameter, (f argument) in the place of the argument that it reads."
  [f [what a & more :as read]]
  (if (#{:each :all} what) (into [what (f a)] more) read))

(defn opened
  "The loop [op attrs] on these arguments, ids."
  [[op {:keys [params carries unless body] :as attrs}] args note]
  (let [argument #(nth args %)]
    (assoc (select-keys attrs [:results])
           :op op
           :attrs (dissoc attrs :params :carries :results :unless :body)
           :note note
           :reads (mapv #(with-argument argument %) params)
           :firsts (mapv argument carries)
           :unless (some-> unless argument)
           :body (body/opened body (get-in note [:inner [:body]])))))

(defn at
  "Node `id` of a graph, a loop, taken apart."
  [g id]
  (opened (graph/node-at g id) (graph/args-at g id) (get-in g [:notes id])))

(defn rounds
  "The dim that the number of rounds of a loop is."
  [{:keys [attrs unless]}]
  (looping/rounds (assoc attrs :unless unless)))

(defn fixed-rounds?
  "Does a loop make all its :steps, whatever it computes?"
  [{:keys [attrs unless]}]
  (not (or (:until attrs) unless)))

(defn carry?
  "Is output o of a loop the next row of a carry?"
  [{:keys [firsts]} o]
  (< (long o) (count firsts)))

(defn until-output
  "The output that says whether the loop ends, nil where none does."
  [{:keys [attrs body]}]
  (when (:until attrs) (dec (count (:outputs body)))))

(defn outputs-of
  "The nodes of the body that give these outputs."
  [{:keys [body]} outputs]
  (mapv (:outputs body) outputs))

(defn read-of
  "What a node of the body reads, when it is a parameter."
  [{:keys [reads body]} id]
  (let [node (graph/node-at body id)]
    (when (body/param? node) (nth reads (:at (graph/attrs-of node))))))

(defn depth
  "The number of rows that output o of a loop has before its first round; its arguments are in the
  builder."
  [b {:keys [firsts]} o]
  (if-let [a (nth firsts o nil)] (first (type/shape-of (graph/node-type b a))) 0))

;; ## Putting together

(defn reread
  "The loop with the node that (node id) gives in the place of node `id` of its body, nil where it
  stays, and equal nodes as one."
  [{:keys [body] :as l} node]
  (let [b (graph/builder)
        ids (graph/sweep! body (fn [id old args type note]
                                 (let [new-node (node id)]
                                   (if new-node
                                     (graph/add-node! b new-node type note)
                                     (graph/keep-node! b old args type note)))))]
    (assoc l :body (graph/finish b (mapv ids (:outputs body)) (mapv ids (:keep body))))))

(defn- once
  "The loop with equal parameters of its body as one."
  [{:keys [reads body] :as l}]
  (let [place (HashMap.)]
    (doseq [[at read] (map-indexed vector reads)] (.putIfAbsent place read at))
    (reread l (fn [id]
                (let [[op {:keys [at type]}] (graph/node-at body id)]
                  (when (= op :param) (body/param (.get place (nth reads at)) type)))))))

(defn unmet
  "The rows that a loop asks for and does not read, which a call must yet check to be there."
  [b {:keys [reads attrs]} used]
  (for [[what a :as read] (distinct reads)
        :when (and (= :each what) (not-any? #{read} used))
        :when (not-every? (fn [[small large]] (type/at-most? small large))
                          (looping/requirements {:steps (:steps attrs)
                                                 :params [(assoc read 1 0)]}
                                                [(graph/node-type b a)]))]
    read))

(defn idle?
  "Does a loop neither fail nor ask for anything, so that it is not missed when it goes?"
  [b {:keys [body must] :as l}]
  (and (empty? must) (empty? (failing/stopping body)) (empty? (unmet b l []))))

(defn- read-arguments [reads]
  (keep (fn [[what a]] (when (#{:each :all} what) a)) reads))

(defn closed
  "{:attrs :args :note}: the loop as the attributes and the arguments of a node."
  [b {:keys [attrs note firsts unless results must] :as l}]
  (let [{:keys [reads] :as l} (once l), {:keys [body notes]} (body/closed (:body l))
        mentioned (into [] (comp (filter body/param?) (map (comp :at graph/attrs-of)))
                        (:nodes body))
        used (mapv reads mentioned), reads (into used (unmet b l used))
        others (set (concat (read-arguments reads) firsts [unless]))
        reads (into reads (comp (remove others) (map (fn [a] [:all a]))) must)
        args (vec (distinct (concat (read-arguments reads) firsts (when unless [unless]))))
        place (zipmap args (range))]
    {:attrs (assoc attrs
                   :params (mapv #(with-argument place %) reads)
                   :carries (mapv place firsts)
                   :unless (some-> unless place)
                   :results results
                   :body (body/repositioned body (zipmap mentioned (range))))
     :args args
     :note (cond-> (dissoc note :inner) (seq notes) (assoc :inner {[:body] notes}))}))

(defn emit!
  "The id of the node that a loop is, its arguments in the builder."
  [b {:keys [op] :as l}]
  (let [{:keys [attrs args note]} (closed b l)]
    (op/emit! b op attrs (mapv op/->Id args) note)))

(defn part!
  "The id of result j of a loop node of a builder."
  [b id j note]
  (op/emit! b :part {:at j} [(op/->Id id)] (select-keys note [:src])))

;; ## Numbers in the place of parameters

(defn number-node
  "The node of the 0-d constant that all elements of node `id` of a builder are, or nil."
  [b id]
  (let [[op _ a :as node] (graph/node b id)]
    (cond (= op :const) (when (empty? (type/shape-of (graph/node-type b id))) node)
          (= :broadcast-to op) (recur b a))))

(defn with-numbers
  "The graph with 0-d constants, {id node}, in the place of these nodes, broadcast to their shapes."
  [g found]
  (let [b (graph/builder)
        ids (graph/sweep! g (fn [id node args [dtype shape :as type] note]
                              (if-let [number (found id)]
                                (let [c (graph/add-node! b number [dtype []] note)]
                                  (if (empty? shape)
                                    c
                                    (op/emit! b :broadcast-to {:shape shape} [(op/->Id c)] note)))
                                (graph/keep-node! b node args type note))))]
    (graph/finish b (mapv ids (:outputs g)) (mapv ids (:keep g)))))

;; ## Sweeps

(defn loops
  "The live loops of a graph, ids."
  [g]
  (filterv #(= :loop (op/kind (graph/op-at g %))) (graph/live g)))

(defn- impossible?
  "Does a loop of a graph ask for rows that are not there whatever the dims are? It fails in each
  call."
  [g id]
  (some (fn [[small large]] (and (integer? small) (integer? large) (< large small)))
        (looping/requirements (graph/attrs-at g id) (pop (graph/types-at g id)))))

(defn replaced
  "The graph with what (change! b id loop) makes in the place of its loops: {:id :parts}, the node
  of a builder that stands for the loop and its results there, nil where it stays. The loop that it
  is given is taken apart, its arguments in the builder, with the :types of its results; those that
  may fail are under :must, and stay arguments.
  (other! b id node args note) may give what stands in the place of another node."
  ([g change!] (replaced g change! (constantly nil)))
  ([g change! other!]
   (let [b (graph/builder), made (HashMap.), flags (failing/flags b)
         looped! (fn [id node args type note]
                   (let [l (assoc (opened node args note)
                                  :types (tuple/types type)
                                  :must (filterv #(failing/may-fail? flags %) (distinct args)))]
                     (when-let [new-loop (when-not (impossible? g id) (change! b id l))]
                       (.put made id new-loop)
                       (:id new-loop))))
         ids (graph/sweep!
              g (fn [id [op attrs :as node] args type note]
                  (or (case (op/kind op)
                        :loop (looped! id node args type note)
                        :part (some-> (.get made (nth node 2)) :parts (get (:at attrs)))
                        (other! b id node args note))
                      (graph/keep-node! b node args type note))))]
     (:graph (graph/swept b g ids)))))

(defn renewed!
  "What `replaced` takes for a loop whose results stay what they are: that loop in a builder."
  [b {:keys [note results] :as l}]
  (let [id (emit! b l)]
    {:id id, :parts (mapv #(part! b id % note) (range (count results)))}))
