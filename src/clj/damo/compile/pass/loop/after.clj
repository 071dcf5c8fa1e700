(ns damo.compile.pass.loop.after
  "What no later round needs moves behind the loop, for all rows at once. A state that only adds
  products, acc + xᵀ·y, is one product of the kept rows of x and y; a result that is a product of
  what the rounds make is one product of the kept rows of that. What is kept instead is no larger
  than what is there already.
  (summed g) and (trailed g) are g with loops of less in their bodies."
  (:require [damo.compile.pass.loop.batch :as batch]
            [damo.compile.pass.loop.form :as form]
            [damo.compile.pass.loop.hoist :as hoist]
            [damo.compile.pass.loop.unread :as unread]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.op.body :as body]
            [damo.rule :as rule]))

(set! *warn-on-reflection* true)

;; ## Cuts: the nodes whose rows are kept

(defn- cuts
  "The nodes from which a root is computed behind the loop: those below it that are neither free of
  the rounds nor may be computed there, (behind? id)."
  [{:keys [body]} free? behind? root]
  (loop [todo [root], found #{}]
    (if-let [id (peek todo)]
      (cond (or (free? id) (found id)) (recur (pop todo) found)
            (behind? id) (recur (into (pop todo) (graph/args-at body id)) found)
            :else (recur (pop todo) (conj found id)))
      found)))

(defn- with-kept
  "The loop with the rows of these nodes of its body as results more, all of them, the last first
  where they are `backwards`."
  [{:keys [body results] :as l} ids backwards]
  (let [n (count (:outputs body))]
    (assoc l
           :body (update body :outputs into ids)
           :results (into results (map (fn [k] (cond-> [(+ n k) :all] backwards (conj :backwards))))
                          (range (count ids))))))

(defn- reading-rows
  "The loop whose body reads the rows of arrays, {node id}, in the place of these nodes."
  [{:keys [body reads] :as l} found]
  (reduce-kv (fn [l k [id rows]]
               (-> (assoc-in l [:body :nodes id]
                             (body/param (+ (count reads) k) (graph/type-of body id)))
                   (update :reads conj [:rows rows])))
             l (vec found)))

;; ## Sums of products

(defn- added
  "The nodes that node `id` of a body is the sum of."
  [body id]
  (let [[op _ & args] (graph/node-at body id)]
    (if (= :add op) (mapcat #(added body %) args) [id])))

(defn- above
  "The nodes of a body that need this one, itself included."
  [body id]
  (reduce (fn [found k] (if (some found (graph/args-at body k)) (conj found k) found))
          #{id} (graph/live body)))

(defn- sum-chain
  "The nodes between output c of a body, a sum, and what it is the sum of."
  [body id]
  (let [[op _ & args] (graph/node-at body id)]
    (if (= :add op) (into #{id} (mapcat #(sum-chain body %)) args) #{})))

(defn- matrices?
  "Is a node of a body a product of two matrices?"
  [body id]
  (let [[op _ & args] (graph/node-at body id)]
    (and (= :contract (op/kind op)) (= 2 (count args))
         (every? #(= 2 (type/rank-of (graph/type-of body %))) (conj args id)))))

(defn- views? [body]
  (fn [id] (and (= :view (op/kind (graph/op-at body id))) (batch/rows-at-once? body id))))

(defn- affordable?
  "Are the rows of one factor at hand, and those of the other kept or small?"
  [{:keys [body] :as l} free? product]
  (let [kept (map #(cuts l free? (views? body) %) (graph/args-at body product))]
    (and (some empty? kept)
         (every? (fn [id] (hoist/no-larger? (graph/type-of body id)
                                            [(graph/type-of body product)]))
                 (mapcat identity kept)))))

(defn- products-of
  "The products that carry c of a loop adds up, and nothing else does with it; nil where it is no
  such sum, or where other rows than the last are read of it."
  [b {:keys [body results] :as l} free? c]
  (let [out (get-in body [:outputs c]), terms (added body out)
        state? #(= [:carry c 0] (form/read-of l %)), products (remove state? terms)
        state (first (filter state? terms))]
    (when (and (= 1 (form/depth b l c)) (= 1 (count (filter state? terms))) (seq products)
               (every? (fn [[o rows]] (or (not= o c) (= 1 rows))) results)
               (every? (sum-chain body out) (disj (above body state) state))
               (= 1 (count (filter #{out} (:outputs body))))
               (every? #(and (matrices? body %) (affordable? l free? %)) products))
      products)))

(defn- sums
  "{carry [product …]} of a loop."
  [b {:keys [firsts] :as l}]
  (let [free? (batch/free-of-rounds l (hoist/reading l))]
    (into {} (for [c (range (count firsts)) :let [found (products-of b l free? c)] :when found]
               [c found]))))

(defn- product-of-rows!
  "The id of the sum of the products of the rows of x, n matrices [p q], and y, n matrices [q r]."
  [b x y note]
  (let [[n p q] (type/shape-of (graph/node-type b x)), [_ _ r] (type/shape-of (graph/node-type b y))
        rows (type/dim* n q)]
    (op/instantiate-over! (op/emitter b note) {'?x x, '?y y}
                          [:matmul [:transpose {:axes [1 0]}
                                    [:reshape {:shape [rows p]} [:transpose {:axes [0 2 1]} '?x]]]
                           [:reshape {:shape [rows r]} '?y]])))

(defn- total!
  "The id of what a carry is at the end, [1 p r]: the first row, where it is not zero, and these
  sums of products, which are no -0.0."
  [b {:keys [firsts note]} c products factors]
  (let [src (select-keys note [:src]), start (firsts c)
        sum (reduce #(op/emit! b :add {} [(op/->Id %1) (op/->Id %2)] src)
                    (for [[x y] (map factors products)] (product-of-rows! b x y src)))]
    (op/instantiate-over! (op/emitter b src) {'?a start, '?s sum}
                          (let [total [:reshape {:shape (type/shape-of (graph/node-type b start))}
                                       '?s]]
                            (if (= 0.0 (rule/uniform b start)) total [:add '?a total])))))

(defn- moved
  "{:id :left :rows}: the loop without these outputs and with the rows of the `kept` nodes as
  results, in a builder: its :parts, {position id}, of the results that are left, and what the
  `roots` of its body are for all rows, {id id'}."
  [b {:keys [body results attrs] :as l} without kept roots backwards]
  (let [left (filterv #(not (without (first (results %)))) (range (count results)))
        outputs (remove without (range (+ (count (:outputs body)) (count kept))))
        {all :results :as whole} (with-kept l kept backwards)
        {:keys [id parts]} (form/renewed! b (unread/restricted
                                             whole outputs
                                             (into left (range (count results) (count all)))))]
    {:id id, :parts (zipmap left parts)
     :rows (batch/at-once! b (reading-rows l (zipmap kept (drop (count left) parts))) roots
                           {:start 0, :n (:steps attrs), :backwards backwards})}))

(defn- backwards?
  "Do these nodes of the body of a loop read their sequences from the end?"
  [{:keys [body] :as l} ids]
  (boolean (some #(let [[what _ _ by] (form/read-of l %)] (and (= :each what) (= -1 by)))
                 (graph/live body ids))))

(defn- kept-for
  "The nodes of the body of a loop whose rows are kept for these sums of products."
  [{:keys [body] :as l} found]
  (let [free? (batch/free-of-rounds l (hoist/reading l))]
    (vec (distinct (mapcat #(cuts l free? (views? body) %)
                           (mapcat #(graph/args-at body %) (mapcat val found)))))))

(defn- without-sums!
  "What `replaced` takes for a loop without the carries that are sums of products."
  [b {:keys [body results] :as l} found]
  (let [free? (batch/free-of-rounds l (hoist/reading l))
        factors (vec (distinct (mapcat #(graph/args-at body %) (mapcat val found))))
        kept (kept-for l found)
        {:keys [id parts rows]} (moved b l found kept factors (backwards? l (filter free? factors)))
        total (into {} (for [[c products] found]
                         [c (total! b l c products #(map rows (graph/args-at body %)))]))]
    {:id id, :parts (into parts (for [[j [o]] (map-indexed vector results) :when (total o)]
                                  [j (total o)]))}))

(defn summed
  "The graph whose loops do not carry sums of products."
  [g]
  (form/replaced g (fn [b _ {:keys [results] :as l}]
                     (when (form/fixed-rounds? l)
                       (let [found (sums b l)]
                         (when (and (seq found)
                                    (or (not-every? (comp found first) results)
                                        (seq (kept-for l found))
                                        (form/idle? b l)))
                           (without-sums! b l found)))))))

;; ## Results that are products

(defn- core
  "The nodes of the body of a loop that later rounds need."
  [{:keys [firsts body] :as l}]
  (set (graph/live body (form/outputs-of l (range (count firsts))))))

(defn- trailing
  "{output [node …]}: the results of a loop that are products of what the rounds make, and whose
  rows are kept for that."
  [{:keys [body results] :as l}]
  (let [read (hoist/reading l), free? (batch/free-of-rounds l read), needed (core l)
        behind? #(and (not (needed %)) (not (contains? (read %) :fixed))
                      (not (body/param? (graph/node-at body %))) (batch/rows-at-once? body %))]
    (into {} (for [[o rows] results
                   :let [root (get-in body [:outputs o])
                         kept (cuts l free? behind? root)
                         inside (filter behind? (graph/live body [root]))]
                   :when (and (not (form/carry? l o)) (= rows :all) (behind? root) (seq kept)
                              (some #(batch/product? body %) inside)
                              (every? #(hoist/no-larger? (graph/type-of body %)
                                                         [(graph/type-of body root)])
                                      (concat kept inside)))]
               [o (vec kept)]))))

(defn- without-trailing!
  "What `replaced` takes for a loop whose results of these outputs are computed behind it."
  [b {:keys [body results note] :as l} found]
  (let [kept (vec (distinct (mapcat val found))), roots (form/outputs-of l (keys found))
        {:keys [id parts rows]} (moved b l found kept roots false)
        turned #(op/emit! b :flip {:axis [0]} [(op/->Id %)] (select-keys note [:src]))]
    {:id id, :parts (into parts (for [[j [o _ order]] (map-indexed vector results) :when (found o)
                                      :let [all (rows (get-in body [:outputs o]))]]
                                  [j (if (= order :backwards) (turned all) all)]))}))

(defn trailed
  "The graph whose loops leave products that no round needs for afterwards."
  [g]
  (form/replaced g (fn [b _ l]
                     (when (form/fixed-rounds? l)
                       (let [found (trailing l)]
                         (when (seq found) (without-trailing! b l found)))))))
