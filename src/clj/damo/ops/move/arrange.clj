(ns damo.ops.move.arrange
  "The elements of an array arranged anew: repeated, rolled, padded, cut into pieces.
  (roll [1 2 3] :shift 1) = [3 1 2]."
  (:refer-clojure :exclude [repeat])
  (:require [damo.data.array :as array]
            [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.ops.move.slice :as slice]))

(set! *warn-on-reflection* true)

(defn- from-source
  "The array of that shape whose element at an index is that of x at (place index)."
  [{:keys [dtype] :as x} shape place]
  (array/from-indices dtype shape #(array/at x (place %))))

;; ## Repetition

(defn- check-counts [reps what]
  (when-not (every? #(or (symbol? %) (vector? %) (and (integer? %) (not (neg? %)))) reps)
    (fail! :damo.op.arrange/bad-count (str what " are dims; got " (pr-str reps)) {:given reps})))

(defn- padded-front [v rank x] (into (vec (clojure.core/repeat (- rank (count v)) x)) v))

(defn- aligned-reps
  "[shape reps], both of the larger rank."
  [shape {:keys [reps]}]
  (let [rank (max (count shape) (count reps))]
    [(padded-front shape rank 1) (padded-front reps rank 1)]))

(defn- tiled-type [{:keys [reps] :as attrs} [[dtype shape]]]
  (check-counts reps "the repetitions")
  (let [[shape reps] (aligned-reps shape attrs)] [dtype (mapv type/dim* reps shape)]))

(defop tile
  "The array :reps times along each axis, as NumPy's tile: reps and shape are aligned at the last
  axis."
  {:kind :composite, :args [?x]
   :attrs {:reps {:doc "how often, a dim or a vector of them, one an axis"}}
   :normalize (fn [{:keys [reps] :as attrs} _]
                (let [reps (if (sequential? reps) (vec reps) [reps])]
                  (check-counts reps "the repetitions")
                  (assoc attrs :reps (mapv type/dim+ reps))))
   :type tiled-type
   :eval (fn [attrs {:keys [shape] :as x}]
           (let [[_ out] (tiled-type attrs [(array/type-of x)]), rank (count shape)]
             (from-source x out #(mapv mod (take-last rank %) shape))))
   :expand (fn [{:keys [attrs], [[_ shape]] :types, [_ out] :type}]
             (let [[shape reps] (aligned-reps shape attrs)]
               [:reshape {:shape out}
                [:broadcast-to {:shape (vec (interleave reps shape))}
                 [:reshape {:shape (vec (interleave (clojure.core/repeat 1) shape))} ?x]]]))
   :gen (gens/on-shapes (fn [n] [[{:reps [2]} [n]] [{:reps [2 3]} [n]] [{:reps [3]} [2 n]]
                                 [{:reps [2 1]} [n 2]] [{:reps [0]} [n]] [{:reps 2} []]
                                 [{:reps []} [n]]]))
   :examples [[[:tile {:reps [2]} [:iota {:shape [2]}]] [0 1 0 1]]]})

(defn- static-counts? [repeats] (and (vector? repeats) (every? integer? repeats)))

(defn- repeated-extent [repeats extent]
  (if (static-counts? repeats)
    (if (and (integer? extent) (= extent (count repeats)))
      (reduce + repeats)
      (fail! :damo.op.arrange/bad-count
             (str "there are " (count repeats) " counts for an axis of extent "
              (pr-str extent))
             {:repeats repeats, :extent extent}))
    (type/dim* repeats extent)))

(defn- repeated-type [{:keys [repeats axis]} [[dtype shape]]]
  (check-counts (if (static-counts? repeats) repeats [repeats]) "the repetitions")
  [dtype (if (nil? axis)
           [(repeated-extent repeats (type/size shape))]
           (update shape (type/axis-index (count shape) axis) #(repeated-extent repeats %)))])

(defn- sources
  "For each element of an axis with these counts, static, the one it comes from."
  [repeats extent]
  (if (vector? repeats)
    (vec (mapcat #(clojure.core/repeat %1 %2) repeats (range)))
    (vec (mapcat #(clojure.core/repeat repeats %) (range extent)))))

(defn- repeated-expansion [{{:keys [repeats axis]} :attrs, [[_ shape]] :types, [_ out] :type}]
  (let [[x shape axis] (if axis ['?x shape axis] [[:flatten '?x] [(type/size shape)] 0])]
    (if (static-counts? repeats)
      (let [from (sources repeats nil)]
        [:take {:axis axis} x [:const {:type [:i64 [(count from)]], :value from}]])
      (let [[before after] [(subvec shape 0 (inc axis)) (subvec shape (inc axis))]
            wide (into (conj before repeats) after)]
        [:reshape {:shape out}
         [:broadcast-to {:shape wide} [:expand-dims {:axis [(inc axis)]} x]]]))))

(defop repeat
  "Each element :repeats times in a row along an axis, of the flattened array when :axis is nil.
  :repeats is a dim, or a vector of integers with a count for each element."
  {:kind :composite, :args [?x]
   :attrs {:repeats {:doc "how often: a dim, or a vector of integers, one for each element"}
           :axis {:default nil, :is :positions, :doc "the axis; nil: of the flattened array"}}
   :normalize (fn [{:keys [axis] :as attrs} types]
                (if axis (typing/normal-axis attrs types) attrs))
   :type repeated-type
   :eval (fn [{:keys [repeats axis]} {:keys [shape] :as x}]
           (let [x (if axis x (array/reshape x [(array/size shape)]))
                 axis (or axis 0), shape (:shape x), from (sources repeats (nth shape axis))]
             (from-source x (assoc shape axis (count from)) #(update % axis from))))
   :expand repeated-expansion
   :gen (gens/on-shapes (fn [n] [[{:repeats 2} [n]] [{:repeats 3, :axis 0} [n 2]]
                                 [{:repeats [1 0 2], :axis -1} [n 3]] [{:repeats 2} [2 n]]
                                 [{:repeats 2, :axis 1} [2 n 3]] [{:repeats 0} [n]]
                                 [{:repeats [3 1 0 2]} [2 2]]]))
   :examples [[[:repeat {:repeats 2} [:iota {:shape [2]}]] [0 0 1 1]]
              [[:repeat {:repeats [2 1]} [:iota {:shape [2]}]] [0 0 1]]]})

;; ## Rolling

(defn- normal-roll [{:keys [shift axis] :as attrs} [[_ shape]]]
  (let [shifts (if (sequential? shift) shift [shift])
        axes (cond (nil? axis) nil, (sequential? axis) axis, :else [axis])
        axes (when axes (mapv #(type/axis-index (count shape) %) axes))
        pairs (cond (= 1 (count shifts)) (map vector (or axes [nil]) (cycle shifts))
                    (= (count axes) (count shifts)) (map vector axes shifts))]
    (when-not (and pairs (every? integer? shifts))
      (fail! :damo.op.arrange/bad-shift
             (str "needs an integer to roll by, or one for each axis; :shift is "
              (pr-str shift) ", :axis " (pr-str axis))
             {:shift shift, :axis axis}))
    (if axes
      (let [by-axis (into (sorted-map) (update-vals (group-by first pairs)
                                                    #(reduce + (map second %))))]
        (assoc attrs :axis (vec (keys by-axis)), :shift (vec (vals by-axis))))
      (assoc attrs :shift (vec shifts)))))

(defn- remainder
  "What is left of a number, not below 0, when an extent is taken from it as often as it can be."
  [x extent]
  (let [some (type/dim-max 1 extent)]
    (type/dim- x (type/dim* some (type/dim-quot x some)))))

(defn- rolled-along
  "The template t, of an array with that extent along the axis, rolled by an integer: two parts of
  it change places."
  [t axis extent shift]
  (let [moved (remainder (abs shift) extent)
        cut (if (pos? shift) (type/dim- extent moved) moved)]
    (if (= 0 moved)
      t
      [:concatenate {:axis axis} [:slice {:axis axis, :start cut} t]
       [:slice {:axis axis, :start 0, :stop cut} t]])))

(defop roll
  "The elements moved on by :shift places along an axis or several, from the end back to the start;
  of the flattened array when :axis is nil."
  {:kind :composite, :args [?x]
   :attrs {:shift {:is :integers, :doc "by how many places, an integer or one for each axis"}
           :axis {:default nil, :is :positions
                  :doc "the axis or axes; nil: of the flattened array"}}
   :normalize normal-roll
   :type (fn [attrs [type :as types]] (normal-roll attrs types) type)
   :eval (fn [{:keys [shift axis]} {:keys [shape] :as x}]
           (if (nil? axis)
             (let [n (array/size shape)]
               (array/reshape (from-source (array/reshape x [n]) [n]
                                           (fn [[i]] [(mod (- i (first shift)) n)]))
                              shape))
             (from-source x shape
                          #(reduce (fn [at [a s]] (update at a (fn [i] (mod (- i s) (shape a)))))
                                   % (map vector axis shift)))))
   :expand (fn [{{:keys [shift axis]} :attrs, [[_ shape]] :types}]
             (if (nil? axis)
               [:reshape {:shape shape}
                (rolled-along [:flatten ?x] 0 (type/size shape) (first shift))]
               (reduce (fn [t [a s]] (rolled-along t a (nth shape a) s))
                       ?x (map vector axis shift))))
   :gen (gens/on-shapes (fn [n] [[{:shift 1} [n]] [{:shift -2, :axis 0} [n 2]]
                                 [{:shift [1 -1], :axis [0 -1]} [3 n]] [{:shift 7} [2 n]]
                                 [{:shift 2, :axis [0 1]} [n 3]] [{:shift 0, :axis 0} [n]]]))
   :examples [[[:roll {:shift 1} [:iota {:shape [3]}]] [2 0 1]]]})

;; ## Padding

(defn- normal-widths
  "[[before after] …], one an axis, from a number, a pair, or a vector of pairs."
  [width rank]
  (let [pairs (cond (not (sequential? width)) (clojure.core/repeat rank [width width])
                    (and (= 2 (count width)) (not-any? sequential? width))
                    (clojure.core/repeat rank (vec width))
                    :else width)]
    (when-not (and (= rank (count pairs))
                   (every? #(and (sequential? %) (= 2 (count %))
                                 (every? (fn [d] (and (integer? d) (not (neg? d)))) %)) pairs))
      (fail! :damo.op.arrange/bad-width
             (str "the width is an integer, a pair [before after], or a pair for each"
              " of the " rank " axes; got " (pr-str width))
             {:width width, :rank rank}))
    (mapv vec pairs)))

(def ^:private modes #{:constant :edge :reflect :symmetric :wrap})

(defn- normal-pad [{:keys [width mode value] :as attrs} [[dtype shape]]]
  (when-not (modes mode)
    (fail! :damo.op.arrange/bad-mode
           (str "the modes of padding are " (vec (sort modes)) "; got " (pr-str mode))
           {:mode mode}))
  (assoc attrs :width (normal-widths width (count shape))
         :value (if (= mode :constant) (expr/const-value dtype value) 0)))

(defn- padded-type [attrs [[dtype shape] :as types]]
  (let [{:keys [width mode]} (normal-pad attrs types)]
    (when-not (= mode :constant)
      (doseq [[axis d [before after]] (map vector (range) shape width)
              :when (and (= d 0) (pos? (+ before after)))]
        (fail! :damo.op.arrange/nothing-to-pad-with
               (str "axis " axis " of " (pr-str shape) " is empty; only mode"
                " :constant can pad it")
               {:axis axis, :shape shape})))
    [dtype (mapv (fn [d [before after]] (type/dim+ before d after)) shape width)]))

(defn- source-of
  "Where the element at position i, counted from the first one of the array, comes from in an axis
  of n elements."
  [mode n i]
  (let [period (max 1 (case mode :reflect (* 2 (dec n)), :symmetric (* 2 n), n))
        m (mod i period)]
    (case mode
      :edge (-> i (max 0) (min (dec n)))
      :wrap m
      :reflect (if (< m n) m (- period m))
      :symmetric (if (< m n) m (- period m 1)))))

(defn- padded-value [{:keys [width mode value] :as attrs} {:keys [dtype shape] :as x}]
  (let [[_ out] (padded-type attrs [(array/type-of x)])
        inside (fn [at] (mapv (fn [i [before]] (- i before)) at width))
        inside? (fn [at] (every? true? (map #(< -1 %1 %2) at shape)))]
    (array/from-indices dtype out
                        (fn [at]
                          (let [at (inside at)]
                            (cond (inside? at) (array/at x at)
                                  (= mode :constant) value
                                  :else (array/at x (mapv #(source-of mode %1 %2) shape at))))))))

(defn- source-indices
  "The template of the indices along a padded axis of extent n; `out` is the padded extent."
  [mode n out before]
  (let [i [:add (- before) [:iota {:shape [out], :axis 0}]]
        size (if (integer? n) n [:dim {:dim n}])
        folded (fn [period last-one]
                 (let [m [:mod i period]]
                   [:where [:lt m size] m [:sub last-one m]]))]
    (case mode
      :edge [:minimum [:maximum i 0] [:sub size 1]]
      :wrap [:mod i size]
      :reflect (let [period [:mul 2 [:sub size 1]]] (folded period period))
      :symmetric (let [period [:mul 2 size]] (folded period [:sub period 1])))))

(defn- padded-expansion [{{:keys [width mode value]} :attrs, [[dtype shape]] :types, [_ out] :type}]
  (if (= mode :constant)
    [:set-slice {:start (mapv first width)
                 :stop (mapv (fn [d [before]] (type/dim+ before d)) shape width)}
     (typing/filled dtype out value) '?x]
    (reduce (fn [t [axis n d [before after]]]
              (if (= 0 before after) t [:take {:axis axis} t (source-indices mode n d before)]))
            '?x (map vector (range) shape out width))))

(defop pad
  "The array with elements added at both ends of each axis. :width is an integer, [before after], or
  such a pair for each axis. Modes: :constant (:value), :edge (the last element), :reflect (mirrored
  at it), :symmetric (mirrored behind it), :wrap (from the other end)."
  {:kind :composite, :args [?x]
   :attrs {:width {:is :integers
                   :doc "how many: an integer, [before after], or a pair for each axis"}
           :mode {:default :constant, :is modes, :own-check true
                  :doc ":constant, :edge, :reflect, :symmetric or :wrap"}
           :value {:default 0, :is :element, :doc "the number that mode :constant adds"}}
   :normalize normal-pad, :type padded-type, :eval padded-value, :expand padded-expansion
   :gen (gens/on-shapes
         (fn [n] [[{:width 1} [n]] [{:width [2 0], :value 1} [n 2]]
                  [{:width [[1 2] [0 3]], :mode :edge} [3 (inc n)]]
                  [{:width 3, :mode :reflect} [(inc n)]]
                  [{:width [4 2], :mode :symmetric} [(inc n)]]
                  [{:width [[0 0] [2 5]], :mode :wrap} [2 (inc n)]]
                  [{:width [[7 7] [1 1]], :mode :reflect} [2 (inc n)]] [{:width []} []]]))
   :examples [[[:pad {:width 1} [:iota {:shape [2]}]] [0 0 1 0]]
              [[:pad {:width 2, :mode :reflect} [:iota {:shape [3]}]] [2 1 0 1 2 1 0]]]})

;; ## Pieces

(defn- cuts
  "The bounds of the pieces of an axis, nil at the ends: equal parts, or parts between the indices
  given."
  [extent parts]
  (if (sequential? parts)
    (concat [nil] parts [nil])
    (let [even? (and (integer? parts) (pos? parts)
                     (or (not (integer? extent)) (zero? (mod extent parts))))
          part (when even? (type/dim-div extent parts))]
      (when-not part
        (fail! :damo.op.arrange/bad-parts
               (str "an axis of extent " (pr-str extent) " cannot be cut into "
                (pr-str parts) " equal parts; give the indices to cut at")
               {:extent extent, :parts parts}))
      (map #(type/dim* part %) (range (inc parts))))))

(defn split
  "A vector of pieces of x along :axis (0): `parts` is their number, all equal, or a vector of the
  indices to cut at, as NumPy's split: (split x [2 5]) is [x[:2] x[2:5] x[5:]]."
  [x parts & options]
  (let [{:keys [axis]} (attribute/options {:axis {:default 0, :is :integer}} [:axis] options)
        x (expr/whole x), shape (expr/shape-of x)
        axis (type/axis-index (count shape) axis)]
    (mapv (fn [[start stop]] (slice/slice x :axis axis :start start :stop stop))
          (partition 2 1 (cuts (nth shape axis) parts)))))
