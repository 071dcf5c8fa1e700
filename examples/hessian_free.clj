;; Truncated Newton ("Hessian-free") training of a recurrent network, beside SGD and Adam:
;;   bin/damo script examples/hessian_free.clj [LENGTH] [STEPS] [FOLDER]
;; Newton makes that many steps, or as many as it needs; the others have as much time as it took.
;; Temporal addition: a network reads pairs (number, mark) and says at the end what half the sum of
;; the two marked numbers is, one in the first half of the sequence, one in the second. A network
;; that does not remember has a mean squared error of 1/24. After J. Martens and I. Sutskever,
;; Learning recurrent neural networks with Hessian-free optimization, ICML 2011.
(require '[clojure.string :as str]
         '[damo.core :as d])

(def settings
  (let [[length steps folder] *command-line-args*]
    {:length (parse-long (or length "50")), :steps (parse-long (or steps "100"))
     :folder (or folder "target"), :units 32, :batch 300, :rate {:sgd 0.02, :adam 0.003}
     :test 1000, :most-products 100, :structural 0.1}))

;; ## The task: x [length batch 2], y [batch]

(defn draw
  "[x y] of n sequences."
  [^java.util.Random random n]
  (let [{:keys [length]} settings, half (quot length 2)
        one (fn [] {:numbers (vec (repeatedly length #(.nextDouble random)))
                    :marks [(.nextInt random half) (+ half (.nextInt random (- length half)))]})
        sequences (vec (repeatedly n one))]
    [(d/tensor (vec (for [t (range length)]
                      (vec (for [{:keys [numbers marks]} sequences]
                             [(- (numbers t) 0.5) (if (some #{t} marks) 1.0 0.0)])))) :f64)
     (d/tensor (vec (for [{:keys [numbers marks]} sequences]
                      (/ (reduce + (map numbers marks)) 2.0))) :f64)]))

;; ## The network: h ← tanh(x·wx + h·wh + b) from 0, and h·wo + bo at the end

(defn parameters [seed]
  (let [{:keys [units]} settings
        draw (fn [k kind shape & options]
               (apply d/random kind shape :seed (+ seed k) :dtype :f64 options))]
    [(d/shared 'wx (draw 0 :normal [2 units] :std 0.5))
     (d/shared 'wh (draw 1 :orthogonal [units units]))
     (d/shared 'b (d/zeros [units]))
     (d/shared 'wo (draw 2 :normal [units] :std (/ 1.0 (Math/sqrt units))))
     (d/shared 'bo (d/zeros []))]))

(defn network
  "{:out [batch], :hidden all hidden states [length batch units]}."
  [[wx wh b wo bo] x]
  (let [hidden (:h (d/scan {:sequences {:x x}
                            :state {:h (d/zeros [(second (d/shape x)) (:units settings)])}}
                     (fn [{:keys [x h]}]
                       {:h (d/tanh (d/add (d/dot x wx) (d/dot h wh) b))})))]
    {:out (d/add (d/dot (d/index hidden -1) wo) bo), :hidden hidden}))

(defn loss-of [out y] (d/mul 0.5 (d/mean (d/sqr (d/sub out y)))))

;; ## Vectors are vectors of arrays, one a parameter

(defn inner [a b] (reduce d/add (map #(d/sum (d/mul %1 %2)) a b)))
(defn along "a + k·b" [a k b] (mapv #(d/add %1 (d/mul k %2)) a b))

(defn curvature
  "v ↦ (G + damping)·v: the Gauss-Newton matrix G = Jᵀ·J/n of half the mean square, Tikhonov's
  damping λ·v, and the structural damping of section 3.1, which keeps the hidden states where they
  are: G of ½·μλ·|h - h(θ)|². J·v is one loop (rop), Jᵀ another (lop)."
  [{:keys [out hidden]} params λ n]
  (fn [v]
    (let [[out' hidden'] (d/rop [out hidden] params v)
          weight (d/mul (:structural settings) λ)]
      (along (d/lop [out hidden] params [(d/div out' n) (d/mul (d/div weight n) hidden')]) λ v))))

(defn conjugate-gradient
  "The x of (product x) = b, from x0 on, until the residual is a hundredth of b: a loop of a number
  of steps that only the numbers tell. {:x, :steps}."
  [product b x0]
  (let [r0 (along b -1.0 (product x0)), goal (d/mul 1e-4 (inner b b))]
    (d/while-loop {:x x0, :r r0, :p r0, :square (inner r0 r0), :steps 0}
                  (fn [{:keys [square steps]}]
                    (d/logical-and (d/gt square goal) (d/lt steps (:most-products settings))))
                  (fn [{:keys [x r p square steps]}]
                    (let [ap (product p), k (d/div square (inner p ap))
                          r (along r (d/neg k) ap), next-square (inner r r)]
                      {:x (along x k p), :r r, :square next-square, :steps (d/add steps 1)
                       :p (along r (d/div next-square square) p)})))))

(defn shortened
  "The first of 1, 0.8, 0.8², … by which a step lowers the loss, else 0."
  [loss-at loss slope]
  (let [k (d/while-loop 1.0
                        #(d/logical-and (d/gt % 1e-3)
                                        (d/gt (loss-at %) (d/add loss (d/mul 0.01 % slope))))
                        #(d/mul 0.8 %))]
    (d/where (d/gt k 1e-3) k 0.0)))

;; ## Three trainers: functions [x y] → [loss, …] that move the parameters

(defn like
  "Shared zeros of the shapes of parameters."
  [letter params]
  (mapv #(d/shared (symbol (str letter %1)) (d/zeros (d/shape %2))) (range) params))

(defn newton-step
  "One function does it all: gradient, conjugate gradients begun at 0.95 of the last direction, line
  search, and the damping λ by how well the quadratic model foretold the loss, after Levenberg and
  Marquardt."
  [params x y]
  (let [λ (d/shared 'λ 0.1)
        last-direction (like "d" params)
        {:keys [out] :as net} (network params x)
        loss (loss-of out y), gradient (d/grad loss params)
        product (curvature net params λ (d/cast (d/shape-i y 0) :f64))
        {direction :x, :keys [steps]} (conjugate-gradient product (mapv d/neg gradient)
                                                          (mapv #(d/mul 0.95 %) last-direction))
        slope (inner gradient direction)
        foretold (d/add (d/mul 0.5 (inner direction (product direction))) slope)
        loss-at #(loss-of (:out (network (along params % direction) x)) y)
        ratio (d/div (d/sub (loss-at 1.0) loss) foretold)
        k (shortened loss-at loss slope)]
    (d/function [x y] [loss steps λ k]
                {:updates (-> (zipmap params (along params k direction))
                              (into (zipmap last-direction direction))
                              (assoc λ (d/mul λ (d/where (d/gt ratio 0.75) (/ 2.0 3)
                                                         (d/where (d/lt ratio 0.25) 1.5 1.0)))))})))

(defn sgd-step [params x y]
  (let [loss (loss-of (:out (network params x)) y)]
    (d/function [x y] [loss]
                {:updates (zipmap params (along params (- (get-in settings [:rate :sgd]))
                                                (d/grad loss params)))})))

(defn adam-step [params x y]
  (let [loss (loss-of (:out (network params x)) y), gradient (d/grad loss params)
        [ms vs] (map #(like % params) ["m" "v"]), t (d/shared 't 0.0), t+ (d/add t 1.0)
        ms+ (mapv #(d/add (d/mul 0.9 %1) (d/mul 0.1 %2)) ms gradient)
        vs+ (mapv #(d/add (d/mul 0.999 %1) (d/mul 0.001 (d/sqr %2))) vs gradient)
        unbiased (fn [beta x] (d/div x (d/sub 1.0 (d/pow beta t+))))
        moves (mapv #(d/div (unbiased 0.9 %1) (d/add 1e-8 (d/sqrt (unbiased 0.999 %2)))) ms+ vs+)]
    (d/function [x y] [loss]
                {:updates (merge {t t+} (zipmap ms ms+) (zipmap vs vs+)
                                 (zipmap params (along params (- (get-in settings [:rate :adam]))
                                                       moves)))})))

;; ## Training

(def wrong-beyond "A sequence is answered right when the sum is right to 0.04 (Hochreiter)." 0.02)

(defn examiner
  "A function without arguments: [mean squared error of the sum, share of wrong answers]."
  [params x y [test-x test-y]]
  (let [error (d/abs (d/sub (:out (network params x)) y))
        f (d/function [x y] [(d/mul 4.0 (d/mean (d/sqr error)))
                             (d/mean (d/cast (d/gt error wrong-beyond) :f64))])]
    #(mapv deref (f test-x test-y))))

(defn train
  "[{:seconds :steps :error :wrong} …] of a trainer; the last when `over?` is true of the latest, or
  all answers are right. It is examined when a tenth more of time is over."
  [name make-step batch test-set over?]
  (let [x (d/input 'x [:f64 ['t 'n 2]]), y (d/input 'y [:f64 ['n]]), random (java.util.Random. 1)
        params (parameters 1), step (make-step params x y), examine (examiner params x y test-set)
        state (fn [seconds steps] (let [[error wrong] (examine)]
                                    {:seconds seconds, :steps steps, :error error, :wrong wrong}))]
    (loop [steps 0, seconds 0.0, curve [(state 0.0 0)]]
      (if (or (over? {:steps steps, :seconds seconds}) (zero? (:wrong (peek curve))))
        (conj curve (state seconds steps))
        (let [[x y] (draw random batch), start (System/nanoTime)
              results (mapv deref (step x y))
              seconds (+ seconds (* 1e-9 (- (System/nanoTime) start)))
              steps (inc steps)
              look? (< (* 1.1 (:seconds (peek curve))) seconds)
              curve (if look? (conj curve (state seconds steps)) curve)]
          (when (and look? (= name "Newton"))
            (apply println
                   (map format ["step %3d" "loss %.6f" "products %3d" "λ %.1e" "length %.2f"
                                "wrong %5.1f %%"]
                        (concat [steps] results [(* 100 (:wrong (peek curve)))]))))
          (recur steps seconds curve))))))

;; ## The curves

(defn svg
  "Curves of errors over seconds, both in logarithms."
  [curves]
  (let [seconds (map :seconds (mapcat val curves))
        [x0 x1] [(Math/log 0.01) (Math/log (max 1.0 (reduce max seconds)))], y0 (Math/log 1e-5)
        x #(+ 50 (* 500 (/ (- (Math/log (max 0.01 %)) x0) (- x1 x0))))
        y #(+ 20 (* 260 (/ (- (Math/log (max 1e-5 (min 1.0 %)))) (- y0))))
        line (fn [[name curve] colour k]
               (str (format "<polyline fill='none' stroke='%s' points='%s'/>" colour
                            (str/join " " (map #(format "%.1f,%.1f" (x (:seconds %)) (y (:error %)))
                                               curve)))
                    (format "<text x='60' y='%d' fill='%s'>%s</text>"
                            (+ 220 (* 18 k)) colour name)))
        mark (fn [power] (format "<text x='5' y='%.1f'>1e%d</text>" (y (Math/pow 10 power)) power))]
    (str "<svg xmlns='http://www.w3.org/2000/svg' width='600' height='320' font-size='12'>"
         "<rect x='50' y='20' width='500' height='260' fill='none' stroke='gray'/>"
         (str/join (map mark [0 -1 -2 -3 -4 -5]))
         (format "<text x='200' y='300'>seconds, 0.01 to %.0f</text>" (Math/exp x1))
         (str/join (map line curves ["crimson" "steelblue" "seagreen"] (range)))
         "</svg>")))

(let [{:keys [length steps folder batch]} settings
      test-set (draw (java.util.Random. 2) (:test settings))
      _ (println "temporal addition over" length "steps")
      newton (train "Newton" newton-step batch test-set #(<= steps (:steps %)))
      late? #(< (:seconds (peek newton)) (:seconds %))
      curves (array-map "Newton" newton
                        "SGD" (train "SGD" sgd-step 20 test-set late?)
                        "Adam" (train "Adam" adam-step 20 test-set late?))
      file (java.io.File. ^String folder "hessian-free.svg")]
  (println "method   steps  seconds   mean squared error   wrong answers")
  (doseq [[name curve] curves, :let [{:keys [steps seconds error wrong]} (peek curve)]]
    (println (format "%-7s %6d %8.1f   %18.6f   %11.1f %%"
                     name steps seconds error (* 100 wrong))))
  (.mkdirs (java.io.File. ^String folder))
  (spit file (svg curves))
  (println "wrote" (str file)))
