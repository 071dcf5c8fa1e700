(ns damo.data.form
  "A node as a readable form, wherever it is held: in an expression, a graph, a builder, or in the
  graph that another node holds. `look`, a function of a node, says what it is: {:op :attrs :args},
  with :called where it has a name of its own, :written where it stands for the call of another
  function, :same where it reads as another node does, and :attributes true where its attributes are
  shown. Deep and wide forms are cut with ….
  (form (of-graph g) 3 5) = (add (dot x w) b); the parameters of a graph in a node are %0, %1 …"
  (:require [damo.data.fail :as fail]
            [damo.data.graph :as graph]))

(set! *warn-on-reflection* true)

(def ^:private most-arguments
  "How many arguments of a node are shown."
  12)

(declare form of-graph)

(defn- literal [{:keys [value type]}]
  (if (vector? value) (symbol (str "#const " (pr-str type))) value))

(defn- parameter [at] (symbol (if (integer? at) (str "%" at) (str at))))

(defn- results-of
  "What a graph in a node gives, as forms."
  [{:keys [outputs] :as g} depth]
  (map #(form (of-graph g) (max 0 (dec (long depth))) %) outputs))

(defn- as-function
  "A graph in a node as a function: (fn [%0 %1] (mul %0 %1))."
  [{:keys [nodes] :as g} depth]
  (let [at (sort (distinct (for [[op {:keys [at]}] nodes :when (= op :param)] at)))]
    (concat ['fn (mapv parameter at)] (results-of g depth))))

(defn- held
  "The graphs that are attributes by themselves, and those of cases, as functions."
  [{:keys [cases] :as attrs} depth]
  (map #(as-function % depth)
       (concat (filter #(and (:nodes %) (:outputs %)) (map val (sort-by key attrs))) cases)))

(defn- plain-attributes
  "The attributes that say something: neither nil nor false, and no graphs."
  [attrs]
  (let [graphs? #(or (map? %) (and (vector? %) (some map? %)))]
    (mapcat identity (sort-by key (remove #(or (nil? (val %)) (false? (val %)) (graphs? (val %)))
                                          attrs)))))

(defn- read-as
  "What a parameter of a loop's body is, as a form: (row x), (row x 2) from row 2 on, (row x n
  :backwards), (carry h), (carry h 1) for row 1 of several, the argument itself, or (turn)."
  [[what at from by] carries arg]
  (case what
    :each (concat ['row (arg at)] (when-not (= [0 1] [from by]) [from])
                  (when (= -1 by) [:backwards]))
    :carry (concat ['carry (arg (nth carries at))] (when-not (= 0 from) [from]))
    :all (arg at)
    :turn '(turn)))

(defn- as-loop
  "A loop with what the parameters of its body are: (loop [%0 (row x) %1 (carry h)] (add %0 %1))."
  [op {:keys [params carries results body unless] :as attrs} args show depth more?]
  (let [used (set (for [[op {:keys [at]}] (:nodes body) :when (= op :param)] at))
        arg #(show (nth args %))
        all (map-indexed (fn [o _] [o :all]) results)]
    (concat [(symbol (name op))
             (vec (mapcat (fn [[at param]]
                            (when (used at) [(parameter at) (read-as param carries arg)]))
                          (map-indexed vector params)))]
            (results-of body depth)
            (when unless [:unless (arg unless)])
            (when more?
              (plain-attributes (cond-> (dissoc attrs :params :carries :as :unless)
                                  (= results all) (dissoc :results)))))))

(defn- cut-short
  "The arguments as `show` has them, of many only the first."
  [show args]
  (concat (map show (take most-arguments args))
          (when (seq (drop most-arguments args)) ['…])))

(defn- call
  "The call of a function on arguments, `show` being how these read."
  [head args show more]
  (concat [(symbol (name head))] (cut-short show args) more))

(defn- written-argument [show node? x]
  (cond (node? x) (show x)
        (or (number? x) (keyword? x) (symbol? x) (nil? x) (boolean? x)) x
        :else (symbol (fail/value-text x))))

(defn form
  "The form of a node, cut below `depth` levels; see the namespace."
  [look depth node]
  (let [{:keys [op attrs args called written same node? attributes]} (look node)
        show #(form look (dec (long depth)) %)]
    (cond same (recur look depth (first same))
          (#{:input :shared} op) (:name attrs)
          (= op :param) (parameter (:at attrs))
          (= op :const) (literal attrs)
          (and (zero? (long depth)) (or written (seq args))) '…
          written (call (first written) (rest written) #(written-argument show node? %) nil)
          called (call called args show nil)
          (:params attrs) (as-loop op attrs args show depth attributes)
          :else (call op args show
                      (concat (held attrs depth) (when attributes (plain-attributes attrs)))))))

(defn of-graph
  "How the ids of a graph look."
  [g]
  (fn [id]
    (let [[op attrs & args] (graph/node-at g id)]
      {:op op, :attrs attrs, :args args, :called (get-in g [:notes id :called])})))

(defn of-builder
  "How the ids of a builder look."
  [b]
  (fn [id]
    (let [[op attrs & args] (graph/node b id)]
      {:op op, :attrs attrs, :args args, :called (:called (graph/note b id))})))

(defn text
  "A form as text, at most 160 characters."
  [form]
  (fail/short-text (pr-str form)))

(defn facts
  "What a failure says of a node: its :op, its form as text under :expr, its :type and where it was
  written."
  [op form type src]
  (merge {:op op, :expr (text form), :type type} src))
