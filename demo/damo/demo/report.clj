(ns damo.demo.report
  "What a classifier got right, as data and as text: predictions from probabilities, the confusion
  table, accuracy. All pure. (accuracy (confusion [3 5] [3 4])) => 0.5."
  (:require [clojure.string :as str]))

(set! *warn-on-reflection* true)

(def ^:const classes "How many classes there are: the digits 0 to 9." 10)

(defn predictions
  "The most probable class of each row, a vector of longs, from probabilities in row-major order,
  10 a row; the first of equals, 0 when a row holds NaN first."
  [^floats probabilities]
  (mapv (fn [^long row]
          (let [start (* row classes)]
            (loop [best 0, c 1]
              (cond (= c classes) best
                    (< (aget probabilities (+ start best)) (aget probabilities (+ start c)))
                    (recur c (inc c))
                    :else (recur best (inc c))))))
        (range (quot (alength probabilities) classes))))

(defn confusion
  "The table of counts of labels (rows) against predictions (columns), a vector of 10 vectors."
  [labels predictions]
  (reduce (fn [table [label prediction]] (update-in table [(long label) (long prediction)] inc))
          (vec (repeat classes (vec (repeat classes 0))))
          (map vector labels predictions)))

(defn accuracy
  "The fraction of a confusion table that lies on its diagonal; 0.0 for an empty table."
  [table]
  (let [total (reduce + (map #(reduce + %) table))]
    (if (zero? total)
      0.0
      (/ (double (reduce + (map-indexed (fn [i row] (nth row i)) table))) total))))

(defn misclassified
  "The indices of the examples whose prediction is not their label, a vector."
  [labels predictions]
  (into [] (keep-indexed (fn [i [label prediction]] (when-not (== label prediction) i)))
        (map vector labels predictions)))

(defn- row-text [label row]
  (let [total (reduce + row)
        right (if (zero? total) "-" (format "%.1f %%" (/ (* 100.0 (nth row label)) total)))]
    (str (format "%6d |" label)
         (str/join (map #(if (zero? %) "    ." (format "%5d" %)) row))
         (format " | %8s" right))))

(defn confusion-text
  "A confusion table as text: a row a label, a column a prediction, and each label's accuracy."
  [table]
  (let [rule (str (apply str (repeat 7 \-)) "+" (apply str (repeat (inc (* 5 classes)) \-)) "+")]
    (str/join "\n" (concat [(str " label | predicted" (apply str (repeat 41 \space)) " | right")
                            (str "       |" (str/join (map #(format "%5d" %) (range classes)))
                                 " |")
                            rule]
                           (map-indexed row-text table)))))
