(ns damo.face.scan.build
  "From a function of one round to the node of a loop, for scan and all its views: stand-ins for
  what a round reads, the states brought to the types that the rounds keep, the body closed, and the
  parts of the node.
  (looped {:called 'scan, :sequences [{:leaf xs :taps [0] …}], :states [{:leaf h0 :depth 1 :taps
  [-1] …}], :steps 'n, :round (fn [rows states fitted] {:next … :outputs …})})."
  (:require [damo.data.explain :as explain]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.tree :as tree]
            [damo.data.type :as type]
            [damo.data.unify :as unify]
            [damo.face.calls :as calls]
            [damo.face.draw.stream :as stream]
            [damo.face.function.check :as check]
            [damo.face.given :as given]
            [damo.face.scan.steps :as steps]
            [damo.op :as op]
            [damo.op.closing :as closing]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

;; ## What a round reads

(defn- row-of
  "The type of a row of an expression, as weak."
  [e]
  (let [[dtype [_ & shape] :as type] (expr/type-of e)]
    (type/weakened [dtype (vec shape)] (type/made-of type))))

(defn- state-type
  "The type of a state, as weak as its first rows."
  [{:keys [leaf depth]}]
  (if (= 1 depth) (expr/type-of leaf) (row-of leaf)))

(defn- read-as
  "The stand-in for what a tap reads, of that type. It shows as the name of what it is read from;
  `all` are the expressions that all rounds begin with: what is counted in two loops has two names."
  [text tap type all]
  (let [shown (symbol (if (contains? #{0 -1} tap) text (str text "[" tap "]")))]
    (expr/stand-in (expr/->Expr :input {:name shown, :tap tap, :type type} all type nil nil)
                   type)))

(defn- stand-ins
  "For each of `entries`, with :label and :taps, the stand-ins for its taps, of (type-of entry)."
  [entries type-of all]
  (mapv (fn [{:keys [label taps] :as entry}]
          (mapv #(read-as label % (type-of entry) all) taps))
        entries))

;; ## The types that states keep

(defn- widened
  "The state as it is where its next value is `x`: one made of numbers alone gives way to that."
  [{:keys [leaf] :as state} x]
  (let [[own-dtype :as own] (state-type state), [dtype :as given] (expr/type-of (expr/whole x))
        made-of (map type/made-of [own given])]
    (cond (nil? (first made-of)) state
          (some nil? made-of)
          (assoc state :leaf (given/of-numbers leaf (type/beside own dtype) nil))
          :else (assoc state :leaf (given/of-numbers leaf (type/promote own-dtype dtype)
                                                     (or (some #{:extents} made-of) :numbers))))))

(defn- settled?
  "Are the states as weak, and of the dtypes, that they were?"
  [before after]
  (every? true? (map (fn [a b] (and (= (state-type a) (state-type b))
                                    (apply = (map (comp type/made-of state-type) [a b]))))
                     before after)))

(defn- mismatch! [{:keys [label leaf] :as state} x]
  (let [wanted (state-type state), given (expr/type-of x)
        advice (or (unify/equal-advice {:expected wanted, :given given})
                   (when (= (type/shape-of wanted) (type/shape-of given))
                     (str "begin with a state of dtype " (type/dtype-of given)
                          ", or cast the next one: (d/cast x :dtype " (type/dtype-of wanted) ")"))
                   "broadcast or reshape one of them, the first state or the next")]
    (fail! :damo.scan/state-mismatch
           (str "a state keeps its type: " label " is of type " (pr-str wanted)
                ", and the body gives it a next value of type " (pr-str given)
                "\n  first: " (expr/describe leaf) (calls/place-text x))
           (merge (calls/place x) {:state label, :expected wanted, :given given, :try advice}))))

(defn- as-array
  "The next value of a state as an expression; fails where it is a structure of several."
  [{:keys [label]} x]
  (when (tree/branch? x)
    (fail! :damo.scan/wrong-form
           (str "the state " label " is one array; the body gives it a next value that is "
                (fail/value-text x))
           {:state label, :given (fail/bounded x)}))
  (expr/whole x))

(defn- fitted
  "The next value of a state, of its type; fails where it is of another that does not hold."
  [state x]
  (let [[dtype _ :as type] (state-type state), x (as-array state x)
        as-data (given/as-type type x), [own] (expr/type-of as-data)
        wide (if (and (not= own dtype) (type/holds? dtype own))
               (op/node :cast {:dtype dtype} [as-data])
               as-data)]
    (when-not (= type (expr/type-of wide)) (mismatch! state x))
    wide))

(defn- next-values
  "The next values of the states; those whose states are weak still as they were given."
  [states xs]
  (mapv (fn [state x] (if (type/made-of (state-type state)) (as-array state x) (fitted state x)))
        states xs))

(defn- rounds-of
  "{:states :reads :given} of a loop: its states with the types that the rounds keep, the stand-ins,
  and what (round rows states fitted) gave for them. A round is written again where a state that is
  made of numbers turns out to be of another dtype."
  [{:keys [round sequences] :as lp}]
  (loop [states (:states lp), left (+ 2 (count (:states lp)))]
    (let [all (mapv :leaf (concat sequences states))
          reads [(stand-ins sequences (comp row-of :leaf) all) (stand-ins states state-type all)]
          given (round (reads 0) (reads 1) #(next-values states %))
          wider (mapv widened states (:next given))]
      (if (or (settled? states wider) (zero? left))
        {:states states, :reads reads, :given (update given :next #(mapv fitted states %))}
        (recur wider (dec left))))))

;; ## What a body mentions besides

(defn- used-at
  "Where the parameter at a position of a body is used first, {:file :line}; nil where that is not
  known."
  [{:keys [nodes]} notes at]
  (let [param? (fn [id] (let [[op attrs] (nth nodes id)] (and (= :param op) (= at (:at attrs)))))
        user (first (filter (fn [id] (some param? (nnext (nth nodes id)))) (range (count nodes))))]
    (get-in notes [user :src])))

(defn- check-captured!
  "Fails when the body mentions a leaf for which not (allowed? e), directly or below what it
  mentions."
  [allowed? {:keys [body notes captured]} cuts]
  (doseq [[k e] (map-indexed vector captured) :let [leaf (closing/leaf-besides allowed? e)]
          :when leaf]
    (let [facts (merge {:expr (expr/text leaf)}
                       (or (used-at body notes (+ k (count cuts))) (expr/src-of e)))]
      (fail! :damo.scan/captured
             (str "the scan is :strict, and its body mentions an expression that is not among its"
                  " :non-sequences: " (expr/describe leaf)
                  (fail/facts-text (select-keys facts [:file :line])))
             (assoc facts :captured (mapv expr/text captured))))))

;; ## The node

(defn- each
  "The parameter that reads a tap of argument a, of that extent."
  [backwards extent taps a tap]
  (let [lo (min 0 (long (apply min taps))), hi (max 0 (long (apply max taps)))]
    (if backwards
      (let [from (- (long tap) hi)]
        [:each a (cond (zero? from) extent
                       (integer? extent) (max 0 (+ (long extent) from))
                       :else (type/dim-max 0 (type/dim- extent (- from))))
         -1])
      ;; no further than the end, for sequences that are too short for a round
      [:each a (type/dim-min (- (long tap) lo) extent) 1])))

(defn- sequence-params [{:keys [sequences backwards]}]
  (for [[a {:keys [leaf taps]}] (map-indexed vector sequences), tap taps]
    (each backwards (first (expr/shape-of leaf)) taps a tap)))

(defn- state-params [states]
  (for [[c {:keys [taps depth]}] (map-indexed vector states), tap taps]
    [:carry c (+ (long depth) (long tap))]))

(defn- first-rows [{:keys [leaf depth]}]
  (if (= 1 depth) (op/node :reshape {:shape (into [1] (expr/shape-of leaf))} [leaf]) leaf))

(defn- shared-state [s] {:leaf s, :depth 1, :taps [-1]})

(defn- outputs-of
  "What the body of a loop gives, in order: next rows, kept results, whether to end."
  [{:keys [outputs until shared] nexts :next}]
  (vec (concat nexts (map second shared) outputs (when until [until]))))

(defn- parts-of
  "The results of the node of a loop, as weak as `like`."
  [node like]
  (vec (map-indexed (fn [j e] (expr/weakened (op/node :part {:at j} [node])
                                             (type/made-of (expr/type-of e))))
                    like)))

(defn- loop-attrs
  "The attributes of the node of a loop; the arguments after the first rows of `carries`, `more` of
  them, are read as they are."
  [{:keys [sequences steps grad unroll] :as lp} carries {:keys [until]} body more]
  (let [first-of (count sequences), behind (+ first-of (count carries))
        kept (- (count (:outputs body)) (if until 1 0))]
    (cond-> {:steps steps, :until (some? until)
             :params (-> (vec (sequence-params lp)) (into (state-params carries))
                         (into (map (fn [a] [:all a])) (range behind (+ behind more))))
             :carries (vec (range first-of behind))
             :results (mapv (fn [o] [o :all]) (range kept)), :body body}
      grad (assoc :grad grad)
      unroll (assoc :unroll unroll))))

(defn- loop-node
  "The expression of the loop, its outputs those of `given` over `reads`."
  [{:keys [called sequences needs unless allowed? mark] :as lp} states given reads]
  (let [carries (into states (map (comp shared-state first)) (:shared given))
        cuts (-> (into [] (mapcat #(apply concat %)) reads) (into (map first) (:shared given)))
        {:keys [body notes captured] :as closed} (closing/closed (outputs-of given) cuts)
        _ (stream/check-loop! captured mark)
        _ (when allowed? (check-captured! allowed? closed cuts))
        args (-> (mapv :leaf sequences) (into (map first-rows) carries) (into captured)
                 (into needs))
        attrs (loop-attrs lp carries given body (+ (count captured) (count needs)))]
    (expr/noted (if unless
                  (op/node :loop (assoc attrs :unless (count args))
                           (conj args (unless (mapv :leaf states))))
                  (op/node :loop attrs args))
                {:called called, :inner {[:body] notes}})))

(defn looped
  "{:traces :outputs :shared :given} of a loop: for each state all its rows, the first ones
  included; what the rounds gave besides, one row a round; the traces of shared variables, [[s
  trace] …]; what the round gave. Keys of `lp` are
  - :called, a symbol, for messages; :steps, a dim or nil, and :needs, what it needs
  - :sequences, [{:label :leaf :taps}]; :backwards
  - :states, [{:label :leaf :taps :depth}], leaf having :depth leading rows where it is not 1
  - :round, a function of the rows of the sequences, of the states, both vectors of vectors by tap,
    and of a function that gives next values the types of the states, to {:next [x …] :outputs [e
    …] :until e :shared [[s e] …]}
  - :unless, a function of the first states to a truth value: where it holds no round is made
  - :grad :unroll, attributes of the loop; :allowed?, which expressions the body may mention."
  [lp]
  (let [lp (assoc lp :mark (stream/mark))
        {:keys [states reads given]} (rounds-of lp)
        shared (vec (check/update-pairs (:shared given)))
        _ (check/check-updates! shared)
        given (assoc given :shared shared)
        node (loop-node lp states given reads)
        results (outputs-of given)
        parts (parts-of node (if (:until given) (pop results) results))
        [traces others] (split-at (count states) parts)
        [own outputs] (split-at (count shared) others)]
    {:traces (vec traces), :outputs (vec outputs), :given given
     :shared (mapv (fn [[s] trace] [s trace]) shared own)}))
