(ns damo.bench.stats
  "Measurements to numbers and text: medians, ratios, tables, JSON lines. All pure.
  A row is {:program \"damo\", :task \"mlp\", :threads 1, :batch 60, :rate examples/s}, or has
  :failed with a message in place of :rate; :round tells repeated measurements apart."
  (:require [clojure.string :as str]))

(set! *warn-on-reflection* true)

(defn median
  "The median of numbers, of an even count the mean of the middle two; nil of none."
  [numbers]
  (let [sorted (vec (sort numbers)), n (count sorted), middle (quot n 2)]
    (cond (zero? n) nil
          (odd? n) (sorted middle)
          :else (/ (+ (sorted (dec middle)) (sorted middle)) 2.0))))

(def cell-of
  "The cell of a row: [task threads batch]."
  (juxt :task :threads :batch))

(defn- usable [{:keys [rate mismatch]}]
  (and rate (not mismatch)))

(defn rates
  "{[program cell] median rate} over the rounds of rows; rows that failed or whose check value was
  wrong do not count."
  [rows]
  (update-vals (group-by (juxt :program cell-of) (filter usable rows))
               #(median (map :rate %))))

(defn- ratios-by-round
  "{[program cell] the rate of `base` divided by the program's, round by round} for every program
  but `base`."
  [rows base]
  (let [by-round (into {} (map (juxt (juxt :round cell-of) :rate))
                       (filter #(and (usable %) (= base (:program %))) rows))
        pairs (for [{:keys [program round rate] :as row} rows
                    :let [ours (by-round [round (cell-of row)])]
                    :when (and (usable row) ours (not= base program))]
                [[program (cell-of row)] (/ (double ours) rate)])]
    (update-vals (group-by first pairs) #(mapv second %))))

(defn ratios
  "{[program cell] median over the rounds of the rate of `base` divided by the program's in that
  round} for every program but `base`."
  [rows base]
  (update-vals (ratios-by-round rows base) median))

(defn summaries
  "What is kept of the rows of all rounds: of each program and cell {:suite :program :task :threads
  :batch :rate :rounds}, with the :ratio of `base` to it, :low and :high."
  [suite rows base]
  (let [ratio (ratios-by-round rows base), groups (group-by (juxt :program cell-of)
                                                            (filter usable rows))]
    (for [[program [task threads batch] :as k] (distinct (map (juxt :program cell-of) rows))
          :let [measured (groups k), all (ratio k)] :when measured]
      (cond-> {:suite suite, :program program, :task task, :threads threads, :batch batch
               :rate (median (map :rate measured)), :rounds (count measured)}
        all (assoc :ratio (median all), :low (apply min all), :high (apply max all))))))

;; ## Text

(defn rate-text
  "A rate as a short text: 1.23M, 123k, 12.3k, 123."
  [rate]
  (cond (nil? rate) "-"
        (<= 1e6 rate) (format "%.2fM" (/ rate 1e6))
        (<= 1e5 rate) (format "%.0fk" (/ rate 1e3))
        (<= 1e4 rate) (format "%.1fk" (/ rate 1e3))
        :else (format "%.0f" (double rate))))

(defn- cell-text [rate ratio]
  (if ratio (format "%s (%.2f)" (rate-text rate) ratio) (rate-text rate)))

(defn aligned
  "Rows of texts as lines of a table; the first column to the left, the others to the right."
  [rows]
  (let [widths (apply map (fn [& column] (apply max (map count column))) rows)
        pad (fn [i width text]
              (format (str "%" (when (zero? i) "-") width "s") text))]
    (map #(str "| " (str/join " | " (map pad (range) widths %)) " |") rows)))

(defn markdown
  "A Markdown table of rows of texts, the first of them its head."
  [rows]
  (let [[head & body] (aligned rows)]
    (str/join "\n" (list* head (str/replace head #"[^|]" "-") body))))

(defn table
  "A Markdown table of rows: a line a cell, a column a program that was measured, in order of
  appearance, with its median rate in examples/s and, behind it, the rate of `base` over it."
  [rows base]
  (let [programs (distinct (map :program (filter usable rows)))
        cells (distinct (map cell-of rows))
        rate (rates rows), ratio (ratios rows base)
        line (fn [[task threads batch :as cell]]
               (into [task (str threads) (str batch)]
                     (map #(cell-text (rate [% cell]) (ratio [% cell])) programs)))
        header (into ["task" "threads" "batch"] programs)]
    (markdown (cons header (map line cells)))))

(defn- json-string [text]
  (str \" (str/escape text {\" "\\\"", \\ "\\\\", \newline "\\n", \return "\\r", \tab "\\t"}) \"))

(defn- json-value [x]
  (cond (nil? x) "null"
        (string? x) (json-string x)
        (and (double? x) (not (Double/isFinite x))) "null"
        :else (str x)))

(defn json-line
  "A flat map as one line of JSON; keys in alphabetical order, NaN and infinities as null."
  [m]
  (let [entry (fn [[k v]] (str (json-string (name k)) ":" (json-value v)))]
    (str "{" (str/join "," (map entry (sort-by key m))) "}")))
