(ns damo.op.entry-test
  "Tests of what the entry of an op must have, and of the messages when it lacks that."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.data.fail :as fail]
            [damo.op :as op]
            [damo.op.entry :as entry]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(def ^:private half
  '{:name :half, :ns my.ops, :kind :elementwise, :args [?x ?y], :type :float, :eval identity
    :partials [0.5 0]})

(defn- message-of [change]
  (try (entry/check! (change half)) nil
       (catch clojure.lang.ExceptionInfo e [(:damo/error (ex-data e)) (fail/what e)])))

(deftest complete-entries-pass
  (is (= half (entry/check! half)))
  (testing "all of Damo's own"
    (is (< 100 (count (map entry/check! (vals @op/registry)))))))

(deftest what-is-missing-is-named
  (are [change kind message] (= [kind message] (message-of change))
    #(dissoc % :eval) :damo.entry/incomplete
    "the op :half lacks :eval or :expand, what it means"
    #(-> % (dissoc :eval) (assoc :kind :host)) :damo.entry/incomplete
    "the op :half lacks :eval or :kernel or :expand, what it means"
    #(dissoc % :type) :damo.entry/incomplete
    "the op :half lacks :type or :expand, the rule of its type"
    #(dissoc % :args) :damo.entry/incomplete
    "the op :half lacks :args, the names of its arguments, such as [?x ?y]"
    #(assoc % :kind :reduce) :damo.entry/incomplete
    "the op :half lacks :combine, which the kind :reduce asks for"
    #(assoc % :args '[x]) :damo.entry/bad-args
    (str "the op :half has :args [x]; they are different names that begin with ?, such as [?x ?y],"
         " or :variadic")))

(deftest unknown-kinds-and-keys-are-refused
  (let [[kind message] (message-of #(assoc % :kind :elementwize))]
    (is (= :damo.entry/unknown-kind kind))
    (is (re-find #"^the op :half is of the unknown kind :elementwize; the kinds are :arg-reduce"
                 message))
    (is (re-find #"try: :elementwise for a function of scalars" message)))
  (is (re-find #"^the op :half has no :kind; " (second (message-of #(dissoc % :kind)))))
  (is (= [:damo.entry/unknown-key "there is no key :partial of the entry of the op :half"]
         (message-of #(assoc % :partial [1])))))

(deftest derivatives-are-checked
  (are [change kind message] (= [kind message] (message-of change))
    #(assoc % :partials [0.5]) :damo.entry/bad-derivative
    (str "the op :half has the arguments [?x ?y] but :partials [0.5]; it is a vector with one"
         " template for each argument, 2 in all")
    #(assoc % :partials '[[:mul ?z 2] 0]) :damo.entry/unknown-name
    "the op :half names ?z in :partials [[:mul ?z 2] 0]; the names there are ?x ?y ?out ?g"
    #(assoc % :no-gradient "it has a kink") :damo.entry/two-derivatives
    "the op :half has the derivative forms :partials and :no-gradient; it has exactly one"
    #(-> % (dissoc :partials) (assoc :lop '[?g ?g])) :damo.entry/half-derivative
    "the op :half has :lop without :rop; they go together, one for each mode of differentiation"))
