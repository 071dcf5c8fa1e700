(ns damo.tool.describe
  "What is known of an op, as text for people: (describe :log1p)."
  (:require [clojure.string :as str]
            [damo.data.fail :as fail]
            [damo.data.kinds :as kinds]
            [damo.op :as op]
            [damo.op.accuracy :as accuracy]))

(set! *warn-on-reflection* true)

(defn- runs-as
  "What computes the op in a compiled function."
  [{:keys [kind native kernel] op :name}]
  (cond (= kind :leaf) nil
        native (str "the C function " (or (:symbol native) "at an address of the application"))
        (not (op/on-host? op)) "machine code"
        kernel "a kernel of the application"
        :else "its meaning, evaluated on the JVM: slow; :scalar, :kernel or :native make it fast"))

(defn function-text
  "What is known of a function: how it is called, and its docstring."
  [function-name arglists doc macro]
  (str/join "\n" (concat (for [arglist arglists]
                           (str "(" (str/join " " (cons function-name arglist)) ")"
                                (when macro " (a macro)")))
                         [(str "  " doc)])))

(defn describe
  "Prints all that is known of an op: (describe :log1p). Fails with the nearest of the ops and the
  names `others` when there is none."
  [op others]
  (fail/check-name! {:kind :damo.op/unknown-op, :what "op or function", :key :op}
                    (concat (keys @op/registry) others) op)
  (let [{:keys [doc args attrs call-attrs kind examples] :as entry} (op/entry op)]
    (println (str (name op) " " (if (= args :variadic) "[x …]" (str/join " " args)) " ("
              (name kind) ")"))
    (println (str "  " doc))
    (some->> (runs-as entry) (str "  runs as ") println)
    (doseq [[k {:keys [doc default] :as schema}] (merge attrs call-attrs)]
      (println (str "  " k ", " (:says (kinds/kind schema)) ": " doc
                    (when (contains? schema :default) (str " (default " (pr-str default) ")")))))
    (doseq [k [:partials :linear-in :lop :rop :no-gradient] :let [form (get entry k)] :when
            (some? form)]
      (println (str "  " k " " (if (fn? form) "computed from the node" (pr-str form)))))
    (some->> (accuracy/of-value entry) (str "  error at most ") println)
    (some->> (accuracy/of-derivative entry) (str "  error of the derivative: ") println)
    (doseq [[form result] examples]
      (println (str "  " (pr-str form) " => " (pr-str result))))))
