(ns damo.bench.rounds
  "Programs that take turns: every round measures each of them once, so that what else the machine
  does meets all alike, until the spread of the ratios is known or time is up.
  (ratio {:damo [2.0 2.2] :numpy [3.0 3.3]} :numpy [:damo]) => {:median 1.5, :low 1.5, :high 1.5}."
  (:require [damo.bench.stats :as stats]))

(set! *warn-on-reflection* true)

(defn quantile
  "The number that the share q of sorted numbers lies below, between two of them by their distance."
  [q numbers]
  (let [sorted (vec (sort numbers)), at (* q (dec (count sorted)))
        below (long (Math/floor at)), above (long (Math/ceil at))]
    (+ (sorted below) (* (- at below) (- (sorted above) (sorted below))))))

(defn spread
  "How far the middle half of numbers reaches, relative to their median; nil of fewer than three."
  [numbers]
  (when (< 2 (count numbers))
    (/ (- (quantile 0.75 numbers) (quantile 0.25 numbers)) (stats/median numbers))))

(defn- least-of [samples programs]
  (when-let [columns (seq (keep #(seq (samples %)) programs))]
    (apply map min columns)))

(defn ratios
  "Round by round, the time of a program over that of ours, the least of `ours` in that round."
  [samples program ours]
  (mapv (fn [theirs own] (/ (double theirs) own)) (samples program) (least-of samples ours)))

(defn ratio
  "{:median :low :high} of the `ratios` of a program; nil where there are none."
  [samples program ours]
  (when-let [all (seq (ratios samples program ours))]
    {:median (stats/median all), :low (apply min all), :high (apply max all)}))

(defn best
  "Of programs beside ours that with the least median ratio: [program ratio]; nil of none."
  [samples ours]
  (first (sort-by (comp :median second)
                  (for [program (keys samples) :when (not (some #{program} ours))
                        :let [r (ratio samples program ours)] :when r]
                    [program r]))))

(defn least-ratio
  "The least time of all programs beside ours, in all rounds, over the least of ours; nil of none.
  On a machine with other work it tells more than medians do."
  [samples ours]
  (let [least #(apply min (mapcat samples %)), others (remove (set ours) (keys samples))]
    (when (seq others) (/ (double (least others)) (least ours)))))

(defn- far-behind?
  "Is a program so slow that more rounds of it would tell nothing?"
  [samples program ours]
  (when-let [r (ratio samples program ours)]
    (and (not (some #{program} ours)) (< 3.0 (:low r)))))

(defn- known?
  "Is the ratio of the best other program known to the bound, or, without one, our own time?"
  [samples ours bound]
  (let [[program] (best samples ours)
        s (spread (if program (ratios samples program ours) (vec (least-of samples ours))))]
    (and s (<= s bound))))

(defn- measured!
  "The time that (measure) tells, and then a pause of so many seconds."
  [measure pause]
  (let [time (double (measure))]
    (when pause (Thread/sleep (long (* 1e3 pause))))
    time))

(def restless
  "Seconds after which threads of a library that wait for work no longer do so on a processor: with
  several threads, what one program leaves behind would take them from the next."
  0.22)

(defn take-turns
  "{program [time of round 1, of round 2, …]} of measurements [[program (fn [] time)] …], among them
  `ours`. There are :least rounds at least and :most at most; between them they end when the
  `spread` of the ratio to the best other program is :bound or less, or after :seconds. A program
  that is three times slower than ours is left out after the first :least rounds. A :pause of so
  many seconds, if any, follows every measurement."
  [measurements ours {:keys [least most bound seconds pause]}]
  (let [stop (+ (System/nanoTime) (* 1e9 seconds))]
    (loop [samples {}, round 1]
      (let [now (reduce (fn [s [program measure]]
                          (if (and (< least round) (far-behind? s program ours))
                            s
                            (update s program (fnil conj []) (measured! measure pause))))
                        samples measurements)]
        (if (or (<= most round)
                (and (<= least round)
                     (or (< stop (System/nanoTime)) (known? now ours bound))))
          now
          (recur now (inc round)))))))
