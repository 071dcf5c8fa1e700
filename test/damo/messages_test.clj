(ns damo.messages-test
  "What users read when something is wrong, each message whole: what, the expressions with their
  places, what to try; and that the data of the exception has the same."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.data.fail :as fail])
  (:import [clojure.lang ExceptionInfo]
           [damo DamoException]))

(set! *warn-on-reflection* true)

(def x (d/input 'x [:f32 ['n 784]]))
(def w (d/shared 'w (d/zeros [512 10] :f32)))
(def v (d/input 'v [:f32 ['n 3]]))
(def u (d/input 'u [:f32 ['m 3]]))
(def y (d/input 'y [:i64 ['n]]))

(def ^:private places
  (into {} (for [var [#'x #'w #'v #'u #'y]] [(:line (meta var)) (str "at-" (:name (meta var)))])))

(defn- placed
  "A message with the lines of this file named: at-x is where x is defined, here is line `here`."
  [message here]
  (str/replace message #"messages_test\.clj:(\d+)"
               (fn [[whole line]]
                 (let [line (parse-long line)] (if (= line here) "here" (places line whole))))))

(defn- thrown
  "What f throws, an ex-info."
  [f]
  (try (f) nil (catch ExceptionInfo e e)))

(defmacro ^:private says
  "Does the body fail with that kind and, line by line, that message? Its data must have the advice,
  and the file and line that the message says the expression was written at."
  [kind lines body]
  `(let [e# (thrown (fn [] ~body)), data# (ex-data e#)
         message# (str (ex-message e#))]
     (is (= ~kind (:damo/error data#)) message#)
     (is (= ~lines (str/split-lines (placed message# ~(:line (meta body))))))
     (is (nil? (ex-cause e#)) "a REPL shows the innermost cause: it must be this one")
     (is (= (:try data#) (second (re-find #"\n  try: (.*)$" message#))))
     (is (= (when (:file data#) (str (:file data#) ":" (:line data#)))
            (second (re-find #"\n  written at: (.*)" message#))))
     (is (= (:expr data#) (second (re-find #"\n  expression: (.*)" message#))))
     data#))

(def ^:private zeros (d/zeros [2 3] :f32))

;; ## Expressions

(deftest shapes-that-do-not-fit
  (testing "in a product"
    (let [data (says :damo.op.linear/shape-mismatch
                     [(str "dot: the inner dimension must agree: x is [n 784], with 784; y is"
                           " [512 10], with 512")
                      "  argument 0: x [:f32 [n 784]], written at at-x"
                      "  argument 1: w [:f32 [512 10]], written at at-w"
                      "  expression: (dot x w)"
                      "  written at: here"
                      "  try: transpose an operand, or look where the arguments were written"]
                     (d/dot x w))]
      (is (= {:op :dot, :types '[[:f32 [n 784]] [:f32 [512 10]]], :expected 784, :given 512}
             (select-keys data [:op :types :expected :given])))))
  (testing "elementwise"
    (says :damo.type/shape-mismatch
          ["add: axis 1 does not broadcast: 784 and 3 differ"
           "  argument 0: x [:f32 [n 784]], written at at-x"
           "  argument 1: v [:f32 [n 3]], written at at-v"
           "  expression: (add x v)"
           "  written at: here"
           (str "  try: compare the shapes of the arguments; an axis of 1 stretches, reshape or"
                " expand-dims adds one")]
          (d/add x v)))
  (testing "dimensions of two names"
    (says :damo.type/shape-mismatch
          ["mul: axis 0 does not broadcast: n and m differ"
           "  argument 0: (exp v) [:f32 [n 3]], written at here"
           "  argument 1: u [:f32 [m 3]], written at at-u"
           "  expression: (mul (exp v) u)"
           "  written at: here"
           "  try: (d/with-dims '{n m} …), if they are always equal; or give them one name"]
          (d/mul (d/exp v) u))))

(deftest dtypes-that-do-not-fit
  (says :damo.op.typing/bad-dtype
        ["bit-and: takes integers or booleans; got :f32"
         "  argument 0: x [:f32 [n 784]], written at at-x"
         "  argument 1: 1"
         "  expression: (bit-and x 1)"
         "  written at: here"
         "  try: cast it first: (d/cast x :dtype :i64)"]
        (d/bit-and x 1))
  (testing "of data"
    (let [data (says :damo/dtype-mismatch
                     [(str "in f: input x [:f32 [n 784]]: :f64 data cannot become :f32: it would"
                           " lose precision; allow the downcast, or give :f32 data")
                      "  expression: x"
                      "  written at: at-x"
                      "  function made at: here"
                      (str "  try: (d/tensor data dtype), an input of another dtype, or"
                           " :allow-downcast true for wider floats")]
                     ((d/function [x] (d/sum x) {:name "f"}) (d/zeros [2 784])))]
      (is (= '{:input x, :from :f64, :to :f32, :type [:f32 [n 784]], :function "f"}
             (select-keys data [:input :from :to :type :function]))))))

(deftest indices-out-of-bounds
  (testing "that are known"
    (let [data (says :damo.op.subtensor/out-of-bounds
                     ["index: the index 7 is out of range: axis 1 has the extent 3"
                      "  argument 0: v [:f32 [n 3]], written at at-v"
                      "  argument 1: 0"
                      "  argument 2: 7"
                      "  expression: (index v 0 7)"
                      "  written at: here"
                      "  try: count from the end with negative indices, or look at the shape"]
                     (d/index v 0 7))]
      (is (= [7 1 3] (map data [:index :axis :extent])))))
  (testing "in data, when a call runs"
    (let [data (says :damo/index-out-of-bounds
                     [(str "in f: take: an index must lie between 0 and the extent of its axis; the"
                           " index 5 is not in -2 … 1")
                      "  argument 0: v [:f32 [n 3]]"
                      "  argument 1: y [:i64 [n]]"
                      "  expression: (take v y)"
                      "  written at: here"
                      "  try: look at the data of the indices; clip or mod brings them into range"]
                     ((d/function [v y] (d/take v y) {:name "f"}) zeros [0 5]))]
      (is (= '{:op :take, :value 5, :extent 2, :type [:f32 [n 3]], :function "f"}
             (select-keys data [:op :value :extent :type :function]))))))

(deftest names-that-ops-do-not-have
  (let [data (says :damo.op/unknown-attribute
                   [(str "sum: there is no attribute :axes; there are :acc-dtype, :axis, :dtype,"
                         " :keepdims")
                    "  argument 0: v [:f32 [n 3]], written at at-v"
                    "  expression: (sum v :axes 1)"
                    "  written at: here"
                    "  try: did you mean :axis?"]
                   (d/sum v :axes 1))]
    (is (= [:sum :axes {:axes 1}] (map data [:op :attribute :attrs]))))
  (says :damo.op/missing-value
        ["sum: there is no value after the attribute :axis"
         "  argument 0: v [:f32 [n 3]], written at at-v"
         "  expression: (sum v :axis)"
         "  written at: here"
         "  try: attributes come in pairs behind the arguments: (d/sum x :axis 0)"]
        (d/sum v :axis))
  (says :damo.op/wrong-arity
        ["exp: takes 1 argument [?x], given 2"
         "  argument 0: v [:f32 [n 3]], written at at-v"
         "  argument 1: 2"
         "  expression: (exp v 2)"
         "  written at: here"
         "  try: (d/describe op) prints what an op takes"]
        (d/exp v 2))
  (says :damo.expr/not-an-expression
        [(str "exp: an argument is an expression, a number, a nested vector, a Java array or a"
              " tensor; got \"two\"")
         "  argument 0: \"two\""
         "  expression: (exp \"two\")"
         "  written at: here"
         "  try: an input, a tensor of the data, or a number in its place"]
        (d/exp "two")))

(deftest shapes-beyond-the-integers
  (says :damo.type/bad-dimension
        [(str "reshape: a dimension must lie between 0 and 2^63-1; this one comes to"
              " 1208925819614629174706176")
         (str "  argument 0: (broadcast-to 1.0 :shape [1099511627776 1099511627776])"
              " [:f64 [1099511627776 1099511627776]], written at here")
         (str "  expression: (reshape (broadcast-to 1.0 :shape [1099511627776 1099511627776])"
              " :shape [-1])")
         "  written at: here"
         "  try: smaller extents: the number of elements of an array fits into 63 bits"]
        (d/reshape (d/broadcast-to 1.0 :shape [1099511627776 1099511627776]) :shape [-1]))
  (testing "of data"
    (let [a (d/input 'a [:i8 ['i]]), b (d/input 'b [:i8 ['j]]), c (d/input 'c [:i8 ['k]])
          cube (d/mul (d/reshape a :shape ['i 1 1]) (d/reshape b :shape ['j 1]) c)
          large (byte-array 4000000)
          e (thrown #((d/function [a b c] cube) large large large))]
      (is (= :damo/size-overflow (:damo/error (ex-data e))))
      (is (re-matches #"(?s)buffer \d+: size .* with i = 4000000, j = .*, k = .* overflows 64 bits
  expression: \(mul \(mul \(reshape a\) \(reshape b\)\) c\)
  written at: messages_test.clj:\d+
  function made at: messages_test.clj:\d+
  try: smaller dimensions: an array has less than 2\^63 elements and bytes" (ex-message e))))))

;; ## Derivatives

(deftest costs-and-connections
  (let [data (says :damo.diff/non-scalar-cost
                   [(str "the cost of a gradient is one floating-point number, of type [:f32 []] or"
                         " [:f64 []]; this one has the type [:f32 [n 3]]")
                    "  expression: (exp v)"
                    "  written at: here"
                    "  derivative asked for at: here"
                    "  try: reduce it with sum or mean, or use lop with a gradient for it"]
                   (d/grad (d/exp v) v))]
    (is (= '[:exp [:f32 [n 3]]] (map data [:op :type]))))
  (let [cost (d/sum v)
        here (:line (meta #'x))
        e (thrown #(d/grad cost x))]
    (is (= :damo.diff/disconnected (:damo/error (ex-data e))))
    (is (re-matches #"what is differentiated does not depend on what it is differentiated by
  of: \(sum v\) \[:f32 \[\]\], written at messages_test.clj:\d+
  by: input x \[:f32 \[n 784\]\], written at messages_test.clj:\d+
  derivative asked for at: messages_test.clj:\d+
  try: :disconnected :ignore for zeros; integers, booleans and disconnected-grad pass nothing on"
                    (ex-message e)))
    (is (= ["x" "messages_test.clj" here] (map (ex-data e) [:expr :file :line])))))

;; ## Making functions

(deftest dimensions-that-nothing-tells
  (says :damo.plan/free-dimension
        [(str "nothing tells the dimension rows: no input or shared variable has it as an axis of"
              " its own; it appears in the type [:f32 [rows 2]]")
         "  expression: (broadcast-to (sum v))"
         "  written at: here"
         "  function made at: here"
         (str "  try: add an input that has it as an axis, also one that is needed for its shape"
              " alone; or a number")]
        (d/function [v] (d/broadcast-to (d/sum v) :shape ['rows 2])))
  (testing "or that data tell in two ways"
    (let [data (says :damo/shape-mismatch
                     [(str "in f: input y [:i64 [n]], axis 0: expected 2, given 3; dimension n is"
                           " bound by input v, axis 0, to 2")
                      "  expression: y"
                      "  written at: at-y"
                      "  function made at: here"
                      (str "  try: data of the shape that is expected; a symbol in the type of an"
                           " input takes any length")]
                     ((d/function [v y] (d/add (d/sum v) (d/sum y)) {:name "f"}) zeros [0 5 4]))]
      (is (= '{:input y, :axis 0, :expected 2, :given 3, :dimension n}
             (select-keys data [:input :axis :expected :given :dimension]))))))

(deftest inputs-of-functions
  (says :damo.function/unused-input
        ["no output or update needs the input y [:i64 [n]]"
         "  expression: y"
         "  written at: at-y"
         "  function made at: here"
         "  try: leave it out, or say :on-unused-input :ignore"]
        (d/function [v y] (d/sum v)))
  (says :damo.function/missing-input
        [(str "the outputs need the input y [:i64 [n]], which is not among the inputs of the"
              " function: [v]")
         "  expression: y"
         "  written at: at-y"
         "  function made at: here"
         "  try: add it to the inputs, or replace it by :givens"]
        (d/function [v] (d/add (d/sum v) (d/sum y))))
  (says :damo.function/duplicate-input
        ["the input v is listed twice in [v v]"
         "  input: v [:f32 [n 3]], written at at-v"
         "  input: v [:f32 [n 3]], written at at-v"
         "  function made at: here"
         "  try: list each input once"]
        (d/function [v v] (d/sum v))))

(deftest updates-of-functions
  (says :damo.function/duplicate-update
        ["the shared variable w has two updates"
         "  update: w [:f32 [512 10]], written at at-w"
         "  update: (neg w) [:f32 [512 10]], written at here"
         "  expression: w"
         "  written at: at-w"
         "  function made at: here"
         "  try: one update that does both"]
        (d/function [] [] {:updates [[w w] [w (d/neg w)]]}))
  (let [data (says :damo.function/update-mismatch
                   [(str "an update has the type of its variable, [:f32 [512 10]]; this one has"
                         " the type [:f32 []]")
                    "  variable: w [:f32 [512 10]], written at at-w"
                    "  expression: (sum v :axis [0 1])"
                    "  written at: here"
                    "  function made at: here"
                    "  try: cast, broadcast or reshape it to the type of the variable"]
                   (d/function [v] [] {:updates {w (d/sum v)}}))]
    (is (= '[w [:f32 [512 10]] [:f32 []]] (map data [:shared :expected :given])))))

(deftest options-and-modes
  (says :damo.attribute/unknown-option
        [(str "there is no option :update; there are :allow-downcast, :givens, :keep-results,"
              " :mode, :name, :no-default-updates, :on-unused-input, :threads, :trust-input,"
              " :updates")
         "  function made at: here"
         "  try: did you mean :updates?"]
        (d/function [v] (d/sum v) {:update {}}))
  (says :damo.run/unknown-mode
        [(str "there is no mode :fast; there are :debug, :fast-compile, :fast-run, :nan-guard,"
              " :none, :sync")
         "  function made at: here"
         "  try: did you mean :fast-run or :fast-compile?"]
        (d/function [v] (d/sum v) {:mode :fast}))
  (says :damo.run/unknown-option
        [(str "there is no option :excluding of the mode :fast-run; there are :exclude, :include,"
              " :mode, :regroup, :rules")
         "  function made at: here"
         "  try: did you mean :exclude?"]
        (d/function [v] (d/sum v) {:mode {:excluding #{:add-zero}}}))
  (says :damo.run/unknown-rule
        ["there is no rule or promise :add-zer"
         "  function made at: here"
         "  try: did you mean :add-zero or :add-neg or :and-zero?"]
        (d/function [v] (d/sum v) {:mode {:exclude #{:add-zer}}}))
  (is (= 6.0 @((d/function [v] (d/sum v) {:mode :sync}) [[1 2 3]]))))

(deftest options-and-arguments-of-functions
  (says :damo.attribute/unknown-option
        ["layer-norm: there is no option :eps; there are :axis, :epsilon, :scale, :shift"
         "  argument 0: v [:f32 [n 3]], written at at-v"
         "  argument 1: 1"
         "  argument 2: 0"
         "  expression: (layer-norm v 1 0 :eps 0.1)"
         "  written at: here"
         "  try: did you mean :epsilon?"]
        (d/layer-norm v 1 0 :eps 0.1))
  (says :damo.attribute/bad-value
        ["sum: :keepdims is true or false; got 7"
         "  argument 0: v [:f32 [n 3]], written at at-v"
         "  expression: (sum v :keepdims 7)"
         "  written at: here"]
        (d/sum v :keepdims 7))
  (says :damo.face/wrong-arity
        ["grad: takes the arguments [cost wrt & opts]; given 1"
         "  written at: here"]
        (d/grad (d/sum v)))
  (says :damo.face/bad-argument
        ["call-n: n is an integer; got 0.5"
         "  written at: here"]
        (d/call-n (d/function [v] (d/sum v)) 0.5 zeros))
  (says :damo.expr/no-value
        ["an expression has no value of its own"
         "  expression: (exp v)"
         "  written at: here"
         "  try: evaluate it: (d/eval e {x [1 2 3]}), with a value for each of its inputs"]
        (deref (d/exp v)))
  (says :damo.type/bad-shape
        [(str "a shape is a vector of dims, integers of at least 0 or symbols, [n 784]; got"
              " \"3\"")]
        (d/zeros "3")))

;; ## Calls

(deftest arguments-of-calls
  (let [data (says :damo/arity-mismatch
                   ["in f: takes 2 arguments [v, y], got 1"
                    "  input: v [:f32 [n 3]], written at at-v"
                    "  input: y [:i64 [n]], written at at-y"
                    "  function made at: here"
                    "  try: one value for each input, in that order, or one map of name to value"]
                   ((d/function [v y] (d/add (d/sum v) (d/sum y)) {:name "f"}) zeros))]
    (is (= [2 1] (map data [:expected :given]))))
  (let [data (says :damo/arity-mismatch
                   ["in f: takes the inputs [v, y]; missing: [y]; unknown: [z]"
                    "  input: v [:f32 [n 3]], written at at-v"
                    "  input: y [:i64 [n]], written at at-y"
                    "  function made at: here"
                    "  try: one value for each input, in that order, or one map of name to value"]
                   ((d/function [v y] (d/add (d/sum v) (d/sum y)) {:name "f"}) {'v zeros, :z 3}))]
    (is (= [["y"] ["z"]] (map data [:missing :unknown]))))
  (says :damo/shape-mismatch
        ["in f: input v [:f32 [n 3]], axis 1: expected 3, given 4"
         "  expression: v"
         "  written at: at-v"
         "  function made at: here"
         (str "  try: data of the shape that is expected; a symbol in the type of an input takes"
              " any length")]
        ((d/function [v] (d/sum v) {:name "f"}) [[1 2 3 4]])))

(deftest what-is-not-a-number
  (let [data (says :damo/not-finite
                   ["in f: log gave NaN at element 4 (row-major) of [:f32 [n 3]]"
                    "  argument 0: v [:f32 [n 3]]"
                    "  expression: (log v)"
                    "  written at: here"
                    "  try: keep its arguments where it is finite, by clip or where"]
                   ((d/function [v] (d/log v) {:name "f" :mode :nan-guard}) [[1 2 3] [4 -1 2]]))]
    (is (= '[:log 4 [:f32 [n 3]]] (map data [:op :element :type])))))

;; ## The core

(deftest exceptions-of-the-core-have-the-same
  (let [f (d/function [v] (d/sum v) {:name "f"})
        e (thrown #(f zeros zeros))
        ^DamoException core (first (.getSuppressed ^Throwable e))]
    (is (= "arity-mismatch" (.kind core)))
    (is (= "in f: takes 1 argument [v], got 2" (.what core)))
    (is (= (str (.what core) "\n  try: " (fail/advice :damo/arity-mismatch)) (.getMessage core)))
    (is (= {"expected" 1, "given" 2, "try" (fail/advice :damo/arity-mismatch)} (.data core)))))
