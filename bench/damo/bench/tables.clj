(ns damo.bench.tables
  "Kept results as Markdown tables, all pure: those of `bin/damo bench paper`, `rnn`, `models` and
  `micro`. A cell reads `rate (ratio low-high)`, the ratio of Damo's speed to the program's, above 1
  where Damo is faster."
  (:require [clojure.string :as str]
            [damo.bench.stats :as stats]))

(set! *warn-on-reflection* true)

(defn ratio-text
  "1.23 (1.20-1.31), of a result with :ratio, :low and :high; nil without a ratio."
  [{:keys [ratio low high]}]
  (when ratio (format "%.2f (%.2f-%.2f)" (double ratio) (double low) (double high))))

(defn time-text
  "A time in nanoseconds as a short text."
  [ns]
  (cond (nil? ns) "-"
        (< ns 1e3) (format "%.0f ns" (double ns))
        (< ns 1e4) (format "%.2f us" (/ ns 1e3))
        (< ns 1e6) (format "%.1f us" (/ ns 1e3))
        :else (format "%.2f ms" (/ ns 1e6))))

(defn- percent [share]
  (if share (format "%.0f %%" (* 100.0 share)) "-"))

(defn- rate-cell [row text]
  (cond (nil? row) "-"
        (:mismatch row) "wrong"
        :else (str (text row) (some->> (:ratio row) (format " (%.2f)")))))

(defn- crossed
  "A table of rows: a line for each value of `line-of`, which is a vector of texts, with a column
  for each program; `own` gives further columns, [title (fn [Damo's row] text)]."
  [rows titles line-of text own]
  (let [programs (remove #{"damo"} (distinct (map :program rows)))
        line (fn [[head rows]]
               (let [by-program (into {} (map (juxt :program identity)) rows)
                     ours (by-program "damo")]
                 (concat head [(rate-cell ours text)]
                         (map (fn [[_ f]] (if ours (f ours) "-")) own)
                         (map #(rate-cell (by-program %) text) programs))))
        heads (distinct (map line-of rows)), groups (group-by line-of rows)]
    (stats/markdown (cons (concat titles ["damo"] (map first own) programs)
                          (map #(line [% (groups %)]) heads)))))

(def ^:private of-limit ["of the limit" #(percent (:share %))])

(defn paper
  "The table of training steps in one form, \"call\" or \"loop\"."
  [rows form]
  (crossed (filter #(= form (:form %)) rows) ["task" "threads" "batch"]
           #(mapv str ((juxt :task :threads :batch) %))
           #(stats/rate-text (:rate %)) [of-limit]))

(defn steps
  "The table of `bin/damo bench`, each program in a process of its own."
  [rows]
  (crossed rows ["task" "threads" "batch"] #(mapv str ((juxt :task :threads :batch) %))
           #(stats/rate-text (:rate %)) []))

(defn loops
  "The table of `bin/damo bench rnn`."
  [rows]
  (crossed rows ["loop"] #(vector (:task %)) #(stats/rate-text (:rate %)) []))

(defn models
  "The table of `bin/damo bench models`: times of a step."
  [rows]
  (crossed rows ["model" "threads"] #(mapv str ((juxt :task :threads) %))
           #(time-text (:ns %)) [of-limit]))

(defn micro
  "The table of kernels, slowest beside its best peer first."
  [rows]
  (stats/markdown
   (cons ["row" "damo into" "damo call" "numpy" "jax" "torch" "best peer / Damo" "limit" "of it"]
         (for [{:keys [row best limit-ns share] :as r} (sort-by #(or (:ratio %) ##Inf) rows)]
           (concat [row]
                   (map #(time-text (r %)) [:into-ns :call-ns :numpy-ns :jax-ns :torch-ns])
                   [(str (or (ratio-text r) "-") (some->> best (str " ")))
                    (time-text limit-ns) (percent share)])))))

(defn behind
  "What is said of rows with a :ratio: how many are below the bound, and which."
  [rows bound]
  (let [compared (filter :ratio rows)
        slow (sort-by :ratio (filter #(< (:ratio %) bound) compared))]
    (str (count slow) " of " (count compared) " under " bound
         (when (seq slow)
           (str ": " (str/join ", " (for [{:keys [row ratio]} slow]
                                      (format "%s %.2f" row (double ratio)))))))))
