(ns damo.face.random
  "Random tensors for first weights, the same for the same seed: uniform, normal, Glorot's and
  orthogonal ones. (random :glorot [784 500] :seed 1 :dtype :f32)."
  (:require [damo.data.attribute :as attribute]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.thrown :as thrown]
            [damo.data.type :as type])
  (:import [damo.tensor DType Tensor]
           [java.util.random RandomGenerator RandomGeneratorFactory]))

(set! *warn-on-reflection* true)

(defn- generator ^RandomGenerator [seed]
  (.create (RandomGeneratorFactory/of "L64X128MixRandom") (long seed)))

(defn- filled
  "n elements, each (draw)."
  ^doubles [n draw]
  (let [xs (double-array n)]
    (dotimes [i n] (aset xs i (double (draw))))
    xs))

(defn- uniform [^RandomGenerator g n low high]
  (let [low (double low), span (- (double high) low)]
    (filled n #(+ low (* span (.nextDouble g))))))

(defn- fans
  "How many elements of a first axis feed one element, and how many it feeds: the outer axes of
  weights, each times the axes between them."
  [shape]
  (let [between (reduce * (drop-last (rest shape)))]
    [(* between (or (first shape) 1)) (* between (or (last shape) 1))]))

(defn- glorot [g n shape gain]
  (let [limit (* (double gain) (Math/sqrt (/ 6.0 (max 1 (reduce + (fans shape))))))]
    (uniform g n (- limit) limit)))

;; ## Orthogonal matrices: Gram and Schmidt's method, twice for each row, which is exact enough

(defn- without! [^doubles rows ^long width ^long i ^long j]
  (let [a (* i width), b (* j width)
        along (loop [k 0, sum 0.0]
                (if (< k width)
                  (recur (inc k) (+ sum (* (aget rows (+ a k)) (aget rows (+ b k)))))
                  sum))]
    (dotimes [k width]
      (aset rows (+ a k) (- (aget rows (+ a k)) (* along (aget rows (+ b k))))))))

(defn- scale! [^doubles rows ^long width ^long i]
  (let [a (* i width)
        norm (Math/sqrt (loop [k 0, sum 0.0]
                          (if (< k width)
                            (recur (inc k) (+ sum (let [x (aget rows (+ a k))] (* x x))))
                            sum)))]
    (dotimes [k width] (aset rows (+ a k) (/ (aget rows (+ a k)) norm)))))

(defn- transposed ^doubles [^doubles xs rows columns]
  (let [ys (double-array (alength xs)), rows (long rows), columns (long columns)]
    (dotimes [i rows]
      (dotimes [j columns] (aset ys (+ (* j rows) i) (aget xs (+ (* i columns) j)))))
    ys))

(defn- orthogonal [^RandomGenerator g n shape gain]
  (when (< (count shape) 2)
    (fail! :damo.random/no-matrix (str "an orthogonal tensor has at least two axes; got the shape "
                                   (pr-str shape))
           {:shape shape}))
  (let [rows (long (first shape)), columns (long (reduce * (rest shape)))
        height (min rows columns), width (max rows columns)
        xs (filled n #(.nextGaussian g))]
    (dotimes [i height]
      (dotimes [_ 2]
        (dotimes [j i] (without! xs width i j))
        (scale! xs width i)))
    (dotimes [i n] (aset xs i (* (double gain) (aget xs i))))
    (if (< columns rows) (transposed xs height width) xs)))

;; ## The function

(def ^:private shared-options
  {:seed {:doc "an integer; the same one gives the same numbers", :is :integer}
   :dtype {:default :f64, :is :dtype}})

(def ^:private own-options
  "The options of each kind of tensor besides."
  {:uniform {:low {:default 0, :is :number}, :high {:default 1, :is :number}}
   :normal {:mean {:default 0, :is :number}, :std {:default 1, :is :number}}
   :glorot {:gain {:default 1, :is :number}}
   :orthogonal {:gain {:default 1, :is :number}}})

(defn random
  "A tensor of that shape of random floats, the same for the same :seed, an integer that must be
  given. The kinds: :uniform in :low (0) … :high (1); :normal of :mean (0) and :std (1); :glorot,
  uniform within ±√(6 / (fan-in + fan-out)), the first and last axis; :orthogonal, with orthonormal
  rows or columns, whichever are fewer; these two times :gain (1). :dtype is :f64 unless given."
  [kind shape & options]
  (fail/check-name! {:kind :damo.random/unknown-kind, :what "kind of random tensors", :key :kind}
                    (keys own-options) kind)
  (let [{:keys [seed dtype low high mean std gain]}
        (attribute/options (merge shared-options (own-options kind)) [] options)
        shape (type/as-shape shape), g (generator seed), n (type/size shape)]
    (when-not (and (every? integer? shape) (<= n Integer/MAX_VALUE) (type/float-dtype? dtype))
      (fail! :damo.random/not-random
             (str "a random tensor has a shape of integers, no more than 2^31-1"
              " elements, and a dtype of floats; got " (pr-str dtype) " "
              (pr-str shape))
             {:shape shape, :dtype dtype}))
    (let [xs (case kind
               :uniform (uniform g n low high)
               :normal (filled n #(+ (double mean) (* (double std) (.nextGaussian g))))
               :glorot (glorot g n shape gain)
               (orthogonal g n shape gain))]
      (thrown/translating (.reshape (Tensor/of xs (DType/of (name dtype)) true)
                                    (long-array shape))))))
