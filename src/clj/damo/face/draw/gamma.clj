(ns damo.face.draw.gamma
  "Gamma variates and what is made of them. They are drawn by the method of Marsaglia and Tsang
  (2000) in rounds: in each, an element that has none yet tries once, with a key of the round; so it
  depends on its place alone. Logarithms keep what is next to nothing; derivatives by the shape are
  implicit ones. (gamma (key 1) [3] :shape 2.5)."
  (:require [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.face.draw.basic :as basic]
            [damo.face.loops :as loops]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(defn- add [a b] (op/call :add [a b]))
(defn- sub [a b] (op/call :sub [a b]))
(defn- mul [a b] (op/call :mul [a b]))
(defn- log [a] (op/call :log [a]))

(defn rounds
  "The first value that (attempt round) accepts, for each element of a shape and dtype: attempt
  gives [value accepted?] of the number of a round, a 0-d :i64."
  [dtype shape attempt]
  (let [zeros (op/call :broadcast-to [(op/call :cast [0 :dtype dtype]) :shape shape])
        none (op/call :broadcast-to [false :shape shape])]
    (:x (loops/while-loop
         {:x zeros, :done none, :round (expr/whole 0)}
         (fn [{:keys [done]}] (op/call :logical-not [(op/call :all [done])]))
         (fn [{:keys [x done round]}]
           (let [[value fits] (attempt round)]
             {:x (op/call :where [done x value]), :done (op/call :logical-or [done fits])
              :round (add round 1)}))))))

(defn- attempt
  "One try of Marsaglia and Tsang for d = shape - 1/3, at least 2/3: [log of the variate,
  accepted?]. Of a shape that is no number above 0 everything is accepted, NaN."
  [key shape dtype d]
  (fn [round]
    (let [k (op/call :random-fold [key round])
          z (op/call :random-normal [k :shape shape :dtype dtype])
          u (op/call :random-open [k :shape shape :dtype dtype :slot 1])
          c (op/call :div [1 (op/call :sqrt [(mul 9 d)])])
          root (add 1 (mul c z)), inside (op/call :gt [root 0])
          v (op/call :where [inside root 1]), lv (mul 3 (log v))
          bound (add (mul 0.5 (op/call :sqr [z]))
                     (mul d (add (sub 1 (op/call :mul [v v v])) lv)))]
      [(add (log d) lv)
       (op/call :logical-or [(op/call :isnan [d])
                             (op/call :logical-and [inside (op/call :le [(log u) bound])])])])))

(defn log-gamma
  "Logarithms of gamma variates of scale 1: shapes `a`, floats that broadcast to `shape`. Shapes
  below 1 are drawn as a + 1 times u^(1/a)."
  [key a shape dtype slot]
  (let [key (op/call :random-fold [key (+ 1000 (long slot))])
        a (op/call :where [(op/call :gt [a 0]) a ##NaN]), still (op/call :disconnected-grad [a])
        small (op/call :lt [still 1])
        d (sub (op/call :where [small (add still 1) still]) (/ 1.0 3.0))
        l (rounds dtype shape (attempt key shape dtype d))
        u (op/call :random-open [key :shape shape :dtype dtype :slot 2])
        boost (op/call :where [small (op/call :div [(log u) (op/call :where [small still 1])]) 0])]
    (op/call :implicit-log-gamma [a (add l boost)])))

(defn gamma
  "Gamma variates of a shape: density x^(s-1) e^(-x/scale), s the :shape (1) and :scale (1), both
  above 0, else NaN. Derivatives by both."
  [k shape & given]
  (let [o {:shape {:default 1.0}, :scale {:default 1.0}, :dtype {:default nil}}
        {:keys [scale dtype] s :shape} (attribute/options o [] given)
        {:keys [key shape dtype a scale]}
        (basic/parsed {:a {}, :scale {}} [:a :scale] k shape [{:a s, :scale scale, :dtype dtype}])
        scale (op/call :where [(op/call :ge [scale 0]) scale ##NaN])]
    (mul scale (op/call :exp [(log-gamma key a shape dtype 0)]))))

(defn beta
  "Beta variates of a shape, in [0, 1]: density x^(a-1) (1-x)^(b-1), :a and :b above 0 (else NaN),
  tiny ones too. Derivatives by both."
  [k shape & given]
  (let [{:keys [key shape dtype a b]} (basic/parsed {:a {}, :b {}} [:a :b] k shape given)]
    (op/call :sigmoid [(sub (log-gamma key a shape dtype 0) (log-gamma key b shape dtype 1))])))

(defn dirichlet
  "Vectors of the Dirichlet distribution, of a batch shape: [… n], each with the sum 1, of :alpha
  [n], or a batch of it, above 0. Derivatives by alpha."
  [k shape & given]
  (let [{:keys [alpha dtype]} (attribute/options {:alpha {}, :dtype {:default nil}} [] given)
        alpha (expr/whole alpha), given-shape (second (expr/type-of alpha))]
    (when (empty? given-shape)
      (fail! :damo.random/no-events ":alpha is a vector, or a batch of vectors" {:given alpha}))
    (let [dtype (basic/dtype-of dtype [alpha])
          whole (conj (basic/shape-of shape) (peek given-shape))]
      (op/call :softmax [(log-gamma (basic/key-of k) (basic/param ":alpha" alpha dtype whole)
                                    whole dtype 0)]))))
