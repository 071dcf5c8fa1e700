(ns damo.face.calls
  "Calls of the functions of expressions that users give, such as the body of a loop: what such a
  function is called, and what is said of one that takes other arguments.
  (of {:kind :damo.scan/wrong-arity, :what \"the body\"} f [x]) = (f x)."
  (:require [clojure.string :as str]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]])
  (:import [clojure.lang ArityException Compiler]))

(set! *warn-on-reflection* true)

(defn name-of
  "The name of a function, nil of one without."
  [f]
  (let [own (last (str/split (clojure.main/demunge (.getName (class f))) #"/"))]
    (when-not (re-find #"^(fn|eval)--?\d*|^fn$" own) (str/replace own #"--\d+$" ""))))

(defn place
  "What a failure says of an expression that a user's function gave, where it is known where it was
  written; nil else, and the failure is about the call."
  [e]
  (when (and (expr/expr? e) (:file (expr/src-of e))) (expr/facts e)))

(defn place-text
  "The same as the lines of a message."
  [e]
  (fail/facts-text (place e)))

(defn of
  "What f gives for these arguments; fails with `kind` when it takes another number of them. `what`
  says what f is, `takes` what it has to take."
  [{:keys [kind what takes]} f args]
  (try (apply f args)
       (catch ArityException e
         (if (and (= (.actual e) (count args))
                  (#{(.getName (class f)) (Compiler/demunge (.getName (class f)))} (.name e)))
           (fail! kind
                  (str what " does not take " (count args) " argument"
                       (when-not (= 1 (count args)) "s") (when takes (str "; it is " takes)))
                  {:given (count args)} e)
           (throw e)))))
