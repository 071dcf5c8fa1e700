(ns damo.diff.loop.segments
  "A loop as a loop over stretches of k rounds, each a loop inside, and a loop of the rounds that
  remain: the same values. The outer one carries whole windows, so that its traces are checkpoints,
  every k-th window of the states; its wish {:keep :carries} says that a derivative keeps nothing
  else, and computes a stretch again. In: a builder, a loop and k. Out: a :tuple of its results.

  This is one level of checkpoints of A. Griewank, Achieving logarithmic growth of temporal and
  spatial complexity in reverse automatic differentiation, 1992."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff.loop.bodies :as bodies]
            [damo.diff.loop.rows :as rows]
            [damo.diff.node :as node]
            [damo.op :as op]
            [damo.op.looping :as looping]))

(set! *warn-on-reflection* true)

;; A situation: :b :id, the builder and the loop; :op :attrs :args :types :note of it; :k, the
;; rounds of a stretch, :stretches, how many there are, :whole, the rounds in them, :more, those
;; that remain, all dims; :listed, the outputs of which more rows are wanted than a window has;
;; :round, the body, whose turns are counted from what the parameter behind the others says.

(defn- depth [{:keys [attrs types]} o] (looping/depth attrs types o))

(defn- in-window?
  "Does a window at the end have the rows of a result?"
  [attrs types [o rows]]
  (and (integer? rows) (<= rows (looping/depth attrs types o))))

(defn- from-base
  "What `bodies/closed` gives for the body of a loop, its turns counted from a number that is the
  parameter behind the others."
  [{:keys [params body]} notes]
  (let [b (graph/builder), outs (bodies/opened! b body notes), n (count params), whole [:i64 []]]
    (bodies/closed b outs {} (range (inc n))
                   (fn [to own! token]
                     (when (= [:turn] (nth params token))
                       (let [t (own! token whole)]
                         (node/emit-template! to t {'?t t, '?b (own! n whole)} [:add '?t '?b])))))))

(defn- situation [b id k results]
  (let [[op attrs & args] (graph/node b id), types (mapv #(graph/node-type b %) args)
        rounds (looping/rounds attrs), stretches (type/dim-quot rounds k)
        whole (type/dim* stretches k), note (graph/note b id)]
    {:b b, :id id, :op op, :attrs attrs, :args (vec args), :types types, :note note, :k k
     :stretches stretches, :whole whole, :more (type/dim- rounds whole)
     :listed (vec (sort (distinct (map first (remove #(in-window? attrs types %) results)))))
     :round (from-base attrs (get-in note [:inner [:body]]))}))

;; ## Some rounds

(defn- spec
  "[params args] with parameter p of the body, given what reads rows and what arrays are."
  [{:keys [each all base]} [params args] [p [what at from]]]
  (let [with (fn [id more]
               (let [[at args] (bodies/with-argument args id)]
                 [(conj params (into [(if (seq more) :each :all) at] more)) args]))]
    (case what
      :each (let [[id & more] (each p)] (with id more))
      :carry [(conj params [:carry at from]) args]
      :all (with (all at) nil)
      :turn [(conj params [:turn]) args]
      :base (with base nil))))

(defn- rounds!
  "The id in a builder of `steps` of the rounds, whose carries begin with the arrays `firsts`."
  [{:keys [op attrs note round]} b {:keys [steps firsts results] :as given}]
  (let [known (concat (map-indexed vector (:params attrs))
                      (when (some #{[:turn]} (:params attrs)) [[nil [:base]]]))
        [carries args] (bodies/with-arguments [] firsts)
        [params args] (reduce (partial spec given) [[] args] known)]
    (op/emit! b op {:steps steps, :params params, :carries carries, :results results
                    :body (:body round)}
              (mapv op/->Id args)
              (cond-> (select-keys note [:src])
                (seq (:notes round)) (assoc :inner {[:body] (:notes round)})))))

(defn- parts! [b id n] (mapv #(node/part! b id %) (range n)))

;; ## A stretch

(defn- window-results [{:keys [attrs] :as s}]
  (mapv (fn [c] [c (depth s c)]) (range (count (:carries attrs)))))

(defn- listed-results
  "The results that list the rows made in `steps` rounds."
  [{:keys [attrs listed]} steps]
  (mapv (fn [o] [o (if (looping/first-rows attrs o) steps :all)]) listed))

(defn- stretch!
  "The ids, in a builder of its own, of what a stretch gives: windows, and the rows listed."
  [{:keys [attrs types args k] :as s} to]
  (let [param (fn [token type] (bodies/param! to token type))
        turn (param [:turn] [:i64 []])
        chunk (fn [p]
                (let [[_ a _ by] (nth (:params attrs) p), [dtype [_ & shape]] (nth types a)]
                  [(param [:chunk p] [dtype (into [k] shape)]) (if (= 1 by) 0 k) by]))
        results (into (window-results s) (listed-results s k))
        id (rounds! s to {:steps k, :results results, :each chunk
                          :firsts (map (fn [c a] (param [:window c] (nth types a)))
                                       (range) (:carries attrs))
                          :all (fn [a] (param [:all a] (nth types a)))
                          :base (node/emit-template! to turn {'?t turn}
                                                     [:mul '?t [:dim {:dim k}]])})]
    (parts! to id (count results))))

(defn- chunks!
  "[id from by] of what parameter p reads, k rows a stretch."
  [{:keys [b id attrs args k stretches whole]} p]
  (let [[_ a from by] (nth (:params attrs) p), x (nth args a), forwards? (= 1 by)
        start (if forwards? from (type/dim- from whole)), stop (type/dim+ start whole)
        [_ [_ & shape]] (graph/node-type b x)
        cut (rows/slice! b id x start stop)]
    [(node/emit-template! b id {'?x cut} [:reshape {:shape (into [stretches k] shape)} '?x])
     (if forwards? 0 stretches) by]))

(defn- window! [b id x] (node/emit-template! b id {'?x x} [:expand-dims {:axis [0]} '?x]))

(defn- outer-spec
  "[params args] with the parameter of that token of what a stretch is made of."
  [{:keys [args] :as s} [params args'] [what at]]
  (let [[id & more] (case what :all [(nth args at)], :chunk (chunks! s at), nil)
        [position args'] (if id (bodies/with-argument args' id) [nil args'])]
    [(conj params (case what
                    :all [:all position]
                    :chunk (into [:each position] more)
                    :window [:carry at 0]
                    :turn [:turn]))
     args']))

(defn- last-row! [b id x]
  (let [n (rows/extent b x)] (rows/one! b id (rows/slice! b id x (type/dim- n 1) n))))

(defn- stretches!
  "{:windows [id …] :rows {output id}}: the last windows, and the rows listed."
  [{:keys [b id attrs args stretches listed] :as s}]
  (let [to (graph/builder), outs (stretch! s to), n (count (:carries attrs))
        {:keys [tokens] :as body} (bodies/closed to outs {} [] (constantly nil))
        [carries args'] (bodies/with-arguments [] (map #(window! b id (nth args %))
                                                       (:carries attrs)))
        [params args'] (reduce (partial outer-spec s) [[] args'] tokens)
        results (mapv (fn [o] [o :all]) (range (count outs)))
        outer (bodies/emit! b id {:steps stretches, :params params, :carries carries
                                  :results results, :grad {:keep :carries}}
                            args' body)
        [windows rows] (split-at n (parts! b outer (count results)))]
    {:windows (mapv #(last-row! b id %) windows), :rows (zipmap listed rows)}))

;; ## What remains

(defn- remaining!
  "{:windows [id …] :rows {output id}} of the rounds behind the stretches."
  [{:keys [b attrs args whole more listed] :as s} windows]
  (let [each (fn [p] (let [[_ a from by] (nth (:params attrs) p)]
                       [(nth args a) ((if (= 1 by) type/dim+ type/dim-) from whole) by]))
        results (into (window-results s) (listed-results s more))
        id (rounds! s b {:steps more, :firsts windows, :results results, :each each
                         :all #(nth args %)
                         :base (op/emit! b :dim {:dim whole} [] nil)})
        [windows rows] (split-at (count windows) (parts! b id (count results)))]
    {:windows (vec windows), :rows (zipmap listed rows)}))

;; ## The results

(defn- all-rows!
  "The id of all rows of output o, from those of the stretches and those behind."
  [{:keys [b id attrs args whole]} o stretched behind]
  (let [[_ [_ _ & shape]] (graph/node-type b stretched)
        flat (node/emit-template! b id {'?x stretched} [:reshape {:shape (into [whole] shape)} '?x])
        first-rows (some->> (looping/first-rows attrs o) (nth args) vector)]
    (rows/joined! b id (concat first-rows [flat] (when behind [behind])))))

(defn- result!
  "The id of a result of the loop."
  [{:keys [b id attrs types] :as s} {:keys [windows rows]} [o :as result]]
  (let [n (looping/rows attrs types result)
        all (if (in-window? attrs types result) (nth windows o) (rows o))
        total (rows/extent b all), last-rows (rows/slice! b id all (type/dim- total n) total)]
    (if (looping/backwards? result) (rows/flipped! b id last-rows) last-rows)))

(defn segmented!
  "The id of a :tuple of these results of loop `id`, made in stretches of k rounds, a dim."
  [b id k results]
  (let [{:keys [more listed] :as s} (situation b id k results)
        {:keys [windows rows]} (stretches! s)
        behind (when-not (= 0 more) (remaining! s windows))
        made {:windows (:windows behind windows)
              :rows (into {} (map (fn [o] [o (all-rows! s o (rows o) (get-in behind [:rows o]))]))
                          listed)}]
    (op/emit! b :tuple {} (mapv #(op/->Id (result! s made %)) results)
              (select-keys (:note s) [:src]))))
