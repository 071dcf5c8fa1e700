(ns damo.lower.select
  "Kernels of kind :nest, which the entry names under :nest: positions of the true elements of a
  mask. (kernel cx unit) → {:kernel … :args [memory-key …] :scratch {key {:dtype :size}}}, as
  damo.lower gives it."
  (:require [damo.graph :as graph]
            [damo.lower :as lower]
            [damo.op :as op]
            [damo.type :as type]))

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

(def ^:private bodies
  "What writes the body, by the entry's :nest: a function of context and node to [statements
  scratch]."
  {:nonzero nonzero})

(defn kernel
  "The kernel of a unit of a node of kind :nest."
  [{:keys [g] :as cx} {[id] :nodes}]
  (let [cx (assoc (lower/writing cx) :unit {:level {}})
        op (graph/op-of (nth (:nodes g) id))
        [body scratch] ((bodies (:nest (op/entry op))) cx id)]
    (assoc (lower/finished cx (name op) body) :scratch scratch)))
