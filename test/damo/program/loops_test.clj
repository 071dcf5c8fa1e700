(ns damo.program.loops-test
  "Loops, branches and windows: what they compute, what is refused of them when a program is read or
  its dimensions are bound, what a failure inside tells."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.program.loops :as loops]
            [damo.runtime.programs :as programs])
  (:import (damo.program Programs)
           (damo.runtime Function HostCall HostKernel OpKernels)
           (damo.tensor DType Tensor)
           (damo.verify Bindings)
           (java.util Map)))

(set! *warn-on-reflection* true)

(defn- tensor [data shape]
  (.reshape (Tensor/of (vec data) DType/F64) (long-array shape)))

(defn- steps [x h0]
  (vec (reductions (fn [h row] (mapv #(+ (* 0.5 (double %1)) (double %2)) h row)) h0 x)))

;; ## What they compute

(deftest rounds-read-and-write-windows
  (with-open [whole (programs/compiled loops/trace), last-only (programs/compiled loops/circular)]
    (doseq [[n w] [[0 3] [1 1] [2 3] [7 2] [5 0] [1000 17]]
            :let [x (mapv (fn [t] (mapv #(+ (double t) (* 0.25 (double %))) (range w))) (range n))
                  h0 (mapv double (range w))
                  data (tensor (flatten x) [n w])]]
      (testing [n w]
        (is (= [(steps x h0)] (programs/call whole data h0)))
        (is (= [(peek (steps x h0))] (programs/call last-only data h0)))))))

(deftest loops-end-when-they-are-told
  (with-open [f (programs/compiled loops/newton)]
    (is (= [1.0 0] (programs/call f 0.0)) "not a single round")
    (doseq [a [2.0 9.0 1e300 1e-300]
            :let [[r rounds] (programs/call f a)]]
      (is (< (Math/abs (- (double r) (Math/sqrt a))) (* 1e-15 (Math/sqrt a))))
      (is (< 1 (long rounds) 1100)))))

(deftest only-the-case-taken-runs
  (with-open [f (programs/compiled loops/cases)]
    (is (= [[5 6 7]] (programs/call f 0 [5 6 7])))
    (is (= [[10 12 14]] (programs/call f 1 [5 6 7])))
    (is (= [[6 6 6]] (programs/call f 2 [1 6 7])))
    (is (= [[]] (programs/call f 2 (Tensor/of [] DType/I64))))
    (is (= ["index-out-of-bounds"
            "in cases: take: the index 5 is not in 0 … 2\n  expression: (take x i)"]
           (programs/refusal #(programs/call f 2 [5 6 7]))))
    (doseq [i [-1 3 Long/MAX_VALUE]]
      (is (= ["index-out-of-bounds"
              (str "in cases: switch: the index " i " is not in 0 … 2"
                   "\n  expression: (switch i a b c)")]
             (programs/refusal #(programs/call f i [5 6 7])))))))

(deftest rounds-count-anew
  (let [total (programs/state "total" 0 DType/I64)]
    (with-open [f (programs/compiled loops/sums {"total" total})]
      (is (= [[6 0 9]] (programs/call f [[1 2 3] [0 0 0] [4 -1 5]])))
      (is (= 15 @(.value total)))
      (testing "a failure tells the rounds and leaves the state"
        (is (= ["index-out-of-bounds"
                (str "in sums: take: the index -1 is not in 0 … 999\n  expression: (take a x)"
                     "\n  in iteration 2 of (scan f), iteration 0")]
               (programs/refusal #(programs/call f [[1 2 3] [0 0 0] [-1 1 1]]))))
        (is (= 15 @(.value total)))))))

(deftest products-read-and-write-one-buffer
  (with-open [f (programs/compiled loops/powers)]
    (is (= [[[1.0 0.0 0.0] [0.0 1.0 0.0] [0.0 0.0 1.0]] [[0.0 1.0 0.0] [0.0 0.0 1.0] [1.0 0.0 0.0]]
            [[0.0 0.0 1.0] [1.0 0.0 0.0] [0.0 1.0 0.0]] [[1.0 0.0 0.0] [0.0 1.0 0.0] [0.0 0.0 1.0]]]
           (first (programs/call f [[0.0 1.0 0.0] [0.0 0.0 1.0] [1.0 0.0 0.0]]
                                 [0.0 0.0 0.0]))))))

;; ## Bodies of other steps

(defn- with-host ^Function [form kernels]
  (Function/compile (Programs/read (pr-str form)) {} false (OpKernels/of ^Map kernels)))

(def ^:private hosted
  "trace, whose rounds are made by the application, told the round."
  (assoc-in loops/trace [:steps 1 :steps]
            '[{:do :host :op "step" :attrs {} :sizes {:round t, :left [:- n t]}
               :ins [{:buffer 2 :offset [:* t w] :size w :shape [w]}
                     {:buffer 0 :offset [:* t w] :size w :shape [w]}]
               :out {:buffer 2 :offset [:* [:+ t 1] w] :size w :shape [w]} :note 0}]))

(deftest host-kernels-run-in-rounds
  (let [seen (atom [])
        step (reify HostKernel
               (run [_ call]
                 (let [at (.attributes ^HostCall call)]
                   (swap! seen conj [(get at "round") (get at "left")])
                   (when (= 7 (get at "round")) (throw (ex-info "seven" {})))
                   (Tensor/of (mapv #(+ (* 0.5 (double %1)) (double %2))
                                    @(.input ^HostCall call 0) @(.input ^HostCall call 1))))))
        form (assoc hosted :notes [{:op "step"}])]
    (with-open [f (with-host form {"step" step})]
      (let [x [[1.0 2.0] [3.0 4.0] [5.0 6.0]]]
        (is (= [(steps x [8.0 16.0])] (programs/call f x [8.0 16.0])))
        (is (= [[0 3] [1 2] [2 1]] @seen))
        (is (re-find #"the kernel of the op step failed: .*seven(.|\n)*\n  in iteration 7$"
                     (second (programs/refusal
                              #(programs/call f (vec (repeat 9 [0.0 0.0])) [0.0 0.0])))))
        (is (= [(steps x [0.0 0.0])] (programs/call f x [0.0 0.0])) "as good as before")))))

(deftest long-bodies-are-several-functions
  (let [inc-step '{:do :kernel :kernel 1 :args [2 {:buffer 3 :offset t :size 1}]}
        long-one (-> loops/told
                     (assoc-in [:steps 1 :steps] (vec (repeat 250 inc-step)))
                     (assoc-in [:steps 1 :steps 7]
                               '{:do :loop :var u :extent 3
                                 :steps [{:do :kernel :kernel 2 :args [1 2]}
                                         {:do :kernel :kernel 1
                                          :args [2 {:buffer 3 :offset t :size 1}]}]})
                     (update :kernels conj
                             '{:name "checked" :params [[:i64 :in] [:i64 :inout]]
                               :body [[:require [:ge [:mul [:size t] [:load 0 0]]
                                                 [:const :i64 -3]] 0]
                                      [:store 1 0 [:add [:load 1 0] [:const :i64 1]]]]})
                     (assoc :notes [{:op "check" :message "too small"}]))]
    (with-open [f (programs/compiled long-one)]
      (is (= [(+ 1 (* 4 255)) [1 1 1 1]] (programs/call f 4 1)))
      (is (= "in told: check: too small\n  in iteration 2, iteration 0"
             (second (programs/refusal #(programs/call f 4 -2))))))))

(deftest rounds-may-have-to-count-alike
  (let [same (assoc-in loops/sums [:steps 0 :counted 0 :same] true)]
    (with-open [f (programs/compiled same {"total" (programs/state "total" 0 DType/I64)})]
      (is (= [[3 7]] (programs/call f [[1 2 0] [3 0 4]])))
      (is (= [[]] (programs/call f (Tensor/zeros DType/I64 (long-array [0 3])))))
      (is (= "in sums: pack: too many\n  in iteration 1 of (scan f)"
             (second (programs/refusal #(programs/call f [[1 2 0] [3 0 0]]))))))))

;; ## What people see

(deftest loops-and-branches-as-lines
  (is (= ["branch  3 cases; reads 0" "  case 0" "    kernel  copy; reads 1, writes 4"
          "  case 1" "    kernel  twice; reads 1, writes 2" "    kernel  copy; reads 2, writes 4"
          "  case 2" "    kernel  at; reads 1, writes 3" "    kernel  copy; reads 3, writes 4"]
         (.lines (Programs/read (pr-str loops/cases)))))
  (is (= ["kernel  first; reads 0, writes 1 2" "loop    t; reads 2 3"
          "  kernel  next; reads 0 1, writes 1 3" "kernel  last; reads 1, writes 4 5"]
         (.lines (Programs/read (pr-str loops/newton))))))

;; ## Dimensions that are values

(deftest values-of-inputs-are-dimensions
  (with-open [f (programs/compiled loops/told)]
    (doseq [_ (range 2), r [3 0 1 3 20 2 4 5 6 7 8 9]]
      (is (= [(+ 10 (long r)) (vec (repeat r 1))] (programs/call f r 10))))
    (is (= ["negative-dimension"
            (str "in told: input rounds is -1, but its value is the dimension r, which is not "
                 "negative")]
           (programs/refusal #(programs/call f -1 10))))
    (is (= "shape-mismatch" (first (programs/refusal #(programs/call f [1] 10))))))
  (testing "an axis that shows the dimension as well"
    (with-open [f (programs/compiled
                   (-> loops/told (assoc-in [:inputs 1 :shape] '[r])
                       (assoc-in [:buffers 1 :size] 'r)))]
      (is (= [6 [1]] (programs/call f 1 [5])))
      (is (re-find #"expected 2, given 1; dimension r is bound by input rounds, to its value 2"
                   (second (programs/refusal #(programs/call f 2 [5]))))))))

;; ## What is refused

(defn- refused [form & dims]
  (second (programs/refusal #(Bindings/bind (Programs/read (pr-str form)) (long-array dims)))))

(defn- at [form path value] (assoc-in form path value))

(def ^:private window-at
  "The path of the offset of the trace's windows that a round reads and writes."
  (fn [arg] [:steps 1 :steps 0 :args arg :offset]))

(deftest wrong-forms-are-refused-when-read
  (doseq [[form message]
          [[(update-in loops/trace [:steps 1] dissoc :extent)
            #"step 1: a :loop has :extent, or :until, or both"]
           [(at loops/trace [:steps 1 :var] 'n)
            #"step 1: the dimension n of the rounds is another one already"]
           [(at loops/sums [:steps 0 :steps 3 :var] 'i)
            #"step 4: the dimension i of the rounds is another one already"]
           [(update-in loops/sums [:steps 0 :counted] conj '{:dim w :max 1})
            #"the dimension w is listed already"]
           [(update-in loops/sums [:steps 0 :counted] conj '{:dim i :max 1})
            #"the dimension i is listed already|dimension i of the rounds is another one"]
           [(at loops/sums [:steps 0 :counted 0 :max] 'i)
            #"step 0: mentions the dimension i, which is known in other lists of steps only"]
           [(at loops/sums [:steps 0 :steps 3 :counted] '[{:dim k :max w}])
            #"step 4: the dimension k is listed already"]
           [(at loops/sums [:steps 0 :steps 3 :counted] '[{:dim j2 :max i}])
            #"a :max does not depend on the round, found i"]
           [(update-in loops/sums [:steps 0 :steps] #(into [] (remove (comp #{:count} :do)) %))
            #"step 2: mentions the dimension k, which a later :count step binds"]
           [(update-in loops/sums [:steps 0 :counted 0] dissoc :max)
            #"buffer 1: no :max is known of \[k\]"]
           [(at loops/sums [:buffers 3 :size] 'k) #"buffer 3: unknown dimension k"]
           [(update loops/sums :steps conj '{:do :kernel :kernel 1 :args [1 2]})
            #"mentions the dimension k, which is known in other lists of steps only"]
           [(update loops/trace :steps conj
                    '{:do :kernel :kernel 0 :args [1 {:buffer 2 :offset t :size w}]})
            #"mentions the dimension t, which is known in other lists of steps only"]
           [(at loops/newton [:steps 1 :until] 4) #":until, buffer 4, is of :f64, expected :bool"]
           [(update-in loops/newton [:steps 1] dissoc :note) #"step 1: :note is missing"]
           [(at loops/newton [:steps 1 :count] 'q) #":dim is q, expected m, the next of :counted"]
           [(at loops/newton [:steps 1 :steps] []) #":until, buffer 3, is read before any step"]
           [(update-in loops/newton [:steps] subvec 1)
            #"step 0: :unless, buffer 2, is read before any step"]
           [(at loops/cases [:steps 0 :cases] []) #"a :branch has one or more :cases"]
           [(at loops/cases [:steps 0 :cases 0] 7) #":cases to hold vectors of steps, found 7"]
           [(at loops/cases [:steps 0 :test] 9) #"expected :test to be an integer below 5"]
           [(at loops/cases [:steps 0 :counted] '[{:dim k :max n :same true}])
            #":same is for what the rounds of a :loop count"]
           [(at loops/cases [:steps 0 :cases 1] [])
            #"buffer 4: no step writes this output"]
           [(update-in loops/cases [:steps 0 :cases 2] #(vec (reverse %)))
            #"step 4: argument 0, buffer 3, is read before any step has written it"]
           [(at loops/cases [:steps 0 :cases 1] '[{:do :kernel :kernel 0 :args [3 4]}])
            #"step 2: argument 0, buffer 3, is read before any step has written it"]
           [(at loops/trace [:steps 1 :steps 0 :args 0] 2) #"argument 2 shares buffer 2 with"]
           [(at loops/trace (window-at 0) '[:* [:+ t 1] w])
            #"argument 2 shares buffer 2 with argument 0"]
           [(at loops/trace [:steps 1 :steps 0 :args 1] '{:buffer 0 :offset t}) #":size is missing"]
           [(at loops/told [:valued 0 :input] "x2") #":input is an input of one integer"]
           [(at loops/told [:valued 0 :dim] 'x) #":dim is one of :dims"]
           [(assoc loops/told :valued []) #"no input or state has \[r\] as an axis"]]]
    (testing message
      (is (re-find message (str (refused form 1 1)))))))

(deftest what-a-body-counts-is-known-in-it
  (testing "a kernel may have a variable of a round's name, or mention the round, not both"
    (is (re-find #"the names \[i\] are rounds of loops, and variables too"
                 (refused (at loops/sums [:kernels 1 :body 0] '[:var c [:size i]]) 1 1)))))

(deftest windows-lie-in-their-buffers
  (doseq [[form dims message]
          [[loops/trace [3 2] nil]
           [(at loops/trace (window-at 0) '[:* [:- t 1] w]) [3 2]
            #"step 2, argument 0, buffer 2, the offset of a window: .*may be negative"]
           [(at loops/trace (window-at 0) '[:* [:- t 1] w]) [0 2] nil]
           [(at loops/trace (window-at 1) '[:* [:max 0 [:- t 1]] w]) [3 2] nil]
           [(at loops/trace (window-at 2) '[:* [:+ t 2] w]) [3 2]
            #"argument 2, buffer 2: the window of w with w = 2 elements from .* to element 9"]
           [(at loops/trace [:steps 1 :extent] '[:+ n 1]) [3 2] #"buffer 0: the window of"]
           [(at loops/trace [:steps 1 :steps 0 :args 1 :size] '[:- w 1]) [3 2]
            #"index c of parameter 1 reaches 1, but the window of buffer 0 has 1 elements"]
           [(at loops/trace [:steps 1 :steps 0 :args 1 :size] '[:- 3 t]) [3 2]
            #"argument 1: kernel 1 may leave the window"]
           [(at loops/newton (window-at 1) 't) [] #"the window of 1 elements from t"]
           [(at loops/powers [:steps 1 :steps 0 :c :offset] '[:* 9 [:+ t 2]]) [3]
            #"step 2, a :gemm: :c reaches element 44"]
           [(at loops/told [:steps 1 :extent] '[:+ r 1]) [3] #"the window of 1 elements from t"]]]
    (testing [(:name form) dims message]
      (is (if message
            (re-find message (str (apply refused form dims)))
            (nil? (apply refused form dims)))))))

(deftest windows-of-one-buffer-are-apart
  (let [apart? (fn [form dims]
                 (not (re-find #"may share elements" (str (apply refused form dims)))))
        rows (fn [from to] (-> loops/circular (at (window-at 0) from) (at (window-at 2) to)))]
    (doseq [[expected form]
            [[true loops/trace] [true loops/circular] [true loops/newton] [true loops/powers]
             [true (at loops/trace (window-at 0) 0)]
             [false (at loops/trace (window-at 0) '[:+ [:* t w] 1])]
             [false (at loops/trace (window-at 0) '[:* [:- n t] w])]
             [false (rows '[:* w [:mod t 2]] '[:* w [:mod [:+ t 2] 2]])]
             [false (rows '[:* w [:mod t 2]] '[:* w [:mod [:* 2 t] 2]])]
             [false (rows '[:* [:quot w 2] [:mod t 2]] '[:* [:quot w 2] [:mod [:+ t 1] 2]])]
             [false (rows '[:mod t 2] '[:mod [:+ t 1] 2])]
             [true (rows '[:mod [:* t w] w] '[:+ w [:mod [:* t w] w]])]
             [false (at loops/powers [:steps 1 :steps 0 :c :offset] '[:+ 8 [:* 9 t]])]
             [false (at loops/newton (window-at 2) '[:mod [:+ t 1] 1])]]]
      (testing [(:name form) (get-in form (window-at 0)) (get-in form (window-at 2))]
        (is (= expected (apart? form (take (count (:dims form)) [4 4]))))))))

(defn- placed-by-count
  "A program that copies one element to where a counted dim without :max says, `steps` around that."
  [offset steps]
  {:damo/program 1, :name "placed", :dims ['n]
   :counted [{:dim 'd}]
   :buffers [{:dtype :i64, :size 1, :kind :input} {:dtype :i64, :size 'n, :kind :input}
             {:dtype :i64, :size 4, :kind :output}]
   :inputs [{:name "d", :dtype :i64, :shape [], :buffer 0}
            {:name "x", :dtype :i64, :shape ['n], :buffer 1}]
   :state [], :outputs [{:name "y", :dtype :i64, :shape [4], :buffer 2}], :consts []
   :kernels [{:name "zero", :params [[:i64 :out]]
              :body '[[:for i 4 [:store 0 i [:const :i64 0]]]]}
             {:name "set", :params [[:i64 :out]], :body '[[:store 0 0 [:const :i64 1]]]}]
   :steps (into '[{:do :kernel :kernel 0 :args [2]} {:do :count :dim d :buffer 0 :note 0}]
                (steps {:do :kernel, :kernel 1
                        :args [{:buffer 2, :offset offset, :size 1}]}))
   :notes [{:op "d", :expr "d", :message "bad"}]})

(deftest numbers-without-bound-stay-in-memory
  (let [most 1152921504606846976
        far (placed-by-count [:* [:quot 'd most] 1000000000] vector)]
    (is (some? (refused far 1)) "the largest number that a count may be is looked at"))
  (testing "what does not run divides by nothing"
    (let [idle #(vector {:do :loop, :var 't, :extent 'n, :steps [%], :note 0})
          p (placed-by-count [:- 10 [:quot 10 'd]] idle)]
      (is (some? (refused p 0))))))
