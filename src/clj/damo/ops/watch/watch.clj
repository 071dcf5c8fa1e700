(ns damo.ops.watch.watch
  "Ops that look at values while a function runs: assert stops the call, print and tap show a value
  to people and programs. Each gives its first argument unchanged, in both modes of
  differentiation."
  (:refer-clojure :exclude [assert print])
  (:require [clojure.string :as str]
            [damo.data.array :as array]
            [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing])
  (:import [damo.tensor DType Tensor]))

(set! *warn-on-reflection* true)

;; ## Conditions

(def ^:private message-attr
  {:message {:default "an assertion does not hold", :is :text, :own-check true
             :doc "what the failure says"}})

(defn- check-message [{:keys [message] :as attrs} _]
  (when-not (string? message)
    (fail! :damo.op.watch/bad-message
           (str "the :message of an assertion is a string; got " (pr-str message))
           {:given message}))
  attrs)

(defop require-true
  "The boolean x itself; a call stops, with the :message, when it is false. assert is made of it."
  {:internal true
   :kind :require, :args [?x]
   :attrs message-attr
   :normalize check-message
   :type (fn [_ [[dtype shape :as x]]]
           (typing/check-dtype :bool dtype)
           (when (seq shape)
             (fail! :damo.op.watch/not-scalar
                    (str "what is required is one boolean; got " (pr-str x)
                     ", reduce it with all")
                    {:given x}))
           x)
   :eval (fn [{:keys [message]} x] (when-not (array/element x 0) (fail! :damo.op.watch/failed
                                                                        message)) x)
   :no-gradient "it is a boolean"
   :gen (fn [_] {:attrs {}, :args [(array/of :bool [] [true])]})
   :examples [[[:require-true [:lt 1.0 2.0]] true]]})

(defop after
  "x, broadcast against the booleans y, once these have been computed."
  {:internal true
   :kind :elementwise, :args [?x ?y]
   :type (fn [_ [[dtype shape] [waited waited-shape]]]
           (typing/check-dtype :bool waited)
           [dtype (type/broadcast-shapes shape waited-shape)])
   :coerce #{}
   :eval (fn [x _] x)
   :partials [1 nil], :slope-ulp "derivatives pass unchanged"
   :no-gradient {1 "it is only waited for"}
   :scalar '?x
   :gen {?y :bool}
   :examples [[[:after 2.5 true] 2.5] [[:after 3 false] 3]]})

(defop assert
  "x itself, after a check that all elements of `condition`, booleans of any shape, are true; else
  the call stops with the :message, the expression and its place, and changes no state."
  {:kind :composite, :args [?x ?condition]
   :attrs message-attr
   :normalize check-message
   :type (fn [_ [x [dtype _]]] (typing/check-dtype :bool dtype) x)
   :eval (fn [{:keys [message]} x condition]
           (when-not (every? true? (array/values condition)) (fail! :damo.op.watch/failed message))
           x)
   :lop [?g 0]
   :rop '?dx
   :expand (fn [{:keys [attrs]}]
             [:after '?x [:require-true (select-keys attrs [:message]) [:all '?condition]]])
   :gen (fn [{:keys [dtype size] :as ctx}]
          {:attrs {:message "none is true"}
           :args [(gens/random-array ctx dtype [size]) (array/full :bool [2 size] true)]})
   :examples [[[:assert 2.5 [:lt 1.0 2.0]] 2.5]]})

;; ## Showing values

(defn- shown
  "The first :limit elements of a tensor as text, with its dtype and shape."
  [{:keys [message limit]} ^Tensor t]
  (let [n (.elements t)
        flat (.get (.reshape t (long-array [n])))]
    (str message " " (.label ^DType (.dtype t)) " " (vec (.shape t)) " "
         (str/join " " (take limit flat)) (when (< limit n) " …"))))

(defop print
  "x itself; each call prints the :message, dtype, shape and the first :limit elements to the
  standard output of the JVM. For looking into a function while it is written."
  {:kind :host, :args [?x]
   :attrs {:message {:default "value", :is :text, :own-check true
                     :doc "what is printed before the value"}
           :limit {:default 12, :doc "how many elements are printed"}}
   :type (fn [_ [x]] x)
   :eval (fn [_ x] x)
   :kernel (fn [attrs _ x] (println (shown attrs x)) x)
   :lop [?g]
   :rop '?dx
   :gen (fn [{:keys [dtype size] :as ctx}]
          {:attrs {:limit 0}, :args [(gens/random-array ctx dtype [size])]})
   :examples [[[:print {:message "seen"} 2.5] 2.5]]})

(defop tap
  "x itself; each call sends {:key key, :dtype …, :shape […], :value nested-vectors} to the
  functions added by add-tap."
  {:kind :host, :args [?x]
   :attrs {:key {:default "value", :is :text, :own-check true
                 :doc "a string that says which value it is"}}
   :type (fn [_ [x]] x)
   :eval (fn [_ x] x)
   :kernel (fn [{:keys [key]} _ ^Tensor x]
             (tap> {:key key, :dtype (keyword (.label ^DType (.dtype x))), :shape (vec (.shape x))
                    :value (.get x)})
             x)
   :lop [?g]
   :rop '?dx
   :gen (fn [{:keys [dtype size] :as ctx}]
          {:attrs {}, :args [(gens/random-array ctx dtype [size])]})
   :examples [[[:tap {:key "seen"} 2.5] 2.5]]})
