(ns damo.math
  "The functions of damo.core whose names Clojure has not taken, to be referred all at once:
  (require '[damo.math :refer :all]) (grad (sum (sqr x)) x). With them `math`, in whose body
  + - * / < and the like are Damo's."
  (:require [damo.core]))

(set! *warn-on-reflection* true)

(defn- own-names []
  (remove (set (keys (ns-publics 'clojure.core))) (sort (keys (ns-publics 'damo.core)))))

(doseq [s (own-names)
        :let [v (ns-resolve 'damo.core s)]]
  (intern 'damo.math (with-meta s (select-keys (meta v) [:doc :arglists :macro])) @v))
