(ns damo.tool.catalogue
  "The page on all ops, docs/ops.md, made of the registry: families, forms, dtypes, error bounds,
  derivatives, examples, and a table that shows what an op lacks. (text) is the page, (holes) what
  is missing, as sentences."
  (:require [clojure.string :as str]
            [damo.data.kinds :as kinds]
            [damo.op :as op]
            [damo.op.accuracy :as accuracy]
            [damo.op.entry :as entry]
            [damo.op.gens :as gens]
            [damo.op.home :as home]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(defn- entries
  "The entries of Damo's own ops, leaves left out, by name."
  []
  (sort-by :name (filter #(and (entry/built-in? %) (not (#{:leaf :part} (:kind %))))
                         (vals @op/registry))))

;; ## What an entry says

(defn- spelled [x]
  (binding [*print-length* nil, *print-level* nil, *print-namespace-maps* false] (pr-str x)))

(defn- attribute-text [[k {:keys [default] :as schema}]]
  (if (contains? schema :default) (str k " " (spelled default)) (str k " …")))

(defn- form-text
  "A call of the op as it is written, (d/sum x :axis nil :keepdims false); of one that users do not
  call, its node as templates have it, [:gemm c alpha x y]."
  [{:keys [args attrs call-attrs internal] op :name :as entry}]
  (let [arguments (if (= args :variadic) ["x" "y" "…"] (map #(subs (str %) 1) args))
        named (map attribute-text (sort-by key (merge attrs call-attrs)))]
    (if internal
      (str "[" (str/join " " (concat [op] (when (seq named) [(str "{" (str/join ", " named) "}")])
                                     arguments))
           "]")
      (str "(" (str/join " " (concat [(home/called entry)] arguments named)) ")"))))

(defn- instead-text
  "Who makes the nodes of an op that is no function of the face."
  [{:keys [internal]}]
  (if (string? internal)
    (str "Made by another function: " internal ".")
    "Made by rules, passes and derivatives; no function of `d`."))

(defn- dtypes-of
  "The dtypes that generated calls of the op take."
  [{op :name}]
  (filter (fn [dtype] (some #(gens/case op dtype 3 %) (range 4)))
          [:f64 :f32 :f16 :bf16 :i64 :i32 :i16 :i8 :u8 :bool]))

(defn- reason-text [reason]
  (cond (string? reason) reason
        (:undefined reason) (str "undefined: " (:undefined reason))
        :else (str/join "; " (for [[i r] (sort-by key reason)]
                               (str "argument " i ": " (if (map? r)
                                                         (str (name (ffirst r)) ": "
                                                              (second (first r)))
                                                         r))))))

(defn- derivative-form
  "Which form of derivative an entry declares: a keyword, or nil."
  [{:keys [partials transpose lop expand no-gradient kind]}]
  (cond (= kind :tuple) :results
        (#{:loop :branch} kind) :graphs
        partials :partials
        transpose :transpose
        lop :lop
        (and no-gradient (or (string? no-gradient) (:undefined no-gradient))) :none
        expand :expansion))

(defn- derivative-text [{:keys [no-gradient linear-in] :as entry}]
  (let [template (fn [k] (when-not (fn? (k entry)) (str ": `" (spelled (k entry)) "`")))
        text (case (derivative-form entry)
               :partials (str "partial derivatives" (template :partials))
               :transpose (str "linear in " (if (= linear-in :all)
                                              "all arguments together"
                                              (str "argument " (str/join " and " (sort linear-in))))
                               "; transpose" (template :transpose))
               :lop (str "reverse mode" (template :lop) "; forward mode" (template :rop))
               :results "that of each result"
               :expansion "that of what it stands for"
               :graphs "that of its graphs, in both modes"
               :none nil)]
    (str/join "; " (cond-> (if text [text] [])
                     no-gradient (conj (str "none, " (reason-text no-gradient)))))))

(defn- example-text [[form value]]
  (str "`" (spelled form) "` ⇒ `" (spelled value) "`"))

(defn- lines-of
  "The lines of the page on one op."
  [{:keys [doc attrs call-attrs examples internal] op :name :as entry}]
  (concat
   [(str "### " (name op)) "" (str "`" (form-text entry) "`") ""
    (str/replace doc #"\s+" " ") ""]
   (when internal [(str "- " (instead-text entry))])
   (for [[k {:keys [doc] :as schema}] (sort-by key (merge attrs call-attrs))]
     (str "- `" k "`, " (:says (kinds/kind schema)) ": " doc))
   [(str "- Dtypes: " (str/join " " (map #(str "`" % "`") (dtypes-of entry))))]
   (when-let [bound (accuracy/of-value entry)] [(str "- Error: at most " bound)])
   [(str "- Derivative: " (derivative-text entry))]
   (when-let [bound (accuracy/of-derivative entry)] [(str "- Error of the derivative: " bound)])
   [(str "- Examples: " (str/join ", " (map example-text examples)))
    ""]))

;; ## The table

(defn- compiled-as
  "What computes the op in a compiled function, or nil."
  [{:keys [kind scalar expand] op :name}]
  (cond (= kind :composite) "ops"
        (= kind :host) "on the JVM"
        (op/on-host? op) nil                    ; slow, and nobody meant it
        scalar "scalar code"
        (= kind :contract) "library, loops"
        expand "ops, loops"
        :else "loops"))

(defn- batched-as [{:keys [kind batch expand]}]
  (cond batch "stated"
        (or expand (#{:elementwise :reduce :gather :concat :contract} kind)) "by its kind"
        :else "by element"))

(defn- row-of
  "[column text-or-nil] pairs of one op; nil is a hole."
  [{:keys [gen examples kind] :as entry}]
  (let [form (some-> (derivative-form entry) name)]
    [["meaning" (cond (:eval entry) "eval" (:expand entry) "ops" (:run entry) "graphs")]
     ["compiled" (compiled-as entry)]
     ["reverse" (if (= form "none") "–" form)]
     ["forward" (cond (= form "none") "–" (and (:lop entry) (nil? (:rop entry))) nil
                      (:lop entry) "rop" :else form)]
     ["batches" (batched-as entry)]
     ["examples" (when (seq examples) (count examples))]
     ["generator" (cond (fn? gen) "own" (= kind :elementwise) "by its kind")]]))

(defn holes
  "What ops lack: a sentence for each."
  []
  (for [entry (entries), [column text] (row-of entry) :when (nil? text)]
    (str "the op " (:name entry) " has nothing for " column)))

(defn- table []
  (let [columns (map first (row-of (first (entries))))
        line (fn [cells] (str "| " (str/join " | " cells) " |"))]
    (concat [(line (cons "op" columns)) (line (repeat (inc (count columns)) "---"))]
            (for [entry (entries)]
              (line (cons (name (:name entry)) (map #(or (second %) "**missing**")
                                                    (row-of entry))))))))

;; ## The page

(defn- first-sentence [text]
  (second (re-find #"(?s)^(.*?[.:])(\s|$)" (str/replace text #"\s+" " "))))

(defn- families
  "[name sentence entries] of each family of ops."
  []
  (for [[space entries] (sort-by key (group-by :ns (entries)))]
    [(peek (str/split (str space) #"\."))
     (some-> (find-ns space) meta :doc first-sentence)
     entries]))

(def ^:private introduction
  ["<!-- generated by damo.tool.catalogue: bin/damo script dev/ops_page.clj -->"
   "# The ops" ""
   (str "Every op of the registry, by family; `d` is `damo.core`"
        (str/join (for [{:keys [ns alias]} home/homes] (str ", `" alias "` is `" ns "`")))
        ". Attributes stand with their defaults,")
   "those with `…` must be given. Errors are in units in the last place; derivatives are templates"
   "over the arguments, `?out` (the result) and `?g` (the gradient of it), see ops-guide.md." ""])

(defn text
  "The page as text."
  []
  (str/join
   "\n"
   (concat introduction
           (mapcat (fn [[family sentence entries]]
                     (concat [(str "## " family) "" (or sentence "") ""]
                             (mapcat lines-of entries)))
                   (families))
           ["## What each op has" "" (str "No cell is empty; `–` says that there is no derivative,"
                                          " for the reason given above.")
            ""]
           (table) [""])))
