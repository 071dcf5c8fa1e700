(ns damo.compile.lower.narrow
  "Reductions over the rows of a matrix whose rows are short: a loop over ten columns has no whole
  vector. Many rows at once are one long line, accumulated into as long a local array, which is
  added up at the end; rows that are left over are done as before. How many rows, the extents say
  when the kernel runs, so that wide rows are left alone. Kernel body in, kernel body out."
  (:require [damo.compile.lower.collapse :as collapse]
            [damo.data.type :as type])
  (:import [damo Limits]))

(set! *warn-on-reflection* true)

(def ^:private unit "The rows of a line are a multiple of so many, and its elements too." 32)

(def ^:private longest "The elements of a line at most." 2048)

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

(defn- of-rest
  "The statements of an element of the rows from `done` on."
  [{:keys [row column body] :as nest} done]
  (let [index #(put nest % [:+ done row] column)]
    (vec (for [[head p i value] body
               :let [load (fn [[_ q i]] [:load q (index i)])]]
           (case head
             :let [:let p (rewritten load i)]
             :store [:store p (index i) (rewritten load value)])))))

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
  [{:keys [row column width sums rows] :as nest} dtypes init {:keys [lines line blocks] :as sizes}]
  (let [named #(symbol (str column %)), b (named ".b"), j (named ".j")
        loads (concat (map (fn [[p index]] [:load p index]) sums) (repeated nest))
        locals (zipmap loads (map #(named (str ".t" %)) (range)))
        done [:* blocks lines]]
    [(-> [:if [:gt [:size blocks] [:const :i64 0]]]
         (into (prepared nest dtypes init sizes locals))
         (conj [:for b blocks
                (into [:for j line] (of-line nest locals [:+ [:* b line] j] j))])
         (into (added-up nest sizes locals)))
     [:for row [:- rows done] (into [:for column width] (of-rest nest done))]]))

(defn- room
  "How many elements of each local array fit: a power of two."
  [dtypes loads]
  (let [bytes (apply + (map #(:bytes (type/dtypes (dtypes (second %)))) loads))]
    (last (take-while #(<= (* % bytes) (.most Limits/LOCALS))
                      (take-while #(<= % longest) (iterate #(* 2 %) 256))))))

(defn- initial
  "{p constant} of the parameters that the loops of a body set to a constant."
  [body]
  (into {} (for [[head _ _ inner] body :when (and (= head :for) (= :store (first inner)))
                 :let [[_ p _ value] inner] :when (and (vector? value) (= :const (first value)))]
             [p value])))

(defn- by-lines-or-not
  "The statements in the place of one: those by lines where it is a nest for them."
  [dtypes known? init s]
  (let [{:keys [sums rows width] :as nest} (nest-of s)
        loads (when nest (concat (map (fn [[p]] [:load p]) sums) (repeated nest)))
        room (when nest (room dtypes loads)), sizes (when room (sizes nest room))]
    (if (and sizes (known? rows) (known? width) (every? init (map first sums)))
      (by-lines nest dtypes init (assoc sizes :room room))
      [s])))

(defn lines
  "A kernel body in which sums over short rows run along many of them. `dtypes` gives that of a
  parameter; (known? extent): is an extent known when a call begins?"
  ([dtypes known? body] (lines dtypes known? (initial body) body))
  ([dtypes known? init body]
   (into []
         (mapcat (fn [[head i extent & inner :as s]]
                   (if (and (= head :for) (not (nest-of s)))
                     [(into [:for i extent] (lines dtypes known? init inner))]
                     (by-lines-or-not dtypes known? init s))))
         body)))
