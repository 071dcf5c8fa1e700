(ns damo.face.draw.stream-test
  (:require [clojure.java.io :as io]
            [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.random :as r])
  (:import [clojure.lang ExceptionInfo]
           [damo Damo]
           [java.io File]))

(set! *warn-on-reflection* true)

(defn- drawer
  "A function of two draws of a stream, and the stream."
  [stream-name seed & options]
  (let [s (r/stream stream-name seed), u (r/uniform s [3]), v (r/normal s [2])]
    [(apply d/function [] {:u u, :v v} options) s]))

(defn- bits [result] (update-vals result deref))

(deftest streams-move-on
  (let [[f s] (drawer 's 42), first-call (bits (f)), second-call (bits (f))]
    (is (= [42 2] @(d/value s)))
    (is (not= first-call second-call))
    (is (identical? s (r/seed! s 42)))
    (is (= [first-call second-call] [(bits (f)) (bits (f))]))
    (testing "by their seed and the call, not by their name or what was made before"
      (let [[g] (drawer 'other 42), [h] (drawer 's 43)]
        (is (= first-call (bits (g))))
        (is (not= first-call (bits (h))))))
    (testing "in call-n too"
      (r/seed! s 42)
      (is (= second-call (bits (d/call-n f 2))))
      (is (= [42 2] @(d/value s))))))

(deftest draws-of-one-function-differ
  (let [s (r/stream 's 1), [a b] (d/eval [(r/uniform s [4]) (r/uniform s [4])])]
    (is (not= @a @b))
    (is (= [1 0] @(d/value s)) "eval leaves a stream where it is")
    (let [u (r/uniform s []), x (d/input 'x [:f32 []])
          [y dy] ((d/function [x] [(d/mul x u) (d/grad (d/mul x u) x)]) 2)]
      (is (= @y (* 2 @dy)) "a draw is one draw wherever it stands"))))

(deftest without-default-updates
  (let [[f s] (drawer 's 5 :no-default-updates true)]
    (is (= (bits (f)) (bits (f))))
    (is (= [5 0] @(d/value s))))
  (testing "an update of the user's own counts"
    (let [s (r/stream 's 5), f (d/function [] (r/uniform s []) :updates {s (d/add s [0 10])})]
      (f)
      (is (= [5 10] @(d/value s))))))

(deftest in-branches-and-regions
  (let [s (r/stream 's 3), x (d/input 'x [:f32 []])
        f (d/function [x] (d/ifelse (d/gt x 0) (fn [] (r/uniform s [])) (fn [] (r/normal s []))))]
    (is (not= @(f 1) @(f 1)))
    (is (= [3 2] @(d/value s)))))

(deftest saved-with-functions
  (let [file (File/createTempFile "stream" ".damo"), [f s] (drawer 's 9)]
    (try
      (f)
      (d/save file {:f f})
      (let [next-bits [(bits (f)) (bits (f))], g (:f (d/load file))]
        (is (= next-bits [(bits (g)) (bits (g))])))
      (r/seed! s 9)
      (f)
      (with-open [model (Damo/load (.toPath (io/file file)))]
        (let [^objects out (.call (.function model "f") (make-array damo.tensor.Tensor 0))]
          (is (= (set (vals (bits (f)))) (set (map deref out))))))
      (finally (.delete file)))))

(deftest loops-take-keys
  (let [s (r/stream 's 1)
        walk (fn [draw] (d/scan {:state {:h 0.0}, :n-steps 3}
                                (fn [{:keys [h]}] {:h (d/add h (draw))})))]
    (is (= :damo.random/stream-in-loop
           (try (walk #(r/normal s [])) (catch ExceptionInfo e (:damo/error (ex-data e))))))
    (is (some? (walk (constantly (r/normal s [])))) "a draw from outside is one number")
    (let [keys (r/split-array (r/key 1) 3)
          steps (:y (d/scan {:sequences {:k keys}} (fn [{:keys [k]}] {:y (r/normal k [])})))]
      (is (= 3 (count (distinct @(d/eval steps))))))))
