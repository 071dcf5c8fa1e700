(ns damo.runtime.layout-test
  "States that lie in panels while functions multiply by them: nobody sees a difference, whatever
  is called in whatever order, and files hold rows."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.data.expr :as expr])
  (:import (damo.runtime State)
           (damo.tensor DType Panels Tensor)
           (java.util Random)))

(set! *warn-on-reflection* true)

(defn- layout [s] (.layout ^State (expr/state-of s)))

(defn- numbers
  "Small whole numbers, with which f32 sums are exact in any order."
  [^Random r n]
  (vec (repeatedly n #(- (.nextInt r 3) 1))))

(defn- matrix [r rows columns]
  (mapv vec (partition columns (numbers r (* rows columns)))))

;; ## Panels themselves

(deftest panels-and-back
  (let [r (Random. 1)]
    (doseq [dtype [DType/F32 DType/F64], rows [0 1 2 7], columns [0 1 3 4 5 8 11], width [4 8]]
      (let [numbers (repeatedly (* rows columns) #(double (.nextInt r 99)))
            data (if (zero? columns)
                   (vec (repeat rows []))
                   (mapv vec (partition columns numbers)))
            m (.reshape (Tensor/of (double-array (flatten data)) dtype true)
                        (long-array [rows columns]))
            panels (Panels. dtype rows columns width)
            packed (.packed panels m)
            padded (* width (quot (+ columns width -1) width))]
        (is (= (* rows padded) (.elements panels) (.elements packed)))
        (is (= (vec (for [p (range (quot padded width)), row data, j (range width)]
                      (get row (+ j (* p width)) 0.0)))
               @packed))
        (is (= data @(.unpacked panels packed)))))))

(deftest lines-and-columns-and-back
  (let [r (Random. 2)]
    (doseq [[dtype rows columns] [[DType/F32 128 10] [DType/F64 70 3] [DType/F32 3 200]
                                  [DType/F32 5 512] [DType/F64 2 131]]
            :let [data (mapv #(mapv double %) (matrix r rows columns))
                  m (Tensor/of (into-array (map double-array data)) dtype true)
                  bytes (.bytes ^DType dtype)
                  [few lines] [(Panels/inColumns dtype rows columns 16)
                               (Panels/inLines dtype rows columns)]]]
      (is (= [(< columns 16) (<= 16 columns)] [(some? few) (some? lines)]))
      (let [^Panels p (or few lines), packed (.packed p m)]
        (is (zero? (mod (* bytes (.lead p)) 64)))
        (is (pos? (mod (* bytes (.lead p)) 1024)))
        (is (= (if few
                 (vec (for [j (range columns), i (range (.lead p))] (get-in data [i j] 0.0)))
                 (vec (for [row data, j (range (.lead p))] (get row j 0.0))))
               @packed))
        (is (= data @(.unpacked p packed)))))
    (is (nil? (Panels/inLines DType/F32 9 160)) "rows of whole lines that are in nobody's way")
    (is (nil? (Panels/inColumns DType/F32 200 1 16)))
    (is (nil? (Panels/inColumns DType/F32 100000 3 16)))))

;; ## Functions of one or two states

(defn- shared-pair [dtype [rows columns]]
  (let [r (Random. 7)]
    [(d/shared 'w (d/tensor (matrix r rows columns) dtype))
     (d/shared 'v (d/tensor (matrix r rows columns) dtype))]))

(defn- users
  "Functions on two states, by name; each takes x [m rows] and d [m columns]."
  [[w v] dtype [rows columns]]
  (let [x (d/input 'x [dtype ['m rows]]), e (d/input 'e [dtype ['m columns]])
        opts {:on-unused-input :ignore}
        grown (fn [s k] (d/add s (d/mul k (d/dot (d/transpose x) e))))]
    {:forward (d/function [x e] (d/dot x w) opts)
     :backward (d/function [x e] (d/dot e (d/transpose w)) opts)
     :both (d/function [x e] [(d/dot x w) (d/dot e (d/transpose v))] opts)
     :twice (d/function [x e] (d/dot (d/dot x w) (d/transpose w)) opts)
     :gram (d/function [x e] (d/dot w (d/transpose w)) opts)
     :update (d/function [x e] (d/dot x w) {:updates {w (grown w 1)}})
     :down (d/function [x e] (d/dot x w) {:updates {w (grown w -1), v (grown v 1)}})
     :new (d/function [x e] [] {:updates {v (d/dot (d/transpose x) e)}})
     :swap (d/function [x e] (d/dot x w) (assoc opts :updates {w v, v w}))
     :rows (d/function [x e] (d/sum w) opts)
     :row (d/function [x e] (d/take w 1) opts)
     :set (d/function [x e] [] (assoc opts :updates {w (d/clip w -3 3)}))}))

(defn- step!
  "One random act on functions and states; what can be seen of it."
  [fs [w v] [rows columns :as shape] dtype ^Random r]
  (let [m (nth [0 1 2 5 40] (.nextInt r 5))
        args [(d/tensor (matrix r m rows) dtype) (d/tensor (matrix r m columns) dtype)]
        args (if (zero? m) [(d/zeros [0 rows] dtype) (d/zeros [0 columns] dtype)] args)
        names (vec (sort (keys fs)))
        pick (.nextInt r (+ 4 (count names)))]
    (condp = (- pick (count names))
      0 (d/value w)
      1 (do (d/set-value! v (d/tensor (matrix r rows columns) dtype)) nil)
      2 (str (expr/state-of w))
      3 (d/call-n (:down fs) 3 (first args) (second args))
      (let [f (fs (names pick)), n (.nextInt r 12)]
        (vec (repeatedly n #(apply f args)))))))

(defn- seen [x]
  (cond (instance? Tensor x) (deref x) (sequential? x) (mapv seen x) :else x))

(deftest a-state-in-panels-is-the-same-state
  (doseq [[dtype shape expected] [[:f32 [70 120] #{"rows" "panels"}]
                                  [:f64 [33 64] #{"rows" "panels"}]
                                  [:f32 [128 250] #{"rows" "panels" "lines"}]
                                  [:f32 [140 3] #{"rows" "columns"}]]]
    (let [states (shared-pair dtype shape), others (shared-pair dtype shape)
          fs (users states dtype shape), others-fs (users others dtype shape)
          need-rows (fn [] (let [x (d/zeros [1 (first shape)] dtype)
                                 e (d/zeros [1 (second shape)] dtype)]
                             ((:rows others-fs) x e)))
          a (Random. 3), b (Random. 3)
          ;; What needs rows once has them for good, in place of columns.
          some-acts (fn [i fs] (cond-> fs
                                 (and (expected "columns") (< i 60))
                                 (-> (dissoc :rows :row :set :swap) (assoc :down (:update fs)))))
          layouts (atom #{})]
      (dotimes [i 120]
        (let [here (seen (step! (some-acts i fs) states shape dtype a))]
          (swap! layouts conj (mapv layout states))
          (need-rows)
          (is (= here (seen (step! (some-acts i others-fs) others shape dtype b)))
              (str dtype " act " i))
          (is (= (seen (mapv d/value states)) (seen (mapv d/value others))) (str dtype " act " i))))
      (is (= expected (set (flatten (seq @layouts)))) "all of these layouts were there"))))

(deftest threads-at-once
  (let [dtype :f32, [rows columns :as shape] [64 128]
        [w v :as states] (shared-pair dtype shape)
        before (seen (d/value w))
        fs (users states dtype shape)
        parts (vec (for [seed (range 4)]
                     (let [r (Random. seed)]
                       {:args [(d/tensor (matrix r 33 rows) dtype)
                               (d/tensor (matrix r 33 columns) dtype)]
                        :calls (vec (repeatedly 40 #(nth [:update :forward :rows :update :both
                                                          :gram] (.nextInt r 6))))})))
        runs (mapv (fn [{:keys [args calls]}] (future (doseq [f calls] (apply (fs f) args)) :done))
                   parts)
        looks (future (dotimes [_ 50] (d/value w) (d/value v)) :done)]
    (is (= [:done] (distinct (map deref (conj runs looks)))))
    (is (= (reduce (fn [m {[x e] :args, :keys [calls]}]
                     (let [times (count (filter #{:update} calls)), x @x, e @e]
                       (vec (map-indexed
                             (fn [i row]
                               (vec (map-indexed
                                     (fn [j y]
                                       (+ y (* times (reduce + (map #(* (nth (nth x %) i)
                                                                        (nth (nth e %) j))
                                                                    (range 33))))))
                                     row)))
                             m))))
                   before parts)
           (seen (d/value w))))))

(deftest failures-and-interrupts-leave-panels-as-they-were
  (let [w (d/shared 'w (d/tensor (matrix (Random. 5) 64 128) :f32))
        at (d/shared 'at (d/tensor 0 :i64))
        x (d/input 'x [:f32 ['m 64]]), e (d/input 'e [:f32 ['m 128]])
        f (d/function [x e] [(d/dot x w) (d/take (d/iota [9]) at)]
                      {:updates {w (d/add w (d/dot (d/transpose x) e)), at (d/add at 1)}})
        args [(d/ones [32 64] :f32) (d/ones [32 128] :f32)]]
    (d/call-n f 8 (first args) (second args))
    (apply f args)
    (d/set-value! at 0)
    (apply f args)
    (is (= "panels" (layout w)))
    (let [before (seen (d/value w))]
      (is (thrown-with-msg? Exception #"index" (apply d/call-n f 20 args)))
      (is (= [before 1 "panels"] [(seen (d/value w)) (seen (d/value at)) (layout w)]))
      (is (= [:damo/interrupted true]
             (do (.interrupt (Thread/currentThread))
                 [(try (apply f args) (catch Exception e (:damo/error (ex-data e))))
                  (Thread/interrupted)])))
      (is (= before (seen (d/value w)))))))

(deftest files-and-constants
  (let [start (matrix (Random. 6) 64 128)
        w (d/shared 'w (d/tensor start :f32))
        x (d/input 'x [:f32 ['m 64]])
        by-state (d/function [x] (d/dot x w))
        by-constant (d/function [x] (d/dot x (d/tensor start :f32)))
        arg (d/tensor (matrix (Random. 8) 40 64) :f32)
        row (d/tensor (matrix (Random. 8) 1 64) :f32)
        file #(let [f (java.io.File/createTempFile "layout" ".damo")]
                (try (d/save (str f) {:by-state by-state})
                     (vec (java.nio.file.Files/readAllBytes (.toPath f)))
                     (finally (.delete f))))
        rows (file)]
    (dotimes [_ 8] (is (= (seen (by-state arg)) (seen (by-constant arg)))))
    (is (= "panels" (layout w)))
    (is (= (seen (by-state row)) (seen (by-constant row))))
    (is (= rows (file)) "a file holds rows")))

(defn- few-classes
  "A training step of weights [130 10], which lie in columns, and all that it leaves behind."
  [dtype m times threads]
  (let [x (d/input 'x [dtype ['m 130]]), e (d/input 'e [dtype ['m 10]])
        w (d/shared 'w (d/random :glorot [130 10] :seed 1 :dtype dtype))
        loss (d/sum (d/sqr (d/sub (d/tanh (d/dot x w)) e)))
        f (d/function [x e] loss {:updates {w (d/sub w (d/mul 0.01 (d/grad loss w)))}})
        args [(d/random :normal [m 130] :seed 2 :dtype dtype)
              (d/random :normal [m 10] :seed 3 :dtype dtype)]]
    (d/set-threads! threads)
    (try
      (if (= times :at-once)
        (d/call-n f 3 (first args) (second args))
        (dotimes [_ 3] (apply f args)))
      [(layout w) (seen (d/value w))]
      (finally (d/set-threads! 1)))))

(deftest columns-have-the-same-bits-however-they-are-called
  (doseq [dtype [:f32 :f64], m [1 2 10 60 700]
          :let [[how :as expected] (few-classes dtype m :one-by-one 1)]]
    (is (= "columns" how))
    (doseq [times [:one-by-one :at-once], threads [1 2]]
      (is (= expected (few-classes dtype m times threads)) [dtype m times threads]))))
