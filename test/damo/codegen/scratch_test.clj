(ns damo.codegen.scratch-test
  "Products where the system has no memory for packing: they wait for the one block that is there
  from the beginning, and give the same bits."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [damo.codegen.guarded :as guarded]
            [damo.codegen.tiled :as tiled])
  (:import (damo.codegen LlvmModule LlvmModule$Text)
           (damo.jit NativeCode)
           (java.util Random)))

(set! *warn-on-reflection* true)

(defn- shared-names [^LlvmModule module]
  (into #{} (mapcat (fn [[name other]] (cons name (shared-names other)))) (.shared module)))

(defn- renamed [names ^String text]
  (reduce (fn [text name] (str/replace text (str "@" name "(") (str "@dry." name "(")))
          text names))

(defn- without-memory
  "The module with functions of other names, where whoever asks for memory for packing gets none,
  but for a first block of its own."
  ^LlvmModule [names ^LlvmModule module]
  (let [dry (fn [^String text]
              (-> (renamed names text)
                  (str/replace #"call ptr @aligned_alloc\([^)]*\)" "inttoptr i64 0 to ptr")
                  (str/replace "first = external global i8"
                               (str "first = internal global [4194304 x i8] zeroinitializer, "
                                    "align 4096"))))]
    (LlvmModule. (for [^LlvmModule$Text t (.texts module)]
                   (LlvmModule$Text. (dry (.ir t)) (.kind t)))
                 (.externals module)
                 (into {} (for [[name other] (.shared module)]
                            [(if (names name) (str "dry." name) name)
                             (without-memory names other)])))))

(defn- product [code values [m n k] threads]
  (guarded/with-buffers :f32 (conj values (double-array [1.0 0.5]))
    (fn [addresses read]
      (tiled/call code {:m m :n n :k k :a-row k :a-col 1 :b-row n :b-col 1 :c-row n
                        :threads threads}
        addresses 1)
      (read 2))))

(deftest no-memory-for-packing-test
  (let [module (tiled/module :f32 256)
        names (disj (shared-names module) "damo.parallel")
        dry (without-memory names module)
        r (Random. 1)
        [m n k :as sizes] [300 150 120]
        values (mapv (fn [n] (double-array (repeatedly n #(.nextGaussian r))))
                     [(* m k) (* k n) (* m n)])]
    (is (contains? names "damo.scratch"))
    (with-open [whole (NativeCode/compile ^LlvmModule module), code (NativeCode/compile dry)]
      (let [expected (product whole values sizes 1)]
        (is (not= expected (vec (nth values 2))))
        (doseq [threads [1 2 4]]
          (is (= expected (product code values sizes threads)) threads))
        (doseq [result (mapv deref (for [_ (range 4)] (future (product code values sizes 2))))]
          (is (= expected result) "several callers wait for each other"))))))
