(ns damo.diff.loop.revolve
  "Reverse mode in the memory of a stated number of checkpoints, whatever the number of rounds: the
  windows of the carries before a round are not read from traces but made again from the nearest
  checkpoint before it, and on the way new checkpoints are placed where they save most. The number
  of rounds is known when the reverse loop begins; placing is that of A. Griewank and A. Walther,
  Algorithm 799: revolve, 2000: with s checkpoints and each round made again at most r times
  C(s + r, s) rounds can be gone back. The checkpoints, their rounds and how many there are, are
  carries of the reverse loop. In: a situation of damo.diff.loop.reverse and what its body gives.
  Out: that body, which makes the windows first."
  (:require [damo.data.graph :as graph]
            [damo.diff.loop.bodies :as bodies]
            [damo.diff.loop.rerun :as rerun]
            [damo.diff.loop.rows :as rows]
            [damo.diff.node :as node]
            [damo.op :as op]
            [damo.op.body :as body]))

(set! *warn-on-reflection* true)

;; ## Where checkpoints are placed

(def ^:private most-sweeps "How many times a round is made again, at most, for the best places." 48)

(defn- reach-of
  "The rounds that can be gone back with s checkpoints when each is made again r times at most,
  C(s + r, s), but no more than a long holds twice."
  [s r]
  (let [exact (reduce (fn [c i] (/ (* c (+ s i)) i)) 1N (range 1 (inc r)))]
    (long (min exact (bigint (quot Long/MAX_VALUE 4))))))

(defn- table!
  "The id of the matrix of `reach-of` for up to n checkpoints and `most-sweeps`."
  [b n]
  (op/emit! b :const {:type [:i64 [(inc n) (inc most-sweeps)]]
                      :value (vec (for [s (range (inc n)), r (range (inc most-sweeps))]
                                    (reach-of s r)))}
            [] nil))

(def ^:private advance
  "The template of how many rounds are made from a checkpoint at round ?p on the way to round ?t
  before the next one is placed, ?free of which there may be; ?table is of `reach-of`."
  (let [rounds '[:sub ?t ?p], back [:add 1 rounds]
        sweeps [:sum {:axis [0]} [:cast {:dtype :i64}
                                  [:lt '[:take {:axis 0} ?table [:add ?free 1]] back]]]
        behind [:take {:axis [0 1]} '?table '?free [:minimum most-sweeps sweeps]]]
    [:where '[:eq ?free 0] rounds [:maximum 1 [:minimum rounds [:sub back behind]]]]))

;; ## Placing checkpoints on the way to a round
;; A state is {:windows [id …] :p id :places [id …] :at id :top id}: the windows before round p; the
;; checkpoints of each carry, an array [places …]; the rounds that they are of; the latest one's
;; place.

(defn- template! [to bindings template]
  (node/emit-template! to (val (first bindings)) bindings template))

(defn- placed!
  "The state with its windows as the next checkpoint, in the last place of all where no other is
  free; `free` is how many are."
  [to {:keys [windows p places at top]} free]
  (let [place (template! to {'?x top} [:add '?x 1])
        put (fn [x y] (template! to {'?x x, '?i place, '?y y} [:set-at {:axis 0} '?x '?i '?y]))]
    {:windows windows, :p p, :places (mapv put places windows), :at (put at p)
     :top (template! to {'?x top, '?f free} [:add '?x [:cast {:dtype :i64} [:gt '?f 0]]])}))

(defn- parameters!
  "A state of parameters, which are tokens, of the loop that places checkpoints."
  [{:keys [attrs types checkpoints]} to]
  (let [param (fn [token type] (bodies/param! to token type))
        window-types (mapv #(nth types %) (:carries attrs))
        many (fn [[dtype shape]] [dtype (into [(inc checkpoints)] shape)])]
    {:windows (vec (map-indexed (fn [c type] (param [:window c] type)) window-types))
     :p (param [:p] rerun/counter)
     :places (vec (map-indexed (fn [c type] (param [:places c] (many type))) window-types))
     :at (param [:at] (many rerun/counter)), :top (param [:top] rerun/counter)}))

(defn- flat "The ids of a state, in order." [{:keys [windows p places at top]}]
  (vec (concat windows [p] places [at top])))

(defn- state [n ids]
  {:windows (subvec ids 0 n), :p (nth ids n), :places (subvec ids (inc n) (inc (* 2 n)))
   :at (nth ids (inc (* 2 n))), :top (nth ids (+ 2 (* 2 n)))})

(defn- tokens [n]
  (vec (concat (map (fn [c] [:window c]) (range n)) [[:p]] (map (fn [c] [:places c]) (range n))
               [[:at] [:top]])))

(defn- placing-body
  "What `bodies/closed` gives for one placing: some rounds, and a checkpoint."
  [{:keys [types checkpoints] :as s}]
  (let [b (graph/builder), {:keys [p top windows] :as before} (parameters! s b)
        t (bodies/param! b [:t] rerun/counter), table (table! b checkpoints)
        free (template! b {'?x top} [:sub (dec checkpoints) '?x])
        rounds (template! b {'?t t, '?p p, '?free free, '?table table} advance)
        none (template! b {'?n rounds} '[:le ?n 0])
        arg (fn [a] (bodies/param! b [:arg a] (nth types a)))
        moved (rerun/some-rounds! s b {:windows windows, :rounds rounds, :base p, :none none
                                       :arg arg})
        after (placed! b (assoc before :windows moved
                                :p (template! b {'?p p, '?n rounds} '[:add ?p ?n]))
                       free)]
    (bodies/closed b (conj (flat after) (template! b {'?p (:p after), '?t t} '[:ge ?p ?t])) {} []
                   (constantly nil))))

(defn- one-row! [to x] (node/emit-template! to x {'?x x} [:expand-dims {:axis [0]} '?x]))

(defn- moved-to!
  "The state in builder `to` when the windows are those before round t."
  [{:keys [attrs] :as s} to before t arg]
  (let [n (count (:carries attrs)), tokens (tokens n), carry (zipmap tokens (range))
        there (template! to {'?p (:p before), '?t t} '[:ge ?p ?t])
        results (mapv (fn [c] [c 1]) (range (count tokens)))
        id (rerun/node! s to {:firsts (mapv #(one-row! to %) (flat before)), :unless there
                              :attrs {:steps nil, :results results}}
             (placing-body s)
             (fn [[what at :as token]]
               (case what :t [:all t], :arg [:all (arg at)], [:carry (carry token) 0])))]
    (state n (mapv #(rows/one! to t (node/part! to id %)) (range (count tokens))))))

;; ## The body of the reverse loop

(defn- before!
  "The state in which a round of the reverse loop begins: at its latest checkpoint."
  [{:keys [places at top] :as state} to]
  (let [latest (fn [x] (template! to {'?x x, '?i top} [:take {:axis 0} '?x '?i]))]
    (assoc state :windows (mapv latest places) :p (latest at))))

(defn- carried
  "The tokens of what the reverse loop carries of the state."
  [n]
  (filterv (comp #{:places :at :top} first) (tokens n)))

(defn- behind!
  "The ids of what the reverse loop carries, a checkpoint of the round itself being used up."
  [{:keys [places at top p]} to]
  (conj (vec places) at
        (template! to {'?x at, '?i top, '?t p}
                   '[:sub ?i [:cast {:dtype :i64} [:eq [:take {:axis 0} ?x ?i] ?t]]])))

(defn woven
  "What `bodies/closed` gives for the body of the reverse loop, of which `made` and those of the
  parameters of `plain` are the outputs before and behind; and :carried, the tokens of what it
  carries besides. `plain` is the body that has the rows of windows as parameters."
  [{:keys [attrs types rounds] :as s} {:keys [body tokens notes]} n-carries]
  (let [to (graph/builder), n (count (:carries attrs))
        turn (bodies/param! to [:turn] rerun/counter)
        t (template! to {'?t turn} [:sub [:sub [:dim {:dim rounds}] '?t] 1])
        arg (fn [a] (bodies/param! to [:arg a] (nth types a)))
        {:keys [windows] :as there} (moved-to! s to (before! (parameters! s to) to) t arg)
        row (fn [c row] (rows/one! to t (rows/slice! to t (windows c) row (inc row))))
        types-of (body/params body)
        argument (fn [at]
                   (let [token (nth tokens at)
                         [what c r] (when (integer? token) (nth (:params attrs) token))]
                     (if (= :carry what) (row c r) (bodies/param! to token (types-of at)))))
        keep! (fn [node args type note] (graph/keep-node! to node args type note))
        outs (vec (body/apply! body notes argument keep!))
        outputs (vec (concat (take n-carries outs) (behind! there to) (drop n-carries outs)))]
    (assoc (bodies/closed to outputs {} [] (constantly nil)) :carried (carried n))))

(defn first-row!
  "The id of the row that what a reverse loop carries begins with: the first window is the only
  checkpoint."
  [{:keys [b id args attrs checkpoints]} [what c]]
  (case what
    :places (let [x (nth args (nth (:carries attrs) c)), one (one-row! b x)]
              (one-row! b (rows/placed! b id one 0 (inc checkpoints))))
    :at (node/uniform! b id [:i64 [1 (inc checkpoints)]] 0)
    :top (node/uniform! b id [:i64 [1]] 0)))
