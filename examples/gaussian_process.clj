;; A Gaussian process fitted by its marginal likelihood, with the gradient that Damo derives:
;;   bin/damo script examples/gaussian_process.clj [POINTS] [STEPS] [FOLDER]
;; Noisy values of a function at some places; the length, height and noise of the process are those
;; that make the values most likely. All steps of the fit run in one compiled function, a loop with
;; a factorisation in each round. After C. E. Rasmussen and C. Williams, Gaussian processes for
;; machine learning, 2006, chapters 2 and 5.
(require '[clojure.string :as str]
         '[damo.core :as d]
         '[damo.linalg :as la])

(def settings
  (let [[points steps folder] *command-line-args*]
    {:points (parse-long (or points "60")), :steps (parse-long (or steps "300"))
     :folder (or folder "target"), :rate 0.05, :noise 0.2, :grid 200}))

;; ## Data: values of a function at places of [-3 3], none of them between 0.5 and 1.5

(defn truth [x] (+ (Math/sin (* 2.5 x)) (* 0.4 x)))

(defn draw
  "[places values] of n noisy values of the function."
  [n]
  (let [random (java.util.Random. 7)
        place #(let [x (- (* 5.0 (.nextDouble random)) 3.0)] (if (< 0.5 x) (+ 1.0 x) x))
        places (vec (sort (repeatedly n place)))]
    [places (mapv #(+ (truth %) (* (:noise settings) (.nextGaussian random))) places)]))

;; ## The process. Its parameters are the logarithms of [length height noise].

(defn kernel
  "height² exp(-(a - b)²/(2 length²)) for all pairs of places a [m] and b [n], [m n]."
  [[length height] a b]
  (let [away (d/div (d/sub (d/expand-dims a :axis 1) b) (d/exp length))]
    (d/mul (d/exp (d/mul 2 height)) (d/exp (d/mul -0.5 (d/sqr away))))))

(defn factor
  "The lower factor of Cholesky of the covariance of noisy values at places x."
  [[_ _ noise :as parameters] x]
  (let [n (first (d/shape x))]
    (la/cholesky (d/add (kernel parameters x x)
                        (d/diag (d/broadcast-to (d/exp (d/mul 2 noise)) :shape [n]))))))

(defn cost
  "Minus the logarithm of the likelihood of values y at places x."
  [parameters x y]
  (let [l (factor parameters x), white (la/solve-triangular l y), [n] (d/shape x)]
    (d/add (d/mul 0.5 (d/sum (d/sqr white)))
           (d/sum (d/log (d/diagonal l)))
           (d/mul (* 0.5 (Math/log (* 2 Math/PI))) (d/cast (d/shape-i x 0) :dtype :f64)))))

(defn parts [theta] (mapv #(d/index theta %) (range 3)))

(defn posterior
  "[mean deviation] of the function at places `at`, given values y at places x."
  [parameters x y at]
  (let [l (factor parameters x), across (kernel parameters x at)
        white (la/solve-triangular l across)
        prior (d/exp (d/mul 2 (second parameters)))]
    [(d/dot (d/transpose white) (la/solve-triangular l y))
     (d/sqrt (d/maximum 0 (d/sub prior (d/sum (d/sqr white) :axis 0))))]))

;; ## Compiled functions

(def x (d/input 'x [:f64 ['n]]))
(def y (d/input 'y [:f64 ['n]]))
(def theta (d/input 'theta [:f64 [3]]))
(def at (d/input 'at [:f64 ['m]]))

(def cost-and-gradient
  (let [c (cost (parts theta) x y)]
    (d/function [theta x y] [c (d/grad c theta)])))

(def closed-form
  "The gradient as the books have it: ½ tr((K⁻¹ - ααᵀ)·∂K) with α = K⁻¹·y."
  (let [[length height noise] (parts theta), k (kernel [length height] x x), n (first (d/shape x))
        unit (d/diag (d/broadcast-to 1.0 :shape [n]))
        inverse (la/inv (d/add k (d/mul (d/exp (d/mul 2 noise)) unit)))
        alpha (d/dot inverse y)
        away (d/div (d/sub (d/expand-dims x :axis 1) x) (d/exp length))
        by (fn [dk] (d/mul 0.5 (d/sum (d/mul (d/sub inverse (d/outer alpha alpha)) dk))))]
    (d/function [theta x y]
                (d/stack [(by (d/mul k (d/sqr away))) (by (d/mul 2 k))
                          (by (d/mul 2 (d/exp (d/mul 2 noise)) unit))]))))

(def fit
  "From parameters to those after all steps of Adam, and the cost before each step."
  (let [{:keys [steps rate]} settings
        step (fn [{:keys [theta mean square t]}]
               (let [c (cost (parts theta) x y), g (d/grad c theta)
                     t (d/add t 1)
                     mean (d/add (d/mul 0.9 mean) (d/mul 0.1 g))
                     square (d/add (d/mul 0.99 square) (d/mul 0.01 (d/sqr g)))
                     unbiased (fn [m by] (d/div m (d/sub 1 (d/pow by t))))]
                 {:theta (d/sub theta (d/div (d/mul rate (unbiased mean 0.9))
                                             (d/add 1e-8 (d/sqrt (unbiased square 0.99)))))
                  :mean mean, :square square, :t t, :cost c}))
        zeros (d/zeros [3] :f64)
        all (d/scan {:state {:theta theta, :mean zeros, :square zeros, :t (d/tensor 0.0 :f64)}
                     :n-steps steps}
                    step)]
    (d/function [theta x y] [(d/index (:theta all) -1) (:cost all)])))

(def predict
  (d/function [theta x y at] (posterior (parts theta) x y at)))

;; ## The picture

(defn svg
  "The mean with a band of two deviations, the function, the places with their values."
  [places values grid means deviations]
  (let [px #(+ 40 (* 520 (/ (+ % 3.2) 7.0))), py #(- 160 (* 50 %))
        points (fn [xs ys] (str/join " " (map #(format "%.1f,%.1f" (px %1) (py %2)) xs ys)))
        ends (fn [sign] (map #(+ %1 (* sign 2 %2)) means deviations))]
    (str "<svg xmlns='http://www.w3.org/2000/svg' width='600' height='320' font-size='12'>"
         "<rect x='40' y='10' width='520' height='300' fill='none' stroke='gray'/>"
         (format "<polygon fill='lightsteelblue' points='%s'/>"
                 (points (concat grid (reverse grid)) (concat (ends 1) (reverse (ends -1)))))
         (format "<polyline fill='none' stroke='gray' stroke-dasharray='4' points='%s'/>"
                 (points grid (map truth grid)))
         (format "<polyline fill='none' stroke='crimson' points='%s'/>" (points grid means))
         (str/join (map #(format "<circle cx='%.1f' cy='%.1f' r='2'/>" (px %1) (py %2))
                        places values))
         "</svg>")))

(defn numbers [t] (vec (d/->array t)))

(let [{:keys [points steps grid folder]} settings
      [places values] (draw points), start [0.5 0.0 0.0]
      [cost-0 gradient] (cost-and-gradient start places values)
      book (closed-form start places values)
      apart (reduce max (map #(abs (- %1 %2)) (numbers gradient) (numbers book)))
      began (System/nanoTime)
      [found costs] (fit start places values)
      seconds (/ (- (System/nanoTime) began) 1e9)
      [cost-1] (cost-and-gradient found places values)
      [length height noise] (map #(Math/exp %) (numbers found))
      at (mapv #(+ -3.0 (* 6.6 (/ % (dec grid)))) (range grid))
      [means deviations] (map numbers (predict found places values at))
      inside (count (filter true? (map #(<= (abs (- (truth %1) %2)) (* 2 %3)) at means deviations)))
      file (java.io.File. ^String folder "gaussian-process.svg")]
  (println points "values; the gradient differs from its closed form by" (format "%.1e" apart))
  (println (format "minus log likelihood %.3f before, %.3f after %d steps in %.2f s"
                   (first (numbers cost-0)) (first (numbers cost-1)) steps seconds))
  (println (format "length %.3f, height %.3f, noise %.3f" length height noise))
  (println (format "%.0f %% of the function lie in the band of two deviations"
                   (/ (* 100.0 inside) grid)))
  (.mkdirs (java.io.File. ^String folder))
  (spit file (svg places values at means deviations))
  (println "wrote" (str file)))
