(ns damo.loops.filters-test
  "Sums over hidden paths as loops: Kalman's filter and the forward algorithm of hidden Markov
  models, against the density of all observations at once and against all paths one by one."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.loops.waves :refer [close? wave]]))

(set! *warn-on-reflection* true)

;; ## Kalman's filter

(defn- inverse
  "[inverse, determinant] of a matrix [2 2]."
  [m]
  (let [[a b c e] (for [i [0 1], j [0 1]] (d/index m i j))
        det (d/sub (d/mul a e) (d/mul b c))]
    [(d/div (d/stack [(d/stack [e (d/neg b)]) (d/stack [(d/neg c) a])]) det) det]))

(defn- kalman-step
  "One prediction and correction; `model` is {:f :h :q :r}, matrices."
  [{:keys [f h q r]} {:keys [y mean cov log-density]}]
  (let [mean (d/dot f mean)
        cov (d/add (d/dot (d/dot f cov) (d/transpose f)) q)
        surprise (d/sub y (d/dot h mean))
        hp (d/dot h cov)
        s (d/add (d/dot hp (d/transpose h)) r)
        [s-inverse s-det] (inverse s)
        gain (d/dot (d/transpose hp) s-inverse)
        distance (d/dot surprise (d/dot s-inverse surprise))
        scale (* 2 (Math/log (* 2 Math/PI)))]
    {:mean (d/add mean (d/dot gain surprise))
     :cov (d/sub cov (d/dot gain hp))
     :log-density (d/sub log-density (d/mul 0.5 (d/add distance (d/log s-det) scale)))}))

(defn- log-likelihood [model mean cov ys]
  (d/index (:log-density (d/scan {:sequences {:y ys}
                                  :state {:mean mean, :cov cov, :log-density 0.0}}
                           #(kalman-step model %)))
           -1))

;; The values are those of the joint normal density of the 16 observed numbers, its covariance
;; written out block by block, and of JAX's gradient of it, in float64: no filter.
(deftest kalman-filter
  (let [f (d/input 'f [:f64 [2 2]]), ys (d/input 'ys [:f64 ['n 2]])
        log-q (d/input 'log-q [:f64 []]), log-r (d/input 'log-r [:f64 []])
        eye (d/eye 2)
        model {:f f, :h (d/tensor [[1.0 0.0] [0.3 1.0]])
               :q (d/mul (d/exp log-q) eye), :r (d/mul (d/exp log-r) eye)}
        value (log-likelihood model (d/tensor [0.1 -0.2]) (d/mul 0.5 eye) ys)
        filtered (d/function [f log-q log-r ys]
                             {:value value, :grads (d/grad value [f log-q log-r])})
        {[by-f by-q by-r] :grads, :keys [value]}
        (filtered [[1.0 0.5] [-0.2 0.9]] (Math/log 0.3) (Math/log 0.2) (wave [8 2] 0.3))]
    (is (close? 1e-12 -25.12849753337132 @value))
    (is (close? 1e-11 [[-4.3455540866910685 -1.4319407166618985]
                       [1.056245899827264 -2.9774375425514004]]
                @by-f))
    (is (close? 1e-11 0.07142684184306848 @by-q))
    (is (close? 1e-11 5.785101595359093 @by-r))))

;; ## Hidden Markov models

(defn- forward
  "The log likelihood of observations whose log densities are rows of `log-b`, one a state."
  [log-start log-a log-b]
  (let [start (d/add log-start (d/index log-b 0))
        forward-step (fn [alpha log-b-t]
                       (d/add log-b-t (d/logsumexp (d/add (d/expand-dims alpha 1) log-a) :axis 0)))]
    (d/logsumexp (d/foldl forward-step start (d/index log-b [1 nil])))))

(defn- paths [states steps]
  (if (zero? steps)
    [[]]
    (for [path (paths states (dec steps)), s (range states)] (conj path s))))

(defn- path-density [start a b path]
  (reduce * (concat [(start (first path))]
                    (map (fn [[i j]] (get-in a [i j])) (partition 2 1 path))
                    (map-indexed (fn [t s] (get-in b [t s])) path))))

(defn- by-all-paths
  "[likelihood, posterior probabilities of the states at each time] of all paths one by one."
  [start a b]
  (let [weights (into {} (map (juxt identity #(path-density start a b %))
                              (paths (count start) (count b))))
        total (reduce + (vals weights))]
    [total (vec (for [t (range (count b))]
                  (vec (for [s (range (count start))]
                         (/ (reduce + (keep (fn [[path w]] (when (= s (path t)) w)) weights))
                            total)))))]))

(deftest forward-algorithm-of-a-hidden-markov-model
  (let [log-start (d/input 's [:f64 ['k]]), log-a (d/input 'a [:f64 ['k 'k]])
        log-b (d/input 'b [:f64 ['n 'k]])
        value (forward log-start log-a log-b)
        f (d/function [log-start log-a log-b] {:value value, :posterior (d/grad value log-b)})
        start [0.5 0.2 0.3]
        a [[0.7 0.2 0.1] [0.1 0.6 0.3] [0.4 0.1 0.5]]
        logs (fn [rows] (mapv (fn [row] (mapv #(Math/log %) row)) rows))]
    (doseq [n [6 2 1]
            :let [b (mapv (fn [row] (mapv #(Math/exp %) row)) (wave [n 3] 0.4))
                  [likelihood posterior] (by-all-paths start a b)
                  result (f (first (logs [start])) (logs a) (logs b))]]
      (testing (str n " observations")
        (is (close? 1e-13 (Math/log likelihood) @(:value result)))
        (testing "the gradient by the log densities is the posterior of the states"
          (is (close? 1e-13 posterior @(:posterior result))))))))
