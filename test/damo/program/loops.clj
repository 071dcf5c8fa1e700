(ns damo.program.loops
  "Programs with loops, branches and windows, as EDN data, for tests to run and to spoil.")

(set! *warn-on-reflection* true)

(def copy
  "Kernel: the first w elements of its second parameter are those of its first one."
  '{:name "copy" :params [[:f64 :in] [:f64 :out]] :body [[:for c w [:store 1 c [:load 0 c]]]]})

(def trace
  "h [n+1 w]: h[0] = h0, h[t+1] = h[t] / 2 + x[t]."
  {:damo/program 1 :name "trace" :dims '[n w]
   :buffers '[{:dtype :f64 :size [:* n w] :kind :input} {:dtype :f64 :size w :kind :input}
              {:dtype :f64 :size [:* [:+ n 1] w] :kind :output}]
   :inputs '[{:name "x" :dtype :f64 :shape [n w] :buffer 0}
             {:name "h0" :dtype :f64 :shape [w] :buffer 1}]
   :outputs '[{:name "h" :dtype :f64 :shape [[:+ n 1] w] :buffer 2}]
   :kernels [copy
             '{:name "step" :params [[:f64 :in] [:f64 :in] [:f64 :out]]
               :body [[:for c w [:store 2 c [:add [:mul [:load 0 c] [:const :f64 0.5]]
                                             [:load 1 c]]]]]}]
   :steps '[{:do :kernel :kernel 0 :args [1 {:buffer 2 :offset 0 :size w}]}
            {:do :loop :var t :extent n
             :steps [{:do :kernel :kernel 1
                      :args [{:buffer 2 :offset [:* t w] :size w}
                             {:buffer 0 :offset [:* t w] :size w}
                             {:buffer 2 :offset [:* [:+ t 1] w] :size w}]}]}]})

(def circular
  "The last row of trace, of two that are kept in turn."
  (-> trace
      (assoc :name "circular"
             :outputs '[{:name "h" :dtype :f64 :shape [w] :buffer 2}]
             :steps '[{:do :kernel :kernel 0 :args [1 {:buffer 3 :offset 0 :size w}]}
                      {:do :loop :var t :extent n
                       :steps [{:do :kernel :kernel 1
                                :args [{:buffer 3 :offset [:* w [:mod t 2]] :size w}
                                       {:buffer 0 :offset [:* t w] :size w}
                                       {:buffer 3 :offset [:* w [:mod [:+ t 1] 2]] :size w}]}]}
                      {:do :kernel :kernel 0
                       :args [{:buffer 3 :offset [:* w [:mod n 2]] :size w} 2]}])
      (update :buffers #(-> (vec (take 2 %))
                            (conj '{:dtype :f64 :size w :kind :output}
                                  '{:dtype :f64 :size [:* 2 w] :kind :temp})))))

(def newton
  "r = the root of a by Newton's method from a+1, as many rounds as it takes, m; nothing is known of
  their number beforehand. No round where a is 0."
  '{:damo/program 1 :name "newton" :dims [] :counted [{:dim m}]
    :buffers [{:dtype :f64 :size 1 :kind :input} {:dtype :f64 :size 2 :kind :temp}
              {:dtype :bool :size 1 :kind :temp} {:dtype :bool :size 1 :kind :temp}
              {:dtype :f64 :size 1 :kind :output} {:dtype :i64 :size 1 :kind :output}]
    :inputs [{:name "a" :dtype :f64 :shape [] :buffer 0}]
    :outputs [{:name "r" :dtype :f64 :shape [] :buffer 4}
              {:name "rounds" :dtype :i64 :shape [] :buffer 5}]
    :kernels [{:name "first" :params [[:f64 :in] [:f64 :out] [:bool :out]]
               :body [[:store 1 0 [:add [:load 0 0] [:const :f64 1]]]
                      [:store 2 0 [:eq [:load 0 0] [:const :f64 0]]]]}
              {:name "next" :params [[:f64 :in] [:f64 :in] [:f64 :out] [:bool :out]]
               :body [[:let r [:load 1 0]]
                      [:let s [:mul [:const :f64 0.5] [:add r [:div [:load 0 0] r]]]]
                      [:store 2 0 s]
                      [:store 3 0 [:not [:lt s r]]]]}
              {:name "last" :params [[:f64 :in] [:f64 :out] [:i64 :out]]
               :body [[:store 1 0 [:load 0 [:mod m 2]]] [:store 2 0 [:size m]]]}]
    :steps [{:do :kernel :kernel 0 :args [0 {:buffer 1 :offset 0 :size 1} 2]}
            {:do :loop :var t :until 3 :unless 2 :count m :note 0
             :steps [{:do :kernel :kernel 1
                      :args [0 {:buffer 1 :offset [:mod t 2] :size 1}
                             {:buffer 1 :offset [:mod [:+ t 1] 2] :size 1} 3]}]}
            {:do :kernel :kernel 2 :args [1 4 5]}]
    :notes [{:op "loop" :message "too many rounds"}]})

(def cases
  "y = x, 2 x or the element of x at x[0], by a number; each case with a temporary of its own."
  '{:damo/program 1 :name "cases" :dims [n]
    :buffers [{:dtype :i64 :size 1 :kind :input} {:dtype :i64 :size n :kind :input}
              {:dtype :i64 :size n :kind :temp} {:dtype :i64 :size n :kind :temp}
              {:dtype :i64 :size n :kind :output}]
    :inputs [{:name "i" :dtype :i64 :shape [] :buffer 0}
             {:name "x" :dtype :i64 :shape [n] :buffer 1}]
    :outputs [{:name "y" :dtype :i64 :shape [n] :buffer 4}]
    :kernels [{:name "copy" :params [[:i64 :in] [:i64 :out]]
               :body [[:for c n [:store 1 c [:load 0 c]]]]}
              {:name "twice" :params [[:i64 :in] [:i64 :out]]
               :body [[:for c n [:store 1 c [:mul [:const :i64 2] [:load 0 c]]]]]}
              {:name "at" :params [[:i64 :in] [:i64 :out]]
               :body [[:for c n [:index i [:load 0 0] n 1] [:store 1 c [:load 0 i]]]]}]
    :steps [{:do :branch :test 0 :note 0
             :cases [[{:do :kernel :kernel 0 :args [1 4]}]
                     [{:do :kernel :kernel 1 :args [1 2]} {:do :kernel :kernel 0 :args [2 4]}]
                     [{:do :kernel :kernel 2 :args [1 3]} {:do :kernel :kernel 0 :args [3 4]}]]}]
    :notes [{:op "switch" :expr "(switch i a b c)"} {:op "take" :expr "(take x i)"}]})

(def sums
  "s[i] = the sum of the positive elements of row i of x [n w], packed first, their number k counted
  in each row; a nested loop adds them one by one to the state, unless the first element of the row
  is negative: an index that fails."
  '{:damo/program 1 :name "sums" :dims [n w]
    :buffers [{:dtype :i64 :size [:* n w] :kind :input} {:dtype :i64 :size k :kind :temp}
              {:dtype :i64 :size 1 :kind :temp} {:dtype :i64 :size n :kind :output}
              {:dtype :i64 :size 1 :kind :state}]
    :inputs [{:name "x" :dtype :i64 :shape [n w] :buffer 0}]
    :state [{:name "total" :dtype :i64 :shape [] :buffer 4 :written true}]
    :outputs [{:name "s" :dtype :i64 :shape [n] :buffer 3}]
    :kernels [{:name "pack" :params [[:i64 :in] [:i64 :out] [:i64 :out]]
               :body [[:var c [:const :i64 0]]
                      [:for i w
                       [:if [:gt [:load 0 i] [:const :i64 0]]
                        [:index p c w 0] [:store 1 p [:load 0 i]]
                        [:set c [:add c [:const :i64 1]]]]]
                      [:store 2 0 c]]}
              {:name "sum" :params [[:i64 :in] [:i64 :out]]
               :body [[:var c [:const :i64 0]]
                      [:for i k [:set c [:add c [:load 0 i]]]]
                      [:store 1 0 c]]}
              {:name "add" :params [[:i64 :in] [:i64 :in] [:i64 :inout]]
               :body [[:index j [:load 1 0] 1000 1]
                      [:store 2 0 [:add [:load 2 0] [:load 0 0]]]]}]
    :steps [{:do :loop :var i :extent n :counted [{:dim k :max w}] :note 2
             :steps [{:do :kernel :kernel 0
                      :args [{:buffer 0 :offset [:* i w] :size w} 1 2]}
                     {:do :count :dim k :buffer 2 :note 0}
                     {:do :kernel :kernel 1 :args [1 {:buffer 3 :offset i :size 1}]}
                     {:do :loop :var j :extent k
                      :steps [{:do :kernel :kernel 2
                               :args [{:buffer 1 :offset j :size 1}
                                      {:buffer 0 :offset [:* i w] :size w} 4]}]}]}]
    :notes [{:op "pack" :message "too many"} {:op "take" :expr "(take a x)"}
            {:op "loop" :expr "(scan f)"}]})

(def powers
  "p [n+1 3 3]: the powers of a, each the product of the one before with a; p[0] is the unit."
  '{:damo/program 1 :name "powers" :dims [n]
    :buffers [{:dtype :f64 :size 9 :kind :input} {:dtype :f64 :size n :kind :input}
              {:dtype :f64 :size [:* 9 [:+ n 1]] :kind :output}]
    :inputs [{:name "a" :dtype :f64 :shape [3 3] :buffer 0}
             {:name "like" :dtype :f64 :shape [n] :buffer 1}]
    :outputs [{:name "p" :dtype :f64 :shape [[:+ n 1] 3 3] :buffer 2}]
    :kernels [{:name "unit" :params [[:f64 :out]]
               :body [[:for i 3 [:for j 3 [:store 0 [:+ [:* 3 i] j]
                                           [:cast :f64 [:eq [:size i] [:size j]]]]]]]}]
    :steps [{:do :kernel :kernel 0 :args [{:buffer 2 :offset 0 :size 9}]}
            {:do :loop :var t :extent n
             :steps [{:do :gemm :dtype :f64 :m 3 :n 3 :k 3 :alpha 1.0 :beta 0.0
                      :a {:buffer 2 :offset [:* 9 t] :strides [3 1]}
                      :b {:buffer 0 :offset 0 :strides [3 1]}
                      :c {:buffer 2 :offset [:* 9 [:+ t 1]] :strides [3 1]}}]}]})

(def told
  "y = x + r numbers of ones, r the value of an input; ones [r] by the way."
  '{:damo/program 1 :name "told" :dims [r] :valued [{:dim r :input "rounds"}]
    :buffers [{:dtype :i32 :size 1 :kind :input} {:dtype :i64 :size 1 :kind :input}
              {:dtype :i64 :size 1 :kind :output} {:dtype :i64 :size r :kind :output}]
    :inputs [{:name "rounds" :dtype :i32 :shape [] :buffer 0}
             {:name "x" :dtype :i64 :shape [] :buffer 1}]
    :outputs [{:name "y" :dtype :i64 :shape [] :buffer 2}
              {:name "ones" :dtype :i64 :shape [r] :buffer 3}]
    :kernels [{:name "copy" :params [[:i64 :in] [:i64 :out]] :body [[:store 1 0 [:load 0 0]]]}
              {:name "one" :params [[:i64 :inout] [:i64 :out]]
               :body [[:store 1 0 [:const :i64 1]]
                      [:store 0 0 [:add [:load 0 0] [:const :i64 1]]]]}]
    :steps [{:do :kernel :kernel 0 :args [1 2]}
            {:do :loop :var t :extent r
             :steps [{:do :kernel :kernel 1 :args [2 {:buffer 3 :offset t :size 1}]}]}]})

(def all
  "Every program of this namespace."
  [trace circular newton cases sums powers told])
