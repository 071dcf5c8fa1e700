(ns damo.rule.shape
  "What patterns look like when ops, numbers and names are left out, and the functions of one
  core.match row each that recognise such shapes. core.match takes long to expand and its code long
  to compile; rules are many, shapes few, and a shape is expanded once.
  (of '[:log {} [:add {} 1 ?x]]) = {:shape [[# _]], :ops [:log :add], :numbers [1.0], :names [?x]
  :attrs []}.")

(set! *warn-on-reflection* true)

(defn name? "Is x a name of patterns and templates, a symbol that begins with ?" [x]
  (and (symbol? x) (= \? (first (name x)))))

(declare of)

(defn- argument [x]
  (cond (name? x) {:shape '_, :names [x]}
        (vector? x) (of x)
        :else {:shape '$, :numbers [(if (number? x) (double x) x)]}))

(defn of
  "A pattern [op attrs & patterns] taken apart: its :shape, a vector with _ for each argument that
  is a name, $ for a constant and a shape for a node; and what the shape leaves out, in preorder:
  the :ops and :attrs of the nodes, the :numbers of constants, the :names of arguments."
  [[op attrs & args]]
  (let [parts (map argument args)]
    {:shape (mapv :shape parts)
     :ops (into [op] (mapcat :ops) parts)
     :attrs (into [attrs] (mapcat :attrs) parts)
     :numbers (into [] (mapcat :numbers) parts)
     :names (into [] (mapcat :names) parts)}))

;; ## The code that recognises a shape

(defn- row
  "The core.match pattern of a node of that shape. (next! prefix) gives its symbols: op0 op1 … for
  what ops are to be, number0 … likewise, node0 … and arg0 … for what is found."
  [next! shape]
  (let [op (next! "op"), node (next! "node")
        argument (fn [x] (case x _ (next! "arg"), $ {:number (next! "number")} (row next! x)))]
    (list (into {:op op, :n (count shape)}
                (map-indexed (fn [i x] [(keyword (str i)) (argument x)])) shape)
          :as node)))

(defn- one-row
  "The code of a core.match with one row, in which the symbols `known` have values, without its
  backtracking, which one row does not need. The library is loaded here, when rules are compiled, so
  that programs start without it."
  [v known pattern action]
  (let [clj-form (requiring-resolve 'clojure.core.match/clj-form)
        no-backtrack (requiring-resolve 'clojure.core.match/*no-backtrack*)
        locals (requiring-resolve 'clojure.core.match/*locals*)]
    (with-bindings {no-backtrack true, locals (zipmap known known)}
      (clj-form [v] [[pattern] action :else nil]))))

(defn code
  "The code of the function of a shape: from the ops and the numbers of a pattern to a function of a
  node, as damo.rule/view has it, that gives [nodes arguments], in preorder, or nil."
  [shape]
  (let [counts (atom {"op" 0, "number" 0, "node" 0, "arg" 0})
        next! (fn [prefix]
                (symbol (str prefix (dec (get (swap! counts update prefix inc) prefix)))))
        pattern (row next! shape)
        [ops numbers nodes args] (for [prefix ["op" "number" "node" "arg"]]
                                   (mapv #(symbol (str prefix %)) (range (@counts prefix))))]
    `(fn* ([~'ops ~'numbers]
           (let* [~@(mapcat (fn [i s] [s `(nth ~'ops ~i)]) (range) ops)
                  ~@(mapcat (fn [i s] [s `(nth ~'numbers ~i)]) (range) numbers)]
             (fn* ([~'root]
                   ~(one-row 'root (into ops numbers) pattern [nodes args]))))))))

;; ## Shapes of many rules

(def common
  "Shapes that rules of several sets have; a set expands the others of its own rules."
  '#{[_] [[_]] [[[_]]] [[[_] _]] [[_ _]] [[$ _]] [[_ _ _]]
     [_ _] [_ $] [$ _] [[] []] [_ [_]] [$ [_]] [[_] _] [[_] $] [[_] [_]] [[_] [_ _]]
     [[_ _] _] [_ [_ _]] [[_ _] [_ _]] [_ [_ [_ _]]] [_ [[_ _] _]] [[_ _ _] _] [_ [_ _ _]]
     [[_ $ _] _] [[_ _ $] _]
     [_ _ _] [$ _ _] [_ [_ _ _] _] [_ _ [_ _ _]]})

(defmacro ^:private expanded []
  (into {} (map (fn [shape] [`(quote ~shape) (code shape)])) common))

(def by-shape
  "The functions of the common shapes, as `code` has them."
  (expanded))
