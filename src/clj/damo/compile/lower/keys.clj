(ns damo.compile.lower.keys
  "Elements as integers of the same order, NaN last, and back: what sorts compare. And what the
  kernels of sorts share: loops over a line, checked places in it."
  (:require [damo.compile.lower :as lower]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(defn key-dtype
  "The dtype of the keys of elements of a computed dtype."
  [dtype]
  (if (#{:f64 :i64} dtype) :i64 :i32))

(defn- float-info [dtype]
  (case dtype
    :f32 {:key :i32, :shift 31, :largest Integer/MAX_VALUE}
    :f64 {:key :i64, :shift 63, :largest Long/MAX_VALUE}))

(defn named
  "Emits a name for an expression, and returns it."
  [cx body prefix e]
  (let [v (lower/fresh cx prefix)] (lower/emit! body [:let v e]) v))

(defn- mirrored
  "Bits of a float ordered as integers are, and back: those of negative ones are inverted but for
  the sign."
  [{:keys [key shift largest]} b]
  [:xor b [:and [:shr b [:const key shift]] [:const key largest]]])

(defn key-of!
  "The name of the key of value v, of that dtype; with `zeros-equal` -0.0 has the key of 0.0, else
  that before it, -1."
  [cx body dtype v descending zeros-equal]
  (let [key (key-dtype dtype)
        k (if (type/float-dtype? dtype)
            (let [{:keys [largest] :as info} (float-info dtype), zero [:const dtype 0.0]
                  v (named cx body "v" (if zeros-equal [:select [:eq v zero] zero v] v))
                  b (named cx body "v" [:bits v])]
              [:select [:isnan v] [:const key largest] (mirrored info b)])
            (if (= key dtype) v [:cast key v]))]
    (named cx body "v" (if descending [:not k] k))))

(defn value-of
  "The expression of the element of which k names the key."
  [cx body dtype k descending]
  (let [k (if descending (named cx body "v" [:not k]) k)]
    (cond (type/float-dtype? dtype) [:float (mirrored (float-info dtype) k)]
          (= (key-dtype dtype) dtype) k
          :else [:cast dtype k])))

;; ## A line
;; `line` holds what all parts of a kernel share: {:cx :id :n extent, :k how many are wanted, :key
;; dtype of keys, :in read-a-key!, :read read-an-element!, :element! and :index!, which write the
;; results at a place, nil for what is no result, and parameters of scratch memory}.

(defn loop-over
  "The loop of `extent` around the statements (f body variable)."
  [{:keys [cx]} extent f]
  (let [i (lower/fresh cx "i"), body (lower/body {})]
    (f body i)
    (into [:for i extent] @(:stmts body))))

(defn conditional
  "The statements (f body) where the condition holds."
  [condition f]
  (let [body (lower/body {})]
    (f body)
    (into [:if condition] @(:stmts body))))

(defn checked!
  "Emits an index variable for a value that lies below the extent, and returns it."
  [{:keys [cx id]} body value extent]
  (let [x (lower/fresh cx "x")]
    (lower/emit! body [:index x value extent ((:note-of cx) id)])
    x))

(defn as-number
  "A place, the variable of a loop or an :i64, as an :i64."
  [place]
  (if (symbol? place) [:size place] place))

(defn write!
  "Emits the statements that write at q the element with the key (key!), and `place`, where it was."
  [{:keys [element! index!]} body q key! place]
  (when index! (index! body q (as-number place)))
  (when element! (element! body q (key!) place)))
