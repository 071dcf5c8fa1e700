;; Who speaks? Logistic regression on the words of speeches, of a sparse matrix and of the same as
;; an array:
;;   bin/damo script examples/news.clj [FILE] [OPTION VALUE]...
;; The file is a text in paragraphs, each of which begins with a line "Name:", as plays are printed;
;; without one a small text is made up. Options, with their defaults: --speakers 10, those with the
;; most speeches are the classes; --steps 100 of gradient descent; --rate 20.
(require '[clojure.string :as str]
         '[damo.core :as d]
         '[damo.sparse :as sp])

(def options
  (let [[file & more] *command-line-args*
        [file given] (if (and file (not (str/starts-with? file "--")))
                       [file more]
                       [nil *command-line-args*])]
    (into {:file file, :speakers 10, :steps 100, :rate 20}
          (for [[k v] (partition 2 given)] [(keyword (subs k 2)) (parse-long v)]))))

;; ## The text: a matrix with a row for each speech and a column for each word

(def made-up
  "Speeches of three speakers, who like numbers of their own."
  (str/join "\n\n" (for [i (range 120), :let [who (mod i 3)]]
                     (str (["Ann" "Bob" "Cat"] who) ":\n"
                          (str/join " " (for [k (range 12)]
                                          (str "w" (+ (* 5 who) (mod (* i k) 9)))))))))

(defn speeches [text]
  (for [paragraph (str/split text #"\n\s*\n")
        :let [[_ speaker words] (re-matches #"(?s)\s*([^:\n]+):\n(.*)" paragraph)] :when speaker]
    [speaker (re-seq #"[a-z']+[0-9]*" (str/lower-case words))]))

(def all-speeches (speeches (if-let [file (:file options)] (slurp file) made-up)))
(def speakers
  (->> (frequencies (map first all-speeches)) (sort-by (juxt (comp - val) key))
       (take (:speakers options)) (mapv key)))
(def documents (vec (filter (comp (set speakers) first) all-speeches)))
(def vocabulary (zipmap (sort (distinct (mapcat second documents))) (range)))
(def labels (mapv #(.indexOf ^java.util.List speakers (first %)) documents))

(def words
  "Of each speech how often a word occurs in it, rows of length 1: what is not stored is 0."
  (let [length (fn [counts] (Math/sqrt (reduce + (map #(double (* % %)) (vals counts)))))
        counts (for [[_ words] documents, :let [found (frequencies words), n (length found)]]
                 (update-vals found #(/ % n)))]
    (sp/coo {:rows (int-array (mapcat (fn [i m] (repeat (count m) i)) (range) counts))
             :cols (int-array (mapcat #(map vocabulary (keys %)) counts))
             :data (float-array (mapcat vals counts))
             :shape [(count documents) (count vocabulary)]})))

;; ## The model: for the array and the sparse matrix the same expressions

(defn trained
  "{:loss :right :seconds} after the steps of gradient descent on a matrix, which is the value of
  an input."
  [input matrix]
  (let [[m n] (d/shape matrix), k (count speakers)
        y (d/input 'y [:i64 [m]])
        w (d/shared 'w (d/zeros [n k] :f32)), b (d/shared 'b (d/zeros [k] :f32))
        logits (d/add (d/dot input w) b)
        loss (d/mean (d/cross-entropy logits y))
        [gw gb] (d/grad loss [w b])
        down (fn [p g] (d/sub p (d/mul (:rate options) g)))
        step (d/function [input y] loss {:updates {w (down w gw), b (down b gb)}})
        right (d/function [input y] (d/mean (d/eq (d/argmax logits :axis 1) y)))]
    (d/call-n step 2 matrix labels)
    (let [begun (System/nanoTime)]
      (d/call-n step (- (:steps options) 2) matrix labels)
      {:seconds (/ (- (System/nanoTime) begun) 1e9 (- (:steps options) 2))
       :loss @(step matrix labels), :right @(right matrix labels)})))

(let [[m n :as shape] (d/shape words), stored (sp/nnz words)
      array (sp/to-dense words)
      results {"sparse" [(trained (sp/input 'x :csr [:f32 shape] :index :i32) words)
                         (+ (* 8 stored) (* 4 (inc m)))]
               "array" [(trained (d/input 'x [:f32 shape]) array) (* 4 m n)]}]
  (printf "%d speeches of %d speakers, %d words, %d of %d elements stored (%.2f %%)%n"
          m (count speakers) n stored (* m n) (/ (* 100.0 stored) (* m n)))
  (doseq [[what [{:keys [loss right seconds]} bytes]] results]
    (printf "%-7s loss %.5f, %.1f %% right, %8.2f ms a step, matrix of %8.2f MB%n"
            what loss (* 100 (double right)) (* 1e3 seconds) (/ bytes 1e6)))
  (let [[[a] [b]] (vals results)]
    (println (if (< (abs (- (:loss a) (:loss b))) 1e-3) "the losses agree" "THE LOSSES DIFFER"))))
