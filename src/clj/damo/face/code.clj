(ns damo.face.code
  "The cache of machine code, as users see it."
  (:require [damo.compile.pipeline :as run])
  (:import [damo.jit CodeCache CodeCache$Report]))

(set! *warn-on-reflection* true)

(defn report
  "What the cache has done: {:remembered :loaded :compiled :folder :megabytes :refused}."
  []
  (let [^CodeCache$Report r (run/translating (.report (CodeCache/get)))]
    {:remembered (.remembered r), :loaded (.loaded r), :compiled (.compiled r)
     :folder (str (.folder r)), :megabytes (if (.off r) :off (quot (.limit r) 1048576))
     :refused (.refused r)}))

(defn limit!
  "Begins anew with files of at most so many megabytes, or :off."
  [megabytes]
  (run/translating (CodeCache/limit (if (= megabytes :off) "off" (str megabytes))))
  megabytes)
