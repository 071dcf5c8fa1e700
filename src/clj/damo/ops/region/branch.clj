(ns damo.ops.region.branch
  "Branches: one of several bodies runs, as a value decides (docs/decisions/0034). Made by
  damo.face.branch and by derivatives.
  [:branch {:cases [else then]} test x]"
  (:require [damo.data.array :as array]
            [damo.data.fail :refer [fail!]]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.op.body :as body]
            [damo.op.gens :as gens]))

(set! *warn-on-reflection* true)

;; ## Types

(defn- case-types
  "The types of what a case gives for arguments of these types."
  [body types]
  (tuple/types (body/result-type body types)))

(defn- unlike! [j types]
  (fail! :damo.branch/unlike-results
         (str "the cases of a branch give results of one dtype and rank; result " j " is "
              (pr-str types))
         {:position j, :given types}))

(defn- result-type
  "The type of result j, which the cases give as these types; `as` names the dims that differ."
  [as j types]
  (let [dtypes (distinct (map type/dtype-of types)), shapes (map type/shape-of types)]
    (when-not (and (= 1 (count dtypes)) (apply = (map count shapes))) (unlike! j (vec types)))
    [(first dtypes)
     (vec (map-indexed (fn [axis dims]
                         (or (get as [j axis]) (when (apply = dims) (first dims))
                             (unlike! j (vec types))))
                       (apply map vector shapes)))]))

(defn- check-test! [[dtype shape :as type]]
  (when-not (and (or (= :bool dtype) (type/int-dtype? dtype)) (= [] shape))
    (fail! :damo.branch/bad-test
           (str "what decides between cases is a truth value or an integer without axes; it is "
                (pr-str type))
           {:given type})))

(defn- branch-type [{:keys [cases as]} [test & types]]
  (check-test! test)
  (let [given (mapv #(case-types % (vec types)) cases), n (count (first given))]
    (when-not (and (seq given) (apply = (map count given))
                   (or (not= :bool (type/dtype-of test)) (= 2 (count cases))))
      (fail! :damo.branch/unlike-cases
             (str "the cases of a branch give as many results, and of a truth value there are two"
                  " cases; they give " (pr-str (mapv count given)))
             {:given given}))
    (tuple/of (mapv (fn [j] (result-type as j (map #(nth % j) given))) (range n)))))

(defn- counted-dims
  "{dim largest}: the dims that differ between cases, and the largest that they may be."
  [{{:keys [cases as]} :attrs, [_ & types] :types}]
  (into {} (for [[[j axis] dim] as]
             [dim (reduce type/dim-max
                          (map #(nth (type/shape-of (nth (case-types % (vec types)) j)) axis)
                               cases))])))

;; ## Meaning

(defn- chosen [{:keys [cases]} test]
  (let [i (array/element test 0), i (case i true 1, false 0, i)]
    (when-not (< -1 i (count cases))
      (fail! :damo.branch/no-such-case
             (str "a branch has the cases 0 to " (dec (count cases)) "; the index is " i)
             {:given i, :cases (count cases)}))
    (nth cases i)))

(defn- branched [{:keys [attrs dims run], [test & arrays] :arrays}]
  (let [values (run (chosen attrs test) (zipmap (range) arrays) dims)]
    (with-meta (vec values)
      {:counted (into {} (for [[[j axis] dim] (:as attrs)]
                           [dim (nth (:shape (nth values j)) axis)]))})))

;; ## Examples and generated calls

(defn- cases
  "The bodies of an argument of that type itself, and of twice it, or for truth values its
  opposite."
  [[dtype _ :as type]]
  [{:nodes [(body/param 0 type)], :types [type], :outputs [0]}
   {:nodes [(body/param 0 type) (if (= :bool dtype) [:logical-not {} 0] [:add {} 0 0])]
    :types [type type], :outputs [1]}])

(op/register!
 {:name :branch, :kind :branch, :ns 'damo.ops.region.branch, :args :variadic
  :internal "d/ifelse and d/switch take expressions"
  :attrs {:cases {:is :graph, :doc "the graphs of the cases, whose parameters are the arguments"}
          :as {:default nil, :is :data
               :doc "the dims that differ between the cases, {[result axis] symbol}"}}
  :type branch-type
  :counts {:dims counted-dims}
  :failure (fn [{:keys [cases]}] (str "a branch has the cases 0 to " (dec (count cases))))
  :run branched
  :gen (fn [{:keys [dtype size] :as ctx}]
         (let [shape (gens/variant ctx [[size] [2 size] []])]
           {:attrs {:cases (cases [dtype shape])}
            :args [(gens/random-array ctx (gens/choose ctx [:bool :i64]) [] [0 1])
                   (gens/random-array ctx dtype shape)]}))
  :examples [[[:part {:at 0} [:branch {:cases (cases [:f64 []])} [:lt 1 2] 2.5]] 5.0]]
  :doc "The results of the one of several bodies that a truth value or an index chooses."})
