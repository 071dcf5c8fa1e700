(ns damo.face.function.copy
  "Compiled functions made of others: with some of the outputs, or on other state. They are compiled
  from the expressions that the first was made of. (outputs-subset f [:loss] [x y]) = {:loss …}"
  (:require [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.sparse :as sparse]
            [damo.face.function :as function]
            [damo.face.function.ports :as ports]
            [damo.face.substitute :as substitute])
  (:import [damo.runtime State]))

(set! *warn-on-reflection* true)

(defn- request
  "What was asked for when f was made: {:inputs :exprs :form :updates :opts}."
  [f]
  (or (:request (function/info f))
      (fail! :damo.function.copy/no-expressions
             "a function that was loaded from a file has no expressions to be compiled anew"
             {:given f})))

;; ## Some of the outputs

(defn- outputs-of
  "The outputs as they were asked for, under keys or positions."
  [{:keys [form exprs]}]
  (if (= form :one) exprs (function/as-asked form exprs)))

(defn- places
  "The keys of outputs that are a map, else the positions."
  [outputs]
  (if (map? outputs) (keys outputs) (range (count outputs))))

(defn- check-keys! [known ks]
  (when-not (sequential? ks)
    (fail! :damo.function.copy/no-such-output
           (str "the outputs are chosen by a vector of keys or positions; got "
            (pr-str ks))
           {:given ks}))
  (doseq [k ks]
    (fail/check-name! {:kind :damo.function.copy/no-such-output, :what "output", :key :output}
                      known k)))

(defn- subset [{:keys [inputs updates opts] :as asked} ks]
  (let [outputs (outputs-of asked), chosen (map #(get outputs %) ks)]
    (function/function inputs
                       (if (map? outputs) (zipmap ks chosen) (vec chosen))
                       (assoc opts :updates updates, :on-unused-input :ignore))))

(defn outputs-subset
  "The outputs `ks` of f for these arguments, and only they are computed: keys of outputs that are a
  map, which give a map, else positions, which give a vector. Updates are made as in any call. The
  first call with some ks compiles; that function is kept with f."
  [f ks & args]
  (let [{:keys [subsets] :as asked} (request f)]
    (check-keys! (places (outputs-of asked)) ks)
    (apply @(get (swap! subsets update ks #(or % (delay (subset asked ks)))) ks) args)))

;; ## Other state

(def ^:private copy-options
  {:share? {:default true, :is :flag}, :swap {:default nil, :is :map}, :name {:default nil}})

(defn- check-swap!
  "Fails unless a variable of f, among `shared`, is swapped for another shared variable."
  [shared [from to]]
  (doseq [e [from to]]
    (when-not (and (expr/expr? e) (expr/state-of e))
      (fail! :damo.function/not-shared (str "only shared variables are swapped; got "
                                            (expr/describe e))
             (assoc (expr/facts e) :given e))))
  (when-not (some #(identical? from %) shared)
    (fail! :damo.function.copy/not-in-function (str "the function does not use the shared variable "
                                                (expr/describe from))
           (expr/facts from))))

(defn- own-copy
  "A shared variable like e, with the value that e has now and state of its own."
  [e]
  (let [{:keys [name] :as attrs} (expr/attrs-of e), ^State state (expr/state-of e)]
    (expr/->Expr :shared attrs [] (expr/type-of e) (expr/src-of e)
                 (State/of (str name) (.value state) (.free state)))))

(defn- by-parts
  "The swaps, those of sparse matrices as swaps of their parts."
  [swap]
  (into {} (mapcat (fn [[from to :as pair]]
                     (if (and (sparse/symbolic? from) (sparse/symbolic? to)
                              (= (:format from) (:format to)))
                       (map (fn [k] [(get from k) (get to k)]) [:data :indices :starts])
                       [pair])))
        swap))

(defn copy-function
  "A function that computes what f does. Options: :swap {shared other} takes another shared variable
  of the same type in the place of one, in outputs and updates; :share? false gives the copy state
  of its own for the others, with the values of now; :name."
  [f & options]
  (let [{:keys [swap share? name]} (attribute/options copy-options [] options)
        {:keys [inputs exprs form updates opts]} (request f)
        shared (vals (:shared (function/info f))), swap (by-parts swap)
        _ (run! #(check-swap! shared %) swap)
        own (if share? {} (into {} (map (juxt identity own-copy)) (remove (or swap {}) shared)))
        other (merge own swap)
        {moved :exprs, :keys [dims]} (substitute/in-place-of
                                      (into (vec exprs) (map second) updates) other)
        inputs (ports/joined (ports/of inputs)
                             (map #(substitute/input-of dims %) (ports/flat inputs)))
        [exprs changed] (split-at (count exprs) moved)]
    (function/function inputs (function/as-asked form exprs)
                       (assoc (cond-> opts name (assoc :name name))
                              :on-unused-input :ignore
                              :updates (mapv (fn [[s] e] [(get other s s) e])
                                             updates changed)))))
