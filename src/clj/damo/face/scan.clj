(ns damo.face.scan
  "Loops over sequences and states, as users write them: scan, and map-steps, reduce-steps, foldl
  and foldr, which are views of it. (scan {:sequences {:x xs}, :state {:h 0.0}} (fn [{:keys [x h]}]
  {:h (add h x)})) = {:h the running sums}."
  (:require [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.tree :as tree]
            [damo.data.type :as type]
            [damo.face.calls :as calls]
            [damo.face.scan.build :as build]
            [damo.face.scan.spec :as spec]
            [damo.face.scan.steps :as steps]
            [damo.op :as op]
            [damo.ops.all]
            [damo.ops.move.subtensor :as subtensor]))

(set! *warn-on-reflection* true)

;; ## What the body gets

(defn- leaf-entries
  "The leaves of sequences or states, each with what build/looped wants of it."
  [trees]
  (for [{:keys [leaves labels taps depth]} trees, [leaf label] (map vector leaves labels)]
    {:leaf leaf, :label label, :taps taps, :depth depth}))

(defn- read-values
  "{name value} for the body of sequences or states, `rows` being a vector by tap for each leaf: one
  tap bare, several as a vector in their order."
  [trees rows]
  (first
   (reduce (fn [[m rows] {:keys [name leaves skeleton taps]}]
             (let [[own others] (split-at (count leaves) rows)
                   at (fn [k] (tree/put-together skeleton (mapv #(nth % k) own)))
                   values (mapv at (range (count taps)))]
               [(assoc m name (if (= 1 (count taps)) (first values) values)) others]))
           [{} rows] trees)))

;; ## What the body gives

(defn- wrong-form! [message data] (fail! :damo.scan/wrong-form message data))

(defn- check-result! [states result]
  (when-not (map? result)
    (wrong-form! (str "the body of a scan gives a map of next states and outputs, {:h next-h, :y"
                      " y}; it gives " (expr/describe result))
                 (merge (calls/place result) {:given (fail/bounded result)})))
  (doseq [{:keys [name]} states]
    (when-not (contains? result name)
      (wrong-form! (str "the body gives no next value for the state " (pr-str name) "; it gives "
                        (vec (keys result)))
                   {:state name, :given (vec (keys result))
                    :try (or (fail/did-you-mean name (keys result))
                             (str "give it under " (pr-str name) ", {" (pr-str name) " …}"))}))))

(defn condition
  "What says whether a loop goes on or ends, as an expression; fails unless it is a truth value."
  [what x]
  (let [e (expr/whole x), [dtype shape] (expr/type-of e)]
    (when-not (and (= dtype :bool) (empty? shape))
      (fail! :damo.scan/bad-condition
             (str what " is a truth value without axes; it is of type " (pr-str (expr/type-of e))
                  (calls/place-text e))
             (merge (calls/place e)
                    {:try (cond (seq shape) "reduce it with any or all"
                                :else "compare it: (d/ne x 0)")})))
    e))

(defn- next-leaves [states result]
  (into [] (mapcat (fn [{:keys [name skeleton]}]
                     (tree/parts (str "the next state " (pr-str name)) skeleton (get result name))))
        states))

(defn- output-expr [path x]
  (if (nil? x)
    (wrong-form! (str "the body gives nil for " (spec/label path)) {:given nil})
    (expr/whole x)))

(defn- read-result
  "What build/looped wants of what the body gave."
  [states fitted result]
  (check-result! states result)
  (let [own (apply dissoc result :until :updates (map :name states))
        {:keys [leaves skeleton]} (tree/taken-apart own)]
    {:next (fitted (next-leaves states result))
     :outputs (mapv output-expr (tree/paths skeleton) leaves), :skeleton skeleton
     :until (when-some [c (:until result)] (condition "what :until gives" c))
     :shared (:updates result), :updates? (contains? result :updates)}))

;; ## Rounds

(defn- check-nonempty! [{:keys [sequences states options]} steps]
  (when (nil? steps)
    (fail! :damo.scan/no-steps
           "nothing says how many steps a scan makes: it has neither :sequences nor :n-steps"
           {:options (into {} (remove (comp nil? val)) options)}))
  [sequences states])

(defn- rounds
  "{:steps :needs} of a scan."
  [{:keys [sequences options] :as parsed}]
  (let [{:keys [n-steps max-steps]} options
        limit (when max-steps (steps/wanted ":max-steps" max-steps nil))
        shortest (steps/shortest (for [{:keys [leaves taps]} sequences, e leaves]
                                   [(first (expr/shape-of e)) taps]))
        most (when-let [bounds (seq (keep identity [shortest (:steps limit)]))]
               (reduce type/dim-min bounds))
        found (if (nil? n-steps)
                {:steps shortest, :needs []}
                (steps/wanted ":n-steps" n-steps most))]
    (check-nonempty! parsed (:steps found))
    (update found :needs into (:needs limit))))

(defn- check-something! [{:keys [outputs shared traces]}]
  (when-not (or (seq outputs) (seq shared) (seq traces))
    (wrong-form! "the body of a scan gives neither a next state nor an output" {})))

(defn- allowed
  "Which expressions the body of a strict scan may mention."
  [non-sequences]
  (let [{:keys [leaves]} (tree/taken-apart non-sequences)]
    (fn [e] (some #(identical? e %) leaves))))

(defn run
  "What build/looped gives for a parsed scan and its body, with :parsed and the :skeleton of its
  outputs; `called` is its name in messages."
  [{:keys [sequences states non-sequences options] :as parsed} body called]
  (let [{:keys [strict go-backwards unroll]} options
        what {:kind :damo.scan/wrong-arity, :what "the body of the loop"
              :takes "a function of one map, (fn [{:keys [x h]}] …)"}
        round (fn [rows state-rows fitted]
                (->> [(merge non-sequences (read-values sequences rows)
                             (read-values states state-rows))]
                     (calls/of what body)
                     (read-result states fitted)))
        lp (merge (rounds parsed)
                  {:called called, :sequences (vec (leaf-entries sequences))
                   :states (vec (leaf-entries states)), :backwards go-backwards, :round round
                   :grad (spec/grad-of options), :unroll unroll
                   :allowed? (when strict (allowed non-sequences))})
        found (build/looped lp)]
    (check-something! found)
    (assoc found :parsed parsed)))

;; ## Results

(defn last-row
  "The last row of a trace or of other rows, of which there is one."
  [trace]
  (subtensor/index trace -1))

(defn- kept-rows
  "The rows of a trace that were made, or the last `k` of them."
  [trace depth k]
  (let [[total] (expr/shape-of trace), made (type/dim- total depth)]
    (subtensor/index trace [(if k (type/dim- total (type/dim-min k made)) depth) nil])))

(defn- by-state
  "{name (f leaves state)} of the states of a run, put together as they were given."
  [{:keys [traces parsed]} f]
  (first (reduce (fn [[m traces] {:keys [name leaves skeleton] :as state}]
                   (let [[own others] (split-at (count leaves) traces)]
                     [(assoc m name (tree/put-together skeleton (mapv #(f % state) own))) others]))
                 [{} traces] (:states parsed))))

(defn all-rows
  "The result of a scan as users have it: {name rows} of states and outputs, and :updates where the
  body gave some."
  [{:keys [outputs shared given] :as found}]
  (cond-> (into (by-state found (fn [trace state] (kept-rows trace (:depth state) (:keep state))))
                (tree/put-together (:skeleton given) outputs))
    (:updates? given) (assoc :updates (into {} (map (fn [[s trace]] [s (last-row trace)]))
                                            shared))))

(defn last-states
  "{name value} of the states behind the last round."
  [found]
  (by-state found (fn [trace _] (last-row trace))))

(defn- called [options default]
  (let [{given :name} options]
    (symbol (cond (nil? given) default, (ident? given) (name given) :else given))))

(defn scan
  "A loop of a body over sequences and states: a function of a map of the elements of this step and
  of the states before it, to a map of the next states and outputs. It runs whole inside the
  compiled function, is differentiated in both modes, and gives {name array}, leading axis = steps:
  (scan {:sequences {:x xs}, :state {:h h0}}
        (fn [{:keys [x h]}] {:h (tanh (add (dot h w) x))  ; the next state
                             :y (sum h)                   ; an output
                             :until (gt (sum h) 100)}))   ; ends after the step where it is true
  Keys of the map:
  :sequences {:x xs}, or {:x {:of xs :taps [-1 0 1]}}, which the body gets as a vector
  :state {:h h0}, or {:h {:init rows :taps [-2 -1] :keep k}}: init has as many leading rows as the
    taps look back, :keep gives the last k states alone; a number as init has the dtype that the
    body keeps
  :n-steps an integer, a dim or a 0-d integer expression; default: the shortest sequence.
    :max-steps bounds one that depends on values
  :go-backwards true reads the sequences from their ends
  :strict true lets the body mention :non-sequences {:w w} alone, which it gets by name
  :truncate-gradient k, :checkpoint-every k, :memory-budget bytes: see docs/loops.md
  :unroll k writes loops of at most k steps out; :name for messages.
  Sequences, states and outputs may be nested maps and vectors. :updates {shared e} that the body
  gives are made step by step; those of the result belong to `function`."
  [spec user-fn]
  (let [{:keys [options] :as parsed} (spec/parsed spec)]
    (all-rows (run parsed user-fn (called options "scan")))))

;; ## Views

(def ^:private view-options (merge spec/of-loops spec/of-sequences))

(defn- view
  "The run of a body over `sequence` under :x and, where there is one, a state under :acc."
  [sequence init options body default]
  (let [options (attribute/options view-options [] options)
        marked? (and (map? sequence) (contains? sequence :of) (contains? sequence :taps))
        parsed (spec/parsed (merge options {:sequences {:x (if marked? sequence {:of sequence})}
                                            :state (if init {:acc {:init (first init)}} {})}))]
    (run parsed body (called options default))))

(defn- named-call
  "What f, which is called so, gives for its arguments."
  [called takes f & args]
  (calls/of {:kind :damo.scan/wrong-arity, :what (str "the function of " called), :takes takes}
            f args))

(defn map-steps
  "What f gives for each element of a sequence, or for each map of elements of a map of sequences,
  one row a step: (map-steps (fn [x] (sum (sqr x))) xs). Options are those of scan, such as :n-steps
  and :go-backwards."
  [user-fn sequence & options]
  (let [takes "a function of one element, (fn [x] …)"
        body (fn [{:keys [x]}] {:y (named-call "map-steps" takes user-fn x)})]
    (:y (all-rows (view sequence nil options body "map-steps")))))

(defn- folded [called user-fn init sequence options]
  (let [body (fn [{:keys [x acc]}]
               {:acc (named-call called "a function of what there is and an element, (fn [acc x] …)"
                                 user-fn acc x)})]
    (:acc (last-states (view sequence [init] options body called)))))

(defn reduce-steps
  "The last state of (f acc x) over the elements x of a sequence, or over maps of elements of a map
  of sequences, that begins with init; init itself where there is no element.
  (reduce-steps (fn [acc x] (add (mul 0.9 acc) x)) 0.0 xs). Options are those of scan."
  [user-fn init sequence & options]
  (folded "reduce-steps" user-fn init sequence options))

(defn foldl
  "The same as reduce-steps: (f acc x), from the first element on."
  [user-fn init sequence & options]
  (folded "foldl" user-fn init sequence options))

(defn foldr
  "As reduce-steps from the last element on: (f acc x), the first element last.
  (foldr (fn [acc x] (add x (mul z acc))) 0.0 coefficients) is a polynomial at z."
  [user-fn init sequence & options]
  (folded "foldr" user-fn init sequence
          [(assoc (attribute/as-map options) :go-backwards true)]))
