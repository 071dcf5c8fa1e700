(ns damo.face.branch
  "Branches: one of several expressions, of which the others are not computed.
  (ifelse (gt (sum x) 0) (log x) x), (switch i [a b c])."
  (:require [clojure.string :as str]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.tree :as tree]
            [damo.data.type :as type]
            [damo.face.calls :as calls]
            [damo.face.given :as given]
            [damo.op :as op]
            [damo.op.closing :as closing]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

;; ## Cases

(defn- value-of
  "What a case is, an expression or a structure of them; a function of no arguments gives it."
  [what x]
  (if (fn? x)
    (calls/of {:kind :damo.branch/wrong-arity, :what what, :takes "a function of no arguments"}
              x [])
    x))

(defn- other-form! [what given x]
  (fail! :damo.branch/other-form
         (str "the cases of a branch have one form, of arrays, maps and vectors; one is "
              (expr/describe given) "; " what " is " (expr/describe x))
         {:given (fail/bounded x)}))

(defn- leaves-of
  "The leaves of a case, which has the form of the one that was `given`."
  [what skeleton given x]
  (when (and (integer? skeleton) (tree/branch? x)) (other-form! what given x))
  (try (vec (tree/parts what skeleton x))
       (catch clojure.lang.ExceptionInfo e
         (if (= :damo.tree/other-structure (:damo/error (ex-data e)))
           (other-form! what given x)
           (throw e)))))

;; ## Types

(defn- unlike! [kind what es data advice]
  (fail! kind
         (str what (str/join (map #(str "\n  case: " (expr/describe %)) es)))
         (merge (expr/facts (last es)) data {:try advice})))

(defn- dtype-of-all
  "The dtype of one result, given by all cases: that of those that are not made of numbers alone."
  [es]
  (let [strong (distinct (for [e es :let [type (expr/type-of e)] :when (nil? (type/made-of type))]
                           (type/dtype-of type)))]
    (when (< 1 (count strong))
      (unlike! :damo.branch/other-dtype "the cases of a branch give arrays of one dtype" es
               {:given (vec strong)}
               (str "cast one of them: (d/cast x :dtype " (first strong) ")")))
    (reduce (fn [dtype e]
              (let [type (expr/type-of e)]
                (if (type/made-of type) (type/promote dtype (type/beside type dtype)) dtype)))
            (or (first strong) (type/dtype-of (expr/type-of (first es))))
            es)))

(defn- check-dtypes! [es dtype]
  (when-not (every? #(= dtype (type/dtype-of (expr/type-of %))) es)
    (unlike! :damo.branch/other-dtype "the cases of a branch give arrays of one dtype" es
             {:expected dtype} (str "cast them: (d/cast x :dtype " dtype ")"))))

(defn- brought-together
  "One result, as all cases give it, in one dtype; fails unless they have as many axes."
  [xs]
  (let [es (mapv expr/whole xs), dtype (dtype-of-all es)
        es (mapv #(if-let [made-of (type/made-of (expr/type-of %))]
                    (given/of-numbers % dtype made-of)
                    %)
                 es)]
    (check-dtypes! es dtype)
    (when-not (apply = (map (comp count expr/shape-of) es))
      (unlike! :damo.branch/other-rank "the cases of a branch give arrays of as many axes" es
               {:given (mapv expr/shape-of es)}
               "broadcast-to gives a number the shape of an array"))
    es))

(defn- counted
  "{[result axis] symbol} of the axes whose dims differ between the cases, named after what these
  are; nil where none does. `results` are vectors of what the cases give for each result."
  [test results]
  (not-empty
   (into {} (for [[j es] (map-indexed vector results)
                  [axis dims] (map-indexed vector (apply map vector (map expr/shape-of es)))
                  :when (not (apply = dims))]
              [[j axis] (symbol (format "chosen.%08x"
                                        (hash [j axis (map expr/structure-hash
                                                           (cons test es))])))]))))

;; ## The node

(defn- model
  "Of the cases, `named` [[what value] …], the value and the skeleton of the one that is built of
  most maps and vectors: one of numbers is an array where no other case has a structure in its
  place."
  [named]
  (let [size #(count (tree-seq coll? (fn [s] (if (map? s) (vals s) s)) %))]
    (->> (for [[_ x] named] {:given x, :skeleton (:skeleton (tree/taken-apart x))})
         (reduce (fn [a b] (if (< (size (:skeleton a)) (size (:skeleton b))) b a))))))

(defn- branch
  "The structure of a branch between cases, `named` [[what value] …], that `test` decides."
  [called test named]
  (let [{:keys [given skeleton]} (model named)
        results (->> (mapv (fn [[what x]] (leaves-of what skeleton given x)) named)
                     (apply mapv (comp brought-together vector)))
        by-case (if (seq results) (apply mapv vector results) (mapv (constantly []) named))
        {:keys [cases captured]} (closing/cases by-case test)
        as (counted test results)
        node (when (seq results)
               (expr/noted (op/node :branch
                                    (cond-> {:cases (mapv :body cases)} as (assoc :as as))
                                    (into [test] captured))
                           {:called called
                            :inner (into {} (map-indexed (fn [i c] [[:cases i] (:notes c)]))
                                         cases)}))]
    (->> (range (count results))
         (mapv (fn [j] (expr/weakened (op/node :part {:at j} [node])
                                      (when (every? #(type/made-of (expr/type-of %)) (results j))
                                        :numbers))))
         (tree/put-together skeleton))))

(defn- check-condition! [c]
  (let [[dtype shape] (expr/type-of c)]
    (when-not (and (= :bool dtype) (empty? shape))
      (fail! :damo.branch/bad-condition
             (str "what decides is one truth value; it is " (expr/describe c))
             (assoc (expr/facts c)
                    :try (if (seq shape)
                           "(d/where c a b) chooses element by element; any or all reduce c to one"
                           "compare it: (d/ne c 0)"))))))

(defn ifelse
  "a where the condition, one truth value, holds, else b; only the one taken is computed, fails or
  costs, and so in the derivative. a and b are expressions, or nested maps and vectors of one form,
  or functions of no arguments that give them. Where their lengths differ, that of the result is
  counted in the call. (ifelse (gt (sum x) 0) (fn [] (log x)) (fn [] (neg x))). For a choice element
  by element take `where`."
  [condition a b]
  (let [c (expr/whole condition)]
    (check-condition! c)
    ;; false is case 0
    (branch 'ifelse c [["what is given where it does not hold"
                        (value-of "what is given where it does not hold" b)]
                       ["what is given where it holds"
                        (value-of "what is given where it holds" a)]])))

(defn- check-cases! [i cases]
  (when-not (and (sequential? cases) (seq cases))
    (fail! :damo.branch/no-cases
           (str "the cases are a vector of expressions, or of functions of no arguments; got "
                (expr/describe cases))
           {:given (fail/bounded cases)}))
  (let [[dtype shape] (expr/type-of i), {:keys [value]} (expr/attrs-of i)]
    (when-not (and (type/int-dtype? dtype) (empty? shape))
      (fail! :damo.branch/bad-condition
             (str "what chooses a case is one integer, from 0 on; it is " (expr/describe i))
             (assoc (expr/facts i)
                    :try (if (= :bool dtype) "ifelse takes a truth value" "cast or index it"))))
    (when (and (= :const (expr/op-of i)) (not (< -1 value (count cases))))
      (fail! :damo.branch/no-such-case
             (str "there are the cases 0 to " (dec (count cases)) "; the index is " value)
             {:given value, :cases (count cases)}))))

(defn switch
  "Case i, a 0-d integer, of a vector of expressions, or of functions of no arguments that give
  them: only that one is computed. An index that is out of range is an error.
  (switch i [x (exp x) (log x)])."
  [i cases]
  (let [i (expr/whole i)]
    (check-cases! i cases)
    (branch 'switch i (vec (map-indexed (fn [k x] (let [what (str "case " k)]
                                                    [what (value-of what x)]))
                                        cases)))))
