;; A recurrent model of characters, trained on a text:
;;   bin/damo script examples/char_rnn.clj [FILE] [OPTION VALUE]...
;; Without a file it learns to count in words. Options, with their defaults, are the keys of
;; `defaults` below: --cell simple|lstm|gru, --hidden, --batch (1 for a single stream), --window,
;; --steps in all, --rate, --every so many steps it is validated and saved, --out the folder, --say
;; so many characters at the end, --threads of matrix products. It can be stopped at any time, by
;; Ctrl-C or by force: started again with the same folder it goes on from the last checkpoint, to
;; the same weights.
(require '[clojure.edn :as edn]
         '[clojure.java.io :as io]
         '[clojure.string :as str]
         '[damo.core :as d])

(def defaults
  {:cell "lstm", :hidden 128, :batch 32, :window 64, :steps 1500, :rate 0.004, :every 250
   :out "target/char-rnn", :say 300, :threads 1})

(def given
  (let [[file & more] *command-line-args*
        [file options] (if (and file (not (str/starts-with? file "--")))
                         [file more]
                         [nil *command-line-args*])]
    (into {:file file}
          (for [[option value] (partition-all 2 options)
                :let [k (keyword (subs option 2)), default (defaults k)]]
            (do (when-not (and default value)
                  (throw (IllegalArgumentException.
                          (str option " is no option with a value; there are "
                               (str/join ", " (map name (keys defaults)))))))
                [k (if (string? default) value (edn/read-string value))])))))

;; What a checkpoint was begun with stays; only how far to go may be said anew.
(def options
  (let [wanted (merge defaults given), kept (io/file (:out wanted) "options.edn")]
    (if (.exists kept)
      (merge (edn/read-string (slurp kept)) (select-keys given [:steps :every :say :threads]))
      wanted)))

;; ## The text as integers, in `batch` parallel streams

(def words
  (let [ones (str/split (str "zero one two three four five six seven eight nine ten eleven twelve "
                             "thirteen fourteen fifteen sixteen seventeen eighteen nineteen") #" ")
        tens (str/split "- - twenty thirty forty fifty sixty seventy eighty ninety" #" ")]
    (fn spelled [n]
      (cond (< n 20) (ones n)
            (< n 100) (str (tens (quot n 10)) (when (pos? (rem n 10)) (str "-" (ones (rem n 10)))))
            :else (str (ones (quot n 100)) " hundred"
                       (when (pos? (rem n 100)) (str " and " (spelled (rem n 100)))))))))

(def text
  (if-let [file (:file options)] (slurp file) (str/join "\n" (map words (range 1000)))))

(def alphabet (vec (sort (distinct text))))
(def symbol-of (zipmap alphabet (range)))

(defn streams
  "A tensor [length batch]: column j is the j-th part of a text, read downwards."
  [text]
  (let [{:keys [batch]} options, length (quot (count text) batch)]
    (d/tensor (vec (for [t (range length)]
                     (mapv #(symbol-of (nth text (+ t (* length %)))) (range batch)))) :i64)))

(def split (quot (* 9 (count text)) 10))
(def training (streams (subs text 0 split)))
(def validation (streams (subs text split)))

(defn windows "How many windows a tensor of streams has." [ids]
  (quot (dec (first (d/shape ids))) (:window options)))

(defn window "Window k: its symbols and one more row." [ids k]
  (let [{n :window} options]
    (d/part ids [(* k n) (inc (* (inc k) n))])))

;; ## The cells: from x·wx of a symbol and z = h·wh + b, each with all gates side by side, the next
;; state

(defn gates [z n]
  (map #(d/index z :all [(* % (:hidden options)) (* (inc %) (:hidden options))]) (range n)))

(def cells
  {"simple" {:gates 1, :state [:h]
             :next (fn [x z _] {:h (d/tanh (d/add x z))})}
   "lstm" {:gates 4, :state [:h :c]
           :next (fn [x z {:keys [c]}]
                   (let [[i f g o] (gates (d/add x z) 4)
                         c (d/add (d/mul (d/sigmoid f) c) (d/mul (d/sigmoid i) (d/tanh g)))]
                     {:c c, :h (d/mul (d/sigmoid o) (d/tanh c))}))}
   "gru" {:gates 3, :state [:h]
          :next (fn [x z {:keys [h]}]
                  (let [[xr xu xn] (gates x 3), [zr zu zn] (gates z 3)
                        update-gate (d/sigmoid (d/add xu zu))
                        proposed (d/tanh (d/add xn (d/mul (d/sigmoid (d/add xr zr)) zn)))]
                    {:h (d/add (d/mul (d/sub 1 update-gate) proposed)
                               (d/mul update-gate h))}))}})

(def cell (or (cells (:cell options))
              (throw (IllegalArgumentException. (str "no cell " (:cell options) "; there are "
                                                     (str/join ", " (keys cells)))))))

(def params
  (let [{:keys [hidden]} options, width (* hidden (:gates cell)), n (count alphabet)
        bound (/ 1.0 (Math/sqrt hidden))]
    (into {} (for [[seed [k shape]] (map-indexed vector {:wx [n width], :wh [hidden width]
                                                         :b [width], :wo [hidden n], :bo [n]})]
               [k (d/shared (symbol (name k))
                            (d/random :uniform shape :seed seed :dtype :f32
                                      :low (- bound) :high bound))]))))

(defn step
  "The next state of the cell, of the input rows `x` of symbols."
  [x state]
  ((:next cell) x (d/add (d/dot (:h state) (:wh params)) (:b params)) (dissoc state :x)))

(defn scores [h] (d/add (d/dot h (:wo params)) (:bo params)))

(defn reading
  "[mean loss, state at the end] of reading a window from a state."
  [ids state]
  (let [x (d/take (:wx params) (d/index ids [nil -1]))
        states (d/scan {:sequences {:x x}, :state state} #(step (:x %) %))]
    [(d/mean (d/cross-entropy (scores (:h states)) (d/index ids [1 nil])))
     (update-vals states #(d/index % -1))]))

;; ## The functions: train, validate, sample

(def steps-made (d/shared 'steps 0))

(defn memory
  "The state of the cell between windows, shared; begun anew where `keep` is 0."
  [prefix batch]
  (into {} (for [k (:state cell)]
             [k (d/shared (symbol (str prefix (name k)))
                          (d/zeros [batch (:hidden options)] :f32))])))

(defn adam
  "[updates, what is taken from each parameter] of gradients."
  [grads t]
  (let [moment (fn [letter] (into {} (for [[k p] params]
                                       [k (d/shared (symbol (str letter (name k)))
                                                    (d/zeros (d/shape p) :f32))])))
        [ms vs] (map moment ["m-" "v-"])
        blend (fn [beta old new] (d/add (d/mul beta old) (d/mul (- 1 beta) new)))
        ms+ (merge-with #(blend 0.9 %1 %2) ms grads)
        vs+ (merge-with #(blend 0.999 %1 (d/sqr %2)) vs grads)
        n (d/cast (d/add t 1) :f32), unbiased (fn [beta x] (d/div x (d/sub 1 (d/pow beta n))))]
    [(into {} (mapcat #(vals (merge-with vector %1 %2)) [ms vs] [ms+ vs+]))
     (merge-with #(d/div (unbiased 0.9 %1) (d/add 1e-8 (d/sqrt (unbiased 0.999 %2)))) ms+ vs+)]))

(defn training-function
  "[ids keep] → loss: a step of Adam on a window, the gradient clipped to a norm of 5."
  []
  (let [ids (d/input 'ids [:i64 ['t (:batch options)]]), keep (d/input 'keep [:f32 []])
        state (memory "" (:batch options)), t steps-made
        [loss end] (reading ids (update-vals state #(d/mul keep %)))
        grads (d/grad loss params)
        norm (d/sqrt (reduce d/add (map #(d/sum (d/sqr %)) (vals grads))))
        [moments moves] (adam (update-vals grads #(d/mul % (d/minimum 1.0 (d/div 5.0 norm)))) t)
        moved (merge-with #(d/sub %1 (d/mul (:rate options) %2)) params moves)]
    (d/function [ids keep] loss
                {:updates (-> moments
                              (into (vals (merge-with vector params moved)))
                              (into (vals (merge-with vector state end)))
                              (assoc t (d/add t 1)))})))

(defn validation-function
  "[ids keep] → mean loss of a window."
  []
  (let [ids (d/input 'ids [:i64 ['t (:batch options)]]), keep (d/input 'keep [:f32 []])
        state (memory "v" (:batch options))
        [loss end] (reading ids (update-vals state #(d/mul keep %)))]
    (d/function [ids keep] loss {:updates (into {} (vals (merge-with vector state end)))})))

(defn sampling-function
  "[prompt noise temperature] → symbols: after reading the prompt it draws one a row of `noise`,
  which are numbers of the Gumbel distribution: the highest of score / temperature + noise is a
  draw from softmax."
  []
  (let [prompt (d/input 'prompt [:i64 ['t]]), noise (d/input 'noise [:f32 ['n (count alphabet)]])
        temperature (d/input 'temperature [:f32 []])
        zero (zipmap (:state cell) (repeat (d/zeros [1 (:hidden options)] :f32)))
        before (d/index prompt [nil -1])
        read (d/foldl (fn [state id] (step (d/take (:wx params) (d/expand-dims id 0)) state))
                      zero before)
        drawn (d/scan {:sequences {:g noise}, :state {:cell read, :id (d/index prompt -1)}}
                (fn [{:keys [g id] state :cell}]
                  (let [state (step (d/take (:wx params) (d/expand-dims id 0)) state)
                        score (d/div (d/index (scores (:h state)) 0) temperature)]
                    {:cell state, :id (d/argmax (d/add score g))})))]
    (d/function [prompt noise temperature] (:id drawn))))

;; ## Checkpoints: one file with the functions and all that they keep, written whole or not at all

(def checkpoint (io/file (:out options) "model.damo"))

(def functions
  (if (.exists checkpoint)
    (d/load (str checkpoint))
    {:train (training-function), :validate (validation-function), :sample (sampling-function)
     :made (d/function [] steps-made)}))

(defn save! [] (d/save (str checkpoint) functions))

;; ## Training

(defn validate
  "The mean loss of all windows of the validation text."
  []
  (let [n (windows validation)]
    (/ (reduce + (for [k (range n)]
                   @((:validate functions) (window validation k) (if (zero? k) 0 1))))
       n)))

(defn sample [prompt n temperature]
  (let [random (java.util.Random. 1)
        gumbel #(- (Math/log (- (Math/log (+ 1e-20 (.nextDouble random))))))
        noise (d/tensor (vec (repeatedly n #(vec (repeatedly (count alphabet) gumbel))))
                        :f32)]
    (apply str (map alphabet @((:sample functions) (mapv symbol-of prompt) noise temperature)))))

(def terminal? (boolean (some-> (System/console) .isTerminal)))

(defn show-progress [step loss rate]
  (when terminal?
    (let [total (:steps options), full (quot (* 30 step) (max 1 total))]
      (print (format "\r[%s%s] step %d of %d  loss %.3f  %,.0f characters/s "
                     (str/join (repeat full "=")) (str/join (repeat (- 30 full) " "))
                     step total loss rate))
      (flush))))

(defn show-validation [step seconds]
  (let [loss (validate)]
    (println (format "%sstep %d  validation: perplexity %.3f, %.3f bits per character  (%.1f s)"
                     (if terminal? "\r\033[K" "") step (Math/exp loss) (/ loss (Math/log 2))
                     seconds))))

(defn train!
  "Trains to `:steps` or until `stop?` says so; seconds of training are counted."
  [stop?]
  (let [n (windows training)]
    (loop [step @((:made functions)), seconds 0.0]
      (if (or (<= (:steps options) step) (stop?))
        (do (save!)
            (show-validation step seconds))
        (let [k (mod step n), start (System/nanoTime)
              loss @((:train functions) (window training k) (if (zero? k) 0 1))
              took (* 1e-9 (- (System/nanoTime) start)), step (inc step)]
          (show-progress step loss (/ (* (:batch options) (:window options)) took))
          (when (and (zero? (mod step (:every options))) (< step (:steps options)))
            (save!)
            (show-validation step (+ seconds took)))
          (recur step (+ seconds took)))))))

(let [stopped (atom false), ended (promise), {:keys [cell hidden batch say threads]} options]
  (d/set-threads! threads)
  (io/make-parents checkpoint)
  (spit (io/file (:out options) "options.edn") (pr-str options))
  ;; Ctrl-C and a plain kill let the step end, and save.
  (.addShutdownHook (Runtime/getRuntime)
                    (Thread. (fn [] (reset! stopped true) (deref ended 30000 nil))))
  (try
    (println (format "%s cell of %d units, batch %d, %,d characters of %d kinds, %s"
                     cell hidden batch (count text) (count alphabet)
                     (if (.exists checkpoint) "going on from the checkpoint" "from the beginning")))
    (train! #(deref stopped))
    (println (str "it says: " (pr-str (sample (subs text 0 (min 20 (count text))) say 0.7))))
    (finally (deliver ended true))))
