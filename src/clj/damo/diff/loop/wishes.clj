(ns damo.diff.loop.wishes
  "What :grad of a loop asks of its derivative in reverse mode, and how the loop is gone back
  through then.

  {:truncate k}           what lies before the last k rounds is constant
  {:checkpoint-every k}   of the states every k-th window is kept, the rounds between are made again
  {:checkpoints c}        c windows are kept, wherever they save most (damo.diff.loop.revolve)
  {:memory-budget bytes}  whichever of these, or none, stays within so many bytes
  {:keep :carries}        nothing is kept but the states; of loops that derivatives make

  The first that is there of :truncate, :checkpoints, :checkpoint-every, :memory-budget decides.
  (chosen {:steps nil} memory) = {:checkpoints 24}."
  (:require [damo.data.type :as type]
            [damo.op.looping :as looping]))

(set! *warn-on-reflection* true)

(def most-checkpoints
  "The checkpoints of a loop without a bound of its rounds that has no wishes: with 24 of them ten
  million rounds are gone back, each made again at most 8 times."
  24)

(def ^:private most-within-budget
  "No more checkpoints than these are placed where data says, however large a budget is: 255 reach
  through 10^9 rounds, each made again at most 4 times."
  255)

(defn- placed
  "The wish for as many checkpoints as a budget holds beside what one round keeps."
  [budget {:keys [row window]}]
  (let [room (if (integer? row) (max 0 (- (long budget) (long row))) budget)
        fit (if (integer? window) (quot room (max 1 (long window))) most-checkpoints)]
    {:checkpoints (max 1 (min (long most-within-budget) (long fit)))}))

(defn- stretches
  "The wish for stretches of as many rounds as make the memory least, rounds · window / k + k · row,
  where that is within the budget; else for checkpoints placed."
  [budget rounds {:keys [row window] :as memory}]
  (let [k (max 1 (Math/round (Math/sqrt (/ (* (double rounds) (long window)) (long row)))))
        least (+ (* (quot (+ (long rounds) (dec k)) k) (long window)) (* k (long row)))]
    (if (<= least (long budget)) {:checkpoint-every k} (placed budget memory))))

(defn- within
  "The wish that stays within a budget of bytes, nil where everything may be kept. :row and :window
  of `memory` are dims, the bytes that a round keeps, and those of a window of all carries. Where
  sizes or rounds have names half of the budget is for a stretch, so that the other half holds the
  windows as long as rounds · window · row is at most a quarter of the budget squared."
  [budget rounds {:keys [row window] :as memory}]
  (cond (= 0 row) nil
        (and (every? integer? [rounds row window]) (<= (* (bigint rounds) row) budget)) nil
        (every? integer? [rounds row window]) (stretches budget rounds memory)
        :else {:checkpoint-every (type/dim-max 1 (type/dim-quot (quot (long budget) 2) row))}))

(defn chosen
  "The wish that decides for a loop with these attributes, nil for none; `memory`, a delay, is asked
  where there is a budget."
  [{:keys [steps grad] :as attrs} memory]
  (let [{:keys [truncate checkpoints checkpoint-every memory-budget]} grad]
    (cond truncate {:truncate truncate}
          checkpoints {:checkpoints checkpoints}
          (nil? steps) (if memory-budget
                         (placed memory-budget @memory)
                         {:checkpoints most-checkpoints})
          checkpoint-every {:checkpoint-every checkpoint-every}
          memory-budget (within memory-budget (looping/rounds attrs) @memory)
          :else (not-empty (select-keys grad [:keep])))))

(defn of-reverse
  "The wishes for the derivative of the reverse loop, which is to be as sparing."
  [wishes]
  (not-empty (select-keys wishes [:keep :checkpoints])))
