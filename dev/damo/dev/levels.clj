(ns damo.dev.levels
  "Which namespace may require which: the folders of the compiler, from the ground up, as data.
  (violations '{damo.data.fail {:requires #{damo.core}} …}) names each require that leads up."
  (:require [clojure.string :as str]))

(set! *warn-on-reflection* true)

(def levels
  "The folders, lowest first. A namespace belongs to the longest name here that is its own or that
  of a folder it lies in: damo.op and damo.op.entry belong to damo.op. It may require what belongs
  to lower folders, and to its own."
  '[damo.data damo.op damo.scalar damo.matrix
    damo.ops.make damo.ops.math damo.ops.move damo.ops.fold damo.ops.linear damo.ops.nn
    damo.ops.watch damo.ops.region damo.ops.linalg damo.ops.random damo.ops.sparse damo.ops.conv
    damo.ops.fft damo.ops
    damo.meaning damo.rule damo.rules damo.diff
    damo.compile.pass damo.compile.schedule damo.compile.lower damo.compile.plan damo.compile
    damo.face damo.tool damo.laws
    damo.core damo.math damo.linalg damo.random damo.nn damo.fft damo.io damo.sparse
    damo.cli damo.repl damo.demo damo.bench])

(defn- in?
  "Does a namespace have that name, or lie in the folder of that name?"
  [folder name]
  (or (= folder name) (str/starts-with? (str name) (str folder "."))))

(defn folder-of
  "The folder of the table that a namespace belongs to, or nil when there is none."
  [table name]
  (last (sort-by (comp count str) (filter #(in? % name) table))))

(defn violations
  "What is wrong in `graph`, {ns {:requires #{ns}}}, by `table`: a sentence for each namespace of
  the graph without a folder, and for each require between two of them that leads up."
  ([graph] (violations levels graph))
  ([table graph]
   (let [level #(.indexOf ^java.util.List table (folder-of table %))]
     (concat
      (for [name (sort (keys graph)) :when (not (folder-of table name))]
        (str name " lies in no folder of the table in damo.dev.levels"))
      (for [[name {:keys [requires]}] (sort-by key graph)
            lib (sort (filter graph requires))
            :when (and (folder-of table name) (folder-of table lib) (< (level name) (level lib)))]
        (str name " requires " lib ", which lies in a higher folder"))))))
