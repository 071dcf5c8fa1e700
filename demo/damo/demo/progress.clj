(ns damo.demo.progress
  "The progress of training as text: on a terminal one line, drawn again in place; elsewhere a line
  an epoch. (line {:epoch 2, :epochs 10, :done 3000, :total 8000, :loss 0.31, :rate 52000.0})."
  (:require [clojure.string :as str]))

(set! *warn-on-reflection* true)

(def ^:private bar-width 30)
(def ^:private redraw-nanos "The time between two drawings in place, 0.1 s." 100000000)

(defn bar
  "A bar of 30 cells, filled to the fraction done / total."
  [done total]
  (let [full (quot (* bar-width done) (max 1 total))]
    (str "[" (str/join (repeat full "=")) (str/join (repeat (- bar-width full) " ")) "]")))

(defn line
  "The line of a state of training: :epoch of :epochs, examples :done of :total in this epoch, the
  mean :loss so far in it, :rate in examples/s, and :accuracy (0 to 1) once the epoch is over."
  [{:keys [epoch epochs done total loss rate accuracy]}]
  (str (format "epoch %2d/%d %s loss %.4f  %,8.0f examples/s" epoch epochs (bar done total)
               (double loss) (double rate))
       (when accuracy (format "  test accuracy %.2f %%" (* 100.0 accuracy)))))

(defn terminal?
  "Is this process talking to a terminal, where a line can be drawn again?"
  []
  (boolean (some-> (System/console) .isTerminal)))

(defn reporter
  "A function of states of training that prints them to *out*: in place and at most ten times a
  second when `in-place?`, else only those with :accuracy, which end an epoch."
  [in-place?]
  (let [last-drawn (volatile! 0)]
    (fn [{:keys [accuracy] :as state}]
      (let [now (System/nanoTime)]
        (cond accuracy (println (str (when in-place? "\r") (line state)))
              (and in-place? (< redraw-nanos (- now @last-drawn)))
              (do (vreset! last-drawn now)
                  (print (str "\r" (line state)))
                  (flush)))))))
