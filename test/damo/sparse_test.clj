(ns damo.sparse-test
  "Tests of sparse matrices as users write them: values, functions of them, state, files,
  derivatives, and what is said of wrong ones. That they compute what arrays do is a law, see
  damo.laws.sparse-test."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [damo.core :as d]
            [damo.sparse :as sp])
  (:import [java.io File]))

(set! *warn-on-reflection* true)

(def ^:private v
  "[[0 1 0] [2 0 3]]"
  (sp/csr {:data [1.0 2.0 3.0], :indices [1 0 2], :starts [0 1 3], :shape [2 3]}))

(def ^:private a (sp/input 'a :csr [:f64 ['m 'n]]))
(def ^:private x (d/input 'x [:f64 ['n]]))

(defn- numbers [s] @(sp/to-dense s))
(defn- parts [s] [(:format s) @(:data s) @(:indices s) @(:starts s) (:shape s)])

(defmacro ^:private message [& body]
  `(try ~@body nil (catch clojure.lang.ExceptionInfo e# (ex-message e#))))

;; ## Values

(deftest values
  (is (= [[0.0 1.0 0.0] [2.0 0.0 3.0]] (numbers v)))
  (is (= [3 [2 3] :f64] [(sp/nnz v) (d/shape v) (d/dtype v)]))
  (is (= [:csc [2.0 1.0 3.0] [1 0 1] [0 1 2 3] [2 3]] (parts (sp/to-csc v))))
  (is (= (parts v) (parts (sp/to-csr (sp/to-csc v))) (parts (sp/to-csr (sp/to-dense v)))))
  (testing "elements in any order, of which those of one place add up"
    (is (= [:csr [4 2 4] [0 2 0] [0 2 3] [2 3]]
           (parts (sp/coo {:data [1 2 3 4], :rows [1 0 1 0], :cols [0 2 0 0], :shape [2 3]})) )
        "2 at (0, 2), 4 at (0, 0), 1 + 3 at (1, 0)")
    (is (= [:csr [2 6] [0 1] [0 2] [1 2]]
           (parts (sp/csr {:data [1 2 5], :indices [1 0 1], :starts [0 3], :shape [1 2]
                           :canonical true})))))
  (testing "explicit zeros are stored, those of an array are not"
    (is (= 1 (sp/nnz (sp/coo {:data [0.0], :rows [0], :cols [0], :shape [1 1]}))))
    (is (= 1 (sp/nnz (sp/to-csr [[0.0 ##NaN -0.0]])))))
  (testing "nothing"
    (are [shape] (= shape (d/shape (sp/to-dense (sp/coo {:data [], :rows [], :cols []
                                                         :shape shape}))))
      [0 0] [0 3] [3 0] [2 2]))
  (testing "dtypes of elements and integers"
    (let [s (sp/csr {:data (float-array [1 2]), :indices (int-array [0 1]), :starts [0 2]
                     :shape [1 2]})]
      (is (= [:f32 :i32 :i32] (map d/dtype [(:data s) (:indices s) (:starts s)])))
      (is (= [:f32 :i32] (map d/dtype ((juxt :data :indices) (sp/to-csc s))))))))

(deftest wrong-values
  (are [text parts] (str/includes? (message (sp/csr (merge {:data [1 2], :indices [0 1]
                                                            :starts [0 2], :shape [1 2]}
                                                           parts)))
                                   text)
    "in row 0 the column 0 of the element 1 stands behind the column 1" {:indices [1 0]}
    "in row 0 the column 1 is stored twice, as the elements 0 and 1" {:indices [1 1]}
    ":canonical true sorts" {:indices [1 1]}
    "the column 3 of the stored element 1 is not in 0 … 1" {:indices [0 3]}
    "the column -1 of the stored element 0" {:indices [-1 0], :canonical true}
    "starts ends with the number of stored elements, 2; it ends with 1" {:starts [0 1]}
    "starts never falls; at 2 it does, from 2 to 1" {:starts [0 2 1], :shape [2 2]}
    "starts begins with 0" {:starts [1 2]}
    "starts has an element for each row and one more, 3" {:shape [2 2]}
    "indices has integers; its dtype is :f64" {:indices [0.5 1.0]}
    "data is a vector; its shape is [1 2]" {:data [[1 2]]}
    "there is one of indices for each element of data, 3; there are 2" {:data [1 2 3]}
    "data has numbers" {:data [true false]}
    "two integers [rows columns]; got [1]" {:shape [1]}
    "did you mean :starts?" {:start [0 2]})
  (is (str/includes? (message (sp/csc {:data [1], :indices [2], :starts [0 1], :shape [2 1]}))
                     "the row 2 of the stored element 0 is not in 0 … 1"))
  (is (str/includes? (message (sp/coo {:data [1], :rows [0], :cols [5], :shape [2 2]}))
                     "the column 5"))
  (is (str/includes? (message (sp/csr [[1 2]])) "takes a map of its parts"))
  (is (str/includes? (message (sp/to-csr [1 2])) "made of a matrix of numbers")))

;; ## Functions

(deftest functions-of-sparse-matrices
  (let [f (d/function [a x] {:y (d/dot a x), :s [(d/mul a 2) (d/transpose a)]
                             :columns (d/sum a :axis 0)})]
    (testing "by position, by name, in the other format"
      (are [result] (= [2.0 11.0] @(:y result))
        (f v [1 2 3]) (f (sp/to-csc v) [1 2 3]) (f {'a v, :x [1 2 3]}) (f {a v, x [1 2 3]})))
    (testing "results, which have numbers for their shapes"
      (let [{[s t] :s} (f v [1 2 3])]
        (is (= [[0.0 2.0 0.0] [4.0 0.0 6.0]] (numbers s)))
        (is (= [:csc [3 2]] ((juxt :format :shape) t)))
        (is (= [[0.0 2.0] [1.0 0.0] [0.0 3.0]] (numbers t)))
        (d/close s)
        (is (thrown-with-msg? damo.DamoException #"closed" (numbers s)))))
    (testing "by their parts, as from Java"
      (is (= [2.0 1.0 3.0]
             @(:columns (f [1 2 3] [1 0 2] [0 1 3] (d/zeros [2 3 0] :bool) [0 0 0])))))
    (is (= [3.0 5.0] @(:y (d/call-n f 2 (sp/to-csr [[1 2 0] [1 1 1]]) [1 1 3]))))
    (is (= [2.0 11.0] @(:y (d/outputs-subset f [:y] v [1 2 3]))
           @(:y ((d/copy-function f) v [1 2 3]))))
    (are [text call] (str/includes? (message call) text)
      "a is a sparse matrix of the shape [m n]; got [[1 2 3]]" (f [[1 2 3]] [1 2 3])
      "the function takes 2 arguments, given 1" (f v)
      "expected 3, given 2" (f v [1 2])))
  (testing "a fixed shape, integers of the dtype of the input, and other numbers of stored elements"
    (let [b (sp/input 'b :csc [:f32 [2 'k]] :index :i32), f (d/function [b] (d/sum b :axis 1))]
      (is (= [1.0 5.0] @(f (sp/csr {:data (float-array [1 2 3]), :indices [1 0 2], :starts [0 1 3]
                                    :shape [2 3]}))))
      (is (= [0.0 0.0] @(f (sp/coo {:data (float-array 0), :rows [], :cols [], :shape [2 9]}))))
      (is (str/includes? (message (f (sp/to-csr [[1.5]]))) "the matrix b has the shape [2 k]"))))
  (testing "eval, with values by input or by name"
    (is (= [2.0 11.0] @(d/eval (d/dot a x) {a v, x [1 2 3]})
           @(d/eval (d/dot a x) {'a (sp/to-csc v), 'x [1 2 3]})))
    (is (= [[0.0 1.0 0.0] [4.0 0.0 9.0]] (numbers (d/eval (d/sqr a) {a v}))))
    (is (= [2.0 11.0] @(d/eval (d/dot v [1.0 2.0 3.0])))) "a value stands for a constant"))

(deftest what-has-no-sparse-form
  (are [text e] (str/includes? (str (message e)) text)
    "exp of 0 is not 0" (d/exp a)
    "try: (d/exp (sp/to-dense a)), or (sp/structured d/exp s)" (d/exp a)
    "a number that is added to a sparse matrix" (d/add a 1)
    "try: (d/add (sp/to-dense a) 1)" (d/add a 1)
    "try: (d/max (sp/to-dense a))" (d/max a)
    "it takes no sparse matrices" (d/where a 1 2)
    "a division by a sparse matrix" (d/div 1 a)
    "a sparse matrix is divided by a number" (d/div a x)
    "the inner axes of a product agree: n and k differ" (d/dot a (d/input 'k [:f64 ['k]]))
    "a slice of rows or of columns is [start stop]" (sp/slice a 3)
    "a vector of sparse matrices" (sp/hstack a)
    "to one of their shape" (sp/structured d/sum a)
    "a sparse matrix is needed; got 3" (sp/nnz 3)
    "there is no format :coo" (sp/input 'a :coo [:f32 ['m 'n]])
    "two dims" (sp/input 'a :csr [:f32 ['m]])))

;; ## State, and files

(deftest state
  (let [w (d/shared 'w v), x (d/input 'x [:f64 [3]])
        loss (d/sum (d/sqr (d/dot w x)))
        gradient (d/grad loss w {:sparse-gradient :structured})
        step (d/function [x] loss {:updates {w (d/sub w (d/mul 0.01 gradient))}})]
    (is (= 125.0 @(step [1 2 3])))
    (is (= [[0.0 0.92 0.0] [1.78 0.0 2.34]] (numbers (d/value w))))
    (d/set-value! w (sp/to-csc (sp/to-csr [[1.0 0.0 0.0] [0.0 0.0 0.0]])))
    (is (= [:csr [1.0] [0] [0 1 1] [2 3]] (parts (d/value w))) "in the format of the variable")
    (is (= 1.0 @(step [1 2 3])))
    (are [text e] (str/includes? (message e) text)
      "has the shape [2 3]; given [1 1]" (d/set-value! w (sp/to-csr [[1.0]]))
      "w is a sparse matrix" (d/set-value! w [[1.0 2.0 3.0]])
      "an update has the type of its variable" (d/function [] [] {:updates {w (sp/remove-zeros w)}})
      "a sparse matrix of expressions" (d/function [] [] {:updates {w (sp/to-dense w)}}))))

(deftest files
  (let [file (File/createTempFile "sparse" ".damo")
        w (d/shared 'w v)]
    (try
      (d/save file {:f (d/function [a x] {:y (d/dot a x), :s (d/mul a 2)})
                    :g (d/function [] w)})
      (let [{:keys [f g]} (d/load file), {:keys [y s]} (f (sp/to-csc v) [1 2 3])]
        (is (= [2.0 11.0] @y))
        (is (= [[0.0 2.0 0.0] [4.0 0.0 6.0]] (numbers s)))
        (is (= (numbers v) (numbers (g)))))
      (finally (io/delete-file file)))))

(defn- with-text
  "What (f file) gives of a file of that text."
  [text f]
  (let [file (File/createTempFile "matrix" ".mtx")]
    (try (spit file text) (f file) (finally (io/delete-file file)))))

(deftest matrix-market
  (let [read-text #(with-text (str "%%MatrixMarket matrix " %) sp/read-matrix-market)]
    (testing "fields and symmetries"
      (are [expected text] (= expected (numbers (read-text text)))
        [[0.0 1.5] [0.0 0.0]] "coordinate real general\n% a comment\n\n2 2 1\n1 2 1.5\n"
        [[1 0] [7 0]] "coordinate integer general\n2 2 2\n2 1 7\n1 1 1"
        [[1.0 1.0]] "coordinate pattern general\n1 2 2\n1 1\n1 2\n"
        [[1.0 2.0] [2.0 0.0]] "coordinate real symmetric\n2 2 2\n1 1 1\n2 1 2\n"
        [[0.0 -2.0] [2.0 0.0]] "coordinate real skew-symmetric\n2 2 1\n2 1 2\n"
        [[1.0 3.0] [2.0 4.0]] "array real general\n2 2\n1\n2\n3\n4\n"
        [[1 2] [2 3]] "array integer symmetric\n2 2\n1\n2\n3\n"
        [] "coordinate real general\n0 3 0\n"))
    (testing "what is written is read"
      (doseq [s [v (sp/to-csc v) (sp/coo {:data (float-array [0.1]), :rows [1], :cols [0]
                                          :shape [3 2]})
                 (sp/coo {:data [], :rows [], :cols [], :shape [2 2]}) (sp/to-csr [[1 -2]])]
              :let [back (with-text "" (fn [file]
                                         (sp/write-matrix-market file s)
                                         (sp/read-matrix-market file)))]]
        (is (= @(:data (sp/to-csr (sp/to-dense s))) (map #(if (= :f32 (d/dtype s)) (float %) %)
                                                         @(:data back))))
        (is (= [@(:indices (sp/to-csr s)) (:shape s)] [@(:indices back) (:shape back)]))))
    (testing "what is wrong is named with its line"
      (are [text bad] (str/includes? (message (read-text bad)) text)
        "line 1: matrices that are complex are not read" "coordinate complex general\n1 1 0\n"
        "line 1: a Matrix Market file begins with" "coordinate real\n1 1 0\n"
        "line 3: the row is an integer from 1 to 2; got 3" "coordinate real general\n2 2 1\n3 1 1\n"
        "line 3: an element is a number" "coordinate real general\n2 2 1\n1 1 x\n"
        "line 3: there is no element" "coordinate real general\n2 2 1\n1 1\n"
        "there are 1 elements of 2" "coordinate real general\n2 2 2\n1 1 1\n"
        "line 4: there are more than 1 elements" "coordinate real general\n2 2 1\n1 1 1\n1 2 1\n"
        "there are too few elements" "array real general\n2 2\n1\n"
        "no line with the sizes" "array real general\n"))
    (is (str/includes? (message (sp/write-matrix-market "x.mtx" [[1]])) "the value of a sparse"))))

;; ## Derivatives

(deftest gradients
  (let [given {a v, x [1.0 2.0 3.0]}, cost (d/sum (d/sqr (d/dot a x)))
        value #(d/eval % given)]
    (testing "regular: of the whole matrix"
      (is (= [[4.0 8.0 12.0] [22.0 44.0 66.0]] @(value (d/grad cost a)))))
    (testing "structured: of what is stored"
      (let [g (d/grad cost a {:sparse-gradient :structured})]
        (is (= [[0.0 8.0 0.0] [22.0 0.0 66.0]] (numbers (value g))))
        (is (= 3 (sp/nnz (value g))))))
    (testing "paths through stored elements alone give gradients of the pattern"
      (are [e] (= [[0.0 8.0 0.0] [22.0 0.0 66.0]]
                  (numbers (value (d/grad (d/sum (d/sqr e)) a))))
        (sp/structured-dot a x)
        (d/dot (sp/structured d/abs a) x)))
    (testing "both kinds of paths"
      (is (= [[4.0 9.0 12.0] [23.0 44.0 67.0]]
             @(value (d/grad (d/add cost (d/sum (sp/structured d/abs a))) a)))))
    (testing "tangents: of the pattern, or of the whole"
      (is (= [2.0 11.0] @(value (d/rop (d/dot a x) a v))))
      (is (= [6.0 6.0] @(value (d/rop (d/dot a x) a (d/ones [2 3])))))
      (are [other] (str/includes? (message (value (d/rop (d/dot a x) a other)))
                                  "another")
        (sp/csr {:data [1.0 2.0 3.0], :indices [1 0 1], :starts [0 1 3], :shape [2 3]})))
    (testing "nested as asked, and what does not depend on the matrix"
      (let [{[ga] :a, gx :x} (d/grad cost {:a [a], :x x})]
        (is (= [[[4.0 8.0 12.0] [22.0 44.0 66.0]] [44.0 4.0 66.0]] [@(value ga) @(value gx)])))
      (is (str/includes? (message (d/grad (d/sum x) a)) "does not depend"))
      (is (= [[0.0 0.0 0.0] [0.0 0.0 0.0]]
             @(value (d/grad (d/sum x) a {:disconnected :ignore})))))))

(deftest derivatives-of-loops
  (let [x (d/input 'x [:f64 [3]]), s (sp/input 's :csr [:f64 [3 3]]), big (d/input 's [:f64 [3 3]])
        cost (fn [s] (d/sum (d/reduce-steps (fn [h _] (d/tanh (d/dot s h))) x
                                            (d/input 'steps [:f64 [7]]))))
        steps (d/input 'steps [:f64 [7]])
        m (sp/to-csr [[0.0 1.5 0.0] [-2.0 0.0 0.5] [0.0 0.0 0.7]])
        given [[0.1 0.2 0.3] (vec (repeat 7 0.0))]
        run (fn [s e m] (d/->array (apply (d/function [s x steps] e {:on-unused-input :ignore})
                                          m given)))
        near? (fn [xs ys] (every? #(< (abs (double %)) 1e-12) (map - xs ys)))]
    (is (near? (run s (cost s) m) (run big (cost big) (sp/to-dense m))))
    (is (near? (run s (d/grad (cost s) s) m) (run big (d/grad (cost big) big) (sp/to-dense m))))
    (is (near? (run s (d/rop (cost s) s (d/ones [3 3])) m)
               (run big (d/rop (cost big) big (d/ones [3 3])) (sp/to-dense m))))))

(deftest derivatives-of-branches
  (let [c (d/input 'c [:bool []]), x (d/input 'x [:f64 ['n]])
        cost (d/sum (d/sqr (d/ifelse c (d/dot a x) (d/mul 2 (d/dot a x)))))
        given {a v, x [1.0 2.0 3.0], c true}]
    (is (= [[0.0 8.0 0.0] [22.0 0.0 66.0]]
           (numbers (d/eval (d/grad cost a {:sparse-gradient :structured}) given))))
    (testing "a matrix that all branches use is outside, one of a single branch is not seen"
      (is (= [[4.0 8.0 12.0] [22.0 44.0 66.0]] @(d/eval (d/grad cost a) given)))
      (is (str/includes? (str (message (d/grad (d/ifelse c (d/sum (d/dot a x)) (d/sum x)) a)))
                         "in a branch")))))
