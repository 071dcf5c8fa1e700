(ns damo.program.calls-test
  "Calls of routines of libraries: each gives what it means, on whole buffers and inside of them,
  for sizes that are known and counted; whoever lies about a size is refused; a routine that reports
  a failure ends the call with the note, and states are as they were."
  (:require [clojure.set :as set]
            [clojure.test :refer [are deftest is testing]]
            [damo.runtime.programs :as programs])
  (:import (damo DamoException)
           (damo.program Programs Routine Routine$Array Routines)
           (damo.verify Bindings Coverage)
           (damo.runtime Function State)
           (damo.tensor DType)))

(set! *warn-on-reflection* true)

(defn- call
  "A step that calls a routine; the arguments by symbol."
  [routine args]
  {:do :call :routine routine :args (update-keys args keyword) :note 0})

(defn- program
  "A program of these steps over buffers [kind dtype size]: its inputs, states and outputs are named
  by the positions of their buffers."
  [dims buffers & steps]
  (let [ports (fn [kind more]
                (vec (keep-indexed (fn [k [kind* dtype size]]
                                     (when (= kind kind*)
                                       (merge {:name (str k) :dtype dtype :shape [size] :buffer k}
                                              more)))
                                   buffers)))]
    {:damo/program 1 :name "p" :dims dims
     :buffers (mapv (fn [[kind dtype size]] {:dtype dtype :size size :kind kind}) buffers)
     :inputs (ports :input {}) :state (ports :state {:written true}) :outputs (ports :output {})
     :kernels [] :steps (vec steps)
     :notes [{:op "cholesky" :expr "(cholesky a)" :message "a is not positive definite"}]}))

(defn- run
  "[outputs states] after a call: the first arguments are for states, the others for inputs."
  [form & args]
  (let [ports (:state form)
        states (into {} (map (fn [{:keys [name dtype]} data]
                               (let [dtype (DType/of (clojure.core/name dtype))]
                                 [name (programs/state name data dtype)]))
                             ports args))]
    (with-open [f (programs/compiled form states)]
      [(apply programs/call f (drop (count ports) args))
       (mapv (fn [{:keys [name]}] @(.value ^State (states name))) ports)])))

(defn- refusal [form & dims]
  (programs/refusal #(Bindings/bind (Programs/read (pr-str form)) (long-array dims))))

;; ## What routines mean

(deftest vectors
  (are [step expected args]
       (= [[] [expected]]
          (apply run (program '[n] '[[:input :f64 n] [:state :f64 n]] step) args))
    (call "daxpy" '{n n alpha 3.0 x {:buffer 0} incx 1 y {:buffer 1} incy 1})
    [13.0 26.0 39.0] [[10 20 30] [1 2 3]]
    (call "daxpy" '{n n alpha 3.0 x {:buffer 0} incx 1 y {:buffer 1} incy 1})
    [] [[] []]
    (call "daxpy" '{n [:quot n 2] alpha 1 x {:buffer 0} incx 2 y {:buffer 1 :offset 1} incy 2})
    [10.0 21.0 30.0 43.0] [[10 20 30 40] [1 2 3 4]]
    ;; A factor from memory, which may be read twice.
    (call "daxpy" '{n n alpha {:buffer 0} x {:buffer 0} incx 1 y {:buffer 1} incy 1})
    [14.0 26.0] [[10 20] [2 3]])
  (testing "a number as the result, of both dtypes"
    (doseq [[dtype routine] {:f64 "ddot", :f32 "sdot"}]
      (is (= [[[32.0]] []]
             (run (program '[n] [[:input dtype 'n] [:input dtype 'n] [:output dtype 1]]
                           (call routine '{n n x {:buffer 0} incx 1 y {:buffer 1} incy 1
                                           value {:buffer 2}}))
               [1 2 3] [4 5 6]))))))

(deftest a-matrix-and-a-vector
  (is (= [[] [[-5.0 -10.0]]]
         (run (program '[n m] '[[:input :f64 [:* m n]] [:input :f64 n] [:state :f64 m]
                                [:input :f64 m]]
                       (call "dgemv" '{m m n n alpha 1.0 a {:buffer 0} lda n x {:buffer 1} incx 1
                                       beta -1.0 y {:buffer 2} incy 1}))
           [11 24] [1 2 3 3 4 7] [1 1 1] [0 0]))
      "6 - 11 and 14 - 24"))

(def ^:private cholesky
  "a [n n] <- its factor."
  (program '[n] '[[:state :f64 [:* n n]] [:input :f64 n]]
           (call "dpotrf" '{uplo :upper n n a {:buffer 0} lda [:max 1 n]})))

(deftest factors
  (is (= [[] [[2.0 1.0 1.0 3.0]]] (run cholesky [4 1 2 10] [0 0]))
      "by columns, the upper triangle is the lower one by rows")
  (is (= [[] [[]]] (run cholesky [] [])))
  (is (= [[] [[2.0 1.0 7.0 3.0]]]
         (run (assoc-in cholesky [:steps 0 :args :uplo] :lower) [4 2 7 10] [0 0]))))

(deftest equations
  (is (= [[[2 2]] [[[1.0 2.0]] [[3.0 -1.0]]]]
         (let [form (program '[n] '[[:state :f64 [:* n n]] [:state :f64 n] [:output :i32 n]
                                    [:input :f64 n]]
                             (call "dgesv" '{n n nrhs 1 a {:buffer 0} lda [:max 1 n]
                                             pivots {:buffer 2} b {:buffer 1} ldb [:max 1 n]}))
               [outs [factors solution]] (run form [0 2 1 3] [-1 3] [0 0])]
           ;; a = [[0 1] [2 3]] by columns, b = a [3 -1].
           [outs [[(when (= [2.0 0.0] (subvec factors 0 2)) [1.0 2.0])] [solution]]]))
      "pivots, factors and solution")
  (is (= "requirement-failed"
         (first (programs/refusal
                 #(run (program '[n] '[[:state :f64 4] [:state :f64 2] [:output :i32 2]
                                       [:input :f64 n]]
                                (call "dgesv" '{n 2 nrhs 1 a {:buffer 0} lda 2 pivots {:buffer 2}
                                                b {:buffer 1} ldb 2}))
                    [1 2 2 4] [1 1] [0]))))
      "a parameter reports as a result does"))

;; ## Failure

(deftest a-reported-failure-ends-the-call-with-its-note
  (let [a (programs/state "0" [4.0 1.0 2.0 0.0])]
    (with-open [f (programs/compiled cholesky {"0" a})]
      (dotimes [_ 3]
        (let [e (try (programs/call f [0 0]) (catch DamoException e e))]
          (is (= "requirement-failed" (.kind ^DamoException e)))
          (is (re-find #"(?s)p: cholesky: a is not positive definite; dpotrf reported 2.*expression"
                       (.what ^DamoException e)))
          (is (= ["dpotrf" 2 "(cholesky a)"]
                 (map #(get (.data ^DamoException e) %) ["routine" "reported" "expr"])))
          (is (= [4.0 1.0 2.0 0.0] @(.value a)) "the state is as it was")))
      (testing "also in the middle of many calls"
        (.set a [1.0 0.0 0.0 0.0])
        (is (= "requirement-failed"
               (first (programs/refusal #(.callN ^Function f 3 (to-array [[0 0]]))))))
        (is (= [1.0 0.0 0.0 0.0] @(.value a)))))))

(deftest a-failure-keeps-states-that-were-written-before
  (let [form (program '[n] '[[:state :f64 [:* n n]] [:input :f64 n] [:state :f64 n]]
                      (call "daxpy" '{n n alpha 1 x {:buffer 1} incx 1 y {:buffer 2} incy 1})
                      (get-in cholesky [:steps 0]))
        states {"0" (programs/state "0" [-1.0]) "2" (programs/state "2" [5.0])}]
    (with-open [f (programs/compiled form states)]
      (is (some? (programs/refusal #(programs/call f [1.0]))))
      (is (= [[-1.0] [5.0]] (map #(deref (.value ^State (states %))) ["0" "2"]))))))

;; ## Lies

(defn- spoilt [path value] (assoc-in cholesky (into [:steps 0] path) value))

(deftest lies-are-refused-when-read
  (are [form message] (re-find message (str (second (refusal form 2))))
    (spoilt [:routine] "dposv") #"step 0: there is no routine \"dposv\"; calls.edn has saxpy daxpy"
    (spoilt [:args :inc] 1) #"unknown key :inc; the keys are :a :lda :n :uplo"
    (update-in cholesky [:steps 0 :args] dissoc :lda) #"step 0: :lda is missing"
    (update-in cholesky [:steps 0] dissoc :note) #"step 0: :note is missing"
    (spoilt [:note] 7) #"expected :note to be an integer below 1"
    (spoilt [:args :uplo] :middle) #"expected :uplo to be one of :lower :upper, found :middle"
    (spoilt [:args :n] 'q) #"step 0: unknown dimension q"
    (spoilt [:args :a :buffer] 1) #"argument :a, buffer 1, is written, but it is of kind :input"
    (spoilt [:args :a] {:buffer 9}) #"expected :buffer to be an integer below 2"
    (spoilt [:args :a] 3) #"expected a map"
    (assoc-in cholesky [:buffers 0 :dtype] :f32) #"state 0: buffer 0 is a :state of :f32"
    (program '[n] '[[:input :f64 n] [:state :f32 n]]
             (call "daxpy" '{n n alpha 1 x {:buffer 0} incx 1 y {:buffer 1} incy 1}))
    #"step 0: :y, buffer 1, is of :f32, expected :f64"
    (program '[n] '[[:input :f64 n] [:state :f64 n]]
             (call "daxpy" '{n n alpha 1 x {:buffer 1} incx 1 y {:buffer 1} incy 1}))
    #"argument :y shares buffer 1 with argument :x"
    (program '[n] '[[:input :f64 n] [:state :f64 n]]
             (call "daxpy" '{n n alpha {:buffer 1} x {:buffer 0} incx 1 y {:buffer 1} incy 1}))
    #"argument :y shares buffer 1 with :alpha"
    (program '[n] '[[:input :f64 n] [:temp :f64 n] [:state :f64 n]]
             (call "daxpy" '{n n alpha 1 x {:buffer 1} incx 1 y {:buffer 2} incy 1}))
    #"argument :x, buffer 1, is read before any step has written it"
    (program '[n] '[[:input :f64 n] [:output :f64 n]]
             (call "daxpy" '{n n alpha 1 x {:buffer 0} incx 1 y {:buffer 1} incy 1}))
    #"argument :y, buffer 1, is read before any step has written it"))

(deftest lies-about-sizes-are-refused-when-bound
  (are [form dims kind message]
       (let [[k text] (apply refusal form dims)] (and (= kind k) (re-find message (str text))))
    (spoilt [:args :n] '[:+ n 1]) [2] "out-of-bounds" #"step 0, dpotrf: requires .* given"
    (spoilt [:args :lda] '[:+ n 1]) [2] "out-of-bounds"
    #"dpotrf: argument :a reaches element 4, but buffer 0 has 4"
    (spoilt [:args :lda] 1) [2] "out-of-bounds"
    #"requires \[:max 1 n\] ≤ lda, given \[:max 1 n\] with n = 2 and 1"
    (spoilt [:args :lda] 'n) [0] "out-of-bounds" #"requires"
    (spoilt [:args :a :offset] 1) [2] "out-of-bounds" #"reaches element 4"
    (spoilt [:args :n] '[:- n 3]) [2] "bad-size" #"step 0, dpotrf, :n: size .* is negative"
    (spoilt [:args :lda] 5000000000) [1] "size-overflow" #":lda is 5000000000, more than the 32"
    (spoilt [:args :lda] '[:* 4611686018427387904 n]) [2] "size-overflow" #"overflows")
  (testing "strides of 0, which a routine may take for a loop without end or a race"
    (is (re-find #"requires 1 ≤ incy"
                 (second (refusal (program '[n] '[[:input :f64 n] [:state :f64 n]]
                                           (call "daxpy" '{n n alpha 1 x {:buffer 0} incx 1
                                                           y {:buffer 1} incy 0}))
                                  3)))))
  (testing "nothing is touched of an empty array, wherever it begins"
    (is (nil? (refusal (spoilt [:args :a :offset] 7) 0)))))

(deftest the-sizes-of-a-call-may-be-counted
  (let [form (-> (program '[n] '[[:input :f64 n] [:state :f64 n] [:input :i64 1]]
                          '{:do :count :dim k :buffer 2 :note 0}
                          (call "daxpy" '{n k alpha 1 x {:buffer 0} incx 1 y {:buffer 1} incy 1}))
                 (assoc :counted '[{:dim k :max n}]))]
    (is (= [[] [[11.0 22.0 3.0]]] (run form [1 2 3] [10 20 30] [2])))
    (is (= "out-of-bounds" (first (refusal (assoc-in form [:steps 1 :args :n] '[:+ k 1]) 3))))
    (is (re-find #"mentions the dimension k, which a later :count step binds"
                 (second (refusal (update form :steps (comp vec reverse)) 3))))))

;; ## What is known of routines

(deftest what-a-routine-writes-whole-may-be-seen
  (let [open (fn [size]
               (let [p (Programs/read
                        (pr-str (program '[n] [[:state :f64 '[:* n n]] [:state :f64 'n]
                                               [:output :i32 size] [:input :f64 'n]]
                                         (call "dgesv" '{n n nrhs 1 a {:buffer 0} lda [:max 1 n]
                                                         pivots {:buffer 2} b {:buffer 1}
                                                         ldb [:max 1 n]}))))]
                 (vec (.open (Bindings/bind p (long-array [3]))))))]
    (is (= [false false false false] (open 'n)))
    (is (= [false false true false] (open '[:+ n 1])) "an element more than the routine writes")))

(deftest the-table-is-sound
  (is (set/subset? (set (for [name ["axpy" "dot" "gemv" "potrf" "gesv"], letter "sd"]
                          (str letter name)))
                   (set (keys (Routines/all)))))
  (doseq [[name ^Routine r] (Routines/all)
          :let [dims (set (re-seq #"(?<=Dim\[name=)\w+" (str (.params r))))
                names #(set (re-seq #"(?<=Name\[name=)\w+" (str %)))
                arrays (filter #(instance? Routine$Array %) (.params r))]]
    (testing name
      (is (= name (.name r)))
      (is (seq arrays))
      (is (every? dims (names (.requires r))) "requirements are about sizes")
      (is (every? dims (mapcat #(names (.axes ^Routine$Array %)) arrays)) "and so are axes"))))
