(ns damo.diff.loop.forward
  "Forward mode of loops: one loop with values and tangents, of the same rounds. Its arguments,
  parameters, carries and results are those of the loop, and behind them those of the tangents, so
  that it can be united with the loop itself. In: a builder, a loop, the tangents of its arguments.
  Out: those of its results."
  (:require [damo.data.graph :as graph]
            [damo.diff.forward :as forward]
            [damo.diff.loop.active :as active]
            [damo.diff.loop.bodies :as bodies]
            [damo.diff.loop.given :as given]
            [damo.diff.node :as node]
            [damo.diff.reach :as reach]
            [damo.op.looping :as looping])
  (:import [java.util HashMap]))

(set! *warn-on-reflection* true)

;; ## The body

(defn- tangent-params!
  "{id tangent} of the parameters of the inner builder that depend on what is differentiated by."
  [{:keys [inner active]}]
  (into {} (for [[k id] (sort (select-keys (bodies/params inner) (:params active)))]
             [id (bodies/param! inner [:tangent k] (given/real (graph/node-type inner id)))])))

(defn- lately
  "The template of a tangent where what lies before the last rounds is constant."
  [{:keys [rounds truncate]}]
  (let [rounds [:dim {:dim rounds}]]
    (if truncate [:where [:le rounds [:add '?t truncate]] '?x 0] '?x)))

(defn- output-tangents!
  "[tangent …] of these outputs of the body."
  [{:keys [inner outs attrs truncate] :as s} outputs]
  (let [given (tangent-params! s)
        ^HashMap found (forward/push-forward! inner (mapv outs outputs) given (reach/bits []))
        turn (when truncate (bodies/param! inner [:turn] [:i64 []]))]
    (mapv (fn [o]
            (if-let [t (.get found (nth outs o))]
              (node/emit-template! inner t {'?x t, '?t turn} (lately s))
              (node/uniform! inner (nth outs o) (given/real (looping/output-type attrs o)) 0)))
          outputs)))

;; ## The loop

(defn- tangent-of!
  "The id of the tangent of the argument at a position, zeros where it has none."
  [{:keys [b args wanted tangents]} a]
  (let [id (nth args a)]
    (if (wanted a) (.get ^HashMap tangents id) (node/uniform! b id (node/gradient-type b id) 0))))

(defn- first-tangent!
  "The id of the tangents of the first rows of carry c."
  [{:keys [b id attrs rounds truncate] :as s} c]
  (let [a (looping/first-rows attrs c), t (tangent-of! s a)]
    (if (and truncate ((:wanted s) a))
      (node/emit-template! b id {'?x t, '?t truncate}
                           [:where [:le [:dim {:dim rounds}] truncate] '?x 0])
      t)))

(defn- with-spec
  "[params args] with what the parameter of that token is."
  [{:keys [attrs tangents place] :as s} [params args] token]
  (let [[what at] (if (vector? token) token [:own token])]
    (case what
      :own [(conj params (nth (:params attrs) at)) args]
      :turn [(conj params [:turn]) args]
      :tangent (let [[what at & more] (nth (:params attrs) at)]
                 (if (= :carry what)
                   [(conj params (into [:carry (place at)] more)) args]
                   (let [[a args] (bodies/with-argument args (tangent-of! s at))]
                     [(conj params (into [what a] more)) args]))))))

(defn- wished
  "[[result output] …] of the loop whose tangents are not zero."
  [{:keys [attrs active]}]
  (for [[r [o]] (map-indexed vector (:results attrs))
        :when (or ((:outputs active) o) ((:carries active) o))
        :when (active/float-output? attrs o)]
    [r o]))

(defn- places
  "{output place}: where tangents of outputs stand in the body, those of carries behind the carries,
  the others behind what is kept; and :kept, how far what is kept has moved."
  [{:keys [attrs active]} others]
  (let [n (count (:carries attrs)), own (sort (:carries active))
        behind (+ n (count own) (count (looping/kept attrs)))]
    (merge (zipmap own (iterate inc n)) (zipmap others (iterate inc behind)))))

(defn- emit-loop!
  [{:keys [b id attrs args active outs inner] :as s} others results]
  (let [carried (sort (:carries active)), n (count (:carries attrs))
        tangents (output-tangents! s (into (vec carried) others))
        [for-carries for-others] (split-at (count carried) tangents)
        outputs (vec (concat (subvec outs 0 n) for-carries
                             (map outs (looping/kept attrs)) for-others
                             (when (:until attrs) [(peek outs)])))
        {:keys [tokens] :as body} (bodies/closed inner outputs {} (range (count (:params attrs)))
                                                 (constantly nil))
        [params args] (reduce #(with-spec s %1 %2) [[] args] tokens)
        [firsts args] (bodies/with-arguments args (map #(first-tangent! s %) carried))]
    (bodies/emit! b id
                  (assoc attrs :params params, :carries (into (:carries attrs) firsts)
                         :results results)
                  args body)))

(defn tangents!
  "{result tangent} of a loop, for the tangents {id tangent} of the arguments at these positions."
  [b id positions ^HashMap tangents]
  (let [[_ {:keys [carries results] :as attrs} & args] (graph/node b id), inner (graph/builder)
        active (active/forwards attrs (set positions))
        s {:b b, :id id, :attrs attrs, :args (vec args), :wanted (set positions), :active active
           :tangents tangents, :rounds (looping/rounds attrs)
           :truncate (:truncate (:grad attrs)), :inner inner
           :outs (bodies/opened! inner (:body attrs) (get-in (graph/note b id) [:inner [:body]]))}
        wished (wished s), others (vec (sort (distinct (remove (:carries active)
                                                               (map second wished)))))
        place (places s others), moved (count (:carries active))
        own (mapv (fn [[o :as result]] (if (< o (count carries)) result (update result 0 + moved)))
                  results)
        more (mapv (fn [[r o]] (assoc (nth results r) 0 (place o))) wished)
        node (emit-loop! (assoc s :place place) others (into own more))]
    (into {} (map-indexed (fn [i [r]] [r (node/part! b node (+ i (count results)))])) wished)))
