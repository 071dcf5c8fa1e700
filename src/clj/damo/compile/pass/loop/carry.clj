(ns damo.compile.pass.loop.carry
  "Carries that are one: those that begin with the same rows and have the same next row, as long as
  they are taken for one (the largest such agreement); and carries whose next row is the one before:
  they do not change, so that the body reads what they begin with, and their rows are that again and
  again.
  (united g) is g with such carries once."
  (:require [damo.compile.pass.loop.form :as form]
            [damo.compile.pass.loop.unread :as unread]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

;; ## Equal carries

(defn- as-classes
  "The loop whose body reads, of each carry, the one that stands for its class."
  [{:keys [reads] :as l} class-of]
  (assoc l :reads (mapv #(if (= :carry (first %)) (update % 1 class-of) %) reads)))

(defn- once
  "The loop with parameters that read the same as one."
  [{:keys [reads body] :as l}]
  (let [place (into {} (map (juxt reads identity)) (range (dec (count reads)) -1 -1))]
    (form/reread l (fn [id] (when-let [read (form/read-of l id)]
                              (assoc-in (graph/node-at body id) [1 :at] (place read)))))))

(defn- classes
  "Each carry's representative, the first of those that agree with it in (key-of carry)."
  [n key-of]
  (let [firsts (reduce (fn [m c] (update m (key-of c) #(or % c))) {} (range n))]
    (mapv (comp firsts key-of) (range n))))

(defn agreement
  "{:class-of [carry …] :loop}: the representative of each carry of a loop, and the loop that reads
  these."
  [{:keys [firsts] :as l}]
  (let [n (count firsts)]
    (loop [class-of (classes n firsts)]
      (let [{:keys [body] :as tried} (once (as-classes l class-of))
            finer (classes n (juxt class-of (:outputs body)))]
        (if (= finer class-of) {:class-of class-of, :loop tried} (recur finer))))))

(defn- merged
  "The loop whose results are those of representatives; nil where all carries differ."
  [l]
  (let [{:keys [class-of], agreed :loop} (agreement l)]
    (when-not (apply distinct? class-of)
      (update agreed :results
              (partial mapv #(if (form/carry? l (first %)) (update % 0 class-of) %))))))

;; ## Equal outputs and results

(defn- outputs-once
  "The loop whose results that are kept are of the first of equal outputs."
  [{:keys [body results] :as l}]
  (let [kept (remove #(form/carry? l %) (range (count (:outputs body))))
        place (into {} (map (juxt (:outputs body) identity)) (reverse kept))
        again (mapv (fn [[o :as result]]
                      (if (form/carry? l o) result (assoc result 0 (place ((:outputs body) o)))))
                    results)]
    (when-not (= again results) (assoc l :results again))))

(defn- once!
  "What `replaced` takes for a loop whose equal results are computed once."
  [b {:keys [results note] :as l}]
  (let [distinct-results (vec (distinct results))
        place (zipmap distinct-results (range))
        id (form/emit! b (assoc l :results distinct-results))]
    {:id id, :parts (mapv #(form/part! b id (place %) note) results)}))

(defn united
  "The graph with equal carries, outputs and results of its loops once."
  [g]
  (form/replaced g (fn [b _ {:keys [firsts results] :as l}]
                     (let [one (when (next firsts) (merged l)), l' (or one l)
                           two (outputs-once l'), l'' (or two l')]
                       (when (or one two (not (or (empty? results) (apply distinct? results))))
                         (once! b l''))))))

;; ## Carries that do not change

(defn- unchanging
  "The carries of one row of a loop whose next row is that row."
  [b {:keys [firsts] :as l}]
  (filter #(and (= 1 (form/depth b l %))
                (= [:carry % 0] (form/read-of l (first (form/outputs-of l [%])))))
          (range (count firsts))))

(defn- row!
  "The id of the one row of an array of one row."
  [b id note]
  (op/emit! b :squeeze {:axis 0} [(op/->Id id)] note))

(defn- constant!
  "What `replaced` takes for a loop in which these carries are arguments."
  [b {:keys [firsts results reads note types] :as l} carries]
  (let [src (select-keys note [:src])
        rows (into {} (map (fn [c] [c (row! b (firsts c) src)])) carries)
        stay (remove rows (range (count (:outputs (:body l)))))
        left (filterv #(not (rows (first (results %)))) (range (count results)))
        l' (-> (assoc l :reads (mapv (fn [[what c :as read]]
                                       (if (and (= :carry what) (rows c)) [:all (rows c)] read))
                                     reads))
               (unread/restricted stay left))
        {:keys [id parts]} (form/renewed! b l')]
    {:id id
     :parts (into (zipmap left parts)
                  (for [[j [o]] (map-indexed vector results) :when (rows o)]
                    [j (op/emit! b :broadcast-to {:shape (type/shape-of (types j))}
                                 [(op/->Id (rows o))] src)]))}))

(defn- vanishes?
  "Is there nothing left that reads the loop without these carries?"
  [{:keys [results]} carries]
  (every? (comp (set carries) first) results))

(defn constant
  "The graph with carries that do not change as what they begin with. Where nothing else is read of
  a loop, and it may fail, it stays."
  [g]
  (form/replaced g (fn [b _ l]
                     (let [carries (unchanging b l)]
                       (when (and (seq carries)
                                  (or (not (vanishes? l carries)) (form/idle? b l)))
                         (constant! b l carries))))))
