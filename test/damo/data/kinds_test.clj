(ns damo.data.kinds-test
  "Tests of the kinds of attributes: what reads dims, axes and data out of them agrees, in the
  interpreter, in compiled functions of all modes, in files and in the laws of check-op."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing use-fixtures]]
            [damo.core :as d]
            [damo.data.array :as array]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail]
            [damo.data.kinds :as kinds]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.op.entry :as entry]
            [damo.op.gens :as gens])
  (:import [damo.edn Edn$Keyword]
           [damo.runtime HostCall HostKernel]
           [java.io File]))

(set! *warn-on-reflection* true)

(use-fixtures :each (fn [test]
                      (let [before @op/registry]
                        (try (test) (finally (reset! op/registry before))))))

(defn- op! [op-name entry]
  (op/register! (assoc entry :name op-name, :doc "For a test.", :ns 'damo.data.kinds-test))
  (op/caller op-name))

(def ^:private x (d/input 'x [:f64 ['n]]))
(def ^:private y (d/input 'y [:f64 ['m]]))

(defn- error-of [f]
  (try (f) nil (catch clojure.lang.ExceptionInfo e [(:damo/error (ex-data e)) (fail/what e)])))

;; ## Damo's own ops

(deftest every-attribute-of-damos-own-ops-has-a-kind
  (doseq [[op {:keys [attrs call-attrs] :as entry}] @op/registry :when (entry/built-in? entry)
          [k schema] (merge attrs call-attrs)]
    (is (not (contains? #{nil :any} (:is schema))) (str op " " k))
    (is (string? (:says (kinds/kind schema))) (str op " " k))))

(deftest attributes-have-their-normal-form-by-kind
  (let [type [:f32 ['n 3 4]]
        normal (fn [is value] (:a ((kinds/normalizer {:a {:is is}}) {:a value} [type])))]
    (is (= [2 [0 2] [0 1 2] nil [[:* 2 'n]] ['n 7]]
           [(normal :axis -1) (normal :axes [-1 0]) (normal :axes nil) (normal :axis-or-all nil)
            (normal :shape [[:+ 'n 'n]]) (normal :shape '[n [:+ 3 4]])]))
    (is (nil? (kinds/normalizer {:a {:is :data}, :b {}})))))

;; ## One attribute, seen from everywhere

(def ^:private received (atom nil))

(defn- takes
  "A function of an op with an attribute :how of that schema, whose meaning or kernel notes it."
  [op-name schema kernel]
  (let [note (fn [attrs in] (reset! received (:how attrs)) in)]
    (op! op-name (merge {:kind :host, :args '[?x], :attrs {:how (merge {:doc "How."} schema)}
                         :type (fn [_ [t]] t), :lop '[?g], :rop '?dx
                         :gen (fn [{:keys [dtype size] :as ctx}]
                                {:attrs {:how (if (:is schema) 'rows 7)}
                                 :args [(gens/random-array ctx dtype [size])]})}
                        (if kernel
                          {:kernel (fn [attrs _ in] (note attrs in))}
                          {:eval note})))))

(defn- file-roundtrip [f]
  (let [file (File/createTempFile "kinds" ".damo")]
    (try (d/save file {:f f})
         (:f (d/load file))
         (finally (io/delete-file file true)))))

(defn- received-from [run]
  (reset! received ::none)
  (run)
  @received)

(defn- seen
  "What the op gets for that value of its attribute: in the interpreter, in compiled functions, and
  in one that was written to a file; x has three elements, y two."
  [f value]
  (let [e (f x :how value), data {'x (array/of :f64 [3] [1 2 3]), 'y (array/of :f64 [2] [1 2])}
        made #(d/function [x y] e (assoc % :on-unused-input :ignore))
        called (fn [g] (received-from #(g [1 2 3] [1 2])))]
    (conj (mapv #(called (made {:mode %})) [:fast-run :debug :fast-compile])
          (called (file-roundtrip (made {})))
          (received-from #(eval/run (:graph (expr/to-graph [e (d/neg y)])) data)))))

(def ^:private no-dims
  "Data that some reader might take for dims, axes or names of templates, and other data."
  ['mean [:max :min] [:max 1 2] [:+ 'a 'b] ['n 'other] [[:quot 'z 0]] [:- 5] [:mod 'n 3] '?x '?g
   'a/b {:a 'n} {:a [:* 2 'n]} {[1 'n] 2} #{'n :k} [nil true] [] {} :n :a/b "n" "a\"\\\né" \c nil
   true -3 2.5 ##Inf [:/ 'a 2] [1 -2] [{:deep ['n #{[:+ 1 'n]}]}]])

(deftest data-reaches-an-op-as-it-is
  (doseq [[op-name schema kernel] [[:h1 {} false] [:h2 {} true] [:h3 {:is :data} true]]
          :let [f (takes op-name schema kernel)]
          value (cond-> no-dims (:is schema) (conj 'n ['n] [:* 2 'n] [:/ 'n 2]))]
    (is (= (repeat 5 value) (seen f value)) (str op-name " " (pr-str value)))))

(deftest dims-have-their-values
  (testing "where the kind says so, also those of other arrays"
    (let [f (takes :h4 {:is :counts} true)]
      (doseq [[value expected] {'n 3, [:* 2 'm] 4, ['n 'm] [3 2], [7 [:max 'n 'm]] [7 3]
                                [:quot 'n 2] 1}]
        (is (= (repeat 5 expected) (seen f value)) (pr-str value)))))
  (testing "where there is no kind, those of the op's own arguments and result"
    (let [f (takes :h5 {} true)]
      (doseq [[value expected] {'n 3, [:* 2 'n] 6, [['n 2] [nil 3]] [[3 2] [nil 3]], 'm 'm}]
        (is (= (repeat 5 expected) (seen f value)) (pr-str value))))))

(deftest counted-dims-in-attributes-are-counted-before
  (let [f (takes :h6 {:is :dim} true), kept (d/compress (d/gt x 1.0) x :as 'k)]
    (doseq [mode [:fast-run :debug]]
      (is (= 2 (received-from #((d/function [x y] [(f y :how 'k) kept] {:mode mode})
                                [1 2 3] [1])))))))

(deftest check-op-takes-ops-with-attributes-of-any-data
  (doseq [schema [{:is :symbol} {:is :data} {:is #{'rows 'columns}}]]
    (takes :h7 schema true)
    (is (str/starts-with? (with-out-str (d/check-op :h7)) "the op :h7 keeps"))))

(deftest kernels-in-java-see-the-same-attributes-in-the-interpreter
  (let [f (op! :java-attrs
               {:kind :host, :args '[?x], :attrs {:how {:doc "How."}}, :type (fn [_ [t]] t)
                :kernel (reify HostKernel
                          (run [_ call] (reset! received (.get (.attributes ^HostCall call) "how"))
                            (.input ^HostCall call 0)))})]
    (is (= (repeat 5 (Edn$Keyword. "a/b")) (seen f :a/b)))
    (is (= (repeat 5 nil) (seen f nil)))))

(deftest data-in-templates-names-no-argument
  ;; ?x in a template is the argument; in the attributes of a user's node it is a symbol.
  (takes :h9 {} true)
  (let [f (op! :wraps {:kind :composite, :args '[?x], :attrs {:how {:doc "How."}}
                       :expand (fn [{:keys [attrs]}] [:mul 1 [:h9 attrs '?x]])})
        g (op! :differs {:kind :host, :args '[?x], :attrs {:how {:doc "How."}}
                         :type (fn [_ [t]] t), :eval (fn [_ in] in)
                         :lop (fn [{:keys [attrs]}] [[:h9 attrs '?g]])
                         :rop (fn [{:keys [attrs]}] [:h9 attrs '?dx])})]
    (doseq [how '[?x ?g ?dx ?out]]
      (is (= (repeat 5 how) (seen f how)))
      (is (= [how how] (for [e [(d/grad (d/sum (g x :how how)) x) (d/rop (g x :how how) x x)]]
                         (received-from #((d/function [x] e) [1 2 3]))))))))

;; ## Users' kinds

(deftest users-ops-declare-what-attributes-are
  (let [entry {:kind :host, :args '[?x], :type (fn [_ [t]] t), :kernel (fn [_ _ in] in)
               :attrs {:axis {:is :axis, :default -1, :doc "The axis."}
                       :shape {:is :shape, :default [], :doc "A shape."}
                       :how {:is #{:mean :sum}, :default :mean, :doc "How."}}}
        f (op! :declares entry), m (d/input 'm [:f64 ['n 3]])]
    (is (= {:axis 1, :shape [[:* 2 'n]], :how :sum}
           (expr/attrs-of (f m :shape [[:+ 'n 'n]] :how :sum))))
    (is (= [:damo.attribute/bad-value ":how is one of :mean, :sum; got :max"]
           (update (error-of #(f m :how :max)) 1
                   #(subs (first (str/split-lines %)) (count "declares: ")))))
    (testing "and a Jacobian puts the batch in front by that alone"
      (op! :rolled {:kind :host, :args '[?x], :type (fn [_ [t]] t), :batch {}
                    :attrs {:axis {:is :axis, :default -1, :doc "The axis."}}
                    :linear-in #{0}, :transpose (fn [{:keys [attrs]}] [[:rolled attrs '?g]])
                    :eval (fn [{:keys [axis]} {:keys [shape] :as a}]
                            (let [back #(update % axis (fn [i] (- (nth shape axis) i 1)))]
                              (array/from-indices (:dtype a) shape #(array/at a (back %)))))})
      (let [r (op/caller :rolled), v (d/input 'v [:f64 ['k 2]])]
        (is (= [[0.0 0.0] [1.0 0.0]]
               (second (second (d/eval (d/jacobian (r v) v) {v [[1 2] [3 4]]})))))))))

;; ## Dims that programs do not know

(deftest dims-are-those-that-programs-have
  (doseq [dim [[:mod 'n 3] [:* 2 [:quot 'n]] [:max 'n 'm 3] [:+]]]
    (let [[kind message] (error-of #(d/input 'z [:f64 [3 dim]]))]
      (is (= :damo.type/bad-type kind))
      (is (str/includes? message "arithmetic on dims is [:+ …], [:* …], [:- a b]"))
      (is (str/includes? message "written at: kinds_test.clj:"))))
  (doseq [[dim extent] {[:+ 'n] 1, [:* 'n 'n 2] 2, [:- [:+ 'n 4] 1] 4, [:quot [:+ 'n 4] 2] 2
                        [:/ [:* 2 'n] 2] 1, [:max 'n 3] 3, [:min 'n 3] 1}
          :let [z (d/input 'z [:f64 [dim]])]]
    (is (= (double extent) @((d/function [x z] (d/add (d/sum x) (d/sum z) -1.0))
                             [1] (d/ones [extent])))
        (pr-str dim)))
  (testing "an attribute with a dim that nothing tells names the line"
    (let [[kind message] (error-of #(d/function [x] ((takes :h8 {:is :dim} true) x :how 'k)))]
      (is (= :damo.plan/free-dimension kind))
      (is (re-find #"the dimension k: .*in the attributes of :h8" message))
      (is (str/includes? message "written at: kinds_test.clj:")))))
