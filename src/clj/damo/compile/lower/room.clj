(ns damo.compile.lower.room
  "The bytes of local arrays that a kernel may still have: one budget for all that takes them.
  (spread (left body) body (fn [room s] statements)) = the body with others in the place of its
  statements, to each of which what those before it took is lost."
  (:require [damo.data.type :as type])
  (:import [damo Limits]))

(set! *warn-on-reflection* true)

(defn taken
  "The bytes of the local arrays of statements."
  [body]
  (apply + (for [[_ _ dtype n] (filter #(and (vector? %) (= :local (first %)))
                                       (tree-seq sequential? seq body))]
             (* n (:bytes (type/dtypes dtype))))))

(defn left "What is left to a kernel with that body." [body] (- (.most Limits/LOCALS) (taken body)))

(defn spread
  "The statements (f room s) in the place of each of a body, one after the other."
  [room body f]
  (first (reduce (fn [[done room] s]
                   (let [more (f room s)]
                     [(into done more) (- room (- (taken more) (taken [s])))]))
                 [[] room] body)))
