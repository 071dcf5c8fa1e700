(ns damo.program.counted-test
  "Dimensions whose value a call counts: outputs of the shape that came out, products and loops over
  counted rows, and hostile programs, refused when read, when bound, or by the native code."
  (:require [clojure.test :refer [deftest is testing]]
            [clojure.test.check :as check]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [clojure.walk :as walk]
            [damo.runtime.programs :as programs])
  (:import (damo DamoException)
           (damo.program Programs)
           (damo.verify Binding Bindings)
           (damo.tensor DType Tensor)))

(set! *warn-on-reflection* true)

(def ^:private positives
  "at [k] = the positions of the positive rows of x [n], rows [k 2] = those of y [n 2] times w."
  '{:damo/program 1 :name "positives" :dims [n] :counted [{:dim k :max n}]
    :buffers [{:dtype :f32 :size n :kind :input} {:dtype :f32 :size [:* n 2] :kind :input}
              {:dtype :f32 :size 4 :kind :const} {:dtype :i64 :size 1 :kind :temp}
              {:dtype :i64 :size k :kind :output} {:dtype :f32 :size [:* k 2] :kind :temp}
              {:dtype :f32 :size [:* k 2] :kind :output}]
    :inputs [{:name "x" :dtype :f32 :shape [n] :buffer 0}
             {:name "y" :dtype :f32 :shape [n 2] :buffer 1}]
    :outputs [{:name "at" :dtype :i64 :shape [k] :buffer 4}
              {:name "rows" :dtype :f32 :shape [k 2] :buffer 6}]
    :consts [{:buffer 2 :data [0 1 1 0]}]
    :kernels [{:name "nonzero" :params [[:f32 :in] [:i64 :out] [:i64 :out]]
               :body [[:var c [:const :i64 0]]
                      [:for i n
                       [:if [:gt [:load 0 i] [:const :f32 0]]
                        [:index p c n 0]
                        [:store 1 p [:size i]]
                        [:set c [:add c [:const :i64 1]]]]]
                      [:store 2 0 c]]}
              {:name "gather" :params [[:f32 :in] [:i64 :in] [:f32 :out]]
               :body [[:for i k
                       [:index r [:load 1 i] n 0]
                       [:for j 2
                        [:store 2 [:+ [:* i 2] j] [:load 0 [:+ [:* r 2] j]]]]]]}]
    :steps [{:do :kernel :kernel 0 :args [0 4 3]}
            {:do :count :dim k :buffer 3 :note 0}
            {:do :kernel :kernel 1 :args [1 4 5]}
            {:do :gemm :dtype :f32 :m k :n 2 :k 2 :alpha 1.0 :beta 0.0
             :a {:buffer 5 :offset 0 :strides [2 1]} :b {:buffer 2 :offset 0 :strides [2 1]}
             :c {:buffer 6 :offset 0 :strides [2 1]}}]
    :notes [{:op "nonzero" :message "too many"}]})

(deftest outputs-have-the-shape-that-came-out
  (with-open [f (programs/compiled positives)]
    (doseq [n [0 1 2 7 40]
            :let [x (mapv #(float (- (mod % 3) 1)) (range n))
                  at (filterv #(pos? (double (x %))) (range n))
                  y (mapv (fn [i] [(float i) (float (- i))]) (range n))]]
      (testing (str "n = " n)
        (let [[^Tensor a ^Tensor rows]
              (.call f (to-array [(Tensor/of x DType/F32)
                                  (.reshape (Tensor/of (vec (flatten y)) DType/F32)
                                            (long-array [n 2]))]))]
          (is (= [[(count at)] [(count at) 2]] (map #(vec (.shape ^Tensor %)) [a rows])))
          (is (= at @a))
          (is (= (mapv (fn [i] [(double (- i)) (double i)]) at) @rows)))))))

(deftest repeated-calls-count-anew
  (with-open [f (programs/compiled positives)]
    (is (= [[1] [[-3.0 2.0]]]
           (mapv deref (.callN f 5 (to-array [[-1.0 1.0] [[1.0 2.0] [2.0 -3.0]]])))))))

(deftest given-buffers-are-refused
  (with-open [f (programs/compiled positives)]
    (is (re-find #"shape of output at is known only after the call"
                 (second (programs/refusal
                          #(.callInto f (into-array Tensor [(Tensor/of [1] DType/I64)
                                                            (Tensor/of [[1.0 2.0]] DType/F32)])
                                      (to-array [[1.0] [[1.0 2.0]]]))))))))

;; ## A count that the program takes from its caller

(def ^:private told
  "out [k] = 7 everywhere, where the caller says what k is; at most n."
  '{:damo/program 1 :name "told" :dims [n] :counted [{:dim k :max n}]
    :buffers [{:dtype :i64 :size 1 :kind :input} {:dtype :i64 :size n :kind :input}
              {:dtype :i64 :size k :kind :output}]
    :inputs [{:name "c" :dtype :i64 :shape [] :buffer 0}
             {:name "x" :dtype :i64 :shape [n] :buffer 1}]
    :outputs [{:name "out" :dtype :i64 :shape [k] :buffer 2}]
    :kernels [{:name "fill" :params [[:i64 :out]]
               :body [[:for i k [:store 0 i [:const :i64 7]]]]}]
    :steps [{:do :count :dim k :buffer 0 :note 0} {:do :kernel :kernel 0 :args [2]}]
    :notes [{:op "count" :message "more than there are"}]})

(deftest a-count-beyond-its-maximum-stops-the-call
  (with-open [f (programs/compiled told)]
    (is (= [[7 7]] (programs/call f 2 [1 2 3])))
    (doseq [c [-1 4 Long/MAX_VALUE Long/MIN_VALUE]]
      (is (= ["requirement-failed" "in told: count: more than there are"]
             (programs/refusal #(programs/call f c [1 2 3])))
          (str c)))
    (is (= [[7 7 7]] (programs/call f 3 [1 2 3])) "a failed call leaves nothing behind")))

(deftest a-size-below-zero-stops-the-call
  (let [shorter (-> told
                    (assoc-in [:buffers 2 :size] '[:- k 2])
                    (assoc-in [:outputs 0 :shape] '[[:- k 2]])
                    (assoc-in [:kernels 0 :body 0 2] '[:- k 2]))]
    (with-open [f (programs/compiled shorter)]
      (is (= [[7]] (programs/call f 3 [1 2 3])))
      (is (= [[]] (programs/call f 2 [1 2 3])))
      (is (= "requirement-failed" (first (programs/refusal #(programs/call f 1 [1 2 3]))))))))

(deftest maxima-may-be-counted-too
  (let [nested (-> told
                   (assoc :counted '[{:dim k :max n} {:dim l :max k}])
                   (update :steps #(vec (cons (first %)
                                              (cons '{:do :count :dim l :buffer 3 :note 0}
                                                    (rest %)))))
                   (update :buffers conj '{:dtype :i64 :size 1 :kind :input})
                   (update :inputs conj '{:name "d" :dtype :i64 :shape [] :buffer 3})
                   (assoc-in [:kernels 0 :body]
                             '[[:for i l [:store 0 i [:const :i64 7]]]
                               [:for j [:- k l] [:store 0 [:+ l j] [:const :i64 8]]]]))]
    (with-open [f (programs/compiled nested)]
      (is (= [[7 8 8]] (programs/call f 3 [0 0 0 0] 1)))
      (is (= "requirement-failed" (first (programs/refusal
                                          #(programs/call f 1 [0 0 0 0] 2))))))))

;; ## Hostile programs

(defn- bind ^Binding [form & dims]
  (Bindings/bind (Programs/read (pr-str form)) (long-array dims)))

(defn- refusal [form]
  (try (bind form 5) nil
       (catch DamoException e (.getMessage e))))

(def ^:private hostile
  [[(assoc positives :counted '[]) #"unknown dimension k"]
   [(assoc positives :counted '[{:dim k :max k}]) #"unknown dimension k"]
   [(assoc positives :counted '[{:dim n :max n}]) #"the dimension n is listed already"]
   [(assoc positives :counted '[{:dim k :max [:- n 9]}]) #"largest value of the dimension k.*-4"]
   [(assoc positives :counted '[{:dim k :max [:quot 9 [:- n 5]]}]) #"has a divisor 0"]
   [(update positives :counted conj '{:dim l :max n}) #"no :count step binds \[l\]"]
   [(update positives :steps conj '{:do :count :dim k :buffer 3 :note 0}) #"no more :count steps"]
   [(update positives :steps subvec 0 1) #"buffer 6: no step writes this output"]
   [(assoc-in positives [:steps 1 :buffer] 0) #":buffer, buffer 0, is of :f32, expected :i64"]
   [(assoc-in positives [:steps 1 :buffer] 4) nil]
   [(assoc-in positives [:steps 1 :note] 1) #":note to be an integer below 1"]
   [(update positives :steps (fn [[a b c d]] [b a c d])) #"buffer 3, is read before any step"]
   [(update positives :steps (fn [[a b c d]] [a c b d])) #"step 1: .*dimension k.*later :count"]
   [(assoc-in positives [:kernels 0 :body 1 2] 'k) #"step 0: .*mentions the dimension k"]
   [(assoc-in positives [:inputs 0 :shape] '[k]) #"k is counted during a call"]
   [(assoc-in positives [:buffers 0 :size] 'k) #"k is counted during a call"]
   [(assoc-in positives [:kernels 0 :body 1 3 2 3] '[:+ n 1])
    #"reaches 5, but buffer 4 has 5 elements, k with k counted"]
   [(assoc-in positives [:kernels 1 :body 0 2] '[:+ k 1]) #"reaches 5, but buffer 4"]
   [(assoc-in positives [:kernels 1 :body 0 4 3 2] '[:- [:* k 2] i]) #"reaches 10, but buffer 5"]
   [(assoc-in positives [:kernels 1 :body 0 4 3 2] '[:- k 2]) #"may be as small as -2"]
   [(assoc-in positives [:kernels 1 :body 0 3 3] '[:- n k]) nil]
   [(assoc-in positives [:kernels 1 :body 0 3 3] '[:- k 1]) #"extent \[:- k 1\] may be as small"]
   [(assoc-in positives [:kernels 1 :body 0 4 3 2] '[:quot i k]) #"divisor as small as 0"]
   [(assoc-in positives [:steps 3 :m] '[:+ k 1]) #":a reaches element 11, but buffer 5 has 10"]
   [(assoc-in positives [:steps 3 :a :offset] 'k) #":a reaches element 14, but buffer 5 has 10"]
   [(assoc-in positives [:steps 3 :c :strides] '[k 1]) #"its rows do not overlap"]
   [(assoc-in positives [:steps 3 :a :strides] '[2 k]) #"one of them is 1"]
   [(assoc-in positives [:steps 3 :a :strides] '[[:* k 9223372036854775807] 1]) #"overflow"]
   [(assoc-in positives [:outputs 1 :shape] '[k k]) nil]])

(deftest hostile-programs-are-refused
  (doseq [[program message] hostile :let [m (refusal program)]]
    (if message
      (is (re-find message (str m)) (str message))
      (is (nil? m)))))

(deftest a-count-is-no-element-of-nothing
  (let [form (-> positives
                 (assoc-in [:buffers 3 :size] 'n)
                 (assoc-in [:kernels 0 :body 2] '[:for q n [:store 2 q c]]))
        bind #(Bindings/bind (Programs/read (pr-str form)) (long-array [%]))]
    (is (some? (bind 1)))
    (is (= ["out-of-bounds" true]
           (let [[kind text] (programs/refusal #(bind 0))]
             [kind (some? (re-find #"element 0 of buffer 3, which is empty" (str text)))])))))

(deftest an-output-beyond-its-buffer-is-refused-after-the-call
  (with-open [f (programs/compiled (assoc-in told [:outputs 0 :shape] '[k 3]))]
    (is (= "bad-program" (first (programs/refusal #(programs/call f 2 [1 2 3])))))))

;; ## Property: what is accepted stays inside for every count

(defn- value-of [form env]
  (cond (number? form) form
        (symbol? form) (env form)
        :else (let [[op & args] form]
                (apply ({:+ + :- - :* * :min min :max max} op) (map #(value-of % env) args)))))

(def ^:private gen-size
  (gen/recursive-gen (fn [inner] (gen/fmap (fn [[op x y]] [op x y])
                                           (gen/tuple (gen/elements [:+ :- :* :min :max])
                                                      inner inner)))
                     (gen/one-of [(gen/elements '[k i]) (gen/choose 0 3)])))

(defn- stays-inside?
  "Is every store of the loop inside a buffer of `room` elements, for every k?"
  [extent index room]
  (every? (fn [k] (every? #(< -1 (value-of index {'k k, 'i %}) room)
                          (range (value-of extent {'k k}))))
          (range 6)))

(defn- storing
  "A program that also stores at `index` of a buffer of `size` elements in a loop."
  [extent index size]
  (-> told
      (update :buffers conj {:dtype :i64 :size size :kind :temp})
      (update :kernels conj {:name "s" :params [[:i64 :out]]
                             :body [[:for 'i extent [:store 0 index [:const :i64 1]]]]})
      (update :steps conj {:do :kernel :kernel 1 :args [3]})))

(deftest accepted-loops-stay-inside
  (let [without-i (fn [size] (walk/postwalk #(if (= % 'i) 'k %) size))
        accepted (volatile! 0)
        law (prop/for-all [extent (gen/fmap without-i gen-size), index gen-size
                           size (gen/fmap without-i gen-size)]
              (let [program (storing extent index size)]
                (or (some? (refusal program))
                    (do (vswap! accepted inc)
                        (stays-inside? extent index (aget (.elements (bind program 5)) 3))))))
        {:keys [pass? shrunk]} (check/quick-check 400 law :seed 11)]
    (is pass? (pr-str (:smallest shrunk)))
    (is (< 50 @accepted))))

;; ## Rows of a counted extent

(def ^:private backwards
  "y [4 k] = rows of k elements, each its number, the last one first; k is told."
  '{:damo/program 1 :name "backwards" :dims [n] :counted [{:dim k :max n}]
    :buffers [{:dtype :i64 :size 1 :kind :input} {:dtype :f64 :size n :kind :input}
              {:dtype :i64 :size [:* 4 k] :kind :temp} {:dtype :i64 :size [:* 4 k] :kind :output}]
    :inputs [{:name "count" :dtype :i64 :shape [] :buffer 0}
             {:name "like" :dtype :f64 :shape [n] :buffer 1}]
    :outputs [{:name "y" :dtype :i64 :shape [4 k] :buffer 3}]
    :kernels [{:name "fill" :params [[:i64 :out]]
               :body [[:for i 4 [:for j k [:store 0 [:+ [:* i k] j] [:size i]]]]]}
              {:name "turn" :params [[:i64 :in] [:i64 :out]]
               :body [[:for i 4 [:for j k [:store 1 [:+ [:* i k] j]
                                           [:load 0 [:+ [:- [:* 3 k] [:* i k]] j]]]]]]}]
    :steps [{:do :count :dim k :buffer 0 :note 0}
            {:do :kernel :kernel 0 :args [2]} {:do :kernel :kernel 1 :args [2 3]}]
    :notes [{:op "count"}]})

(deftest rows-of-a-counted-extent-are-told-apart
  (with-open [f (programs/compiled backwards)]
    (doseq [k [0 1 3 5]]
      (is (= [(mapv #(vec (repeat k %)) [3 2 1 0])] (programs/call f k (repeat 5 0.0))))))
  (doseq [[index message]
          [['[:+ [:- [:* 2 k] [:* i k]] j] #"may be as small as"]
           ['[:+ [:- [:* 4 k] [:* i k]] j] #"reaches 24, but buffer 2 has 20 elements"]
           ['[:+ [:- [:* 3 k] [:* i i]] j] #"may be as small as"]
           ['[:+ [:* i k] [:* i j]] #"reaches 27, but buffer 2 has 20 elements"]]]
    (is (re-find message
                 (str (second (programs/refusal
                               #(Bindings/bind
                                 (Programs/read
                                  (pr-str (assoc-in backwards [:kernels 1 :body 0 3 3 3 2] index)))
                                 (long-array [5])))))))))
