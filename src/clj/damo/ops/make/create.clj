(ns damo.ops.make.create
  "Arrays that come from no other: counts, constants of a shape, identity matrices, one-hot rows;
  sizes as values. Shapes may be symbolic."
  (:require [damo.data.array :as array]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

(def ^:private shape-attr {:doc "the shape, a vector of dims"})

(defn- dtype-attr [dtype] {:default dtype, :doc "the dtype of the elements"})

(defn- declared [{:keys [dtype shape]} _]
  (type/check [dtype shape]))

;; ## Counting

(defop iota
  "The index along :axis, as an array of :shape. (iota :shape [2 3] :axis 1) is [[0 1 2] [0 1 2]]."
  {:kind :generate, :args []
   :attrs {:shape shape-attr, :dtype (dtype-attr :i64)
           :axis {:default 0, :is :positions, :doc "the axis to count along"}}
   :normalize (fn [{:keys [shape axis] :as attrs} _]
                (assoc attrs :axis (type/axis-index (count shape) axis)))
   :type declared
   :eval (fn [{:keys [shape axis dtype]}] (array/from-indices dtype shape #(nth % axis)))
   :lop [], :rop 0
   :gen (gens/without-arguments
         (fn [dtype n] [{:shape [n], :axis 0, :dtype dtype} {:shape [2 n], :axis -1, :dtype dtype}
                        {:shape [n 3], :axis 0, :dtype dtype}]))
   :examples [[[:iota {:shape [3] :axis 0}] [0 1 2]]]})

(defop dim
  "The value of a dim, such as the batch size n, as a 0-d :i64."
  {:internal true
   :kind :generate, :args []
   :attrs {:dim {:is :dim, :own-check true
                 :doc "a dim: an integer, a symbol or arithmetic on them"}}
   :type (fn [{:keys [dim]} _] (typing/check-shape [dim]) [:i64 []])
   :eval (fn [{:keys [dim]}] (array/full :i64 [] dim))
   :lop [], :rop 0
   :gen (gens/without-arguments (fn [_ n] [{:dim n}]))
   :examples [[[:dim {:dim 3}] 3]]})

(defn size-of
  "The extent of an axis of x as a 0-d :i64 expression."
  [x axis]
  (let [shape (expr/shape-of (expr/whole x))]
    (dim :dim (nth shape (type/axis-index (count shape) axis)))))

(defn- arange-type [{:keys [start stop step dtype]} _]
  (doseq [bound [start stop]] (when-not (integer? bound) (typing/check-shape [bound])))
  (when-not (and (integer? step) (pos? step))
    (fail! :damo.op.create/bad-step (str "the step is an integer of at least 1; got " (pr-str step))
           {:step step}))
  (let [span (if (and (integer? start) (integer? stop))
               (max 0 (- stop start))
               (type/dim- stop start))]
    (type/check [dtype [(if (= 1 step) span (type/dim-quot (type/dim+ span (dec step)) step))]])))

(defop arange
  "The whole numbers start, start + step, … before stop, a vector. :start and :stop are integers or
  dims, :step an integer ≥ 1. (arange :stop n) counts from 0."
  {:internal "d/arange makes a tensor"
   :kind :composite, :args []
   :attrs {:start {:default 0, :is :index, :doc "the first number"}
           :stop {:is :index, :doc "the number to stop before"}
           :step {:default 1, :is :integer, :own-check true, :doc "the distance, at least 1"}
           :dtype (dtype-attr :i64)}
   :type arange-type
   :eval (fn [{:keys [start stop step dtype]}]
           (let [numbers (range start stop step)]
             (array/of dtype [(count numbers)] numbers)))
   :expand (fn [{{:keys [start step]} :attrs, [dtype shape] :type}]
             [:cast {:dtype dtype}
              [:add [:mul step [:iota {:shape shape, :axis 0}]]
               (if (integer? start) start [:dim {:dim start}])]])
   :lop [], :rop 0
   :gen (gens/without-arguments (fn [dtype n] [{:stop n, :dtype dtype}
                                               {:start 1, :stop n, :step 3, :dtype dtype}]))
   :examples [[[:arange {:start 1, :stop 7, :step 2}] [1 3 5]]]})

;; ## Constants of a shape

(defn- check-scalar [shape]
  (when-not (empty? shape)
    (fail! :damo.op.create/not-a-scalar (str "the value must be 0-d; its shape is " (pr-str shape))
           {:shape shape})))

(defop full
  "The 0-d value everywhere in an array of :shape."
  {:internal "d/full makes a tensor"
   :kind :composite, :args [?value], :attrs {:shape shape-attr}
   :type (fn [{:keys [shape]} [[dtype from]]]
           (check-scalar from)
           (type/check [dtype shape]))
   :eval (fn [{:keys [shape]} {:keys [dtype] :as value}]
           (array/full dtype shape (array/element value 0)))
   :expand (fn [{:keys [attrs]}] [:broadcast-to attrs ?value])
   :gen (gens/on-shapes (fn [n] [[{:shape [n 2]} []] [{:shape []} []]]))
   :examples [[[:full {:shape [2]} 1.5] [1.5 1.5]]]})

(defop zeros
  "Zeros, an array of :shape and :dtype."
  {:internal "d/zeros makes a tensor"
   :kind :composite, :args [], :attrs {:shape shape-attr, :dtype (dtype-attr :f32)}
   :type declared
   :eval (fn [{:keys [shape dtype]}] (array/full dtype shape 0))
   :expand (fn [{[dtype shape] :type}] (typing/filled dtype shape 0))
   :lop [], :rop 0
   :gen (gens/without-arguments (fn [dtype n] [{:shape [n 2], :dtype dtype}]))
   :examples [[[:zeros {:shape [2]}] [0.0 0.0]]]})

(defop ones
  "Ones, an array of :shape and :dtype."
  {:internal "d/ones makes a tensor"
   :kind :composite, :args [], :attrs {:shape shape-attr, :dtype (dtype-attr :f32)}
   :type declared
   :eval (fn [{:keys [shape dtype]}] (array/full dtype shape 1))
   :expand (fn [{[dtype shape] :type}] (typing/filled dtype shape 1))
   :lop [], :rop 0
   :gen (gens/without-arguments (fn [dtype n] [{:shape [n 2], :dtype dtype}]))
   :examples [[[:ones {:shape [2]}] [1.0 1.0]]]})

(defop zeros-like
  "Zeros of the type of x; x itself is not computed."
  {:kind :composite, :args [?x], :type (fn [_ [type]] type)
   :eval (fn [_ {:keys [dtype shape]}] (array/full dtype shape 0))
   :expand (fn [{[dtype shape] :type}] (typing/filled dtype shape 0))
   :lop [0], :rop 0
   :gen (gens/on-shapes (fn [n] [[{} [n]]]))
   :examples [[[:zeros-like 3.0] 0.0]]})

(defop ones-like
  "Ones of the type of x; x itself is not computed."
  {:kind :composite, :args [?x], :type (fn [_ [type]] type)
   :eval (fn [_ {:keys [dtype shape]}] (array/full dtype shape 1))
   :expand (fn [{[dtype shape] :type}] (typing/filled dtype shape 1))
   :lop [0], :rop 0
   :gen (gens/on-shapes (fn [n] [[{} [n]]]))
   :examples [[[:ones-like 3.0] 1.0]]})

(defop full-like
  "The 0-d value everywhere in an array of the shape of x; it is brought to the dtype of both."
  {:kind :composite, :args [?x ?value], :coerce [0 1]
   :type (fn [_ [[dtype shape] [_ from]]]
           (check-scalar from)
           [dtype shape])
   :eval (fn [_ {:keys [dtype shape]} value] (array/full dtype shape (array/element value 0)))
   :expand (fn [{[_ shape] :type}] [:broadcast-to {:shape shape} ?value])
   :gen (gens/on-shapes (fn [n] [[{} [n] []]]))
   :examples [[[:full-like 3.0 7.0] 7.0]]})

;; ## Identity

(defop eye
  "Ones on the diagonal :k (0: the main one, above it positive) of an n × m matrix of zeros."
  {:internal "d/eye makes a tensor"
   :kind :composite, :args []
   :attrs {:n {:is :dim, :own-check true, :doc "the number of rows, a dim"}
           :m {:default nil, :doc "the number of columns; nil: n"}
           :k {:default 0, :is :integer, :own-check true, :doc "the diagonal, an integer"}
           :dtype (dtype-attr :f32)}
   :normalize (fn [{:keys [n m] :as attrs} _] (assoc attrs :m (or m n)))
   :type (fn [{:keys [n m dtype]} _] (type/check [dtype [n (or m n)]]))
   :eval (fn [{:keys [n m k dtype]}]
           (array/from-indices dtype [n m] (fn [[i j]] (if (= j (+ i k)) 1 0))))
   :expand (fn [{{:keys [k]} :attrs, [dtype shape] :type}]
             [:cast {:dtype dtype}
              [:eq [:add [:iota {:shape [(first shape) 1], :axis 0}] k]
               [:iota {:shape [1 (second shape)], :axis 1}]]])
   :lop [], :rop 0
   :gen (gens/without-arguments (fn [dtype n] [{:n n, :dtype dtype} {:n 3, :m n, :k 1, :dtype dtype}
                                               {:n n, :m 2, :k -1, :dtype dtype}]))
   :examples [[[:max {:axis 0} [:eye {:n 2}]] [1.0 1.0]]]})

(defop one-hot
  "For each integer label a row of :classes elements, 1 at the label and 0 elsewhere. A label
  outside 0 … classes - 1 fails."
  {:kind :composite, :args [?labels]
   :attrs {:classes {:doc "the number of classes, a dim"}, :dtype (dtype-attr :f32)}
   :type (fn [{:keys [classes dtype]} [[from shape]]]
           (typing/check-dtype :int from)
           (type/check [dtype (conj shape classes)]))
   :eval (fn [{:keys [classes dtype]} {:keys [shape] :as labels}]
           (let [checked (array/checked-indices labels classes)]
             (array/from-indices dtype (conj shape classes)
                                 #(if (= (peek %) (array/at checked (pop %))) 1 0))))
   :expand (fn [{{:keys [classes dtype]} :attrs, [[_ shape]] :types}]
             [:cast {:dtype dtype}
              [:eq [:expand-dims {:axis [(count shape)]} [:check-index {:extent classes} ?labels]]
               [:iota {:shape [classes], :axis 0}]]])
   :lop [0], :rop 0
   :gen (fn [{:keys [size dtype] :as ctx}]
          {:attrs {:classes 4, :dtype dtype}
           :args [(gens/indices ctx (gens/choose ctx [[size] [2 size] []]) 0 4)]})
   :examples [[[:one-hot {:classes 3} 1] [0.0 1.0 0.0]]]})
