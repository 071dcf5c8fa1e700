(ns damo.loops.sequences-test
  "Recurrences as loops: Fibonacci, polynomials, products; LSTM, GRU, bidirectional and
  encoder-decoder networks against PyTorch's cells, values and gradients."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.loops.waves :refer [close? projection wave]]))

(set! *warn-on-reflection* true)

;; ## Numbers

(deftest fibonacci
  (let [n (d/input 'n [:i64 []])
        all (:f (d/scan {:state {:f {:init (d/tensor [0 1]), :taps [-2 -1]}}, :n-steps n}
                  (fn [{[a b] :f}] {:f (d/add a b)})))
        f (d/function [n] all)]
    (doseq [n [0 1 2 91]]
      (is (= (vec (take n (map second (rest (iterate (fn [[a b]] [b (+' a b)]) [0 1])))))
             @(f n))))))

(defn- horner [coefficients x]
  (d/foldl (fn [value c] (d/add (d/mul value x) c)) 0.0 coefficients))

(defn- powers-summed [coefficients x]
  (d/sum (:term (d/scan {:sequences {:c coefficients}, :state {:power 1.0}}
                  (fn [{:keys [c power]}] {:power (d/mul power x), :term (d/mul c power)})))))

(deftest polynomials
  (let [cs (d/input 'cs [:f64 ['n]]), x (d/input 'x [:f64 []])
        backwards (horner (d/flip cs) x), forwards (powers-summed cs x)
        f (d/function [cs x] (vec (for [p [backwards forwards]]
                                    {:value p, :grads (d/grad p [cs x])
                                     :second (d/grad (d/grad p x) x)})))]
    (doseq [cs [[2.0 -1.0 0.5 3.0] [4.0] []], x [1.5 0.0]
            :let [power #(Math/pow x %)
                  summed (fn [term] (reduce + 0.0 (map-indexed term cs)))]
            [how {:keys [value grads second]}] (map vector ["Horner" "powers"] (f cs x))]
      (testing (str how " of " cs " at " x)
        (is (close? 1e-14 (summed (fn [k c] (* c (power k)))) @value))
        (is (close? 1e-14 (mapv power (range (count cs))) @(grads 0)))
        (is (close? 1e-14 (summed (fn [k c] (if (< k 1) 0.0 (* c k (power (- k 1))))))
                    @(grads 1)))
        (is (close? 1e-14 (summed (fn [k c] (if (< k 2) 0.0 (* c k (dec k) (power (- k 2))))))
                    @second))))))

(deftest cumulative-products
  (let [xs (d/input 'xs [:f64 ['n]])
        products (:p (d/scan {:sequences {:x xs}, :state {:p 1.0}}
                       (fn [{:keys [x p]}] {:p (d/mul p x)})))
        f (d/function [xs] {:products products, :gradient (d/grad (d/sum products) xs)})]
    (doseq [xs [[2.0 3.0 -0.5 4.0] [5.0] [1.0 0.0 3.0] []]
            :let [{:keys [products gradient]} (f xs)
                  without (fn [i] (drop i (rest (reductions * 1.0 (assoc xs i 1.0)))))]]
      (testing (pr-str xs)
        (is (close? 1e-15 (vec (rest (reductions * 1.0 xs))) @products))
        (is (close? 1e-14 (mapv #(reduce + 0.0 (without %)) (range (count xs))) @gradient))))))

;; ## Networks. Numbers by PyTorch in float64: torch._VF.lstm_cell and gru_cell, torch.nn.RNN, and
;; for the decoder its formulas; inputs are waves, and of each gradient its projection is compared.

(defn- close-projections
  "Are the projections of named gradients the numbers expected?"
  [expected grads]
  (doseq [[k x] expected]
    (is (close? 1e-12 x (projection @(grads k) 0.9)) (name k))))

(defn- inputs [types]
  (into {} (for [[k shape] types] [k (d/input (symbol (name k)) [:f64 shape])])))

(defn- values
  "Waves of the shapes of `types`, scaled by half, by name."
  [types phases]
  (into {} (for [[k shape] types] [(symbol (name k)) (wave shape (phases k) 0.5)])))

(defn- weighted [x phase]
  (d/sum (d/mul x (d/tensor (wave (d/shape x) phase)))))

(defn- gates
  "n parts of the last axis of [b n·h]."
  [x n]
  (map #(d/index x :all [(* 2 %) (* 2 (inc %))]) (range n)))

(defn- lstm [{:keys [x wi wh b h0 c0]}]
  (d/scan {:sequences {:x x}, :state {:h h0, :c c0}}
    (fn [{:keys [x h c]}]
      (let [[i f g o] (gates (d/add (d/dot x (d/transpose wi)) (d/dot h (d/transpose wh)) b) 4)
            c (d/add (d/mul (d/sigmoid f) c) (d/mul (d/sigmoid i) (d/tanh g)))]
        {:c c, :h (d/mul (d/sigmoid o) (d/tanh c))}))))

(deftest lstm-cell
  (let [types {:x [4 2 3], :wi [8 3], :wh [8 2], :b [8], :h0 [2 2], :c0 [2 2]}
        in (inputs types)
        {:keys [h c]} (lstm in)
        loss (d/add (weighted h 0.7) (weighted (d/index c -1) 0.8))
        f (d/function (vec (vals in)) {:last (d/index h -1), :c (d/index c -1), :loss loss
                                       :grads (d/grad loss in)})
        {:keys [last c loss grads]}
        (f (values types {:x 0.1, :wi 0.2, :wh 0.3, :b 0.4, :h0 0.5, :c0 0.6}))]
    (is (close? 1e-14 [[0.1616845608677004 0.09307229606810936]
                       [0.10010481838466796 0.01878731880645453]] @last))
    (is (close? 1e-14 [[0.3502531202335055 0.18189310534880568]
                       [0.230994969454955 0.03228987642874694]] @c))
    (is (close? 1e-14 0.6314877457749243 @loss))
    (close-projections {:x 0.36876222221653826, :wi 0.01092983139926379, :wh 0.2510396841175616
                        :b -0.6589574762030577, :h0 0.14270678628375705, :c0 0.6229181148461742}
                       grads)))

(defn- gru [{:keys [x wi wh bi bh h0]}]
  (:h (d/scan {:sequences {:x x}, :state {:h h0}}
        (fn [{:keys [x h]}]
          (let [[ri zi ni] (gates (d/add (d/dot x (d/transpose wi)) bi) 3)
                [rh zh nh] (gates (d/add (d/dot h (d/transpose wh)) bh) 3)
                z (d/sigmoid (d/add zi zh))
                n (d/tanh (d/add ni (d/mul (d/sigmoid (d/add ri rh)) nh)))]
            {:h (d/add (d/mul (d/sub 1 z) n) (d/mul z h))})))))

(deftest gru-cell
  (let [types {:x [4 2 3], :wi [6 3], :wh [6 2], :bi [6], :bh [6], :h0 [2 2]}
        in (inputs types)
        h (gru in), loss (weighted h 0.7)
        f (d/function (vec (vals in)) {:last (d/index h -1), :loss loss, :grads (d/grad loss in)})
        {:keys [last loss grads]}
        (f (values types {:x 0.1, :wi 0.2, :wh 0.3, :bi 0.4, :bh 0.45, :h0 0.5}))]
    (is (close? 1e-14 [[0.6429635212954146 0.19655814245907124]
                       [0.5394236861256201 0.01891178270692054]] @last))
    (is (close? 1e-14 1.0910863889355085 @loss))
    (close-projections {:x 0.5554495378476014, :wi 0.31946892874856386, :wh 0.34914997056841246
                        :bi -0.7589365295258185, :bh -0.437205413458829, :h0 1.2819285838244188}
                       grads)))

(defn- simple
  "The states of h ← tanh(x·wᵀ + h·uᵀ + b) over x, from zeros."
  [x w u b backwards?]
  (let [batch (second (d/shape x)), width (first (d/shape u))]
    (:h (d/scan {:sequences {:x x}, :state {:h (d/zeros [batch width])}, :go-backwards backwards?}
          (fn [{:keys [x h]}]
            {:h (d/tanh (d/add (d/dot x (d/transpose w)) (d/dot h (d/transpose u)) b))})))))

(deftest bidirectional-network
  (let [types {:x [5 2 3], :w1 [2 3], :u1 [2 2], :b1 [2], :w2 [2 3], :u2 [2 2], :b2 [2]}
        {:keys [x w1 u1 b1 w2 u2 b2] :as in} (inputs types)
        ahead (simple x w1 u1 b1 false), back (simple x w2 u2 b2 true)
        out (d/concatenate [ahead (d/flip back :axis 0)] :axis 2)
        ends (d/stack [(d/index ahead -1) (d/index back -1)])
        loss (d/add (weighted out 0.7) (weighted ends 0.8))
        f (d/function (vec (vals in)) {:out out, :ends ends, :loss loss, :grads (d/grad loss in)})
        {:keys [out ends loss grads]}
        (f (values types {:x 0.1, :w1 0.1, :u1 0.2, :b1 0.3, :w2 0.5, :u2 0.6, :b2 0.7}))]
    (testing "the last row of the way back belongs to the first element"
      (is (= (mapv #(subvec % 2) (first @out)) (second @ends))))
    (is (close? 1e-14 [[0.21172408839814957 0.05515614823015149 0.06266804850914723
                        0.16879468161410024]
                       [0.3593161545970058 -0.22202011338815508 0.42272169085817485
                        0.00114451006226732]]
                (peek @out)))
    (is (close? 1e-14 -0.15011979748535365 @loss))
    (close-projections {:x 0.9262596245210455, :w1 -1.031039626680259, :u1 0.4460814293187817
                        :b1 -0.18631335012626704, :w2 1.0437602341479004, :u2 -1.9154234619301402
                        :b2 -0.26091099916509153}
                       grads)))

(deftest encoder-and-decoder
  (testing "the decoder reads no sequence but its own outputs"
    (let [types {:x ['n 3], :wx [3 2], :wh [2 2], :vy [3 2], :vh [2 2], :wo [2 3]}
          {:keys [x wx wh vy vh wo] :as in} (inputs types)
          code (d/foldl (fn [h x] (d/tanh (d/add (d/dot x wx) (d/dot h wh)))) (d/zeros [2]) x)
          out (:o (d/scan {:state {:h code, :o (d/zeros [3])}, :n-steps 3}
                    (fn [{:keys [h o]}]
                      (let [h (d/tanh (d/add (d/dot o vy) (d/dot h vh)))]
                        {:h h, :o (d/dot h wo)}))))
          loss (d/mean (d/sqr (d/sub out (d/tensor (wave [3 3] 0.75)))))
          f (d/function (vec (vals in)) {:out out, :loss loss, :grads (d/grad loss in)})
          {:keys [out loss grads]}
          (f {'x (wave [5 3] 0.1 0.5), 'wx (wave [3 2] 0.2 0.5), 'wh (wave [2 2] 0.3 0.8)
              'vy (wave [3 2] 0.4 0.5), 'vh (wave [2 2] 0.5 0.8), 'wo (wave [2 3] 0.6 0.5)})]
      (is (close? 1e-14 [[0.01317259546781149 -0.07854738070439567 0.00706819962238035]
                         [0.00529932295869292 0.04801808583220728 -0.01767305493087262]
                         [-0.00614877511100247 -0.00860148742399363 0.00836528370567002]] @out))
      (is (close? 1e-14 0.5177074031695101 @loss))
      (close-projections {:x 0.03438109941302986, :wx 0.02934815931428304
                          :wh -0.00836549447889656, :vy -0.01640956376106844
                          :vh 0.01830700477201862, :wo 0.00444415823028514}
                         grads))))
