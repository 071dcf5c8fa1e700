(ns damo.ops.region.loop
  "Loops: a body that runs round after round, with windows that move over the rows of its carries
  (docs/decisions/0034). Made by damo.face.scan and by derivatives.
  [:loop {:steps n, :params [[:carry 0 0]], :carries [0], :results [[0 1]], :body …} h0]"
  (:require [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.op.body :as body]
            [damo.op.gens :as gens]
            [damo.op.looping :as looping])
  (:import [java.util Arrays]))

(set! *warn-on-reflection* true)

;; ## Rows of reference arrays

(defn- row [{:keys [dtype shape data]} ^long i]
  (let [shape (subvec shape 1), n (array/size shape), from (* i n), to (+ from n)]
    (array/array dtype shape (if (type/float-dtype? dtype)
                               (Arrays/copyOfRange ^doubles data from to)
                               (Arrays/copyOfRange ^longs data from to)))))

(defn- stacked
  "The rows, arrays of that dtype and shape, as one array."
  [rows [dtype shape]]
  (let [n (array/size shape), total (* n (count rows))
        data (if (type/float-dtype? dtype) (double-array total) (long-array total))]
    (doseq [[i {own :shape, from :data}] (map-indexed vector rows)]
      (when-not (= own shape)
        (fail! :damo.loop/unlike-rows
               (str "a kept result has one shape in all rounds; it is " (pr-str shape)
                    " in the first and " (pr-str own) " in round " i)
               {:expected shape, :given own, :iterations [i]}))
      (System/arraycopy from 0 data (* i n) n))
    (array/array dtype (into [(count rows)] shape) data)))

;; ## Meaning

(defn- argument-of
  "What a parameter of the body is in round t."
  [{:keys [attrs arrays carries]} t [what at from by]]
  (case what
    :each (row (nth arrays at) (if (= 1 by) (+ from t) (- from 1 t)))
    :carry (let [rows (nth carries at), {:keys [carries]} attrs]
             (nth rows (+ from (- (count rows) (first (:shape (nth arrays (nth carries at))))))))
    :all (nth arrays at)
    :turn (array/of :i64 [] [t])))

(defn- round-values
  "What the body gives in round t; a failure in it tells the round."
  [{:keys [run attrs dims] :as state} t]
  (let [{:keys [params body]} attrs]
    (try
      (run body (into {} (map (fn [at] [at (argument-of state t (nth params at))]))
                      (keys (body/params body)))
           dims)
      (catch clojure.lang.ExceptionInfo e
        (fail/explain! e (str "iteration " t ": ") ""
                       {:iterations (into [t] (:iterations (ex-data e)))})))))

(defn- true-array? [a] (array/element a 0))

(defn- next-state [{:keys [attrs carries kept t] :as state}]
  (when (Thread/interrupted)
    (throw (InterruptedException. "a loop was interrupted")))
  (let [values (round-values state t), n (count carries)
        outs (cond-> (subvec values n) (:until attrs) pop)]
    (assoc state :t (inc t), :carries (mapv conj carries values)
           :kept (if kept (mapv conj kept outs) (mapv vector outs))
           :ended (and (:until attrs) (true-array? (peek values))))))

(defn- rounds-made [{:keys [attrs arrays] :as state}]
  (let [{:keys [steps unless]} attrs]
    (loop [{:keys [t ended] :as state} state]
      (if (or ended (= t steps) (and (zero? t) unless (true-array? (nth arrays unless))))
        state
        (recur (next-state state))))))

(defn- row-type-of
  "The type of the rows of output o, known also where there are none."
  [{:keys [attrs dims]} o]
  (tuple/map (fn [[dtype shape]] [dtype (mapv #(type/dim-value (fn [s] (get dims s 0)) %) shape)])
             (looping/output-type attrs o)))

(defn- result
  "A result, of the rows that there were."
  [{:keys [carries kept] :as state} [o rows :as wish]]
  (let [all (or (nth carries o nil) (nth kept (- o (count carries)) nil) [])
        found (if (= rows :all) all (subvec all (max 0 (- (count all) rows))))]
    (stacked (if (looping/backwards? wish) (rseq found) found)
             (if-let [one (first found)] (array/type-of one) (row-type-of state o)))))

(defn- check-rows-there! [{:keys [params] :as attrs} arrays]
  (doseq [[small large] (looping/requirements attrs (mapv array/type-of arrays))]
    (when-not (<= small large)
      (fail! :damo.loop/too-few-rows
             (str "a loop of " (:steps attrs) " rounds reads " small " rows of a sequence that has "
                  large)
             {:params params, :expected small, :given large}))))

(defn- looped
  "The results of a loop, a vector of arrays; its meta data says how many rounds were :counted."
  [{:keys [attrs arrays] :as given}]
  (check-rows-there! attrs arrays)
  (let [first-rows (fn [a] (mapv #(row (nth arrays a) %) (range (first (:shape (nth arrays a))))))
        {:keys [t] :as state} (rounds-made (assoc given :t 0, :kept nil, :ended false
                                                  :carries (mapv first-rows (:carries attrs))))]
    (with-meta (mapv #(result state %) (:results attrs))
      (when (symbol? (:as attrs)) {:counted {(:as attrs) t}}))))

;; ## Examples and generated calls

(defn- sums
  "The attributes of a loop over the rows of its first argument that adds them, or for truth values
  asks whether one was true, to its second, and keeps twice what it has."
  [[dtype [_ & shape]] attrs]
  (let [type [dtype (vec shape)], plus (if (= dtype :bool) :logical-or :add)]
    (merge {:params [[:each 0 0 1] [:carry 0 0]], :carries [1], :results [[0 :all] [1 :all]]
            :body {:nodes [(body/param 1 type) (body/param 0 type) [plus {} 0 1] [plus {} 2 2]]
                   :types [type type type type], :outputs [2 3]}}
           attrs)))

(defn- looking-back
  "The attributes of a loop whose state is the sum of the one two rounds before, of the row of its
  first argument and, where that is a number, of the round."
  [[dtype [_ & shape]]]
  (let [type [dtype (vec shape)], plus (if (= dtype :bool) :logical-or :add)
        turn? (not= dtype :bool)]
    {:params [[:carry 0 0] [:each 0 0 1] [:turn]], :carries [1], :results [[0 :all]]
     :body (:body (body/closed
                   {:nodes (cond-> [(body/param 0 type) (body/param 1 type) [plus {} 0 1]]
                             turn? (conj (body/param 2 [:i64 []]) [:cast {:dtype dtype} 3]
                                         [plus {} 2 4]))
                    :types (cond-> [type type type]
                             turn? (conj [:i64 []] [dtype []] type))
                    :outputs [(if turn? 5 2)]}))}))

(defn- ending
  "The attributes of a loop that adds the rows of its first argument and ends after round 1."
  [[dtype [_ & shape] :as type] steps]
  (let [row [dtype (vec shape)], {:keys [body]} (sums type {})]
    {:steps steps, :until true, :as 'ended
     :params [[:each 0 0 1] [:carry 0 0] [:turn]], :carries [1], :results [[0 1]]
     :body (:body (body/closed
                   {:nodes (into (subvec (:nodes body) 0 3)
                                 [(body/param 2 [:i64 []])
                                  [:const {:type [:i64 []], :value 1}] [:ge {} 3 4]])
                    :types [row row row [:i64 []] [:i64 []] [:bool []]], :outputs [2 5]}))}))

(defn- random-loop [{:keys [dtype size] :as ctx}]
  (let [type (fn [n shape] [dtype (into [n] shape)])
        [n shape depth attrs]
        (gens/variant ctx [[size [] 1 (sums (type size []) {})]
                           [3 [size] 1 (sums (type 3 [size]) {:results [[0 1] [1 2]]})]
                           [size [2] 1 (sums (type size [2])
                                             {:params [[:each 0 size -1] [:carry 0 0]]})]
                           [4 [1 size] 1 (sums (type 4 [1 size])
                                               {:results [[0 :all :backwards] [1 1]]})]
                           [3 [size] 2 (looking-back (type 3 [size]))]
                           [size [2] 1 (ending (type size [2]) size)]])]
    {:attrs (merge {:steps n} attrs)
     :args [(gens/random-array ctx dtype (into [n] shape) [-1 1])
            (gens/random-array ctx dtype (into [depth] shape) [-1 1])]}))

(op/register!
 {:name :loop, :kind :loop, :ns 'damo.ops.region.loop, :args :variadic
  :internal "d/scan and d/while-loop take functions"
  :attrs {:steps {:default nil, :is :dim, :doc "how many rounds, or at most so many; nil: no bound"}
          :until {:default false, :is :flag
                  :doc "does the last output say whether the round was the last?"}
          :unless {:default nil, :is :data
                   :doc "the argument, a truth value, where that holds no round is made; or nil"}
          :as {:default nil, :is :counted
               :doc "the dim that the rounds are, of a loop that may end early"}
          :params {:is :loop-params, :doc "what each parameter of the body is"}
          :carries {:is :data, :doc "the argument with the first rows of each carry"}
          :results {:is :loop-results, :doc "which rows of which outputs are the results"}
          :grad {:default nil, :is :data, :doc "wishes for the derivative"}
          :unroll {:default nil, :is :data
                   :doc "loops of at most so many rounds are written out; nil: as it pays"}
          :body {:is :graph, :doc "the graph of one round"}}
  :type (fn [attrs types]
          (looping/check! attrs types)
          (tuple/of (looping/result-types attrs types)))
  :counts {:of "rounds"
           :by (fn [attrs numbers]
                 (when (looping/counts? attrs)
                   [(dissoc attrs :results :grad :unroll) numbers]))
           :dims (fn [{{:keys [as steps]} :attrs}] {as steps})}
  :requires (fn [{:keys [attrs types]}] (looping/requirements attrs types))
  :failure "a loop makes at most as many rounds as its sequences have rows"
  :run looped
  :gen random-loop
  :examples [[[:part {:at 0}
               [:loop (sums [:i64 [3]] {:steps 3}) [:iota {:shape [3], :axis 0}]
                [:reshape {:shape [1]} 10]]]
              [10 10 11 13]]]
  :doc "The results of a body run round after round, its carries windows that move over rows."})
