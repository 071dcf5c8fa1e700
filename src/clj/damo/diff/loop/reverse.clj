(ns damo.diff.loop.reverse
  "Reverse mode of loops, back-propagation through time: a loop over the rounds made, the last one
  first, t = m - 1 - t'. In: a builder, a loop, the gradients of its results. Out: those of its
  arguments.

  Row t + d of a carry of depth d is made in round t, and read in the d rounds behind. So when round
  t is looked at, d gradients are pending, those of the rows t + 1 … t + d: carries of one row each,
  which move on by one. The last is complete, but for what a result of the loop gives to the row.
  The gradient of an argument that is seen whole is summed, that of one that is read row by row is
  kept and put in its place; that of the first rows is what is pending at the end."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff.loop.active :as active]
            [damo.diff.loop.bodies :as bodies]
            [damo.diff.loop.given :as given]
            [damo.diff.loop.revolve :as revolve]
            [damo.diff.loop.rows :as rows]
            [damo.diff.loop.segments :as segments]
            [damo.diff.loop.store :as store]
            [damo.diff.loop.wishes :as wishes]
            [damo.diff.node :as node]
            [damo.diff.reach :as reach]
            [damo.diff.reverse :as reverse]
            [damo.op.looping :as looping])
  (:import [java.util HashMap]))

(set! *warn-on-reflection* true)

;; A situation is a map: of the loop :b :id :attrs :args :types :rounds; :steps, the rounds that are
;; gone back; :wishes, and :checkpoints of them; :wanted, the positions of arguments that are
;; differentiated by; :given, {output [[result gradient] …]}; what `active` says under :active and
;; :reached; :inner, the builder of the body, :outs the ids of its outputs.

(defn- situation [b id g positions]
  (let [[_ attrs & args] (graph/node b id), wanted (set positions)
        given (given/by-output b attrs g), forwards (active/forwards attrs wanted)
        inner (graph/builder)]
    {:b b, :id id, :attrs attrs, :args (vec args), :types (mapv #(graph/node-type b %) args)
     :rounds (looping/rounds attrs), :wanted wanted, :given given
     :active forwards, :reached (active/backwards attrs forwards (keys given))
     :inner inner
     :outs (bodies/opened! inner (:body attrs) (get-in (graph/note b id) [:inner [:body]]))}))

;; ## The body

(defn- sum-of!
  "The id of the sum of these ids of the inner builder; nil of none."
  [{:keys [inner outs]} ids]
  (when (seq ids) (reduce #(node/sum! inner (first outs) %1 %2) ids)))

(defn- row-param! [{:keys [attrs inner]} token o]
  (bodies/param! inner token (given/real (looping/output-type attrs o))))

(defn- seeds!
  "{id gradient} of the outputs of the body in one round."
  [{:keys [inner outs reached] :as s}]
  (let [seeds (HashMap.)]
    (doseq [o (:outputs reached)
            :let [depth (given/depth s o)
                  pending (when (pos? depth) [(row-param! s [:pending o (dec depth)] o)])]
            gradient (concat pending (map #(given/row! s o %) (get-in s [:rows o])))]
      (node/add-gradient! inner seeds (nth outs o) gradient))
    (into {} seeds)))

(defn- pulled
  "{position gradient} of the parameters of the body that are differentiated by."
  [{:keys [inner active attrs] :as s}]
  (let [ids (select-keys (bodies/params inner) (:params active)), seeds (seeds! s)
        {:keys [^HashMap grads]} (reverse/pull-back! inner seeds {} (vals ids) (reach/bits []))]
    (into (sorted-map) (keep (fn [[k id]] (when-let [g (.get grads id)] [k g]))) ids)))

(defn- by-source
  "{source [gradient …]} of the parameters: [:carry c row] and [:all a] of several together, [:each
  k] each for itself."
  [{{:keys [params]} :attrs} pulled]
  (reduce (fn [m [k g]]
            (let [[what :as param] (nth params k)]
              (update m (if (= :each what) [:each k] param) (fnil conj []) g)))
          {} pulled))

(defn- next-pending!
  "The id of what is pending for row j of the window of carry c behind a round."
  [{:keys [inner attrs outs] :as s} found c j]
  (let [before (when (pos? j) [(row-param! s [:pending c (dec j)] c)])]
    (or (sum-of! s (concat before (found [:carry c j])))
        (node/uniform! inner (nth outs c) (given/real (looping/output-type attrs c)) 0))))

(defn- next-sum! [{:keys [inner types] :as s} found a]
  (sum-of! s (cons (bodies/param! inner [:sum a] (given/real (nth types a))) (found [:all a]))))

(defn- made
  "{:carries [[token id] …] :kept [[position id] …]}: what the body of the reverse loop gives."
  [{:keys [reached] :as s}]
  (let [found (by-source s (pulled s))]
    {:carries (vec (concat (for [c (:carries reached), j (range (given/depth s c))]
                             [[:pending c j] (next-pending! s found c j)])
                           (for [[what a] (sort (keys (filter #(= :all (ffirst %)) found)))]
                             [[:sum a] (next-sum! s found a)])))
     :kept (vec (sort (for [[[what k] [g]] found :when (= :each what)] [k g])))}))

;; ## The reverse loop

(defn- turned!
  "A function for `bodies/closed`: round t of the forward loop in round t' of this one."
  [{:keys [rounds attrs]}]
  (fn [to param! token]
    (when (and (integer? token) (= [:turn] (nth (:params attrs) token)))
      (let [turn (param! [:turn] [:i64 []])]
        (node/emit-template! to turn {'?t turn} [:sub [:sub [:dim {:dim rounds}] '?t] 1])))))

(defn- back-spec
  "What a parameter of the forward body is in the reverse loop, the traces by carry given as ids."
  [{:keys [rounds args] :as s} stored [what at from by]]
  (case what
    :each [:each (nth args at) (if (= 1 by) (type/dim+ from rounds) (type/dim- from rounds)) (- by)]
    :carry (store/back-spec s (stored [:trace at]) (- (given/depth s at) from))
    :all [:all (nth args at)]))

(defn- spec
  "What the parameter with that token is, its argument an id; `place` has the carries' positions."
  [{:keys [attrs args] :as s} stored place token]
  (let [[what at] (if (vector? token) token [:own])]
    (case what
      :own (back-spec s stored (nth (:params attrs) token))
      :next (store/back-spec s (stored [:trace at]) 0)
      :kept (store/back-spec s (stored token) 0)
      :turn [:turn]
      :arg [:all (nth args at)]
      :given (given/spec (first (filter #(= token (:token %)) (get-in s [:rows at]))))
      [:carry (place token) 0])))

(defn- numbered
  "[params args]: the parameters with positions in the place of ids, and the ids by position, `args`
  first."
  [specs args]
  (reduce (fn [[params args] [what id & more :as spec]]
            (if (#{:each :all} what)
              (let [[at args] (bodies/with-argument args id)]
                [(conj params (into [what at] more)) args])
              [(conj params spec) args]))
          [[] (vec (distinct args))] specs))

(defn- first-row!
  "The id of the row that a carry of the reverse loop begins with."
  [{:keys [b id types] :as s} [what at j :as token]]
  (case what
    :pending (given/pending! s at j)
    :sum (node/uniform! b id (update (given/real (nth types at)) 1 #(into [1] %)) 0)
    (revolve/first-row! s token)))

(defn- results-back
  "The results of the reverse loop: what is pending at the end, sums, and gradients of rows, in the
  order of the rows."
  [{:keys [attrs]} {:keys [carries kept]} others]
  (into (mapv (fn [c] [c 1]) (range (count carries)))
        (map-indexed (fn [i [k]]
                       (let [[_ _ _ by] (nth (:params attrs) k)]
                         (cond-> [(+ i (count carries) (count others)) :all]
                           (= 1 by) (conj :backwards)))))
        kept))

(defn- body-back
  "What `bodies/closed` gives for the body of the reverse loop; :carried, tokens of what it carries
  besides."
  [{:keys [inner checkpoints] :as s} {:keys [carries kept]}]
  (let [outputs (mapv second (concat carries kept))
        closed (fn [cuts] (bodies/closed inner outputs cuts [] (turned! s)))]
    (if checkpoints
      (revolve/woven s (closed {}) (count carries))
      (closed (store/cuts s outputs)))))

(defn- loop-back!
  "{token result}: the ids of the results of the reverse loop."
  [{:keys [b id steps wishes args] :as s} {:keys [carries kept] :as made}]
  (let [{:keys [tokens carried] :as body} (body-back s made)
        stored (store/stored! s tokens)
        all-carried (into (mapv first carries) carried), place (zipmap all-carried (range))
        [params args] (numbered (map #(spec s stored place %) tokens) args)
        [firsts args] (bodies/with-arguments args (map #(first-row! s %) all-carried))
        back (bodies/emit! b id {:steps steps, :params params, :carries firsts
                                 :results (results-back s made carried)
                                 :grad (wishes/of-reverse wishes)}
                           args body)]
    (into {} (map-indexed (fn [r token] [token (node/part! b back r)])
                          (concat (map first carries) (map (fn [[k]] [:each k]) kept))))))

;; ## Gradients of arguments

(defn- whole? [{:keys [rounds steps]}] (= rounds steps))

(defn- if-whole!
  "The id of a gradient that is there where no round lies before those that are gone back."
  [{:keys [b id rounds steps] :as s} g]
  (if (whole? s)
    g
    (node/emit-template! b id {'?g g} [:where [:eq [:dim {:dim rounds}] [:dim {:dim steps}]]
                                       '?g 0])))

(defn- of-first-rows!
  "[argument gradient] of the first rows of carry c."
  [{:keys [b id args attrs] :as s} back c]
  (let [pending (rows/joined! b id (mapv #(back [:pending c %]) (range (given/depth s c))))]
    [(nth args (looping/first-rows attrs c))
     (if-whole! s (reduce #(node/sum! b id %1 %2) pending (given/to-first-rows s c)))]))

(defn- of-rows!
  "[argument gradient] of what parameter k reads row by row."
  [{:keys [b id args attrs rounds steps]} g k]
  (let [[_ a from by] (nth (:params attrs) k), arg (nth args a)
        start (if (= 1 by) (type/dim- (type/dim+ from rounds) steps) (type/dim- from rounds))]
    [arg (rows/placed! b id g start (rows/extent b arg))]))

(defn- gradients!
  "[argument gradient] pairs, from {token result} of the reverse loop."
  [{:keys [b id args attrs wanted] :as s} back]
  (concat
   (for [c (distinct (keep (fn [[what c]] (when (= :pending what) c)) (keys back)))
         :when (wanted (looping/first-rows attrs c))]
     (of-first-rows! s back c))
   (for [[[what at] g] (sort-by (comp str key) back) :when (#{:sum :each} what)]
     (if (= :sum what) [(nth args at) (rows/one! b id g)] (of-rows! s g at)))))

;; ## Ways back

(defn- bytes-of
  "The bytes of arrays of these types, a dim."
  [types]
  (reduce type/dim+ 0 (for [[dtype shape] types]
                        (type/dim* (:bytes (type/dtypes dtype)) (type/size shape)))))

(defn- predicted
  "What one round keeps where everything is kept, and a window of all carries, in bytes."
  [{:keys [types attrs] :as s}]
  {:row (bytes-of (store/row-types s (:tokens (body-back s (made s)))))
   :window (bytes-of (map #(nth types %) (:carries attrs)))})

(defn- with-wishes
  "The situation with what is wished, and the rounds that are gone back for it."
  [{:keys [rounds] :as s} {:keys [truncate checkpoints] :as wishes}]
  (assoc s :wishes wishes, :checkpoints checkpoints
         :steps (if truncate (type/dim-min truncate rounds) rounds)))

(defn- in-stretches!
  "[argument gradient] pairs of a loop made in stretches of k rounds, of these arguments."
  [{:keys [b id given]} k args]
  (let [given (vec (mapcat val (sort given))), g (into {} (map-indexed (fn [i [_ g]] [i g])) given)]
    (reverse/contributions-of! b g (segments/segmented! b id k (mapv first given)) args)))

(defn contributions!
  "[argument gradient] pairs of a loop, for the gradients {result gradient}, of the arguments at
  these positions."
  [b id g positions]
  (let [{:keys [attrs args reached] :as s} (with-wishes (situation b id g positions) nil)
        s (assoc s :rows (into {} (map (fn [o] [o (vec (given/to-rows s o))]))
                               (distinct (concat (:carries reached) (:outputs reached)))))
        {:keys [checkpoint-every] :as wishes} (wishes/chosen attrs (delay (predicted s)))]
    (if checkpoint-every
      (in-stretches! s checkpoint-every (distinct (map #(nth args %) positions)))
      (let [s (with-wishes s wishes)]
        (doall (gradients! s (loop-back! s (made s))))))))
