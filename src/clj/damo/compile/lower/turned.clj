(ns damo.compile.lower.turned
  "Loops that read a matrix across the lines in which it lies, as x + yᵀ does: each read would take
  a line of the cache for one element. They run over blocks, of which what lies across is first
  turned into a local array. Kernel body in, kernel body out."
  (:require [damo.compile.lower.blocks :as blocks]
            [damo.compile.lower.collapse :as collapse]
            [damo.compile.lower.room :as room]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(def ^:private line
  "The bytes of a line of the cache, and of the rows of a square that is turned."
  64)

(def ^:private most-apart
  "The statements of a body of which a square has one loop for each row: what is turned then stays
  in registers. Of more, LLVM's time would grow."
  8)

(defn- factor [index v] (collapse/coefficient index v))

(defn- forms [head x] (filter #(and (vector? %) (= head (first %))) (tree-seq vector? seq x)))

(defn- mentions? [x v] (boolean (some #{v} (tree-seq vector? seq x))))

;; ## What a nest does

(defn- chain
  "[loops body] of loops that stand in each other alone, the outermost first: [[variable extent]
  …]."
  [[head v extent & body :as s]]
  (if (= head :for)
    (let [[loops inner] (if (= 1 (count body)) (chain (first body)) [[] body])]
      [(into [[v extent]] loops) inner])
    [[] [s]]))

(defn- across
  "The variable of a loop along which a load runs in memory, where that is not the innermost one."
  [loops [_ p index]]
  (let [inner (first (peek loops))
        unit (filter #(= 1 (factor index (first %))) (pop loops))]
    (when (and (int? p) (seq unit) (not (contains? #{0 1 nil} (factor index inner))))
      (first (last unit)))))

(defn- statement?
  "Is a statement one of a map or a sum, which may run in any order?"
  [inner stored [head p index :as s]]
  (case head
    :let true
    :acc true
    :store (and (int? p) (= 1 (factor index inner))
                (every? (fn [[_ q i]] (or (not= p q) (= i index))) (forms :load (nth s 3))))
    false))

(defn- nest-of
  "{:outer [[variable extent] …] :row :rows :column :columns :body :turned} of loops that read
  across lines, :turned the loads; nil of others. The loop along which these lie stands next to the
  innermost one, as the order of the loops does not matter."
  [s]
  (let [[loops body] (chain s), inner (first (peek loops))
        stores (into {} (keep (fn [[head p index]] (when (= head :store) [p index]))) body)]
    (when (and (< 1 (count loops)) (every? #(statement? inner stores %) body)
               (not-any? (fn [[_ extent]] (some #(mentions? extent (first %)) loops)) loops))
      (let [loads (filter (comp nil? stores second) (distinct (forms :load (vec body))))
            row (some #(across loops %) loads)
            turned (filter #(= row (across loops %)) loads)]
        (when row
          {:outer (vec (remove #(= row (first %)) (pop loops))), :row row
           :rows (some (fn [[v extent]] (when (= v row) extent)) loops)
           :column inner, :columns (second (peek loops)), :body body, :turned turned})))))

;; ## The same by blocks

(defn- put
  "A form with others in the place of variables, and of loads of these forms."
  [swaps x]
  (let [swap (fn swap [x]
               (cond (contains? swaps x) (swaps x)
                     (vector? x) (if (= :load (first x))
                                   [:load (nth x 1) (swap (nth x 2))]
                                   (mapv swap x))
                     :else x))]
    (swap x)))

(defn- index-sums
  "A form with indices in normal form again, in which sums stand for variables."
  [x]
  (let [normal #(if (vector? %) (type/signed+ %) %)]
    (cond (not (vector? x)) x
          (= :load (first x)) (update x 2 normal)
          (= :store (first x)) (-> x (update 2 normal) (update 3 index-sums))
          :else (mapv index-sums x))))

(defn- renamed
  "Statements with other names for what they bind."
  [suffix body]
  (let [own (into {} (for [[head v] body :when (= head :let)] [v (symbol (str v suffix))]))]
    (put own (vec body))))

(defn- turned-tile
  "The loops that turn what lies across in a block into local arrays."
  [locals wide suffix moved [rows columns]]
  (for [[[_ p index] t] locals
        :let [c (symbol (str t suffix "c")), e (symbol (str t suffix "e"))]]
    [:for c rows
     [:for e columns
      [:store t (type/dim+ (type/dim* wide c) e)
       [:load p (type/signed+ (put (moved c e) index))]]]]))

(defn- block
  "The statements of a block from `i` and `j` on: what lies across is turned, then the body runs, a
  loop for each row where the rows are to be :apart."
  [{:keys [row column body apart]} locals wide suffix [i rows] [j columns]]
  (let [a (symbol (str column suffix "a"))
        moved (fn [a b] {row (type/signed+ i a), column (type/signed+ j b)})
        line (fn [a suffix]
               (let [b (symbol (str column suffix "b"))
                     local (fn [t] [:load t (type/dim+ (type/dim* wide a) b)])]
                 (into [:for b columns]
                       (map #(index-sums (put (moved a b) (put (update-vals locals local) %))))
                       (renamed suffix body))))]
    (into (vec (turned-tile locals wide suffix moved [rows columns]))
          (if (and apart (integer? rows))
            (map #(line % (str suffix "r" %)) (range rows))
            [[:for a rows (line a suffix)]]))))

(defn- by-blocks
  "The statements in the place of a nest, by blocks of so many rows and columns."
  [{:keys [outer row rows columns turned] :as nest} dtypes [high wide]]
  (let [n (volatile! 0)
        fresh (fn [prefix] (symbol (str row "." prefix (vswap! n inc))))
        inner (blocks/loops
               fresh rows high
               (fn [i _ in-rows]
                 (blocks/loops
                  fresh columns wide
                  (fn [j _ in-columns]
                    (let [locals (into {} (map #(vector % (fresh "t"))) turned)]
                      (into (vec (for [[[_ p] t] locals] [:local t (dtypes p) (* high wide)]))
                            (block nest locals wide (str ".u" (vswap! n inc))
                                   [i in-rows] [j in-columns])))))))]
    (reduce (fn [stmts [v extent]] [(into [:for v extent] stmts)]) inner (rseq outer))))

(defn- copy?
  "Is a nest a copy of what lies across? Code is made for it as it stands."
  [{:keys [body]}]
  (let [[[_ v loaded] [_ _ _ stored]] body]
    (or (and (= 1 (count body)) (= :load (first (peek (first body)))))
        (and (= 2 (count body)) (vector? loaded) (= :load (first loaded)) (= v stored)))))

(defn- apart?
  "Shall each row of a square have a loop of its own? Sums are better off in one."
  [{:keys [body]}]
  (and (<= (count body) most-apart) (not-any? #(= :acc (first %)) body)))

(defn- side
  "[rows columns] of the blocks of a nest, nil where its extents or its local arrays leave none."
  [dtypes known? room {:keys [rows columns turned] :as nest}]
  (let [sizes (map #(:bytes (type/dtypes (dtypes (second %)))) turned)
        high (min 16 (quot line (apply max sizes))), wide (if (apart? nest) high (* 4 high))
        small? #(and (integer? %) (< % high))]
    (when (and (known? rows) (known? columns) (not (small? rows)) (not (small? columns))
               (not (copy? nest))
               (<= (* 4 high wide (apply + sizes)) room))
      [high wide])))

(defn- by-blocks-or-not [dtypes known? room [head v extent & inner :as s]]
  (let [nest (when (= head :for) (nest-of s))
        side (when nest (side dtypes known? room nest))]
    (cond side (by-blocks (assoc nest :apart (apart? nest)) dtypes side)
          (= head :for) [(into [:for v extent]
                               (room/spread room inner
                                            #(by-blocks-or-not dtypes known? %1 %2)))]
          :else [s])))

(defn blocks
  "A kernel body in which loops that read across lines run over blocks. `dtypes` gives that of a
  parameter; (known? extent): is an extent known when a call begins?"
  [dtypes known? body]
  (room/spread (room/left body) body #(by-blocks-or-not dtypes known? %1 %2)))
