(ns damo.ops.watch.derivative
  "Ops that say what derivatives do at a place: all have the value of their argument, and none is
  left in a compiled function. (zero-grad x) is x, with the derivative 0."
  (:require [damo.data.fail :as fail :refer [fail!]]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

(def ^:private surrogate "the derivative is declared, it is not that of the value")

(defn- same-type [_ [type]] type)

(defn- itself [_ x] x)

(defn- replaced [_] '?x)

(def ^:private any-array (gens/on-shapes (fn [n] [[{} [n]] [{} [2 n]]])))

;; ## No derivative

(defop disconnected-grad
  "x itself, through which derivatives do not pass: a path through it does not count, and what is
  connected by such paths alone is disconnected, in reverse and in forward mode."
  {:kind :composite, :args [?x], :type same-type, :eval itself, :expand replaced, :gen any-array
   :lop [0], :rop 0, :no-gradient {0 {:disconnected "disconnected-grad says so"}}
   :surrogate surrogate
   :examples [[[:disconnected-grad 2.5] 2.5] [[:disconnected-grad 3] 3]]})

(defop zero-grad
  "x itself, with the derivative 0 in reverse and in forward mode; a path through it counts as
  connected."
  {:kind :composite, :args [?x], :type same-type, :eval itself, :expand replaced, :gen any-array
   :lop [0], :rop 0, :surrogate surrogate
   :examples [[[:zero-grad 2.5] 2.5]]})

(defn consider-constant
  "x itself, a constant to derivatives, as zero-grad has it. The option :consider-constant of grad
  says the same of an expression from outside."
  [x]
  (zero-grad x))

(defop undefined-grad
  "x itself; to differentiate through it fails, in reverse and in forward mode."
  {:kind :composite, :args [?x], :type same-type, :eval itself, :expand replaced, :gen any-array
   :no-gradient {:undefined "undefined-grad says so"}, :surrogate surrogate
   :examples [[[:undefined-grad 2.5] 2.5]]})

;; ## Changed gradients

(defn- check-bounds [{:keys [lo hi]}]
  (when-not (and (number? lo) (number? hi) (<= lo hi))
    (fail! :damo.op.control/bad-bounds
           (str "the bounds of a gradient are two numbers, :lo not above :hi; got "
            (pr-str lo) " and " (pr-str hi))
           {:lo lo, :hi hi})))

(defop grad-clip
  "x itself; in reverse mode each element of the gradient is held between the numbers :lo and :hi
  on its way back. Forward mode is not changed: tangents pass as they are."
  {:internal "d/grad-clip takes the bounds by position"
   :kind :composite, :args [?x]
   :attrs {:lo {:doc "the least element of the gradient"}
           :hi {:doc "the greatest element of the gradient"}}
   :type (fn [attrs [[dtype _ :as type]]]
           (check-bounds attrs)
           (typing/check-dtype :float dtype)
           type)
   :eval itself, :expand replaced
   :lop (fn [{{:keys [lo hi]} :attrs}] [[:minimum [:maximum ?g lo] hi]])
   :rop ?dx, :surrogate surrogate
   :gen (gens/on-shapes (fn [n] [[{:lo -1, :hi 1.5} [n]] [{:lo -9, :hi 9} [2 n]]]))
   :examples [[[:grad-clip {:lo -1, :hi 1} 2.5] 2.5]]})

(defop grad-scale
  "x itself; its derivative is the number :by instead of 1, in reverse and in forward mode: a :by of
  -1 turns gradients around."
  {:internal "d/grad-scale takes the number by position"
   :kind :composite, :args [?x]
   :attrs {:by {:doc "the number by which derivatives are multiplied"}}
   :type (fn [{:keys [by]} [[dtype _ :as type]]]
           (when-not (number? by)
             (fail! :damo.op.control/bad-scale
                    (str "gradients are scaled by a number; got " (pr-str by))
                    {:given by}))
           (typing/check-dtype :float dtype)
           type)
   :eval itself, :expand replaced
   :lop (fn [{{:keys [by]} :attrs}] [[:mul ?g by]])
   :rop (fn [{{:keys [by]} :attrs}] [:mul ?dx by])
   :surrogate surrogate
   :gen (gens/on-shapes (fn [n] [[{:by -1} [n]] [{:by 0.25} [2 n]]]))
   :examples [[[:grad-scale {:by -1} 2.5] 2.5]]})
