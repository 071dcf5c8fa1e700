(ns damo.face.code
  "The cache of machine code, as users see it."
  (:require [damo.data.thrown :as thrown])
  (:import [damo.jit CodeCache CodeCache$Report]))

(set! *warn-on-reflection* true)

(defn code-cache
  "What became of pieces of machine code in this process: how many were :remembered from others of
  it, :loaded from files of an earlier one, :compiled; the :folder of the files, the :megabytes that
  they may take (:off when nothing is kept), and why they are :refused, or nil."
  []
  (let [^CodeCache$Report r (thrown/translating (.report (CodeCache/get)))]
    {:remembered (.remembered r), :loaded (.loaded r), :compiled (.compiled r)
     :folder (str (.folder r)), :megabytes (if (.off r) :off (quot (.limit r) 1048576))
     :refused (.refused r)}))

(defn set-code-cache!
  "Bounds the files of machine code, in megabytes; 0 keeps none for later processes, :off nothing
  for this one either. Counting begins anew. Returns the argument."
  [megabytes]
  (thrown/translating (CodeCache/limit (if (= megabytes :off) "off" (str megabytes))))
  megabytes)
