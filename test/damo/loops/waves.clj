(ns damo.loops.waves
  "Numbers without a pattern that other programs make as easily, and comparisons of results with
  theirs. (wave [2] 0.5) => [0.479… 0.808…], sin(0.5 + 1.7·k) for element k in row-major order.")

(set! *warn-on-reflection* true)

(defn- nested [shape numbers]
  (if (seq shape)
    (mapv #(nested (rest shape) %)
          (partition (max 1 (reduce * (rest shape))) numbers))
    (first numbers)))

(defn wave
  "Nested vectors of `shape`: element k is scale · sin(phase + 1.7·k). In NumPy
  scale*np.sin(phase + 1.7*np.arange(n)).reshape(shape)."
  ([shape phase] (wave shape phase 1.0))
  ([shape phase scale]
   (nested shape (map #(* (double scale) (Math/sin (+ (double phase) (* 1.7 (double %)))))
                      (range (reduce * shape))))))

(defn- numbers [x]
  (filter number? (tree-seq coll? seq x)))

(defn- shape-of [x]
  (if (sequential? x) (into [(count x)] (when (seq x) (shape-of (first x)))) []))

(defn projection
  "The sum of all elements of nested vectors times a wave of that shape: one number that no wrong
  element leaves as it is."
  [x phase]
  (reduce + (map * (numbers x) (numbers [(wave (shape-of x) phase)]))))

(defn close?
  "Are nested vectors of the same shape and equal within `tolerance`, relative to 1 or the expected
  number, whichever is larger?"
  [tolerance expected given]
  (let [a (numbers [expected]), b (numbers [given])]
    (and (= (shape-of expected) (shape-of given))
         (every? true? (map (fn [x y] (<= (abs (- x y)) (* tolerance (max 1.0 (abs x))))) a b)))))
