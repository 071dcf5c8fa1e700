(ns damo.ops.conv.split
  "Correlations that are computed in parts: by the phases of the places between the elements of
  images, and place by place."
  (:require [damo.data.array :as array]
            [damo.data.type :as type]
            [damo.op.typing :as typing]
            [damo.ops.conv.windows :as windows]))

(set! *warn-on-reflection* true)

;; Where images have zeros between their elements (:base b, the gradient of strides), places b apart
;; lie over the same elements of the kernel: a correlation for each phase multiplies no zeros.

(defn- splits? [{:keys [base k m pad skip stride dilation]}]
  (or (= 1 base)
      (and (= 1 stride dilation) (every? integer? [k m pad skip]))))

(defn- phase
  "{:r :p0 :extent :pad :skip} of the places r, r + base, …: the elements of the kernel from p0 on,
  base apart, and how far in front of the images they begin. Nil where there are none."
  [{:keys [base k m pad skip] :as axis} r]
  (if (= 1 base)
    (assoc axis :r 0, :p0 0, :extent m)
    (let [shift (+ r (- skip pad)), p0 (mod (- shift) base), from (quot (+ shift p0) base)]
      (when (and (< p0 k) (< r m))
        {:r r, :p0 p0, :k k, :m m, :base base, :stride 1, :dilation 1
         :extent (quot (+ (- m r) (dec base)) base), :pad (max 0 (- from)), :skip (max 0 from)}))))

(defn- cut-kernels
  "The template of the elements of kernels that a phase takes of each axis."
  [phases]
  (reduce (fn [t [i {:keys [p0 base k]}]]
            (if (= 1 base) t [:slice {:axis (+ 2 i), :start p0, :stop k, :step base} t]))
          '?w (map-indexed vector phases)))

(defn- of-phase [groups phases]
  [:correlate {:groups groups, :extents (mapv :extent phases), :pad (mapv :pad phases)
               :skip (mapv :skip phases), :strides (mapv :stride phases)
               :dilation (mapv :dilation phases), :base (mapv (constantly 1) phases)}
   '?x (cut-kernels phases)])

(defn by-phases?
  "Can places be told apart by what lies under them? `axes` say what concerns each."
  [axes]
  (and (some #(not= 1 (:base %)) axes) (every? splits? axes)))

(defn by-phases
  "The template of a correlation as one for each phase, written where its places lie."
  [{:keys [groups]} dtype [n] [o] axes]
  (let [bases (mapv :base axes)]
    (reduce (fn [t phases]
              [:set-slice {:start (into [0 0] (map :r) phases), :step (into [1 1] bases)
                           :stop (into [n o] (map :m) phases)}
               t (of-phase groups phases)])
            (typing/filled dtype (into [n o] (map :m) axes) 0)
            (filter #(every? some? %)
                    (map #(mapv phase axes %) (array/indices bases))))))

;; With one kernel to a group, large kernels and few places (the gradient by kernels of each channel
;; by itself) a product would have one row, and its columns be copied for a few places.

(defn by-places?
  "Is there one kernel to a group, and few places to place it?"
  [{:keys [groups]} [o] axes]
  (and (< 1 groups) (= o groups)
       (every? integer? (map :m axes)) (<= (reduce * (map :m axes)) 32)))

(defn by-places
  "The template of a correlation as a sum for each place; `whole` is that of the images with all
  zeros that are needed."
  [{:keys [groups strides dilation]} dtype [n] [o c] whole axes]
  (let [d (count axes), ks (mapv :k axes)
        images [:reshape {:shape (into [n groups c] (map :needed) axes)} whole]
        under (fn [at]
                (reduce (fn [t [i p {:keys [k]} s dil]]
                          [:slice {:axis (+ 3 i), :start (* p s), :step dil
                                   :stop (type/dim+ (* p s) (windows/span k dil))}
                           t])
                        images (map vector (range) at axes strides dilation)))
        sums (for [at (array/indices (mapv :m axes))]
               [:reshape {:shape [n o 1]}
                [:sum {:axis (vec (range 2 (+ 3 d))), :dtype dtype}
                 [:mul (under at) [:reshape {:shape (into [groups c] ks)} '?w]]]])]
    [:reshape {:shape (into [n o] (map :m) axes)}
     (if (next sums) (into [:concatenate {:axis 2}] sums) (first sums))]))
