(ns damo.compile.pass.loop.unroll
  "Loops of few rounds, a number, written out: no round at all, one, a few. The attribute :unroll of
  a loop says up to how many, else a pass does. Loops that may end early stay, and those whose
  bodies may stop a call, for a failure tells the round.
  ((written-out 4) g) is g without loops of at most 4 rounds."
  (:require [damo.compile.pass.loop.form :as form]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.meaning.counted :as counted]
            [damo.meaning.failing :as failing]
            [damo.op :as op]
            [damo.op.body :as body]))

(set! *warn-on-reflection* true)

(def ^:private most-nodes
  "How many nodes a loop may become when nothing is said of it."
  400)

;; ## Which loops

(defn- nothing-lost?
  "Is each argument that may fail, and each row that a call must have, read also without the loop?"
  [b {:keys [attrs must firsts results body] :as l}]
  (let [read (if (= 0 (:steps attrs)) [] (keep #(form/read-of l %) (graph/live body)))
        used (into (set (map second (remove #(= :carry (first %)) read)))
                   (keep #(nth firsts (first %) nil)) results)]
    (and (every? used must) (empty? (form/unmet b l read)))))

(defn- few?
  "Has a loop so few rounds that it is written out?"
  [b {:keys [attrs body] :as l} most]
  (let [{:keys [steps unroll]} attrs]
    (and (integer? steps) (form/fixed-rounds? l)
         (if unroll
           (<= steps unroll)
           (and (<= steps most) (<= (* steps (body/node-count body)) most-nodes)))
         (empty? (failing/stopping body))
         (empty? (counted/binders body))
         (nothing-lost? b l))))

;; ## Rows

(defn- row!
  "The id of row `at` of an array."
  [b id at note]
  (op/instantiate-over! (op/emitter b note) {'?x id}
                        [:squeeze {:axis 0}
                         [:slice {:axis 0, :start at, :stop (type/dim+ at 1), :step 1} '?x]]))

(defn- turn! [b t] (graph/add-node! b [:const {:type [:i64 []], :value t}] [:i64 []] nil))

(defn- read!
  "The id of what a parameter reads in round t; (window c) are the rows that carry c has then."
  [b [what a from by] t window note]
  (case what
    :each (row! b a (if (= 1 by) (type/dim+ from t) (type/dim- from (inc t))) note)
    :carry (let [row (nth (window a) from)] (if (fn? row) (row) row))
    :all a
    :turn (turn! b t)))

;; ## Rounds

(defn- windows
  "For each carry the rows before the first round, functions that make them."
  [b {:keys [firsts note] :as l}]
  (mapv (fn [c] (mapv (fn [at] #(row! b (firsts c) at note)) (range (form/depth b l c))))
        (range (count firsts))))

(defn- round!
  "The ids of the outputs of the body in round t."
  [b {:keys [body reads note]} t carries depths]
  (let [src (select-keys note [:src])
        window (fn [c] (let [rows (carries c)] (subvec rows (- (count rows) (depths c)))))]
    (body/apply! body (:notes body)
                 #(read! b (reads %) t window src)
                 (fn [node args type own]
                   (graph/keep-node! b node args type (merge src own))))))

(defn- rounds!
  "{:carries :kept}: the rows of each carry, and of each output that is kept, after all rounds."
  [b {:keys [firsts body attrs] :as l}]
  (let [n (count firsts), depths (mapv #(form/depth b l %) (range n))]
    (reduce (fn [{:keys [carries kept]} t]
              (let [outs (round! b l t carries depths)]
                {:carries (mapv conj carries outs), :kept (mapv conj kept (drop n outs))}))
            {:carries (windows b l), :kept (vec (repeat (- (count (:outputs body)) n) []))}
            (range (:steps attrs)))))

;; ## Results

(defn- stacked! [b ids note]
  (op/emit! b :stack {:axis 0} (mapv op/->Id ids) note))

(defn- no-rows! [b [dtype shape] note]
  (let [zero (if (= :bool dtype) false (if (type/float-dtype? dtype) 0.0 0))
        c (graph/add-node! b [:const {:type [dtype []], :value zero}] [dtype []] nil)]
    (op/emit! b :broadcast-to {:shape shape} [(op/->Id c)] note)))

(defn- last-rows!
  "The id of the last n of these rows of a carry, the first of which, functions, lie in an array."
  [b first-rows rows n note]
  (let [[before made] (split-with fn? rows), depth (count before), old (- n (count made))
        made (take-last n made)]
    (cond (not (pos? old)) (stacked! b made note)
          :else (let [part (op/emit! b :slice {:axis 0, :start (- depth old), :stop depth, :step 1}
                                     [(op/->Id first-rows)] note)]
                  (if (empty? made)
                    part
                    (op/emit! b :concatenate {:axis 0}
                              [(op/->Id part) (op/->Id (stacked! b made note))] note))))))

(defn- result!
  "The id of result j, given the rows that there are."
  [b {:keys [results types firsts note]} {:keys [carries kept]} j]
  (let [[o _ order] (results j), [_ [n] :as type] (types j), src (select-keys note [:src])
        rows (if (< o (count firsts)) (carries o) (kept (- o (count firsts))))
        all (cond (= 0 n) (no-rows! b type src)
                  (< o (count firsts)) (last-rows! b (firsts o) rows n src)
                  :else (stacked! b (take-last n rows) src))]
    (if (= order :backwards) (op/emit! b :flip {:axis [0]} [(op/->Id all)] src) all)))

(defn- written! [b {:keys [results] :as l}]
  (let [rows (rounds! b l), parts (mapv #(result! b l rows %) (range (count results)))]
    (when (seq parts) {:id (first parts), :parts parts})))

(defn written-out
  "The pass that writes out loops of at most `most` rounds, or as many as their :unroll says."
  [most]
  (fn [g]
    (form/replaced g (fn [b _ l] (when (few? b l most) (written! b l))))))
