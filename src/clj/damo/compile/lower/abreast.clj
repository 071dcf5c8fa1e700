(ns damo.compile.lower.abreast
  "Rows that are short, side by side: loops over ten columns have no whole vector. Of a block of
  rows what the loops along a row read is turned, so that elements of one column lie together; then
  each loop along the row stands around one along the rows, every scalar of a row is a local array,
  and what is written along the row is turned back in the end. Rows that are left over, and wide
  ones, are done as before; how wide rows are, the extents say when the kernel runs.
  [:abreast short other] in a body stands for the statements `short` where rows are abreast, for
  `other` else. Kernel body in, kernel body out."
  (:require [clojure.walk :as walk]
            [damo.compile.lower.abreast.row :as row]
            [damo.compile.lower.room :as room]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(def ^:private side "The rows of a block." 64)

(def ^:private widths
  "The widest rows that are done so, where the local arrays allow it: of rows that take more than
  one cheap sum, of those of 8 bytes, of cheap sums, which a vector along a row makes as fast."
  {:most [32 16 8], :long [16 8], :cheap [8]})

;; ## The same for a block of rows

(defn- named [x suffix] (symbol (str x suffix)))

(defn- swapped [x names] (walk/postwalk #(get names % %) x))

(defn- turned-at [r column] [:+ [:* side column] r])

(defn- rewritten
  "An expression for row r of block b. `names` has what stands for scalars of the row and for names
  of the loop, `index` the same for what indices are made of, `column` is the loop variable."
  [{:keys [turned]} {:keys [names index column r]} x]
  (letfn [(walk [x]
            (cond (symbol? x) (get names x x)
                  (not (vector? x)) x
                  :else (case (first x)
                          :load (let [[_ p at] x]
                                  (if-let [t (turned (row/key-of p at column))]
                                    [:load t (turned-at r (index column))]
                                    [:load p (swapped at index)]))
                          :size [:size (swapped (second x) index)]
                          :const x
                          (into [(first x)] (map walk) (rest x)))))]
    (walk x)))

(defn- statement
  "A statement of a row, or of a loop along it, for row r of a block."
  [{:keys [turned arrays kept] :as nest} {:keys [own index column r] :as at} [head a b c :as s]]
  (let [e #(rewritten nest at %)]
    (case head
      (:let :var) (cond (kept a) [[:store (arrays a) r (e b)]]
                        :else [[:let (own a) (e b)]])
      :set [[:store (arrays a) r (e b)]]
      :acc (if-let [array (arrays b)]
             [[:store array r [a [:load array r] (e c)]]]
             [[:acc a b (e c)]])
      :index (cond-> [[:index (own a) (e b) (swapped c index) (nth s 4)]]
               (kept a) (conj [:store (arrays a) r (own a)]))
      :require [(into [:require (e a) b] (map e) (drop 3 s))]
      :store (if-let [t (turned (row/key-of a b column))]
               [[:store t (turned-at r (index column)) (e c)]]
               [[:store a (swapped b index) (e c)]]))))

(defn- bound-here
  "Other names for what statements bind in a block, but for what lies in arrays alone."
  [{:keys [kept]} statements]
  (into {} (for [[head a] statements :when (or (= head :index) (and (= head :let) (not (kept a))))]
             [a (named a ".a")])))

(defn- together
  "The loop over the rows of a block around statements, in a loop along the row or in none."
  [{:keys [row width arrays] :as nest} statements column k]
  (let [r (named row (str ".r" k)), j (when column {column (named column ".a")})
        own (merge (bound-here nest statements) j)
        in-arrays (update-vals arrays #(vector :load % r))
        index (assoc own row [:+ [:* side (named row ".b")] r])
        ;; A checked index has its own name behind the check.
        step (fn [[done names] [head a :as s]]
               [(into done (statement nest {:names names, :index index, :column column, :r r
                                            :own own} s))
                (cond-> names (= :index head) (assoc a (own a)))])
        [done] (reduce step [[] (merge own in-arrays)] statements)]
    (cond->> (into [:for r side] done)
      column (conj [:for (j column) width]))))

(defn- groups
  "The statements of a row in runs: [nil statements] or [column statements-of-the-loop]."
  [body]
  (mapcat (fn [part]
            (if (= :for (ffirst part))
              (map (fn [[_ j _ & inner]] [j inner]) part)
              [[nil part]]))
          (partition-by #(= :for (first %)) body)))

(defn- copies
  "The loops that turn a memory into its array, or back."
  [{:keys [row width turned]} [p at :as key] k back?]
  (let [t (turned key), r (named row (str (if back? ".y" ".x") k)), j (named row (str ".j" r))
        index (swapped at {row [:+ [:* side (named row ".b")] r], row/column j})]
    (if back?
      [:for r side [:for j width [:store p index [:load t (turned-at r j)]]]]
      [:for j width [:for r side [:store t (turned-at r j) [:load p index]]]])))

(defn- block
  [{:keys [body arrays turned read written dtypes types] :as nest} widest]
  (-> (vec (for [[[p] t] (sort-by val turned)] [:local t (dtypes p) (* side widest)]))
      (into (for [[a t] (sort-by val arrays)] [:local t (types a) side]))
      (into (map-indexed #(copies nest %2 %1 false)) read)
      (into (map-indexed (fn [k [column statements]] (together nest statements column k)))
            (groups body))
      (into (map-indexed #(copies nest %2 %1 true)) written)))

;; ## Where it is done

(defn- bytes-of
  "The bytes of the local arrays of a nest with rows of so many columns."
  [{:keys [turned arrays dtypes types]} widest]
  (let [bytes #(:bytes (type/dtypes %))]
    (* side (apply + (concat (map (fn [[[p] _]] (* widest (bytes (dtypes p)))) turned)
                             (map #(bytes (types (key %))) arrays))))))

(defn- widest-that-fits [{:keys [width turned cheap dtypes] :as nest} room]
  (first (filter #(and (<= (bytes-of nest %) room) (or (not (integer? width)) (<= width %)))
                 (widths (cond cheap :cheap
                               (some #(= 8 (:bytes (type/dtypes (dtypes (first %))))) (keys turned))
                               :long
                               :else :most)))))

(defn- plain
  "A body in which rows are not abreast."
  [body]
  (into [] (mapcat (fn [[head a b :as s]]
                     (case head
                       :abreast (plain b)
                       :for (let [[_ _ _ & inner] s] [(into [:for a b] (plain inner))])
                       :if [(into [:if a] (plain (drop 2 s)))]
                       [s])))
        body))

(defn- blocks
  "How many blocks there are of rows so wide: none where they are wider."
  [{:keys [rows width]} widest]
  (let [all (type/dim-quot rows side)]
    (if (integer? width)
      all
      ;; Without a division, as all rows that are left over begin there.
      [:* [:min 1 [:max 0 [:- (inc widest) width]]] all])))

(defn- by-blocks [{:keys [row rows] :as nest} original widest]
  (let [count (blocks nest widest), done [:* count side], [_ _ _ & body] original
        names {row [:+ done row]}
        moved (fn moved [x]
                (cond (not (vector? x)) x
                      (= :load (first x)) [:load (second x) (swapped (nth x 2) names)]
                      (= :size (first x)) [:size (swapped (second x) names)]
                      (= :store (first x)) [:store (second x) (swapped (nth x 2) names)
                                            (moved (nth x 3))]
                      (= :for (first x)) (into [:for (second x) (nth x 2)] (map moved) (drop 3 x))
                      :else (mapv moved x)))]
    [(into [:for (named row ".b") count] (block nest widest))
     (into [:for row [:- rows done]] (map moved) (plain body))]))

(defn- arrays-for
  "The nest with names for its local arrays."
  [{:keys [row turned kept] :as nest}]
  (let [number (fn [xs mark] (into {} (map-indexed (fn [k x] [x (named row (str mark k))]) xs)))]
    (assoc nest :turned (number turned ".t"), :arrays (number kept ".v"))))

(defn- by-blocks-or-not [dtypes known? room [head _ extent & inner :as s]]
  (let [nest (some-> (row/nest dtypes s) arrays-for)
        widest (when (and nest (known? (:rows nest)) (known? (:width nest)))
                 (widest-that-fits nest room))]
    (cond widest (by-blocks nest s widest)
          (= :for head) [(into [:for (second s) extent]
                               (room/spread room inner
                                            #(by-blocks-or-not dtypes known? %1 %2)))]
          :else (plain [s]))))

(defn abreast
  "A kernel body in which short rows are done side by side. `dtypes` gives that of a parameter;
  (known? extent): is an extent known when a call begins?"
  [dtypes known? body]
  (room/spread (room/left body) body #(by-blocks-or-not dtypes known? %1 %2)))
