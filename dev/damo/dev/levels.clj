(ns damo.dev.levels
  "Which namespace may require which: the levels of the compiler, from the ground up, as data.
  (violations {'damo.fail {:requires '#{damo.core}}}) => (\"damo.fail requires damo.core, …\")"
  (:require [clojure.string :as str]))

(set! *warn-on-reflection* true)

(def levels
  "The levels, lowest first. A namespace may require what stands in lower levels and, in its own
  level, what stands to its left. `a.*` stands for all namespaces below a that are not named, and
  `a.**` for such that may also require each other."
  '[[damo.fail damo.file damo.poly damo.type damo.array damo.attribute]
    [damo.graph damo.expr damo.finite damo.face damo.tree]
    [damo.entry damo.arguments damo.coerce damo.op]
    [damo.op.scalar damo.op.scalar-bessel damo.op.error-scalar damo.op.scalar-gamma
     damo.op.scalar-incomplete damo.op.scalar-beta
     damo.op.typing damo.op.gens damo.op.view damo.op.linear
     damo.op.einsum damo.op.indexing damo.op.create damo.op.index damo.op.slice damo.op.write
     damo.op.select damo.op.bounds damo.op.subtensor damo.op.slope damo.op.softmax damo.op.*
     damo.op.blas damo.op.all]
    [damo.given damo.operators damo.transfer damo.accuracy damo.describe damo.catalogue
     damo.counted damo.failing damo.layers damo.rule damo.through damo.factors
     damo.partners damo.eval damo.parse]
    [damo.rewrite damo.rules.zeros damo.rules.products damo.rules.moves damo.rules.portions
     damo.rules.subtensor damo.rules.signs
     damo.rules.choices damo.rules.reducing damo.rules.canonicalize damo.rules.aligned
     damo.rules.tails damo.rules.powers damo.rules.parts damo.rules.smooth damo.rules.*
     damo.diff.node damo.diff.mask
     damo.diff.batch damo.diff.* damo.diff damo.diff.jacobian
     damo.diff.custom damo.derivative]
    [damo.pass damo.guard damo.schedule damo.lower.collapse damo.lower.scalar
     damo.lower.slots damo.lower
     damo.lower.nests damo.lower.sorting damo.lower.select]
    [damo.plan.note damo.plan.limit damo.plan.host damo.plan.product damo.plan.require
     damo.plan.update damo.plan]
    [damo.host damo.run damo.tensors damo.random damo.debug
     damo.substitute damo.function.check
     damo.function damo.function.copy damo.verify damo.model damo.viz]
    [damo.check.machine damo.check.sampling damo.check.running damo.check.modes
     damo.check.* damo.check]
    [damo.core]
    [damo.math damo.io.elements damo.io.* damo.io]
    [damo.cli damo.repl damo.demo.** damo.bench.**]])

(defn- stem
  "What the names that a pattern stands for begin with, or nil when it is itself a name."
  [pattern]
  (second (re-matches #"(.*\.)\*+" (str pattern))))

(defn- matches? [pattern name]
  (if-let [begin (stem pattern)]
    (str/starts-with? (str name) begin)
    (= pattern name)))

(defn place-of
  "The place [level column] of a namespace in the table, or nil when it has none. A name in the
  table goes before a pattern."
  [table name]
  (let [places (for [[level row] (map-indexed vector table)
                     [column pattern] (map-indexed vector row)
                     :when (matches? pattern name)]
                 [(some? (stem pattern)) [level column]])]
    (second (first (sort places)))))

(defn- may-require?
  "True when what stands at the place `from` may require what stands at `to`."
  [table from to]
  (or (neg? (compare to from))
      (and (= from to) (str/ends-with? (str (get-in table from)) ".**"))))

(defn violations
  "What is wrong in `graph`, {ns {:requires #{ns}}}, by `table`: a sentence for each namespace of
  the graph without a place, and for each require between two of them that does not lead down."
  ([graph] (violations levels graph))
  ([table graph]
   (concat
    (for [name (sort (keys graph)) :when (not (place-of table name))]
      (str name " has no level; give it one in damo.dev.levels"))
    (for [[name {:keys [requires]}] (sort-by key graph)
          lib (sort (filter graph requires))
          :let [from (place-of table name), to (place-of table lib)]
          :when (and from to (not (may-require? table from to)))]
      (str name " requires " lib ", which is not below it")))))
