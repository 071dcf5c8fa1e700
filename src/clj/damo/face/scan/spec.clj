(ns damo.face.scan.spec
  "What a user asks of a scan, in one form: sequences and states with their taps and leaves, options
  checked. (parsed {:sequences {:x xs}, :state {:h 0.0}}) = {:sequences [{:name :x :taps [0] :leaves
  [xs] …}], :states [{:name :h :taps [-1] :depth 1 …}], :options {…}}."
  (:require [clojure.set :as set]
            [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.tree :as tree]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

;; ## Options

(def wishes
  "The options of loops that say how they are differentiated and compiled: {option key-in-:grad}."
  {:truncate-gradient :truncate, :checkpoint-every :checkpoint-every, :memory-budget :memory-budget
   :checkpoints :checkpoints})

(def of-loops
  "The options that all loops have."
  (into {:unroll {:default nil}, :name {:default nil}, :max-steps {:default nil}}
        (map (fn [k] [k {:default nil}])) (keys wishes)))

(def of-sequences
  "The options of loops over sequences, besides."
  {:n-steps {:default nil}, :go-backwards {:default false, :is :flag}
   :strict {:default false, :is :flag}, :non-sequences {:default nil, :is :map}})

(def ^:private schemas
  (merge of-loops of-sequences
         {:sequences {:default nil, :is :map}, :state {:default nil, :is :map}}))

(defn check-options!
  "The options; fails unless those that are numbers of rounds, of states or of bytes are such."
  [options]
  (doseq [k (keys wishes) :let [x (get options k)]]
    (when-not (or (nil? x) (pos-int? x))
      (fail! :damo.scan/bad-option
             (str k " is an integer of at least 1, or nil; got " (fail/value-text x))
             {:option k, :given x})))
  (let [{:keys [unroll name]} options]
    (when-not (or (nil? unroll) (nat-int? unroll))
      (fail! :damo.scan/bad-option
             (str ":unroll is how many steps are written out, an integer of at least 0, or nil;"
                  " got "
                  (fail/value-text unroll))
             {:option :unroll, :given unroll}))
    (when-not (or (nil? name) (ident? name) (string? name))
      (fail! :damo.scan/bad-option
             (str ":name is a symbol, a keyword or a text; got " (fail/value-text name))
             {:option :name, :given name})))
  options)

(defn grad-of
  "The wishes for the derivative, as the attribute :grad has them; nil without any."
  [options]
  (not-empty (into {} (for [[k under] wishes :let [x (get options k)] :when x] [under x]))))

;; ## Taps

(defn- bad-taps! [what taps why]
  (fail! :damo.scan/bad-taps
         (str "the :taps of " what " are " why "; got " (fail/value-text taps))
         {:given (fail/bounded taps)}))

(defn- sequence-taps [what taps]
  (when-not (and (sequential? taps) (seq taps) (every? int? (take 1000 taps))
                 (apply distinct? taps))
    (bad-taps! what taps (str "a vector of different integers, such as [-1 0 1]: 0 is the element"
                              " of the step, -1 the one before it")))
  (vec taps))

(defn- state-taps [what taps]
  (when-not (and (sequential? taps) (seq taps) (every? #(and (int? %) (neg? (long %)))
                                                       (take 1000 taps))
                 (apply distinct? taps))
    (bad-taps! what taps (str "a vector of different integers below 0, such as [-2 -1]: -1 is the"
                              " state of the step before")))
  (vec taps))

;; ## Sequences and states

(defn label
  "A path of keys and positions as messages say it: \":h\", \"[:h :a 0]\"."
  [path]
  (if (= 1 (count path)) (pr-str (first path)) (pr-str path)))

(defn- check-misspelt!
  "Fails on a map with the key `marker` and one that is nearly one of those that go with it."
  [what x marker known]
  (when (and (map? x) (contains? x marker))
    (doseq [[k v] (apply dissoc x marker known)
            :let [near (when (ident? k) (fail/did-you-mean k known))]
            :when (and near (not (expr/expr? v)))]
      (fail! :damo.scan/unknown-key
             (str what " is given as {" marker " …} with " (vec known) " beside it; there is no "
                  (pr-str k))
             {:key k, :known (vec known), :try near}))))

(defn- marked?
  "Is x a map that is recognised by exactly these keys, the first of which it has?"
  [x [marker :as known]]
  (and (map? x) (contains? x marker) (set/subset? (set (keys x)) (set known))))

(defn- leaves-of
  "{:leaves [expression …] :skeleton s :labels [text …]} of what is called `name`."
  [name x]
  (let [{:keys [leaves skeleton]} (tree/taken-apart x)]
    {:leaves (mapv expr/whole leaves), :skeleton skeleton
     :labels (mapv #(label (into [name] %)) (tree/paths skeleton))}))

(defn- check-axis!
  "Fails unless a leaf of a sequence has an axis to step along."
  [text e]
  (when (empty? (expr/shape-of e))
    (fail! :damo.scan/not-a-sequence
           (str "a sequence has one element a step along its leading axis; " text " has no axis: "
                (expr/describe e))
           {:sequence text, :given (expr/type-of e)})))

(defn- sequence-of [[name x]]
  (let [what (str "the sequence " (label [name]))]
    (check-misspelt! what x :of [:taps])
    (let [{:keys [of taps]} (if (marked? x [:of :taps]) x {:of x})
          {:keys [leaves labels] :as tree} (leaves-of name of)]
      (dorun (map check-axis! labels leaves))
      (assoc tree :name name, :taps (sequence-taps what (if (nil? taps) [0] taps))))))

(defn- rows-of-init
  "The first rows of a state that looks `depth` steps back, an expression; of one step the row
  itself."
  [text depth e]
  (let [[n & more] (expr/shape-of e)]
    (when-not (or (= 1 depth) (= n depth) (and n (not (integer? n))))
      (fail! :damo.scan/init-rows
             (str "the state " text " looks " depth " steps back, so its :init has that many"
                  " leading rows, the oldest first; it has " (or n "no axis") ": "
                  (expr/describe e))
             {:expected depth, :given n, :state text}))
    (if (or (= 1 depth) (= n depth))
      e
      (op/node :specify-shape {:shape (into [depth] more)} [e]))))

(defn- check-keep! [what k]
  (when-not (or (nil? k) (type/dim? k))
    (fail! :damo.scan/bad-option
           (str "the :keep of " what " is how many of the last states are wanted, an integer or a"
                " dim; got " (fail/value-text k))
           {:option :keep, :given k})))

(defn- state-of [[name x]]
  (let [what (str "the state " (label [name])), known [:init :taps :keep]]
    (check-misspelt! what x :init [:taps :keep])
    (when (nil? x)
      (fail! :damo.scan/no-init
             (str what " has nil for its first value; what the body gives besides the states needs"
                  " no entry under :state")
             {:state name}))
    (let [{:keys [init taps] rows :keep} (if (marked? x known) x {:init x})
          taps (state-taps what (if (nil? taps) [-1] taps)), depth (- (long (apply min taps)))
          {:keys [leaves labels] :as tree} (leaves-of name init)]
      (check-keep! what rows)
      (assoc tree :name name, :taps taps, :depth depth, :keep rows
             :leaves (mapv #(rows-of-init %1 depth %2) labels leaves)))))

;; ## Names

(defn- check-names! [{:keys [sequences state non-sequences]}]
  (let [names (mapcat keys [sequences state non-sequences])]
    (when-let [twice (first (for [[k n] (frequencies names) :when (< 1 n)] k))]
      (fail! :damo.scan/two-of-one-name
             (str "the body gets sequences, states and non-sequences in one map; two of them are"
                  " called " (pr-str twice))
             {:name twice}))
    (when-let [reserved (some #{:until :updates} names)]
      (fail! :damo.scan/reserved-name
             (str reserved " is what the body gives to end the loop or to update shared state; no"
                  " sequence, state or non-sequence is called so")
             {:name reserved}))))

;; ## All of it

(defn parsed
  "{:sequences :states :non-sequences :options} of what is asked of a scan; fails saying what cannot
  be, with a kind of :damo.scan."
  [spec]
  (when-not (map? spec)
    (fail! :damo.scan/bad-spec
           (str "a scan is asked for by a map, {:sequences {:x xs} :state {:h h0}}; got "
                (expr/describe spec))
           {:given spec}))
  (let [known (attribute/fill schemas spec {:kind :damo.scan/unknown-key, :what "key"
                                            :of " of a scan", :key :key}
                              :damo.scan/unknown-key)]
    (check-names! known)
    {:sequences (mapv sequence-of (:sequences known))
     :states (mapv state-of (:state known))
     :non-sequences (:non-sequences known)
     :options (check-options! (dissoc known :sequences :state :non-sequences))}))
