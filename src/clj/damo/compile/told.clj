(ns damo.compile.told
  "What expressions state of dims becomes a matter of the whole function: dims that are told to be
  equal are one dim everywhere, and a call checks what was told as soon as it binds its dims,
  whatever became of the expressions. In: a graph, and the ports that bind dims, [[name type] …].
  (settled g '[[x [:f32 [n]]] [y [:f32 [m]]]]) = {:graph, of the one dim m, :requires [{:small n
  :large m :note {…}} …]}."
  (:require [clojure.string :as str]
            [damo.compile.plan.note :as note]
            [damo.data.fail :as fail]
            [damo.data.graph :as graph]
            [damo.data.poly :as poly]
            [damo.data.told :as told]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.meaning.counted :as counted]
            [damo.op :as op]
            [damo.op.body :as body]
            [damo.op.whole :as whole]))

(set! *warn-on-reflection* true)

;; ## What is stated

(defn- shape-facts [g id]
  (let [from (graph/shape-at g (first (graph/args-at g id)))]
    (for [[a b] (map vector from (graph/shape-at g id)) :when (not= a b)] [:= a b])))

(defn- graphs
  "The graph and those that its nodes hold and run."
  [g]
  (cons g (for [id (graph/live g)
                :let [[op attrs] (graph/node-at g id), runs (set (body/run-graphs op attrs))]
                [path body] (body/graphs op attrs) :when (runs body)
                below (graphs (body/opened body (get-in g [:notes id :inner path])))]
            below)))

(defn- statements
  "What the nodes of graphs state of dims, first what was told: [{:fact :in graph :id :told true}
  …]."
  [graphs]
  (let [found (for [g graphs, id (graph/live g) :when (= :specify-shape (graph/op-at g id))]
                {:in g, :id id})]
    (concat (for [{:keys [in id] :as at} found, fact (:told (graph/attrs-at in id))]
              (assoc at :fact fact, :told true))
            (for [{:keys [in id] :as at} found, fact (shape-facts in id)]
              (assoc at :fact fact)))))

(defn- counted-dims [graphs]
  (set (for [g graphs, id (graph/live g)
             :let [attrs (graph/attrs-at g id)], :when (:counts (op/entry (graph/op-at g id)))
             dim (counted/names attrs)]
         dim)))

(defn- solutions
  "[outer all], each {symbol dim}: how facts replace symbols that no port binds and no node counts;
  and, besides, counted ones, which are then checked when they are counted, and at last bound ones."
  [facts bound counted text-of]
  (let [then (fn [dims free]
               (let [more (told/solved free (map #(told/substituted dims %) facts) text-of)]
                 (merge (update-vals dims #(type/substitute more %)) more)))
        outer (then {} #(not (or (bound %) (counted %))))]
    [outer (-> outer (then counted) (then bound))]))

;; ## What a call checks

(defn- place
  "Where a symbol of a dim comes from, as text; nil when no port has it as an axis."
  [ports s]
  (first (for [[port [_ shape]] ports, [axis d] (map-indexed vector shape) :when (= s d)]
           (str s " is axis " axis " of " port))))

(defn- note-of
  "The note of a statement for messages: what it says, and of which axes of which ports."
  [ports {g :in, :keys [fact id told]}]
  (let [facts (note/facts g (first (graph/args-at g id)))
        {:keys [file line]} (get-in g [:notes id :src])
        [_ a b] fact
        places (keep #(place ports %) (distinct (mapcat type/dim-symbols [a b])))]
    (cond-> {:op (if told "with-dims" "specify-shape")
             :message (str "it is " (if told "told" "stated") " that " (told/text fact)
                           (when (seq places) (str ", where " (str/join " and " places))))
             :expr (:expr facts), :type (pr-str (:type facts)), :arguments []}
      file (assoc :file file :line line))))

(defn- pairs
  "What a call checks of a fact, [[small large] …], with the quotients that must come out even."
  [fact]
  (concat (for [q (type/quotients fact)] [0 q]) (told/requirements [fact])))

(defn- once
  "The requirements, of equal ones the first."
  [requirements]
  (->> requirements
       (reduce (fn [[seen kept] {:keys [small large] :as r}]
                 (if (seen [small large]) [seen kept] [(conj seen [small large]) (conj kept r)]))
               [#{} []])
       second))

(defn- requirements
  "What a call has to check of statements whose facts mention bound dims alone."
  [ports bound statements]
  (let [known (told/bounds (map :fact (filter :told statements)))]
    (once (for [{:keys [fact told] :as statement} statements
                :when (every? bound (told/mentioned fact))
                [small large] (pairs fact)
                :when (not (binding [poly/*bounds* (when-not told known)]
                             (type/at-most? small large)))]
            {:small small, :large large, :note (note-of ports statement)}))))

;; ## The graph

(defn- text-of
  "The text of a fact among these statements, with the place where it was stated."
  [statements fact]
  (let [{:keys [in id]} (first (filter #(= fact (:fact %)) statements))]
    (str (told/text fact) (when id (str ", told at "
                                        (fail/position-text (get-in in [:notes id :src])))))))

(defn- stated!
  "The id of a part of a node whose dims are its own, stated to be of that type."
  [b [op attrs] args type note]
  (let [[of] (map #(graph/node-type b %) args)
        id (graph/add-node! b (into [op attrs] args) (nth (tuple/types of) (:at attrs)) note)]
    (if (= type (graph/node-type b id))
      id
      (graph/add-node! b [:specify-shape {:shape (type/shape-of type), :told nil} id] type note))))

(defn- with-dims
  "The graph with dims replaced, without nodes that state only what is `settled?` otherwise. A node
  that counts a dim of which something is told says so in its note: (told-of dim) is that text. One
  that counts several keeps these, and its parts are stated to be what was told."
  [g dims settled? told-of]
  (let [g (body/inside #(with-dims % dims settled? told-of) g), b (graph/builder)
        emit! (fn [id [op {:keys [as] :as attrs}] args type note]
                (let [own (if (map? as) (apply dissoc dims (vals as)) dims)
                      replace-in #(type/substitute own %)
                      type (whole/type-with-dims replace-in type)
                      counts? (and (:counts (op/entry op)) (contains? dims as))
                      attrs (cond-> (op/with-dims replace-in op attrs
                                                  (delay (graph/types-at g id)))
                              counts? (update :as replace-in))
                      left (not-empty (vec (remove settled? (:told attrs))))]
                  (cond
                    (and (= op :specify-shape) (nil? left)
                         (= type (graph/node-type b (first args))))
                    (first args)
                    (= :part (op/kind op))
                    (stated! b [op attrs] args type note)
                    :else
                    (graph/add-node! b (into [op (cond-> attrs (:told attrs) (assoc :told left))]
                                             args)
                                     type
                                     (cond-> note counts? (assoc :told (told-of as)))))))]
    (:graph (graph/swept b g (graph/sweep! g emit!)))))

(defn settled
  "{:graph :requires :bounds} of a graph, see the namespace; :bounds is what was told of single
  dims, as poly/*bounds* has it. Fails when what is told contradicts itself."
  [g ports]
  (let [all (graphs g), found (statements all)]
    (if (empty? found)
      {:graph g}
      (let [bound (into #{} (comp (mapcat (comp type/shape-of second)) (filter symbol?)) ports)
            counted (counted-dims all), facts (map :fact found)
            [outer dims] (solutions facts bound counted #(text-of found %))
            told-of (fn [s] (->> facts (filter #(contains? (told/mentioned %) s)) distinct
                                 (map #(text-of found %)) (str/join ", ")))
            settled? (fn [[_ a b :as fact]] (or (= a b) (not-any? counted (told/mentioned fact))))
            stated (map (fn [s] (update s :fact #(told/substituted outer %))) found)]
        {:graph (with-dims g dims settled? told-of)
         :requires (requirements ports bound stated)
         :bounds (told/bounds (map #(told/substituted dims %) facts))}))))
