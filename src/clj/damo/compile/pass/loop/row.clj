(ns damo.compile.pass.loop.row
  "Rows that nobody reads. Where all readers of a result are slices, or loops that read it row by
  row, it has only the rows from the first that is read on; and where no reader of any result sees
  the last rows, the rounds that make them are not made: unless the loop may end early, or a failure
  in such a round would be lost.
  (fewer g) is g with loops whose results are [o 3] where x[-3:] is read, and xs[:k] makes k
  rounds."
  (:require [damo.compile.pass.loop.form :as form]
            [damo.compile.pass.parts :as parts]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.meaning.failing :as failing]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

;; ## Dims that compare

(defn- least [a b] (cond (type/at-most? a b) a, (type/at-most? b a) b))
(defn- largest [a b] (cond (type/at-most? a b) b, (type/at-most? b a) a))

(defn- minus
  "The difference of two dims, nil where it may be negative."
  [a b]
  (when (type/at-most? b a) (type/dim- a b)))

;; ## Who reads which rows

(defn- cut?
  "Is a node a slice along the leading axis?"
  [[op {:keys [axis]}]]
  (and (= op :slice) (= 0 axis)))

(defn- short-by
  "A number by which a dim may fall short of 0, at most; nil where none is known."
  [d]
  (first (filter #(type/at-most? 0 (type/signed+ d %)) (range 65))))

(defn- lies-in?
  "Does a slice lie in one before it, but for its start, which may be negative and then fails?"
  [{from :start, to :stop} {:keys [start stop]}]
  (and (short-by from) (type/at-most? from to) (type/at-most? start stop)
       (type/at-most? to (type/dim- stop start))))

(defn- looked-through
  "The slices that are all the readers of a slice, where these can read what that is of; or nil."
  [{:keys [g users]} id]
  (let [{:keys [step] :as attrs} (graph/attrs-at g id), readers (distinct (users id))]
    (when (and (= 1 step) (seq readers) (not-any? #{id} (concat (:outputs g) (:keep g)))
               (every? #(and (cut? (graph/node-at g %)) (lies-in? (graph/attrs-at g %) attrs))
                       readers))
      readers)))

(defn- rows-of-loop
  "The same of a loop that reads node p row by row."
  [g p user]
  (let [{:keys [reads firsts unless attrs]} (form/at g user)]
    (when (and (:steps attrs) (not (some #{p} (conj firsts unless))))
      (for [[what a from by] reads :when (and (#{:each :all} what) (= a p))]
        (when (= :each what)
          (if (= 1 by)
            [from (type/dim+ from (:steps attrs))]
            (when-let [low (minus from (:steps attrs))] [low from])))))))

(defn- read-rows
  "The [from to) of the rows of node p that a reader of it reads; nil where that is not known."
  [{:keys [g through] :as known} p user]
  (let [[op {:keys [start stop]} :as node] (graph/node-at g user)]
    (cond (cut? node) (or (seq (for [id (when through (looked-through known user))
                                     :let [{from :start, to :stop} (graph/attrs-at g id)]]
                                 [(type/dim+ start from) (type/dim+ start to)]))
                          [[start stop]])
          (= :loop (op/kind op)) (rows-of-loop g p user))))

(defn- span
  "The [from to) of the rows of a part that are read, of `extent` rows in all."
  [{:keys [g users] :as known} p extent]
  (let [found (when-not (some #{p} (concat (:outputs g) (:keep g)))
                (mapcat #(or (read-rows known p %) [nil]) (distinct (users p))))
        [from to] (when (and (seq found) (every? some? found))
                    [(reduce #(some-> %1 (least %2)) (map first found))
                     (reduce #(some-> %1 (largest %2)) (map second found))])]
    [(or from 0) (or to extent)]))

;; ## What a loop becomes

(defn- results-read
  "For each result of a loop {:depth :hidden :from :to}: the rows before the first round; those at
  the front that it has not; what is read, counted from the first row that ever was."
  [known b parts {:keys [results types] :as l}]
  (for [[j [o _ order]] (map-indexed vector results)]
    (let [extent (first (type/shape-of (types j))), depth (form/depth b l o)
          hidden (type/dim- (type/dim+ depth (form/rounds l)) extent)
          part (get parts j)
          [from to] (if (or order (nil? part)) [0 extent] (span known part extent))]
      {:depth depth, :hidden hidden, :from (type/dim+ hidden from), :to (type/dim+ hidden to)
       :extent extent, :order order})))

(defn- may-stop-early?
  "May fewer rounds be made, as far as failures are concerned?"
  [b {:keys [body] :as l}]
  (let [{:keys [attrs args]} (form/closed b l)]
    (and (form/fixed-rounds? l)
         (empty? (failing/stopping body))
         (empty? (failing/requirements (:op l) attrs (mapv #(graph/node-type b %) args))))))

(defn- rounds-read
  "The rounds that are needed for what is read; :steps where no fewer are known to do."
  [{{:keys [steps]} :attrs} found]
  (let [needed (map (fn [{:keys [to depth]}]
                      (if (type/at-most? to depth) 0 (minus to depth)))
                    found)
        n (when (and (seq needed) (every? some? needed)) (reduce #(some-> %1 (largest %2)) needed))]
    (if (and n (type/at-most? n steps)) n steps)))

(defn- bound
  "An integer that a dim never exceeds, or nil."
  [d]
  (cond (integer? d) d
        (vector? d) (let [[op & more] d, found (map bound more)]
                      (case op
                        :min (when-let [known (seq (filter some? found))] (reduce min known))
                        :+ (when (every? some? found) (reduce + found))
                        nil))))

(defn- rows-of
  "The :rows of the result that has those of `total` from `from` on: a number where there is one,
  for a result has fewer rows where there are fewer."
  [total from]
  (when-let [n (minus total from)] (or (bound n) n)))

(defn- kept-rows
  "How many rows a result has of what is read, nil where that has no form; no more than now where
  the rounds stay the :same. Rows that were there before the first round are no reason to keep the
  others in a ring, where they are so many."
  [l rows {:keys [depth from order same]}]
  (let [total (type/dim+ depth (form/rounds l)), fewer (rows-of total from)]
    (cond (or order (= 0 from)) rows
          (not= rows :all) (if (and same (not (and fewer (type/at-most? fewer rows)))) rows fewer)
          (and (integer? total) (type/at-most? from depth)) rows
          :else (or fewer rows))))

(defn- with-rounds
  "The loop of so many :steps that gives what is read; nil where that has no form."
  [{:keys [results attrs] :as l} steps found]
  (let [same (= steps (:steps attrs)), l (assoc-in l [:attrs :steps] steps)
        rows (for [[[_ rows] read] (map vector results found)]
               (kept-rows l rows (assoc read :same same)))]
    (when (every? some? rows)
      (assoc l :results (mapv #(assoc %1 1 %2) results rows)))))

(defn- narrowed
  "The loop that gives what is read of its results; nil where it is the same."
  [b {:keys [results attrs] :as l} found]
  (let [{:keys [steps]} attrs
        n (if (may-stop-early? b l) (rounds-read l found) steps)
        l' (or (with-rounds l n found) (with-rounds l steps found))]
    (when (and l' (not= [steps results] [(:steps (:attrs l')) (:results l')])) l')))

;; ## Readers of what has moved

(defn- shifted-slice!
  "The slice of a part whose front has moved by that many rows."
  [b attrs part moved note]
  (let [bound #(type/dim- % moved)]
    (op/emit! b :slice (-> attrs (update :start bound) (update :stop bound))
              [(op/->Id part)] note)))

(defn- missing
  "By how much a dim is less than 0, as a number that is not positive."
  [d]
  (let [c (short-by d)] (type/signed+ (type/dim-min (type/signed+ d c) c) (- c))))

(defn- looking-through!
  "The slice of a part that reads what a slice of another slice of it did, the front having moved:
  where that one began before its first row this one does, too, and the call fails."
  [b {:keys [start stop] :as attrs} {:keys [part before moved]} note]
  (let [from (type/signed+ (type/dim- (type/dim+ before start) moved) (missing start))]
    (op/emit! b :slice (assoc attrs :start from :stop (type/signed+ from (type/dim- stop start)))
              [(op/->Id part)] note)))

(defn- shifted-reads
  "The loop that reads rows of parts whose fronts have moved, {part rows}."
  [l moved]
  (let [shifted (fn [[what a :as read]]
                  (let [by (when (= :each what) (moved a))]
                    (cond-> read by (update 2 type/dim- by))))]
    (update l :reads (partial mapv shifted))))

(defn- front
  "The number of rows of a result that its part, in the builder, does not have."
  [b l {:keys [depth]} part]
  (type/dim- (type/dim+ depth (form/rounds l))
             (first (type/shape-of (graph/node-type b part)))))

(defn- slices-through
  "{slice {:before start :at position}}: the slices of the results of a loop that others look
  through."
  [{:keys [g users] :as known} parts]
  (into {} (for [[at p] parts, id (distinct (users p))
                 :when (and (cut? (graph/node-at g id)) (looked-through known id))]
             [id {:at at, :before (:start (graph/attrs-at g id))}])))

(defn- anchored?
  "Do slices of slices fail where they did, `moved` rows having gone from the front? One that may
  begin before its first row must look at the first row that there is, or another does that begins
  no later."
  [{:keys [g] :as known} slices moved]
  (every? (fn [[id {:keys [before at]}]]
            (let [starts (map #(:start (graph/attrs-at g %)) (looked-through known id))
                  at-front (filter #(type/at-most? (type/dim+ before %) (moved at)) starts)]
              (every? (fn [start] (or (= 0 (missing start))
                                      (some #(type/at-most? % start) at-front)))
                      starts)))
          slices))

(defn- narrowed-loop!
  "{:new-loop :moves :slices}: a loop with the rows that are read, {position rows gone from the
  front}, and the slices that are looked through; nil where it stays as it is, or where slices
  cannot be looked through as `known` says."
  [{:keys [through] :as known} b parts shifted]
  (let [found (vec (results-read known b parts shifted))]
    (when-let [l' (narrowed b shifted found)]
      (let [new-loop (form/renewed! b l')
            moves (into {} (map-indexed (fn [at [part {:keys [hidden] :as read}]]
                                          [at (type/dim- (front b l' read part) hidden)]))
                        (map vector (:parts new-loop) found))
            slices (when through (slices-through known parts))]
        (when (anchored? known slices moves)
          {:new-loop new-loop, :moves moves, :slices slices})))))

(defn- change!
  "What `replaced` takes for a loop, nil where nothing changes; the parts of which the front has
  moved are added to `moved`, {part rows}, and slices that are looked through to `slices`."
  [{:keys [parts moved slices] :as known} b id l]
  (let [shifted (shifted-reads l @moved)
        found (some #(narrowed-loop! (assoc known :through %) b (parts id) shifted) [true false])]
    (if-let [{{made :parts :as new-loop} :new-loop, :keys [moves], through :slices} found]
      (do (vswap! moved into (for [[at rows] moves :when (not= 0 rows)] [(nth made at) rows]))
          (vswap! slices into (for [[slice {:keys [at before]}] through]
                                [slice {:part (nth made at), :before before, :moved (moves at)}]))
          new-loop)
      (when-not (= l shifted) (form/renewed! b shifted)))))

(defn- reader!
  "What becomes of a slice of a part whose front has moved, or of a slice of one; nil of others, and
  of slices that are looked through, which nothing reads any more."
  [{:keys [moved slices]} b id [_ attrs inner :as node] [a] note]
  (when (and (cut? node) (not (contains? @slices id)))
    (if-let [through (@slices inner)]
      (looking-through! b attrs through note)
      (when-let [by (@moved a)] (shifted-slice! b attrs a by note)))))

(defn fewer
  "The graph with loops that make the rows that are read."
  [g]
  (if (empty? (form/loops g))
    g
    (let [known {:g g, :users (graph/users g), :parts (parts/parts g), :moved (volatile! {})
                 :slices (volatile! {})}]
      (form/replaced g (partial change! known) (partial reader! known)))))
