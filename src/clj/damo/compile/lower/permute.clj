(ns damo.compile.lower.permute
  "Kernels of kind :nest, which the entry names under :nest: positions of the true elements of a
  mask, sizes that are values, sorts, inverse permutations, places in sorted vectors, Fourier
  transforms. (kernel cx
  unit) → {:kernel …
  :args [memory-key …] :scratch {key {:dtype :size}}}, as
  damo.compile.lower gives it."
  (:require [damo.compile.lower :as lower]
            [damo.compile.lower.compressed :as compressed]
            [damo.compile.lower.fourier :as fourier]
            [damo.compile.lower.nests :as nests]
            [damo.compile.lower.sorting :as sorting]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(defn- counted
  "Positions in order, of which there may be any number: each is stored, true or not, where the next
  true one belongs, so that no branch depends on the mask."
  [cx id mask n counter out]
  (let [i (lower/fresh cx "i"), p (lower/fresh cx "x"), body (lower/body {})
        total (lower/param cx [:scratch [id :count]] :i64 :out)
        true? (lower/read-at cx body [i] mask [i])]
    (lower/emit! body [:index p counter n ((:note-of cx) id)])
    (lower/emit! body [:store out p [:size i]])
    (lower/emit! body [:set counter [:add counter [:cast :i64 true?]]])
    [[(into [:for i n] @(:stmts body))
      [:store total 0 counter]]
     {[:scratch [id :count]] {:dtype :i64, :size 1}}]))

(defn- checked
  "Positions in order, of which there must be `as`."
  [cx id mask n counter out as]
  (let [i (lower/fresh cx "i"), p (lower/fresh cx "x"), body (lower/body {})
        note ((:note-of cx) id)
        true? (lower/read-at cx body [i] mask [i])]
    (lower/emit! body [:if true?
                       [:index p counter as note]
                       [:store out p [:size i]]
                       [:set counter [:add counter [:const :i64 1]]]])
    [[(into [:for i n] @(:stmts body))
      [:require [:eq counter [:size as]] note]]
     {}]))

(defn- nonzero
  "The body of :flatnonzero, over a mask without further axes."
  [{:keys [g counting] :as cx} id]
  (let [[_ {:keys [as]} mask] (nth (:nodes g) id)
        [n] (type/shape-of (graph/type-of g mask))
        counter (lower/fresh cx "a")
        out (lower/param cx [:node id] :i64 :out)
        [stmts scratch] (if (counting id)
                          (counted cx id mask n counter out)
                          (checked cx id mask n counter out as))]
    [(into [[:var counter [:const :i64 0]]] stmts) scratch]))

;; ## Sizes that are values

(defn- bind-dim
  "The body of :bind-dim: a number that is a size is what a dim becomes, or must be already."
  [{:keys [g counting] :as cx} id]
  (let [[_ {:keys [as]} n] (nth (:nodes g) id), note ((:note-of cx) id), body (lower/body {})
        out (lower/param cx [:node id] :i64 :out)
        total (when (counting id) (lower/param cx [:scratch [id :count]] :i64 :out))
        v (lower/read-at cx body [] n [])]
    (lower/emit! body [:require [:le [:const :i64 0] v] note])
    (lower/emit! body [:store out 0 v])
    (lower/emit! body (if total
                        [:store total 0 v]
                        [:require [:eq v [:size as]] note]))
    [@(:stmts body) (if total {[:scratch [id :count]] {:dtype :i64, :size 1}} {})]))

;; ## Permutations

(defn- inverse-permutation
  "The body of :inverse-permutation: each place is written once, or the call stops."
  [{:keys [g] :as cx} id]
  (let [[_ {:keys [axis]} x] (nth (:nodes g) id)
        [dtype shape] (graph/type-of g x), n (nth shape axis), note ((:note-of cx) id)
        p (lower/param cx [:node id] :i64 :out), _ (lower/param cx [:node id] :i64 :in)
        unset [:const :i64 -1]
        at (fn [lead i] (vec (concat (take axis lead) [i] (drop axis lead))))
        index (fn [lead i] (lower/dense-index 0 (array/strides shape) (at lead i)))]
    [(into (nests/statements cx shape (fn [body where]
                                        (lower/emit! body (nests/store p shape where unset))))
           (nests/statements
            cx (into (subvec shape 0 axis) (subvec shape (inc axis)))
            (fn [body lead]
              (let [i (lower/fresh cx "i"), inner (lower/body {}), k (lower/fresh cx "x")
                    v (lower/read-at cx inner (at lead i) x (at lead i))
                    place (index lead k)]
                (lower/emit! inner [:index k (if (= dtype :i64) v [:cast :i64 v]) n note])
                (lower/emit! inner [:require [:eq [:load p place] unset] note])
                (lower/emit! inner [:store p place [:size i]])
                (lower/emit! body (into [:for i n] @(:stmts inner)))))))
     {}]))

;; ## Places in a sorted vector

(defn- before?
  "The expression that is true when the element a stands before a place for v: a < v, or a ≤ v on
  the right side; NaN is the largest."
  [dtype side a v]
  (let [test (if (= side :right) [:le a v] [:lt a v])]
    (cond (not (type/float-dtype? dtype)) test
          (= side :right) [:or test [:isnan v]]
          :else [:or test [:and [:isnan v] [:not [:isnan a]]]])))

(defn- halvings!
  "Emits an index variable of how often n can be halved until 0 is left, by the exponent of n."
  [cx id body n]
  (let [steps (lower/fresh cx "x")
        exponent [:shr [:bits [:cast :f64 [:size n]]] [:const :i64 52]]]
    (lower/emit! body [:index steps [:maximum [:const :i64 0] [:sub exponent [:const :i64 1022]]]
                       65 ((:note-of cx) id)])
    steps))

(defn- search!
  "Emits the search for a place of value v in the sorted vector `a` of n elements, by steps of
  falling powers of 2; returns the variable of the result."
  [cx id body a n steps dtype side v]
  (let [found (lower/fresh cx "a"), b (lower/fresh cx "i"), at (lower/fresh cx "x")
        next-one (lower/fresh cx "v"), inner (lower/body {}), one [:const :i64 1]]
    (lower/emit! body [:var found [:const :i64 0]])
    (lower/emit! inner [:let next-one [:add found [:shl one [:size [:- [:- steps 1] b]]]]])
    (lower/emit! inner [:index at [:minimum [:sub next-one one] [:size [:- n 1]]] n
                        ((:note-of cx) id)])
    (let [x (lower/read-at cx inner [at] a [at])]
      (lower/emit! inner [:set found [:select [:and [:le next-one [:size n]]
                                               (before? dtype side x v)]
                                      next-one found]]))
    (lower/emit! body (into [:for b steps] @(:stmts inner)))
    found))

(defn- searchsorted
  "The body of :searchsorted."
  [{:keys [g] :as cx} id]
  (let [[_ {:keys [side]} a v] (nth (:nodes g) id)
        [dtype [n]] (graph/type-of g a), shape (type/shape-of (graph/type-of g v))
        out (lower/param cx [:node id] :i64 :out), outer (lower/body {})
        steps (halvings! cx id outer n)]
    [(into @(:stmts outer)
           (nests/statements
            cx shape
            (fn [body at]
              (let [x (lower/read-at cx body at v at)
                    found (search! cx id body a n steps dtype side x)]
                (lower/emit! body (nests/store out shape at found))))))
     {}]))

(def ^:private bodies
  "What writes the body, by the entry's :nest: a function of context and node to [statements
  scratch]."
  {:nonzero nonzero, :bind-dim bind-dim, :searchsorted searchsorted
   :inverse-permutation inverse-permutation, :sort sorting/sort-body, :argsort sorting/argsort-body
   :sort-and-argsort sorting/both-body, :dft fourier/dft-body
   :csr-dot compressed/dot-body, :csr-tdot compressed/tdot-body
   :sampled-dot compressed/sampled-body, :csr-rows compressed/rows-body
   :csr-sum compressed/sum-body})

(defn kernel
  "The kernel of a node of kind :nest and of what its nest computes, the :level and :assigned axes
  of a unit."
  [{:keys [g] :as cx} unit id]
  (let [cx (assoc (lower/writing cx) :unit (update unit :level #(or % {}))
                  :paths {}, :stored #{}, :scratch {})
        op (graph/op-of (nth (:nodes g) id))
        [body scratch] ((bodies (:nest (op/entry op))) cx id)]
    (assoc (lower/finished cx (name op) body) :scratch scratch)))
