(ns damo.bench.paper.cells
  "`bin/damo bench paper`: the training steps of the benchmark, one call a step and all steps in one
  call, each beside the other programs' same form, in turns on the same processors.
  A cell is [task threads batch], a form \"call\" or \"loop\"; a result is a flat map,
  {:suite \"paper\", :task \"mlp\", :threads 1, :batch 60, :form \"call\", :program \"jax-step\",
   :rate examples/s, :ratio Damo's rate over it, :low, :high, :rounds}."
  (:require [clojure.string :as str]
            [damo.bench.limits :as limits]
            [damo.bench.measure :as measure]
            [damo.bench.peers :as peers]
            [damo.bench.rounds :as rounds]
            [damo.bench.server :as server]
            [damo.bench.stats :as stats]
            [damo.bench.step :as step]
            [damo.bench.task :as task]))

(set! *warn-on-reflection* true)

(def forms "How steps are asked for: one call a step, or all in one call." ["call" "loop"])

;; ## What a step must do

(defn work
  "{:bytes :flops :memory} of a step of a task: the products of the forward pass, of the gradients
  of weights and of what is propagated back, which is nothing behind the images; every parameter is
  read and written once, in place, and the batch is read. :memory are the bytes of all of it."
  [task batch]
  (let [layers (partition 2 1 (task/sizes task))
        weights (map #(apply * %) layers)
        parameters (+ (reduce + weights) (reduce + (map second layers)))
        read (* batch (+ (* 4 task/inputs) 8))]
    {:flops (* 2 batch (+ (* 2 (reduce + weights)) (reduce + (rest weights))))
     :bytes (+ (* 8 parameters) read)
     :memory (+ (* 4 parameters) read)}))

(defn- limit
  "The examples/s that the work of a cell allows, with the peak `flops` of a core."
  [[task threads batch] flops]
  (let [{:keys [memory] :as work} (work task batch)
        seconds (limits/least-seconds work {:copy (* threads (limits/copy-rate memory))
                                            :flops (* threads flops)})]
    (/ batch seconds)))

;; ## Damo

(defn- nanoseconds [run from n]
  (let [start (System/nanoTime)]
    (run from n)
    (double (- (System/nanoTime) start))))

(defn- timer
  "A function of seconds: nanoseconds an example of as many steps as take about so long. `run` does
  the steps, (run from n), in order from step `at` on."
  [run at batch]
  (let [at (volatile! at)
        steps! (fn [n] (let [t (nanoseconds run @at n)] (vswap! at + n) t))]
    (fn [seconds]
      (let [ns (* 1e9 seconds), n (max 1 (long (/ ns (steps! 1))))
            n (if (< 20 n) (max 1 (long (/ (* ns (quot n 10)) (steps! (quot n 10))))) n)]
        (/ (steps! n) (* n batch))))))

(defn- damo
  "{:time (fn [seconds] ns an example), :loss} of Damo in a form, warm."
  [[task _ batch] form]
  (let [run (if (= form "loop") (step/looper task batch) (measure/each (step/stepper task batch)))
        loss (/ (run 0 task/check-steps) task/check-steps)
        time (timer run task/check-steps batch)]
    (dotimes [_ 3] (time 0.1))
    {:time time, :loss loss}))

;; ## Beside other programs

(defn kind
  "What a file of peers calls this form of a cell's: step-call, step-loop; step-loop-1 beside it for
  batches of one."
  [[_ _ batch] form]
  (cond-> #{(str "step-" form)} (= 1 batch) (conj (str "step-" form "-1"))))

(defn- fits? [{:keys [kinds threads]} [_ n _ :as cell] form]
  (and (threads n) (some (kind cell form) kinds)))

(defn- lasting?
  "Does a server of that peer serve all cells of as many threads?"
  [{:keys [command]}]
  (not (str/includes? command "{task}")))

(defn- failed! [failed {:keys [name]} e]
  (vswap! failed conj name)
  (binding [*out* *err*] (println (str name " cannot run: " (ex-message e)))))

(defn- start!
  "A server of a peer for a cell, of those in `servers` or a new one; nil when it cannot run."
  [{:keys [name] :as peer} [_ threads _ :as cell] {:keys [servers failed]}]
  (or (@servers name)
      (when-not (@failed name)
        (try
          (let [server (server/start! name ["sh" "-c" (peers/command-for peer cell 0)] threads)]
            (when (lasting? peer) (vswap! servers assoc name server))
            server)
          (catch clojure.lang.ExceptionInfo e (failed! failed peer e))))))

(defn- seat
  "{:name :time :loss} of a peer that has made its step for a cell; nil when it cannot, or when its
  losses are others."
  [peer [task _ batch :as cell] places]
  (when-let [server (start! peer cell places)]
    (try
      (when-let [made (server/ask! server (str "make " task " " batch))]
        (let [loss (parse-double (second (str/split made #" ")))]
          (if (task/loss-ok? task batch loss)
            {:name (:name peer), :server server, :lasting (lasting? peer)
             :time #(if-let [ns (server/ask! server (str "time " %))] (parse-double ns) ##Inf)}
            (binding [*out* *err*]
              (println (format "%s %s batch %d: loss %s, left out"
                               (:name peer) task batch loss))))))
      (catch clojure.lang.ExceptionInfo e (failed! (:failed places) peer e)))))

(defn rows
  "The results of a cell and form, of {program [ns an example, a round …]} with Damo as :damo, and
  the rate that bytes and flops allow."
  [[task threads batch] form samples limit]
  (for [[program times] (sort-by key samples)
        :let [{:keys [median low high]} (rounds/ratio samples program [:damo])
              rate (/ 1e9 (stats/median times))]]
    (cond-> {:suite "paper", :task task, :threads threads, :batch batch, :form form
             :program (name program), :rate rate, :rounds (count times)}
      (= :damo program) (assoc :limit limit, :share (/ rate limit))
      (not= :damo program) (assoc :ratio median, :low low, :high high))))

(defn measured
  "The results of a cell in a form: `peers` are those of a file, `places` {:servers, :failed}
  volatiles of running servers by name and names of those that cannot run; `flops` is the peak of
  a core. Options are those of `rounds/take-turns`, and :batch-seconds of one measurement."
  [[task _ batch :as cell] form peers places flops {:keys [batch-seconds] :as options}]
  (let [{:keys [time loss]} (damo cell form)
        seats (vec (keep #(seat % cell places) (filter #(fits? % cell form) peers)))]
    (try
      (let [samples (rounds/take-turns
                     (into [[:damo #(time batch-seconds)]]
                           (for [{:keys [name time]} seats] [(keyword name) #(time batch-seconds)]))
                     [:damo] options)]
        (cond->> (rows cell form samples (limit cell flops))
          (not (task/loss-ok? task batch loss)) (map #(assoc % :mismatch loss))))
      (finally (run! #(server/stop! (:server %)) (remove :lasting seats))))))
