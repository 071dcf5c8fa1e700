(ns damo.random
  "Random numbers as expressions: draws of keys, which are pure, and of streams, which move on by
  themselves at each call of a function. The same bits for all numbers of threads, modes and
  machines, whatever is fused or cut: an element is a function of the key and its place alone.
  (require '[damo.random :as r])  (r/normal (r/key 42) [3])  (r/uniform (r/stream 's 42) ['n 3])"
  (:refer-clojure :exclude [key])
  (:require [damo.core]
            [damo.data.explain :as explain]
            [damo.face.draw.basic]
            [damo.face.draw.continuous]
            [damo.face.draw.discrete]
            [damo.face.draw.gamma]
            [damo.face.draw.stream]))

(set! *warn-on-reflection* true)

(defmacro ^:private export
  "Functions of a namespace under their own names here; failures name them."
  [space & functions]
  `(do ~@(for [f functions
               :let [{:keys [doc arglists]} (meta (ns-resolve space f))]]
           `(def ~(with-meta f {:doc doc, :arglists `'~arglists})
              (explain/explained ~(keyword f) ~(symbol (name space) (name f)))))))

(export damo.face.draw.basic
        key split split-array fold-in philox4x32 uniform normal integers bernoulli)

(export damo.face.draw.stream stream seed!)

(export damo.face.draw.continuous
        exponential laplace gumbel truncated-normal multivariate-normal)

(export damo.face.draw.gamma gamma beta dirichlet)

(export damo.face.draw.discrete
        poisson binomial multinomial categorical permutation choice dropout)
