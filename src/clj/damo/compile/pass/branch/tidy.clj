(ns damo.compile.pass.branch.tidy
  "Branches of less: whose test is known, or whose cases are equal, are that case; results that
  nobody reads are not computed, arguments that no case reads not passed; a case knows what its test
  was, so that a branch in it with the same test is decided.
  (decided g), (dropped g) and (informed g) are g with such branches."
  (:require [damo.compile.pass.branch.form :as form]
            [damo.compile.pass.loop.form :as loop-form]
            [damo.compile.pass.parts :as parts]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.meaning.counted :as counted]
            [damo.meaning.failing :as failing]
            [damo.op :as op]
            [damo.op.body :as body]))

(set! *warn-on-reflection* true)

;; ## One case

(defn- case-number
  "The number of the case that is taken, where it is known."
  [b {:keys [test cases]}]
  (let [[op {:keys [value]}] (graph/node b test), k (case value true 1, false 0, value)]
    (when (and (= op :const) (< -1 k (count cases))) k)))

(defn- alike
  "The number of a case where all are equal, and any may be taken."
  [b {:keys [test cases]}]
  (when (and (apply = (map #(dissoc % :notes) cases))
             (= :bool (type/dtype-of (graph/node-type b test))))
    0))

(defn- inline!
  "What `replaced` takes for a branch of which that case is taken."
  [b {:keys [cases args note types]} k]
  (let [src (select-keys note [:src]), case (nth cases k)
        ids (body/apply! case (:notes case) args
                         (fn [node args type own]
                           (graph/keep-node! b node args type (merge src own))))]
    {:id (graph/add-node! b (into [:tuple {}] ids) [:tuple types] nil), :parts ids}))

(defn- whole?
  "Is case k of a branch all that is needed of it, its arguments that may fail and what it counts
  included?"
  [{:keys [attrs args cases must]} k]
  (let [case (nth cases k), read (into #{} (map #(nth args %)) (keys (body/params case)))]
    (and (empty? (counted/names attrs)) (empty? (:keep case)) (every? read must))))

(defn decided
  "The graph with the case that is taken in the place of branches where that is known. Branches that
  count stay, and those of arguments that may fail and that this case does not read."
  [g]
  (form/replaced g (fn [b _ branch]
                     (when-let [k (or (case-number b branch) (alike b branch))]
                       (when (whole? branch k) (inline! b branch k))))))

;; ## What is not read

(defn- failing-results
  "The results of a branch that may stop a call in some case."
  [{:keys [cases]}]
  (into #{} (mapcat (fn [{:keys [outputs] :as case}]
                      (let [stops (failing/stopping case)]
                        (keep-indexed (fn [j o] (when (some stops (graph/live case [o])) j))
                                      outputs))))
        cases))

(defn- with-results
  "The branch with the results at these positions alone; `as` are the dims of their axes."
  [{:keys [attrs] :as branch} positions]
  (let [place (zipmap positions (range))
        as (not-empty (into {} (for [[[j axis] dim] (:as attrs) :when (place j)]
                                 [[(place j) axis] dim])))]
    (-> (assoc-in branch [:attrs :as] as)
        (update :cases (partial mapv #(update % :outputs (fn [outputs]
                                                           (mapv outputs positions))))))))

(defn- counting
  "The results of a branch that have an axis that it counts."
  [{:keys [attrs]}]
  (map first (keys (:as attrs))))

(defn- less
  "{:branch :positions}: the branch without what is not read; nil where all is."
  [{:keys [args cases must] :as branch} read]
  (let [positions (vec (sort (into (set read) (concat (failing-results branch)
                                                      (counting branch)))))
        used (into #{} (mapcat (comp keys body/params)) cases)
        idle? (fn [at a] (and (not (used at)) (not-any? #{a} must)))]
    (when (or (not= (count positions) (form/results branch))
              (not (or (empty? args) (apply distinct? args)))
              (some true? (map-indexed idle? args)))
      {:branch (with-results branch positions), :positions positions})))

(defn dropped
  "The graph with branches of the results and arguments that are read."
  [g]
  (let [read (parts/parts g)]
    (form/replaced g (fn [b id branch]
                       (when-let [{:keys [branch positions]} (less branch (keys (read id)))]
                         (update (form/renewed! b branch) :parts #(zipmap positions %)))))))

;; ## What a case knows

(defn- known
  "The constant that the argument at a position is in case k, as a node; nil where it is not known."
  [b {:keys [test args]} k at]
  (let [a (nth args at), [dtype :as type] (graph/node-type b a)]
    (if (= a test)
      [:const {:type type, :value (if (= :bool dtype) (= k 1) k)}]
      (loop-form/number-node b a))))

(defn- informed-case
  "Case k with the arguments that are known in it."
  [b branch k case]
  (loop-form/with-numbers
   case (into {} (for [id (graph/live case) :let [[op {:keys [at]}] (graph/node-at case id)]
                       :when (= op :param) :let [node (known b branch k at)] :when node]
                   [id node]))))

(defn informed
  "The graph whose branches have in their cases the arguments that are one number everywhere, and
  what was decided."
  [g]
  (form/replaced g (fn [b _ {:keys [cases] :as branch}]
                     (let [after (vec (map-indexed #(informed-case b branch %1 %2) cases))]
                       (when-not (= (map :nodes after) (map :nodes cases))
                         (form/renewed! b (assoc branch :cases after)))))))
