(ns damo.compile.lower.best
  "The loops that find where the extreme of a line stands, in a form that becomes vectors: the line
  in blocks, of each the extreme alone; then only the block of the best one is looked at again, for
  the first place where it stands. What a block is computed from is computed again there, so nothing
  else runs in these loops.
  (search line) → {:stmts statements, :best {:best name, :index name}}."
  (:require [damo.compile.lower.blocks :as blocks]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(def ^:private block
  "Elements of a block. Of each the maxima of several vectors are put together, which takes as long
  as some hundred elements; the best one is looked at twice."
  1024)

(defn- wins
  "Is x better than best? The first NaN wins over all numbers."
  [{:keys [better float]} x best]
  (if float
    [:or [better x best] [:and [:isnan x] [:not [:isnan best]]]]
    [better x best]))

(defn- next-to
  "What no float but the best one is beyond, or none but NaN where that is the best: the number next
  to it, NaN next to infinity. So one comparison finds it."
  [{:keys [better dtype]} best]
  (let [[bits least farthest] (case dtype
                                :f32 [:i32 Integer/MIN_VALUE ##Inf]
                                :f64 [:i64 Long/MIN_VALUE ##Inf])
        zero [:const dtype 0.0], b [:bits best], one [:const bits 1]
        [beside-zero no-nan] (case better, :gt [(inc least) farthest], :lt [1 (- farthest)])]
    [:select [:isnan best] [:const dtype no-nan]
     [:float [:select [better best zero] [:sub b one]
              [:select [:eq best zero] [:const bits beside-zero] [:add b one]]]]]))

(defn- limit
  "What is looked for, given the best element."
  [{:keys [float] :as line} best]
  (if float (next-to line best) best))

(defn- stands
  "Is x the best? Its `limit` is given."
  [{:keys [better float]} x best]
  (if float [:not [(case better, :gt :le, :lt :ge) x best]] [:eq x best]))

(defn- over
  "The loop over a block whose statements (f value position) look at each of its elements."
  [{:keys [fresh value]} start extent f]
  (let [i (fresh "i"), [stmts v] (value (type/signed+ start i))]
    (-> [:for i extent] (into stmts) (into (f v i)))))

(def ^:private extreme {:gt :maximum, :lt :minimum})

(defn step
  "The statements that look at one more value, which stands at `place`, for the names of the `best`
  so far and of its `index`."
  [{:keys [fresh better both] :as line} value place best index]
  (let [wins? (fresh "v")]
    [[:let wins? (wins line value best)]
     [:set best (if both [(extreme better) best value] [:select wins? value best])]
     [:set index [:select wins? [:size place] index]]]))

(defn- find-best [{:keys [fresh better worst] :as line} part best at]
  (blocks/each fresh part
               (fn [start b extent]
                 (let [m (fresh "a")]
                   (into [[:var m worst]
                          (over line start extent (fn [v _] [[:acc (extreme better) m v]]))]
                         (step line m b best at))))))

(defn- find-place [{:keys [fresh] :as line} part sought at index]
  (blocks/each fresh part
               (fn [start b extent]
                 (let [k (fresh "a"), none [:const :i32 block]]
                   [[:if [:eq at [:size b]]
                     [:var k none]
                     (over line start extent
                           (fn [v i] [[:acc :minimum k [:select (stands line v sought)
                                                        [:cast :i32 [:size i]] none]]]))
                     [:set index [:add [:size start] [:cast :i64 k]]]]]))))

(def ^:private few
  "A line of no more elements is not cut into blocks."
  64)

(defn- plain
  "The statements for a short line: the extreme of all, then its place."
  [{:keys [n fresh better] :as line} best index]
  (let [sought (fresh "v"), place (fresh "a")]
    [(over line 0 n (fn [v _] [[:acc (extreme better) best v]]))
     [:let sought (limit line best)]
     [:var place [:size n]]
     (over line 0 n (fn [v i]
                      [[:acc :minimum place [:select (stands line v sought) [:size i]
                                             [:size n]]]]))
     [:set index place]]))

(defn- by-element
  "The statements that look at one element after the other."
  [{:keys [n fresh better both value] :as line} best index]
  (let [i (fresh "i"), at (fresh "a"), wins? (fresh "v"), [stmts v] (value i)]
    [[:var at [:const :i32 0]]
     (-> [:for i n]
         (into stmts)
         (into [[:let wins? (wins line v best)]
                [:set best (if both [(extreme better) best v] [:select wins? v best])]
                [:set at [:select wins? [:cast :i32 [:size i]] at]]]))
     [:set index [:cast :i64 at]]]))

(defn- in-blocks
  "The statements for a long line: the best of the extremes of its blocks, then its place."
  [{:keys [n fresh] :as line} best index]
  (let [at (fresh "a"), sought (fresh "v"), parts (blocks/parts n block)]
    (-> [[:var at [:const :i64 0]]]
        (into (mapcat #(find-best line % best at)) parts)
        (conj [:let sought (limit line best)])
        (into (mapcat #(find-place line % sought at index)) parts))))

(defn search
  "The statements that find the best element of a line, and the names of it and of its index. The
  line: {:n extent, :better :gt or :lt, :both is the element wanted too, :dtype of the values,
  :float is it one of floats, :worst expression of what no other is worse than, :fresh
  (fn [prefix] name), :value (fn [position] [statements expression])}."
  [{:keys [n fresh worst] :as line}]
  (let [best (fresh "a"), index (fresh "a"), found [[:var best worst] [:var index [:const :i64 0]]]
        short? [:le [:size n] [:const :i64 few]]]
    {:best {:best best, :index index}
     :stmts (conj found
                  [:abreast
                   (by-element line best index)
                   (cond (not (integer? n)) [(into [:if short?] (plain line best index))
                                             (into [:if [:not short?]] (in-blocks line best index))]
                         (<= (long n) (long few)) (plain line best index)
                         :else (in-blocks line best index))])}))
