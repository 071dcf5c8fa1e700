(ns damo.codegen.sorts-test
  "The statement :sort for vectors of every width: all of a line or its first elements, in lines of
  lengths around those of its networks; what lies behind the line stays as it is; what is refused."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.jit.calling :as calling])
  (:import [damo DamoException]
           [damo.codegen Codegen LlvmModule]
           [damo.jit NativeCode]
           [damo.verify Bindings]
           [java.util Random]))

(set! *warn-on-reflection* true)

(def ^:private behind "Elements behind the line." 3)

(defn- sorting [dtype]
  (calling/program '[n k] [[dtype :inout [:+ 'n behind]] [dtype :inout [:+ 'n behind]]]
                   [[:sort 0 'n 'k 1]]))

(defn- compiled ^NativeCode [program bits]
  (let [^LlvmModule module (Codegen/module (calling/read-program program) (int bits))]
    (NativeCode/compile module)))

(defn- extremes [dtype]
  (case dtype, :i32 [Integer/MIN_VALUE Integer/MAX_VALUE], :i64 [Long/MIN_VALUE Long/MAX_VALUE]))

(defn- element
  "Element i of a line of a sort: random, few values, up, down, one value, extremes, up and down."
  [^Random random dtype sort i]
  (let [[least most] (extremes dtype)]
    (case (int sort)
      0 (if (= dtype :i32) (.nextInt random) (.nextLong random))
      1 (.nextInt random 4)
      2 i
      3 (- i)
      4 most
      5 (if (.nextBoolean random) least most)
      6 (if (even? i) i (- i))
      7 (case (.nextInt random 9) 0 least, 1 most, (.nextInt random 100)))))

(def ^:private lengths
  [0 1 2 3 15 16 17 31 32 33 63 64 65 100 127 128 129 255 256 257 300 511 513 1000 5000])

(defn- check [^NativeCode code program dtype n sort]
  (let [random (Random. (+ n (* 7919 sort)))
        line (mapv #(element random dtype sort %) (range n)), guard (repeat behind 42)]
    (doseq [k (distinct [0 (min n 3) (quot n 2) n])
            :let [{:keys [status buffers]}
                  (calling/run code program [n k]
                    [(into line guard) (vec (repeat (+ n behind) 42)) (repeat n 0) (repeat k 0)])
                  [found room] buffers]]
      (is (and (= 0 status)
               (= (take k (clojure.core/sort line)) (take k found))
               (= (clojure.core/sort line) (clojure.core/sort (take n found)))
               (= guard (drop n found) (drop n room)))
          (str dtype " " n " first " k ", sort " sort)))))

(deftest lines-of-all-lengths-and-widths
  (doseq [dtype [:i32 :i64], bits [128 256 512] :let [program (sorting dtype)]]
    (with-open [code (compiled program bits)]
      (doseq [n lengths, sort (range 8)]
        (check code program dtype n sort)))))

(defn- refused [params body]
  (try (calling/read-program (calling/program '[n] params body))
       nil
       (catch DamoException e (.kind e))))

(deftest what-cannot-be-sorted-is-refused
  (let [line [:i32 :inout 'n], many [:i64 :inout 'n]]
    (is (nil? (refused [line line] [[:sort 0 'n 2 1]])))
    (doseq [[why params body]
            [["one memory" [line] [[:sort 0 'n 'n 0]]]
             ["two dtypes" [line many] [[:sort 0 'n 'n 1]]]
             ["floats" [[:f32 :inout 'n] [:f32 :inout 'n]] [[:sort 0 'n 'n 1]]]
             ["read only" [[:i32 :in 'n] line] [[:sort 0 'n 'n 1]]]
             ["too few parts" [line line] [[:sort 0 'n 'n]]]]]
      (is (= "bad-program" (refused params body)) why))))

(deftest no-element-behind-a-memory-is-touched
  (testing "as the bounds say when dimensions are bound"
    (doseq [[why line room count]
            [["the line" 'n [:+ 'n 9] [:+ 'n 1]] ["the room" [:+ 'n 9] 'n [:+ 'n 1]]
             ["below 0" 'n 'n [:- 'n 100]]]
            :let [program (calling/program '[n] [[:i64 :inout line] [:i64 :inout room]]
                                           [[:sort 0 count 0 1]])]]
      (is (thrown-with-msg? DamoException #"reaches|may be as small"
                            (Bindings/bind (calling/read-program program) (long-array [5])))
          why))))
