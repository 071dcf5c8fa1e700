(ns damo.face.draw.discrete
  "Counts and choices: Poisson and binomial numbers in rounds, as gamma variates are drawn,
  categories by Gumbel variates, orders by sorted words. None has derivatives by its parameters;
  parameters that make no distribution stop the call. (poisson (key 1) [3] :rate 4)."
  (:require [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.face.draw.basic :as basic]
            [damo.face.draw.gamma :as gamma]
            [damo.face.loops :as loops]
            [damo.face.scan :as scan]
            [damo.op :as op]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

(defn- add [& xs] (op/call :add xs))
(defn- sub [a b] (op/call :sub [a b]))
(defn- mul [& xs] (op/call :mul xs))
(defn- div [a b] (op/call :div [a b]))
(defn- log [a] (op/call :log [a]))
(defn- where [c a b] (op/call :where [c a b]))
(defn- both [a b] (op/call :logical-and [a b]))
(defn- gammaln [x] (op/call :gammaln [x]))
(defn- whole-number [x] (op/call :cast [x :dtype :i64]))

(defn- wide
  "A parameter as :f64 that broadcasts to the shape, through which no derivative passes."
  [what x shape]
  (op/call :disconnected-grad [(basic/param what (expr/whole x) :f64 shape)]))

(defn- checked [x fits message] (op/call :assert [x (op/call :all [fits]) :message message]))

;; ## By search from below
;; A number k with F(k - 1) ≤ u < F(k), one more in each round, p being the probability of k.

(defn- searched
  "The counts from 0 on for uniform u: `first-p` is the probability of 0, (ratio k) that of k over
  that of k - 1, k a float. Where not `wanted` the count is 0."
  [u wanted first-p ratio]
  (let [zeros (mul 0.0 u)]
    (:k (loops/while-loop
         {:k zeros, :p (add zeros first-p), :left (where wanted u -1.0)}
         (fn [{:keys [p left]}] (op/call :any [(both (op/call :ge [left p])
                                                     (op/call :gt [p 0])) ]))
         (fn [{:keys [k p left]}]
           (let [more (both (op/call :ge [left p]) (op/call :gt [p 0])), next-k (add k 1)]
             {:k (where more next-k k), :left (where more (sub left p) left)
              :p (where more (mul p (ratio next-k)) p)}))))))

;; ## Poisson

(defn- transformed-poisson
  "Poisson numbers of rates of at least 10 (elsewhere 10), by transformed rejection, PTRS of Hörmann
  (1993)."
  [key shape rate]
  (let [rate (where (op/call :ge [rate 10]) rate 10.0)
        b (add 0.931 (mul 2.53 (op/call :sqrt [rate]))), a (add -0.059 (mul 0.02483 b))
        inverse (add 1.1239 (div 1.1328 (sub b 3.4))), vr (sub 0.9277 (div 3.6224 (sub b 2)))
        log-rate (log rate)]
    (gamma/rounds
     :f64 shape
     (fn [round]
       (let [k (op/call :random-fold [key round])
             u (sub (op/call :random-uniform [k :shape shape :dtype :f64]) 0.5)
             v (op/call :random-open [k :shape shape :dtype :f64 :slot 1])
             us (sub 0.5 (op/call :abs [u]))
             n (op/call :floor [(add (mul (add (div (mul 2 a) us) b) u) rate 0.43)])
             quick (both (op/call :ge [us 0.07]) (op/call :le [v vr]))
             out (op/call :logical-or [(op/call :lt [n 0])
                                       (both (op/call :lt [us 0.013]) (op/call :gt [v us]))])
             n' (op/call :maximum [n 0])
             fits (op/call :le [(add (log v) (log inverse)
                                     (op/call :neg [(log (add (div a (op/call :sqr [us])) b))]))
                                (sub (sub (mul n' log-rate) rate) (gammaln (add n' 1)))])]
         [n' (op/call :logical-or [quick (both (op/call :logical-not [out]) fits)])])))))

(defn poisson
  "Poisson numbers of a shape, :i64, of the :rate (1) from 0 to 1e15: below 10 by search in the
  distribution, above by transformed rejection."
  [k shape & given]
  (let [{:keys [rate]} (attribute/options {:rate {:default 1.0}} [] given)
        shape (basic/shape-of shape), key (basic/key-of k)
        rate (wide ":rate" rate shape)
        rate (checked rate (both (op/call :ge [rate 0]) (op/call :le [rate 1e15]))
                      "the rate of a Poisson distribution lies from 0 to 1e15")
        small (op/call :lt [rate 10]), low (where small rate 0.0)
        u (op/call :random-uniform [key :shape shape :dtype :f64])
        few (searched u small (op/call :exp [(op/call :neg [low])]) #(div low %))]
    (whole-number (where small few (transformed-poisson (op/call :random-fold [key 1]) shape
                                                        rate)))))

;; ## Binomial

(defn- transformed-binomial
  "Binomial numbers of n and p at most 1/2 with np of at least 10 (elsewhere n = 40, p = 1/2), by
  transformed rejection, BTRS of Hörmann (1993)."
  [key shape n p]
  (let [fit (op/call :ge [(mul n p) 10]), n (where fit n 40.0), p (where fit p 0.5), q (sub 1 p)
        spq (op/call :sqrt [(mul n p q)]), b (add 1.15 (mul 2.53 spq))
        a (add -0.0873 (mul 0.0248 b) (mul 0.01 p)), c (add (mul n p) 0.5)
        vr (sub 0.92 (div 4.2 b)), alpha (mul (add 2.83 (div 5.1 b)) spq)
        lpq (log (div p q)), m (op/call :floor [(mul (add n 1) p)])
        h (add (gammaln (add m 1)) (gammaln (add (sub n m) 1)))]
    (gamma/rounds
     :f64 shape
     (fn [round]
       (let [k (op/call :random-fold [key round])
             u (sub (op/call :random-uniform [k :shape shape :dtype :f64]) 0.5)
             v (op/call :random-open [k :shape shape :dtype :f64 :slot 1])
             us (sub 0.5 (op/call :abs [u]))
             x (op/call :floor [(add (mul (add (div (mul 2 a) us) b) u) c)])
             quick (both (op/call :ge [us 0.07]) (op/call :le [v vr]))
             inside (both (op/call :ge [x 0]) (op/call :le [x n]))
             x' (where inside x m)
             scaled (log (div (mul v alpha) (add (div a (op/call :sqr [us])) b)))
             fits (op/call :le [scaled (add (sub (sub h (gammaln (add x' 1)))
                                                 (gammaln (add (sub n x') 1)))
                                            (mul (sub x' m) lpq))])]
         [x' (both inside (op/call :logical-or [quick fits]))])))))

(defn- counts
  "Binomial numbers of n and p, :f64 expressions that broadcast to the shape."
  [key shape n p]
  (let [turn (op/call :gt [p 0.5]), p' (where turn (sub 1 p) p), np (mul n p')
        small (op/call :lt [np 10])
        n-low (where small n 1.0), p-low (where small p' 0.0), odds (div p-low (sub 1 p-low))
        u (op/call :random-uniform [key :shape shape :dtype :f64])
        none (op/call :exp [(mul n-low (op/call :log1p [(op/call :neg [p-low])]))])
        few (searched u small none
                      #(mul odds (op/call :maximum [(div (add (sub n-low %) 1) %) 0])))
        x (where small few (transformed-binomial (op/call :random-fold [key 1]) shape n p'))]
    (where turn (sub n x) x)))

(defn binomial
  "Binomial numbers of a shape, :i64: how many of :n (1) trials with the probability :p (0.5) come
  out well; n whole numbers from 0 to 1e15. By search where few do, else by transformed rejection."
  [k shape & given]
  (let [{:keys [n p]} (attribute/options {:n {:default 1}, :p {:default 0.5}} [] given)
        shape (basic/shape-of shape), [n p] [(wide ":n" n shape) (wide ":p" p shape)]
        p (checked p (both (op/call :ge [p 0]) (op/call :le [p 1]))
                   "the probability of a binomial distribution lies from 0 to 1")
        n (checked n (both (op/call :ge [n 0])
                           (both (op/call :le [n 1e15]) (op/call :eq [n (op/call :floor [n])])))
                   "the number of trials is a whole number from 0 to 1e15")]
    (whole-number (counts (basic/key-of k) shape n p))))

(defn multinomial
  "Counts of categories of a batch shape, [… m] of :i64, which add up to :n (1), of the
  probabilities
  :p [m], or a batch of them, which add up to 1: binomial numbers, category after category."
  [k shape & given]
  (let [{:keys [n p]} (attribute/options {:n {:default 1}, :p {}} [] given)
        shape (basic/shape-of shape), key (basic/key-of k), p (expr/whole p)
        of (second (expr/type-of p))]
    (when (empty? of)
      (fail! :damo.random/no-events ":p is a vector, or a batch of vectors" {:given p}))
    (let [m (peek of), all (wide ":p" p (conj shape m)), n (wide ":n" n shape)
          all (op/call :broadcast-to [(checked all (op/call :ge [all 0])
                                               "probabilities are not below 0")
                                      :shape (conj shape m)])
          all (checked all (op/call :lt [(op/call :abs [(sub (op/call :sum [all :axis [-1]]) 1)])
                                         1e-5])
                       "the probabilities of categories add up to 1")
          n (op/call :broadcast-to [n :shape shape])
          rows (op/call :moveaxis [all :source -1 :destination 0])
          behind (op/call :cumsum [rows :axis 0 :reverse true])
          {:keys [x]} (scan/scan
                       {:sequences {:p rows, :rest behind, :k (op/call :random-split [key :n m])}
                        :state {:left n}}
                       (fn [{:keys [p rest k left]}]
                         (let [q (where (op/call :gt [rest 0]) (div p rest) 0.0)
                               x (counts k shape left (op/call :minimum [q 1.0]))]
                           {:left (sub left x), :x x})))]
      (op/call :moveaxis [(whole-number x) :source 0 :destination -1]))))

;; ## Categories and orders

(defn- gumbels [key shape dtype]
  (op/call :neg [(log (op/call :random-log [key :shape shape :dtype dtype]))]))

(defn- logits-of [logits]
  (let [e (expr/whole logits), [dtype of] (expr/type-of e)
        e (if (type/float-dtype? dtype) e (op/call :cast [e :dtype :f32]))]
    (when (empty? of)
      (fail! :damo.random/no-events
             (str "the weights of categories lie along the last axis of an array; got "
                  (pr-str [dtype of]))
             {:given [dtype of]}))
    [(op/call :disconnected-grad [e]) (peek of)]))

(defn categorical
  "Categories of a shape, :i64, of probabilities in proportion to e^:logits, along the last axis of
  an array that broadcasts to the shape with that axis behind: the largest of the logits plus Gumbel
  variates."
  [k shape & given]
  (let [{:keys [logits]} (attribute/options {:logits {}} [] given)
        [logits m] (logits-of logits), shape (basic/shape-of shape), whole (conj shape m)
        dtype (first (expr/type-of logits))]
    (basic/param ":logits" logits dtype whole)
    (op/call :argmax [(op/call :add [logits (gumbels (basic/key-of k) whole dtype)])
                      :axis -1])))

(defn- order
  "The order of n places that a key decides, [n] of :i64: by words of 62 bits at each."
  [key n]
  (let [word (fn [w] (op/call :random-word [key :shape [n] :word w]))]
    (op/call :argsort [(op/call :bit-or [(op/call :left-shift [(op/call :right-shift [(word 0) 1])
                                                               31])
                                         (op/call :right-shift [(word 1) 1])])])))

(defn- rows-of
  "[x n] of an array and the extent of its first axis; x is nil for a dim, which stands for the
  numbers below it."
  [x]
  (if (type/dim? x)
    [nil x]
    (let [e (expr/whole x), shape (second (expr/type-of e))]
      (when (empty? shape)
        (fail! :damo.random/no-rows
               "what is chosen from is a dim, or an array with rows along its first axis"
               {:given x, :try "an integer n stands for 0 … n-1"}))
      [e (first shape)])))

(defn- picked [x places] (if x (op/call :take [x places :axis 0]) places))

(defn permutation
  "The rows of an array in a random order, or the numbers below a dim: each order is as likely, up
  to 2^-62 for each pair of places."
  [k x]
  (let [[x n] (rows-of x)] (picked x (order (basic/key-of k) n))))

(defn- check-choice! [n size logits replace]
  (when (and logits (not= [n] (second (expr/type-of logits))))
    (fail! :damo.random/parameter-shape
           (str ":p has a number for each of the " (pr-str n) " rows; got "
                (pr-str (expr/type-of logits)))
           {:given (expr/type-of logits), :expected [n]}))
  (when (and (not replace) (integer? n) (integer? size) (< (long n) (long size)))
    (fail! :damo.random/too-few (str "there are no " size " different rows among " n)
           {:rows n, :wanted size, :try ":replace true"})))

(defn- different
  "The flat places, `size` of n, none twice: the first of a random order, or the largest of weights
  with Gumbel variates."
  [key n size logits]
  (if logits
    (let [[l] (logits-of logits)]
      (op/call :argtopk [(add l (gumbels key [n] (first (expr/type-of l)))) size]))
    (op/call :slice [(order key n) :axis 0 :start 0 :stop size])))

(defn choice
  "A choice of that shape of the rows of an array, or of the numbers below a dim. Options: :replace
  (true), false: none twice; :p, the probabilities of rows, in proportion (all alike)."
  [k x shape & given]
  (let [{:keys [replace p]} (attribute/options {:replace {:default true, :is :flag}
                                                :p {:default nil}} [] given)
        [x n] (rows-of x), shape (basic/shape-of shape), key (basic/key-of k)
        size (apply type/dim* shape), logits (when p (log (expr/whole p)))]
    (check-choice! n size logits replace)
    (picked x (cond (not replace) (op/call :reshape [(different key n size logits) :shape shape])
                    p (categorical key shape :logits logits)
                    :else (op/call :random-integers [key 0 (op/call :dim [:dim n])
                                                     :shape shape])))))

(defn dropout
  "x with each element 0 with the probability :rate (0.5), else over 1 - rate. The gradient passes
  where an element was kept."
  [k x & given]
  (let [{:keys [rate]} (attribute/options {:rate {:default 0.5}} [] given)
        x (expr/whole x), [dtype shape] (expr/type-of x), _ (typing/check-dtype :float dtype)
        rate (basic/param ":rate" (expr/whole rate) dtype shape)
        kept (op/call :random-bernoulli [(basic/key-of k) (sub 1 rate) :shape shape])
        over (op/call :maximum [(sub 1 rate) 1e-7])]
    (where kept (div x over) 0.0)))
