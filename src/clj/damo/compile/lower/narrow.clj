(ns damo.compile.lower.narrow
  "Reductions over the rows of a matrix whose rows are short: a loop over ten columns has no whole
  vector. Many rows at once are one long line, accumulated into as long a local array, which is
  added up at the end; rows that are left over are done one by one. How many rows, the extents say
  when the kernel runs. Rows that are so wide that their sums do not stay in the nearest cache are
  done by blocks of columns, each for all rows. Kernel body in, kernel body out."
  (:require [damo.compile.lower.collapse :as collapse]
            [damo.compile.lower.room :as room]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(def ^:private unit "The rows of a line are a multiple of so many, and its elements too." 32)

(def ^:private longest "The elements of a line at most." 2048)

(def ^:private block "The columns of a block: as many sums in :f64 are a part of the cache." 2048)

(def ^:private combines #{:add :mul :maximum :minimum :and :or})

(defn- factor [index v] (collapse/coefficient index v))

;; ## What a nest does

(defn- along?
  "Does an index run along a row, the same one of each?"
  [{:keys [row column]} index]
  (and (= 1 (factor index column)) (= 0 (factor index row))))

(defn- flat?
  "Does an index run along the rows as they lie, one behind the other?"
  [{:keys [row column width]} index]
  (and (= 1 (factor index column)) (= width (factor index row))))

(defn- fixed? [{:keys [row column]} index] (= 0 (factor index column) (factor index row)))

(defn- sum
  "[p index op value] of a statement that accumulates into a row; nil of others."
  [nest [head p index update]]
  (when (and (= head :store) (vector? update))
    (let [[op old value] update]
      (when (and (combines op) (= old [:load p index]) (along? nest index))
        [p index op value]))))

(defn- forms [head x] (filter #(and (vector? %) (= head (first %))) (tree-seq vector? seq x)))

(defn- plain?
  "Is a statement one of a loop over elements that lie along the rows, or of sums?"
  [{:keys [row column accumulated] :as nest} [head :as s]]
  (let [[_ p index _] s, [_ _ _ value :as sum] (sum nest s)
        more (cond sum value, (= head :store) (nth s 3), :else (nth s 2))]
    (and (or (= head :let) sum (and (= head :store) (not (accumulated p)) (flat? nest index)))
         (every? (fn [[_ p index]]
                   (and (not (accumulated p)) (not (symbol? p))
                        (or (flat? nest index) (along? nest index) (fixed? nest index))))
                 (forms :load more))
         (empty? (forms :size more))
         (not-any? #{row column} (remove (set (mapcat flatten (forms :load more)))
                                         (filter symbol? (flatten [more])))))))

(defn- nest-of
  "{:row :column :rows :width :body :sums :accumulated} of two loops that accumulate rows; nil of
  others."
  [[head row rows inner & more]]
  (when (and (= head :for) (nil? more) (= :for (first inner))
             (not-any? #{row} (flatten [(nth inner 2)])))
    (let [[_ column width & body] inner
          nest {:row row, :column column, :rows rows, :width width, :body body}
          sums (keep #(sum nest %) body), nest (assoc nest :accumulated (set (map first sums)))]
      (when (and (seq sums) (apply distinct? (map first sums)) (every? #(plain? nest %) body))
        (assoc nest :sums sums)))))

(defn- repeated
  "The loads of one row in all rows, [[:load p index] …]."
  [{:keys [body] :as nest}]
  (let [sums (set (mapcat (fn [s] (when-let [[p index] (sum nest s)] [[:load p index]])) body))]
    (distinct (filter (fn [[_ _ index :as load]] (and (not (sums load)) (along? nest index)))
                      (forms :load (vec body))))))

;; ## The same by lines

(defn- put
  "The index with its variables in the place of these, row and column."
  [{:keys [row column]} index at-row at-column]
  (let [swap (fn swap [x] (cond (= x row) at-row, (= x column) at-column
                                (vector? x) (into [(first x)] (map swap) (rest x)) :else x))]
    (swap index)))

(defn- renamed
  "Statements with other names for what they bind."
  [suffix body]
  (let [own (into {} (for [[head v] body :when (= head :let)] [v (symbol (str v suffix))]))
        swap (fn swap [x] (cond (vector? x) (mapv swap x), (symbol? x) (get own x x) :else x))]
    (mapv swap body)))

(defn- rewritten
  "An expression with its loads given by (f load)."
  [f x]
  (cond (not (vector? x)) x
        (= :load (first x)) (f x)
        :else (mapv #(rewritten f %) x)))

(defn- of-line
  "The statements of an element of a line: it lies at `at`, and is number j of the line."
  [{:keys [body] :as nest} locals at j]
  (vec (for [[head p index value :as s] (renamed ".l" body)
             :let [load (fn [[_ q i :as l]] (if-let [t (locals l)]
                                              [:load t j]
                                              [:load q (put nest i 0 at)]))]]
         (if-let [[p index op value] (sum nest s)]
           (let [t (locals [:load p index])]
             [:store t j [op [:load t j] (rewritten load value)]])
           (case head
             :let [:let p (rewritten load index)]
             :store [:store p (put nest index 0 at) (rewritten load value)])))))

(defn- of-row
  "{:lets :stores :sums} of an element at a row and a column: statements, and {[p index op] value}."
  [{:keys [body] :as nest} at-row at-column suffix]
  (let [at #(put nest % at-row at-column), load (fn [[_ q i]] [:load q (at i)])]
    (reduce (fn [parts [head p i value :as s]]
              (if-let [[p index op value] (sum nest s)]
                (assoc-in parts [:sums [p (at index) op]] (rewritten load value))
                (case head
                  :let (update parts :lets conj [:let p (rewritten load i)])
                  :store (update parts :stores conj [:store p (at i) (rewritten load value)]))))
            {:lets [], :stores [], :sums {}} (renamed suffix body))))

(defn- of-rows
  "The statements of the elements at some rows and a column; `suffix` makes their names."
  [nest at-rows at-column suffix]
  (let [all (map-indexed #(of-row nest %2 at-column (str suffix (when (< 0 %1) %1))) at-rows)]
    (-> (into [] (mapcat :lets) all)
        (into (mapcat :stores) all)
        (into (for [[[p at op :as k]] (:sums (first all))]
                [:store p at (reduce #(vector op %1 (get-in %2 [:sums k])) [:load p at] all)])))))

(def ^:private together "The rows that are added up before the sum is written." 4)

(defn- by-rows
  "The loops over the rows from `done` on around one over columns, (f rows suffix) its statements."
  [{:keys [row rows]} done column extent suffix f]
  (let [r (symbol (str row suffix)), from #(if (= 0 done) % [:+ done %])
        rows (if (= 0 done) rows [:- rows done])
        full (if (integer? rows) (quot rows together) [:quot rows together])
        left (if (integer? rows) (mod rows together) [:mod rows together])
        c #(symbol (str column suffix %))]
    (cond-> []
      (not= 0 full)
      (conj [:for r full
             (into [:for (c ".f") extent]
                   (f (map #(from [:+ [:* together r] %]) (range together)) (c ".f")
                      (str suffix ".f")))])
      (not= 0 left)
      (conj [:for (symbol (str r ".o")) left
             (into [:for (c ".o") extent]
                   (f [(from [:+ (if (integer? full) (* together full) [:* together full])
                              (symbol (str r ".o"))])]
                      (c ".o") (str suffix ".o")))]))))

(def ^:private most-near
  "The elements of a matrix that is done by columns: of more, which lie in no cache, each row is
  read in one go."
  (bit-shift-left 1 22))

(defn- by-columns
  "The loops over the rows from `done` on: by blocks of columns, then for columns that are left."
  [{:keys [column rows width] :as nest} done]
  (let [near (if (every? integer? [rows width])
               (if (<= (* rows width) most-near) 1 0)
               [:min 1 [:max 0 [:- (inc most-near) (type/dim* rows width)]]])
        all (type/dim-quot width block), b (symbol (str column ".c"))
        count (cond (or (= 0 all) (= 0 near)) 0, (= 1 near) all, :else [:* near all])
        first-left (if (= 0 count) 0 [:* block count])]
    (cond-> []
      (not= 0 count)
      (conj (into [:for b count]
                  (by-rows nest done column block ".d"
                           (fn [rows c suffix]
                             (of-rows nest rows [:+ [:* block b] c] suffix)))))
      true
      (into (by-rows nest done column (if (= 0 count) width [:- width first-left]) ""
                     (fn [rows c suffix]
                       (of-rows nest rows (if (= 0 count) c [:+ first-left c]) suffix)))))))

(defn- sizes
  "{:lines rows of a line, :line its elements, :blocks so many lines}, of a room of so many
  elements. No line where the rows are too wide."
  [{:keys [rows width]} room]
  (let [fit (quot room unit)
        per-line (if (integer? width)
                   (* unit (if (zero? width) 0 (quot fit width)))
                   [:* unit [:quot fit [:max 1 width]]])
        some-line (if (integer? per-line) (max 1 per-line) [:max 1 per-line])]
    (when-not (= 0 per-line)
      {:lines per-line, :line [:* per-line width]
       :blocks (if (integer? per-line)
                 [:quot rows some-line]
                 ;; Nor where rows are empty: of these there may be more than ever end.
                 [:* [:min 1 [:* per-line width]] [:quot rows some-line]])})))

(defn- each-row
  "The loops over the rows of a line around a statement, (f index-in-line column)."
  [{:keys [row column width]} lines suffix f]
  (let [r (symbol (str row suffix)), c (symbol (str column suffix))]
    [:for r lines [:for c width (f [:+ [:* r width] c] c)]]))

(defn- prepared
  "The local arrays: sums begin as `init` has them, of rows there are as many as a line has."
  [{:keys [column sums] :as nest} dtypes init {:keys [lines line room]} locals]
  (let [j #(symbol (str column ".j" %))]
    (-> (vec (for [[[_ p] t] (sort-by val locals)] [:local t (dtypes p) room]))
        (into (map-indexed (fn [k [p index]]
                             [:for (j k) line [:store (locals [:load p index]) (j k) (init p)]]))
              sums)
        (into (map-indexed (fn [k [_ p index :as load]]
                             (each-row nest lines (str ".u" k)
                                       (fn [j c]
                                         [:store (locals load) j [:load p (put nest index 0 c)]]))))
              (repeated nest)))))

(defn- added-up
  "The sums of lines added to those of rows."
  [{:keys [sums] :as nest} {:keys [lines]} locals]
  (map-indexed (fn [k [p index op]]
                 (each-row nest lines (str ".s" k)
                           (fn [j c]
                             (let [at (put nest index 0 c), t (locals [:load p index])]
                               [:store p at [op [:load p at] [:load t j]]]))))
               sums))

(defn- by-lines
  "The statements in the place of a nest: lines where there is a whole one, then the rows that are
  left."
  [{:keys [column sums] :as nest} dtypes init {:keys [lines line blocks] :as sizes}]
  (let [named #(symbol (str column %)), b (named ".b"), j (named ".j")
        loads (concat (map (fn [[p index]] [:load p index]) sums) (repeated nest))
        locals (zipmap loads (map #(named (str ".t" %)) (range)))
        done [:* blocks lines]]
    (into [(-> [:if [:gt [:size blocks] [:const :i64 0]]]
               (into (prepared nest dtypes init sizes locals))
               (conj [:for b blocks
                      (into [:for j line] (of-line nest locals [:+ [:* b line] j] j))])
               (into (added-up nest sizes locals)))]
          (by-columns nest done))))

(defn- fitting
  "How many elements of each local array fit into so many bytes: a power of two."
  [dtypes loads room]
  (let [bytes (apply + (map #(:bytes (type/dtypes (dtypes (second %)))) loads))]
    (last (take-while #(<= (* % bytes) room) (take-while #(<= % longest) (iterate #(* 2 %) 256))))))

(defn- initial
  "{p constant} of the parameters that the loops of a body set to a constant."
  [body]
  (into {} (for [[head _ _ inner] body :when (and (= head :for) (= :store (first inner)))
                 :let [[_ p _ value] inner] :when (and (vector? value) (= :const (first value)))]
             [p value])))

(defn- by-lines-or-not
  "The statements in the place of one: those by lines where it is a nest for them."
  [dtypes known? init room [head i extent & inner :as s]]
  (let [{:keys [sums rows width] :as nest} (nest-of s)
        loads (when nest (concat (map (fn [[p]] [:load p]) sums) (repeated nest)))
        fit (when nest (fitting dtypes loads room)), sizes (when fit (sizes nest fit))]
    (cond (and (= head :for) (not nest))
          [(into [:for i extent]
                 (room/spread room inner #(by-lines-or-not dtypes known? init %1 %2)))]
          (not (and nest (known? rows) (known? width))) [s]
          (and sizes (every? init (map first sums)))
          (by-lines nest dtypes init (assoc sizes :room fit))
          :else (by-columns nest 0))))

(defn lines
  "A kernel body in which sums over short rows run along many of them. `dtypes` gives that of a
  parameter; (known? extent): is an extent known when a call begins?"
  [dtypes known? body]
  (let [init (initial body)]
    (room/spread (room/left body) body #(by-lines-or-not dtypes known? init %1 %2))))
