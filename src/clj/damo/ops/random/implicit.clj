(ns damo.ops.random.implicit
  "Draws whose generator is no function of their parameters that could be differentiated, as such
  functions: by implicit reparameterisation (Figurnov, Mohamed and Mnih 2018), dx/dθ = -(∂F/∂θ)/f,
  with F the distribution function and f the density at x."
  (:require [damo.data.type :as type]
            [damo.op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

(defn- same-floats [_ types]
  (doseq [[dtype] types] (typing/check-dtype :float dtype))
  [(apply type/promote (map first types)) (apply type/broadcast-shapes (map second types))])

(defn- as-f64 [t] [:cast {:dtype :f64} t])

(defn- slope-of-log
  "The derivative of log x by a of a gamma variate x = e^l of shape a, both of rank `rank` or less,
  :f64: of the distribution function by a central difference of fourth order, which is exact to
  about 1e-11, on the side where it is small; of its first term, x^a/Γ(a + 1), where x is next to
  nothing. The four terms are one axis more, so that the machine code has each of the
  incomplete gamma functions once."
  [rank a l]
  (let [h [:mul 1e-3 a], x [:exp l], far [:lt l -60.0]
        safe [:where far 1.0 x]
        column [:reshape {:shape (into [4] (repeat rank 1))} [:arange {:stop 4}]]
        steps [:where [:lt column 2] [:sub 1.0 [:mul 2.0 column]]
               [:sub [:mul 4.0 column] 10.0]]
        weights [:where [:lt column 2] [:mul 8.0 steps] [:mul -0.5 steps]]
        difference (fn [op] [:sum {:axis 0} [:mul weights [op [:add a [:mul steps h]] safe]]])
        slope [:where [:lt safe a] [:neg (difference :gammainc)] (difference :gammaincc)]
        density [:exp [:sub [:sub [:mul a [:log safe]] safe] [:gammaln a]]]]
    [:where far
     [:neg [:div [:sub l [:psi [:add a 1.0]]] a]]
     [:div [:div slope [:mul 12.0 h]] density]]))

(defn- shapes-and-logs
  "A generator function of shapes of variates, above 0, and of their logarithms, arrays of these
  shapes, in which :n is the size."
  [choices]
  (fn [{:keys [dtype size] :as ctx}]
    (let [[a l] (mapv (partial mapv #(if (= :n %) size %)) (gens/choose ctx choices))]
      {:attrs {}
       :args [(gens/random-array ctx dtype a [0.5 6]) (gens/random-array ctx dtype l [-2 2])]})))

(defop log-gamma-slope
  "∂ log x/∂a of a gamma variate x = e^l of shape a that keeps its place in the distribution."
  {:internal true
   :kind :composite, :args [?a ?l], :type same-floats, :coerce [0 1]
   :expand (fn [{[dtype shape] :type}]
             (typing/as-dtype dtype :f64 (slope-of-log (count shape) (as-f64 ?a) (as-f64 ?l))))
   :no-gradient "second derivatives of gamma variates are not written"
   :gen (shapes-and-logs [[[:n] [:n]] [[2 :n] []]])
   :ill-conditioned "differences of functions, of which the last digits are noise"
   :examples [[[:round [:mul 1000 [:log-gamma-slope 1.0 -100.0]]] 100423.0]]})

(defop implicit-log-gamma
  "l itself, the logarithm of a gamma variate of shape a, with the derivative by a of a variate that
  keeps its place in the distribution; none by l."
  {:internal "r/gamma, r/beta and r/dirichlet are made of it"
   :kind :composite, :args [?a ?l], :type (fn [attrs types] (assoc (same-floats attrs types)
                                                                   1 (second (second types))))
   :coerce [0 1]
   :eval (fn [_ _ l] l)
   :expand (fn [_] ?l)
   :lop (fn [{[[_ shape]] :types}]
          [[:sum-to {:shape shape} [:mul ?g [:log-gamma-slope ?a ?l]]] 0])
   :rop [:mul ?da [:log-gamma-slope ?a ?l]]
   :surrogate "the derivative is that of a variate that keeps its place, not that of the value"
   :gen (shapes-and-logs [[[:n] [:n]] [[] [2 :n]]])
   :examples [[[:implicit-log-gamma 2.0 0.5] 0.5]]})
