(ns damo.face.parameters
  "What public functions may be given: how many arguments, as their arglists say, and of which
  kinds, which the names of parameters tell: `file` is a file wherever it stands.
  (guard! 'damo.core) wraps the functions of a namespace in the check."
  (:require [clojure.string :as str]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.finite :as finite])
  (:import [damo.tensor Tensor]))

(set! *warn-on-reflection* true)

(defn- file? [x]
  (or (string? x) (instance? java.io.File x) (instance? java.nio.file.Path x)))

(def kinds
  "By the name of a parameter what it may be: a predicate, and how messages say it. What is not
  named is checked where it is used."
  {'file [file? "the name of a file, text or a java.io.File"]
   'n [int? "an integer"]
   'id [int? "the number of a node"]
   'path [vector? "a path to the graph in a node, a vector [id key …]"]
   'axis [int? "an axis, an integer"]
   'op [#(or (keyword? %) (symbol? %)) "the name of an op, a keyword"]
   'xs [sequential? "a vector of vectors"]
   'points [sequential? "a vector of values, one an argument"]
   'values [map? "a map of inputs, or their names, and values"]
   'leaves [map? "a map of names and expressions"]
   'form [map? "a let form, a map"]
   'g [map? "a graph, a map {:nodes :types :outputs :notes}"]
   't [#(instance? Tensor %)
       "a tensor; (d/tensor data) makes one, (d/eval e) that of an expression"]
   'tensors [#(and (map? %) (every? (fn [[k t]] (and (or (ident? k) (string? k))
                                                     (instance? Tensor t)))
                                    %))
             "a map of names and tensors"]
   'megabytes [#(or (= :off %) (and (int? %) (<= 0 % 999999999)))
               "a number of megabytes, 0 or more, or :off"]
   'modes [map? "a map {:lop … :rop …}"]
   'user-fn [fn? "a function of expressions"]
   'condition-fn [fn? "a function of expressions"]})

(defn- facts [given]
  (merge {:given given} (fail/source-position)))

(defn- arity-text [arglists]
  (str/join " or " (map #(str "[" (str/join " " %) "]") arglists)))

(defn- form
  "What an arglist takes: :least arguments, and :more of them; :checked has the [position parameter
  allowed? text] of those whose names tell what they are."
  [arglist]
  (let [[fixed more] (split-with (complement '#{&}) arglist)]
    {:least (count fixed), :more (boolean (seq more))
     :checked (vec (keep-indexed (fn [i param]
                                   (when-let [[allowed? text] (kinds param)]
                                     [i param allowed? text]))
                                 fixed))}))

(defn- takes? [{:keys [least more]} ^long n]
  (if more (<= (long least) n) (= (long least) n)))

(defn- wrong-count! [function-name arglists args n]
  (let [facts (facts (vec (take 100 args)))]
    (fail! :damo.face/wrong-arity
           (str function-name ": takes the arguments " (arity-text arglists) "; given " n
                (fail/facts-text (dissoc facts :given)))
           facts)))

(defn- check-kind! [function-name [i param allowed? text] args]
  (let [arg (nth args i)]
    (when-not (allowed? arg)
      (let [facts (facts arg)]
        (fail! :damo.face/bad-argument
               (str function-name ": " param " is " text "; got " (expr/describe arg)
                    (fail/facts-text (dissoc facts :given)))
               (assoc facts :parameter param))))))

(def ^:private ^:const few "Calls of fewer arguments are looked up." 16)

(defn- checks
  "{:check! (fn [args])}, which checks the arguments of a call, and {:free? (fn [n])}: do n of them
  need no check but that they have an end?"
  [function-name arglists]
  (let [forms (mapv form arglists)
        checked-of (fn [n] (:checked (first (filter #(takes? % n) forms))))
        known (object-array (map checked-of (range few)))]
    {:free? (fn [n] (and (aget known n) (empty? (aget known n))))
     :check! (fn [args]
               (finite/check! function-name args)
               (let [n (long (bounded-count 100 args))
                     checked (if (< n few) (aget known n) (checked-of n))]
                 (when-not checked
                   (wrong-count! function-name arglists args n))
                 (when (pos? (count checked))
                   (run! #(check-kind! function-name % args) checked))))}))

(defn guarded
  "The function f behind the check of its arguments by its arglists. A call of up to four arguments
  that are no collections costs next to nothing."
  [f function-name arglists]
  (let [{:keys [free? check!]} (checks function-name arglists)
        one (free? 1), two (free? 2), three (free? 3), four (free? 4)
        short? finite/short?]
    (fn
      ([] (check! nil) (f))
      ([a] (when-not (and one (short? a)) (check! [a])) (f a))
      ([a b] (when-not (and two (short? a) (short? b)) (check! [a b])) (f a b))
      ([a b c]
       (when-not (and three (short? a) (short? b) (short? c)) (check! [a b c]))
       (f a b c))
      ([a b c e]
       (when-not (and four (short? a) (short? b) (short? c) (short? e)) (check! [a b c e]))
       (f a b c e))
      ([a b c e & more]
       (let [args (list* a b c e more)]
         (check! args)
         (apply f args))))))

(defn guard!
  "Wraps the public functions of a namespace that have arglists in the check of their arguments, but
  for those of an :op, as their meta data says, which check them in their own way."
  [ns]
  (doseq [[function-name v] (ns-publics ns)
          :let [{:keys [arglists macro op]} (meta v)]
          :when (and arglists (not macro) (not op))]
    (alter-var-root v guarded function-name arglists)))
