(ns damo.program.arena-test
  "The layout of temporaries: aligned, inside the arena, and shared only between lifetimes that do
  not meet."
  (:require [clojure.test :refer [deftest is testing]]
            [clojure.test.check :as check]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop])
  (:import (damo DamoException)
           (damo.program Programs)
           (damo.verify Binding Bindings)))

(set! *warn-on-reflection* true)

(defn- chain
  "A program whose steps mention these lists of temporaries, temp t of (sizes t) elements."
  [sizes steps]
  (let [arities (vec (distinct (map count steps)))]
    {:damo/program 1 :name "chain" :dims []
     :buffers (mapv (fn [s] {:dtype :i8 :size s :kind :temp}) sizes)
     :kernels (mapv (fn [n] {:name (str "touch" n) :params (vec (repeat n [:i8 :inout])) :body []})
                    arities)
     :steps (mapv (fn [ids] {:do :kernel :kernel (.indexOf ^java.util.List arities (count ids))
                             :args ids}) steps)}))

(defn- bind ^Binding [sizes steps]
  (Bindings/bind (Programs/read (pr-str (chain sizes steps))) (long-array 0)))

(defn- lifetime [steps id]
  (let [at (keep-indexed (fn [s ids] (when (some #{id} ids) s)) steps)]
    (when (seq at) [(first at) (last at)])))

(defn- sound-layout? [sizes steps]
  (let [b (bind sizes steps)
        offsets (vec (.offsets b))
        ids (range (count sizes))
        alive (into {} (map (juxt identity #(lifetime steps %))) ids)]
    (and (every? #(zero? (mod % 64)) offsets)
         (every? #(<= (+ (offsets %) (sizes %)) (.arenaBytes b)) ids)
         (<= (.arenaBytes b) (reduce + (map #(* 64 (quot (+ % 63) 64)) sizes)))
         (every? (fn [[x y]]
                   (let [[a b] (alive x) [c d] (alive y)]
                     (or (nil? a) (nil? c) (< b c) (< d a)
                         (<= (+ (offsets x) (sizes x)) (offsets y))
                         (<= (+ (offsets y) (sizes y)) (offsets x)))))
                 (for [x ids, y ids :when (< x y)] [x y])))))

(deftest temporaries-share-memory-only-when-not-alive-together
  (let [step (gen/fmap vec (gen/set (gen/choose 0 7) {:min-elements 1 :max-elements 3}))
        law (prop/for-all [sizes (gen/vector (gen/choose 0 500) 8)
                           steps (gen/vector step 1 12)]
              (sound-layout? sizes steps))]
    (is (:pass? (check/quick-check 300 law :seed 6))))
  (testing "a chain of ten needs two places"
    (is (= 2048 (.arenaBytes (bind (vec (repeat 10 1000))
                                   (mapv #(vector % (inc %)) (range 9)))))))
  (is (thrown-with-msg? DamoException #"temporaries of program \"chain\" need more bytes"
                        (bind [Long/MAX_VALUE Long/MAX_VALUE] [[0 1]]))))

;; ## Lifetimes of loops

(defn- place
  "Where temporaries of these sizes lie, in bytes, for steps over kernels that write or copy them."
  [sizes steps]
  (let [form {:damo/program 1 :name "loops" :dims '[n]
              :buffers (into [{:dtype :i8 :size 'n :kind :input}
                              {:dtype :i64 :size 1 :kind :const}]
                             (map (fn [s] {:dtype :i8 :size s :kind :temp})) sizes)
              :inputs [{:name "x" :dtype :i8 :shape '[n] :buffer 0}]
              :consts [{:buffer 1 :data [0]}]
              :kernels [{:name "write" :params [[:i8 :out]]
                         :body '[[:for i 100 [:store 0 i [:const :i8 0]]]]}
                        {:name "copy" :params [[:i8 :in] [:i8 :out]] :body []}
                        {:name "read" :params [[:i8 :in]] :body []}
                        {:name "some" :params [[:i8 :out]]
                         :body '[[:for i 50 [:store 0 i [:const :i8 0]]]]}
                        {:name "one" :params [[:i8 :out]] :body '[[:store 0 0 [:const :i8 0]]]}]
              :notes [{:op "switch"}], :steps steps}]
    (vec (drop 2 (.offsets (Bindings/bind (Programs/read (pr-str form)) (long-array [3])))))))

(defn- run [kernel & args]
  {:do :kernel :kernel ({:write 0 :copy 1 :read 2 :some 3 :one 4} kernel) :args args})
(defn- rounds [& steps] {:do :loop :var (gensym "t") :extent 'n :steps (vec steps)})
(defn- either [& cases] {:do :branch :test 1 :note 0 :cases (vec cases)})

(deftest loops-keep-what-a-later-round-needs
  (let [together? (fn [sizes steps] (apply = (place sizes steps)))]
    (doseq [[shared steps]
            [[true [(run :write 2) (run :read 2) (run :write 3) (run :read 3)]]
             [true [(rounds (run :write 2) (run :read 2) (run :write 3) (run :read 3))]]
             [true [(rounds (run :write 2) (run :read 2)) (rounds (run :write 3) (run :read 3))]]
             [true [(rounds (rounds (run :write 2) (run :read 2)) (run :write 3) (run :read 3))]]
             [true [(rounds (either [(run :write 2) (run :read 2)]
                                    [(run :write 3) (run :read 3)]))]]
             ;; Written before, read and written again in each round.
             [false [(run :write 2) (rounds (run :read 2) (run :write 3) (run :read 3)
                                            (run :write 2))]]
             ;; Read behind the loop: it may be of an earlier round than the last.
             [false [(rounds (run :write 2) (run :write 3) (run :read 3)) (run :read 2)]]
             [false [(rounds (rounds (run :write 2)) (rounds (run :write 3) (run :read 3))
                             (run :read 2))]]
             ;; A part is written, the rest stays.
             [false [(rounds (run :one {:buffer 2 :offset 'n :size 1}) (run :read 2)
                             (run :write 3) (run :read 3))]]
             [false [(rounds (run :some {:buffer 2 :offset 0 :size 50}) (run :read 2)
                             (run :write 3) (run :read 3))]]
             [false [(rounds (run :some 2) (run :read 2) (run :write 3) (run :read 3))]]
             [true [(rounds (run :write {:buffer 2 :offset 0 :size 100}) (run :read 2)
                            (run :write 3) (run :read 3))]]
             [false [(rounds (rounds (run :some 2)) (run :read 2) (run :write 3) (run :read 3))]]
             [true [(run :some 2) (run :read 2) (run :write 3) (run :read 3)]]
             ;; Written in one case only.
             [false [(run :write 2)
                     (rounds (either [(run :write 2)] [(run :read 2)])
                             (run :write 3) (run :read 3))]]
             [true [(rounds (either [(run :write 2)] [(run :write 2)]) (run :read 2)
                            (run :write 3) (run :read 3))]]]]
      (testing (pr-str steps)
        (is (= shared (together? [100 100] steps)))))))
