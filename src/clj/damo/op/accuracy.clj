(ns damo.op.accuracy
  "What the entry of an op states of errors, and as text for people: of its value and of its
  derivatives. (of-value (op/entry :exp)) is \"2 ulp in `:f32`, 2 in `:f64`\"."
  (:require [clojure.string :as str]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(def ^:private usual-slope-bound {:f32 4, :f64 4})

(defn slope-bound
  "What is stated of the error of the compiled derivative of an op with these attributes by its
  argument i: {:f32 :f64}, in units in the last place of the derivative, or of the value of the
  template :of when that is larger; or :least of the smallest positive float; nothing where the
  template :except holds. Made of the entry's :slope-ulp and what that has for the argument in
  :by."
  [op attrs i]
  (let [given (:slope-ulp (op/entry op))
        {:keys [by] :as stated} (if (fn? given) (given attrs) given)]
    (merge usual-slope-bound (dissoc stated :by) (get by i))))

;; ## As text

(defn- spelled [x]
  (binding [*print-length* nil, *print-level* nil, *print-namespace-maps* false] (pr-str x)))

(defn- text-of [{:keys [f32 f64 of least except]}]
  (str f32 " ulp in `:f32`, " f64 " in `:f64`"
       (when of (str ", of the larger of the result and `" (spelled of) "`"))
       (when least (str ", or " least " of the smallest float"))
       (when except (str ", except where `" (spelled except) "`"))))

(defn of-value
  "The error bound of an elementwise op with float results, or nil."
  [{:keys [kind ulp type] :as entry}]
  (when (and (= kind :elementwise) (#{:float :same} type) (contains? entry :scalar))
    (text-of (merge {:f32 2, :f64 2} ulp))))

(defn- stepwise?
  "Is the derivative 0 wherever there is one?"
  [{:keys [partials]}]
  (and (vector? partials) (every? #(= 0 %) partials)))

(defn- example-attrs
  "Attributes of the op: those by default, 1 for others."
  [entry]
  (update-vals (:attrs entry) #(get % :default 1)))

(defn of-derivative
  "What is stated of the errors of the derivatives of an op, for its usual attributes, or nil."
  [{:keys [kind args slope-ulp] op :name :as entry}]
  (cond (string? slope-ulp) slope-ulp
        (or slope-ulp (and (= kind :elementwise) (of-value entry) (not (stepwise? entry))))
        (let [attrs (example-attrs entry)
              bounds (group-by #(slope-bound op attrs %) (range (count args)))]
          (str/join "; " (for [[bound positions] bounds]
                           (str (when (next bounds)
                                  (str "by " (str/join ", " (map args positions)) " "))
                                (text-of bound)))))))
