(ns damo.compile.pass.loop.batch
  "What depends on the rows of sequences alone moves out of the body, for all rows at once: products
  before the loop, so that dot(x_t, w) is one product of matrices, and results altogether, so that a
  loop of nothing else is none. Where the loop may end early it stays, for rows behind the end are
  not computed; so does what may stop a call, and what would be much larger than what it is made of.
  (batched g) is g with loops of less in their bodies."
  (:require [damo.compile.pass.loop.form :as form]
            [damo.compile.pass.loop.hoist :as hoist]
            [damo.compile.pass.loop.unread :as unread]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.diff.batch :as batch]
            [damo.meaning.failing :as failing]
            [damo.op :as op]
            [damo.op.body :as body]))

(set! *warn-on-reflection* true)

;; ## What can be done on all rows at once

(defn- template-of [[op attrs] types type]
  (when (:expand (op/entry op)) (op/expansion op attrs types type)))

(defn- template-ops [template]
  (keep #(when (and (vector? %) (keyword? (first %)) (contains? @op/registry (first %))) (first %))
        (tree-seq vector? rest template)))

(defn- by-kind?
  "Does an op know by its kind, or by its entry, what it does on a batch?"
  [op]
  (let [{:keys [kind batch]} (op/entry op)]
    (or batch (#{:elementwise :reduce :arg-reduce :concat :cumulate :contract :leaf :generate}
               kind))))

(defn rows-at-once?
  "Does a node of a body know what it does on a batch, by itself or by what it stands for?"
  [body id]
  (let [[op :as node] (graph/node-at body id)]
    (and (not (tuple/type? (graph/type-of body id)))
         (or (by-kind? op)
             (let [template (template-of node (pop (graph/types-at body id))
                                         (graph/type-of body id))]
               (and template (every? by-kind? (template-ops template))))))))

(defn product?
  "Is a node of a body a product of arrays, or does it stand for one?"
  [body id]
  (let [[op :as node] (graph/node-at body id)]
    (some #(= :contract (op/kind %))
          (cons op (template-ops (template-of node (pop (graph/types-at body id))
                                              (graph/type-of body id)))))))

(defn free-of-rounds
  "The nodes of the body of a loop that depend on nothing but sequences, the number of the round and
  what does not change, and can be computed for all rounds at once."
  [{:keys [body] :as l} read]
  (reduce (fn [found id]
            (let [own (read id)]
              (if (and (empty? (disj own :each :all :turn))
                       (or (body/param? (graph/node-at body id))
                           (and (rows-at-once? body id) (every? found (graph/args-at body id)))))
                (conj found id)
                found)))
          #{} (graph/live body)))

;; ## All rows

(defn- slice! [b id from to note]
  (if (= [0 to] [from (first (type/shape-of (graph/node-type b id)))])
    id
    (op/emit! b :slice {:axis 0, :start from, :stop to, :step 1} [(op/->Id id)] note)))

(defn rows!
  "The id of the rows that a parameter reads in the rounds from `start` on, `n` of them, the last
  first where they are :backwards; [:rows id] reads what is in that order already."
  [b [what a from by] {:keys [start n backwards]} note]
  (let [add! (fn [op attrs & args] (op/emit! b op attrs args note))
        turned (fn [id wanted] (if (= wanted (boolean backwards))
                                 id
                                 (add! :flip {:axis [0]} (op/->Id id))))]
    (case what
      :rows a
      :each (if (= 1 by)
              (let [from (type/dim+ from start)]
                (turned (slice! b a from (type/dim+ from n) note) false))
              (let [to (type/dim- from start)]
                (turned (slice! b a (type/dim- to n) to note) true)))
      :turn (let [count-up (add! :iota {:shape [n], :axis 0, :dtype :i64})]
              (turned (if (= 0 start)
                        count-up
                        (add! :add {} (op/->Id count-up)
                              (op/emitted! b :dim {:dim start} [] note)))
                      false)))))

(defn at-once!
  "{id id'}: these nodes of the body of a loop in the builder around it for several rounds, given as
  `rows!` has them."
  [b {:keys [note] :as l} roots {:keys [n] :as rounds}]
  (let [src (select-keys note [:src]), seeds (volatile! {})
        row! (fn [id]
               (let [[what a :as read] (form/read-of l id), type (graph/type-of (:body l) id)]
                 (if (= :all what)
                   a
                   (let [stand-in (graph/add-node! b (body/param [:row read] type) type nil)]
                     (vswap! seeds assoc stand-in (rows! b read rounds src))
                     stand-in))))
        single (hoist/outside! b l roots row!)]
    (zipmap roots (batch/batched b (mapv single roots) @seeds n))))

;; ## Products before the loop

(defn- products
  "The nodes of the body of a loop that move out of it, each with a product in what it needs."
  [{:keys [body] :as l}]
  (let [read (hoist/reading l), free? (free-of-rounds l read)
        wanted? (fn [id]
                  (let [made (filter #(product? body %) (graph/live body [id]))]
                    (and (free? id) (seq (disj (read id) :all)) (seq made)
                         (every? #(hoist/no-larger? (graph/type-of body %) (hoist/sources l id))
                                 (conj made id)))))]
    (hoist/border body (into #{} (filter wanted?) (graph/live body)))))

(defn- products-out! [b {:keys [attrs] :as l} roots]
  (hoist/with-reads l (update-vals (at-once! b l roots {:start 0, :n (:steps attrs)})
                                   #(vector :each % 0 1))))

;; ## States that need no state

(defn- stateless
  "The carries of a loop whose next row needs no state, and all of whose rows are kept in any case."
  [{:keys [firsts body results] :as l}]
  (let [free? (free-of-rounds l (hoist/reading l))
        kept? (fn [c] (some (fn [[o rows]] (and (= o c) (= rows :all))) results))]
    (filter #(and (free? (get-in body [:outputs %])) (kept? %)) (range (count firsts)))))

(defn- trace!
  "The id of all rows of a carry that needs no state."
  [b {:keys [firsts body attrs note] :as l} c]
  (let [root (get-in body [:outputs c])
        made (get (at-once! b l [root] {:start 0, :n (:steps attrs)}) root)]
    (op/emit! b :concatenate {:axis 0} [(op/->Id (firsts c)) (op/->Id made)]
              (select-keys note [:src]))))

(defn- last-rows!
  "The id of the rows of a trace that a result of that type has."
  [b trace [_ [n & _]] [_ _ order] note]
  (let [total (first (type/shape-of (graph/node-type b trace)))
        rows (slice! b trace (type/dim- total n) total note)]
    (if (= order :backwards) (op/emit! b :flip {:axis [0]} [(op/->Id rows)] note) rows)))

(defn- states-out!
  "What `replaced` takes for a loop whose body reads the rows of these carries as sequences."
  [b {:keys [results types reads body note] :as l} carries]
  (let [traces (into {} (map (fn [c] [c (trace! b l c)])) carries)
        left (filterv #(not (traces (first (results %)))) (range (count results)))
        reads (mapv (fn [[what c row :as read]]
                      (if (and (= :carry what) (traces c)) [:each (traces c) row 1] read))
                    reads)
        {:keys [id parts]} (form/renewed! b (unread/restricted
                                             (assoc l :reads reads)
                                             (remove traces (range (count (:outputs body))))
                                             left))]
    {:id id, :parts (into (zipmap left parts)
                          (for [[j [o :as result]] (map-indexed vector results) :when (traces o)]
                            [j (last-rows! b (traces o) (types j) result
                                           (select-keys note [:src]))]))}))

;; ## Results without a loop

(defn- leaving
  "The positions of the results of a loop that need no loop."
  [{:keys [results body] :as l}]
  (let [free? (free-of-rounds l (hoist/reading l))]
    (filterv (fn [j]
               (let [[o] (results j), root (get-in body [:outputs o])]
                 (and (not (form/carry? l o)) (free? root)
                      (every? #(hoist/no-larger? (graph/type-of body %)
                                                 (conj (hoist/sources l root)
                                                       (graph/type-of body root)))
                              (graph/live body [root])))))
             (range (count results)))))

(defn- without-loop!
  "The id of result j of a loop, computed for all of its rounds at once."
  [b {:keys [results types body attrs] :as l} j]
  (let [[o _ order] (results j), [_ [n & _]] (types j)
        root (get-in body [:outputs o])]
    (get (at-once! b l [root] {:start (type/dim- (:steps attrs) n), :n n
                               :backwards (= order :backwards)})
         root)))

(defn- may-vanish?
  "Is nothing of a loop but these results needed, not even that it fails?"
  [b {:keys [results body reads must] :as l} positions]
  (let [used (into #{} (mapcat (fn [j]
                                 (let [root (get-in body [:outputs (first (results j))])]
                                   (keep #(form/read-of l %) (graph/live body [root])))))
                   positions)]
    (and (= (count positions) (count results))
         (empty? (failing/stopping body))
         (every? (into #{} (map second) used) must)
         (empty? (form/unmet b l used)))))

(defn- results-out!
  "What `replaced` takes for a loop of which the results at these positions are computed without
  it."
  [b {:keys [results body] :as l} positions]
  (let [made (zipmap positions (map #(without-loop! b l %) positions))
        left (filterv (complement made) (range (count results)))]
    (if (empty? left)
      {:id (val (first made)), :parts made}
      (update (form/renewed! b (unread/restricted l (range (count (:outputs body))) left))
              :parts #(into made (zipmap left %))))))

(defn- change!
  "What `replaced` takes for a loop that makes all its rounds."
  [b {:keys [results] :as l}]
  (let [found (leaving l), states (set (stateless l))
        some-left? (fn [gone?] (not-every? gone? (range (count results))))]
    (cond (and (seq found) (or (some-left? (set found)) (may-vanish? b l found)))
          (results-out! b l found)

          (and (seq states) (or (some-left? #(states (first (results %)))) (form/idle? b l)))
          (states-out! b l states)

          :else (when-let [roots (seq (products l))]
                  (form/renewed! b (products-out! b l roots))))))

(defn batched
  "The graph whose loops do for all rows at once what needs no round before."
  [g]
  (form/replaced g (fn [b _ l] (when (form/fixed-rounds? l) (change! b l)))))
