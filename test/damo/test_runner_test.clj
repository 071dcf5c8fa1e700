(ns damo.test-runner-test
  "The runner is run on namespaces made here, whose results are known."
  (:require [clojure.string :as str]
            [clojure.test :as test :refer [deftest is testing]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [damo.test-runner :as runner]
            [damo.test-watch :as watch])
  (:import [java.nio.file Files]
           [java.nio.file.attribute FileAttribute]))

(set! *warn-on-reflection* true)

(defn- with-namespace
  "Calls f with the name of a new namespace in which `forms` were evaluated, and removes it."
  [forms f]
  (let [name (gensym "damo.runner-made-")]
    (try
      (binding [*ns* (create-ns name)]
        (refer-clojure)
        (require '[clojure.test :refer [deftest is use-fixtures]]
                 '[clojure.test.check.clojure-test :refer [defspec]]
                 '[clojure.test.check.generators :as gen]
                 '[clojure.test.check.properties :as prop])
        (run! eval forms)
        ;; So that the runner's require finds it loaded.
        (dosync (commute @#'clojure.core/*loaded-libs* conj name)))
      (f name)
      (finally (remove-ns name)
               (dosync (commute @#'clojure.core/*loaded-libs* disj name))))))

(defn- run
  "What the runner returns for a namespace of these forms, and all that it prints, as [result
  text]."
  [& forms]
  (with-namespace forms
    (fn [name]
      (let [result (volatile! nil)
            text (with-out-str (vreset! result (runner/totals (runner/run [name] 7))))]
        [@result text]))))

(deftest counts-tests-not-assertions
  (is (= {:passed 2 :failed 0}
         (first (run '(deftest a (is true) (is true)) '(deftest b (is true)))))))

(deftest a-test-fails-once
  (is (= {:passed 1 :failed 2}
         (first (run '(deftest a (is true))
                     '(deftest b (is (= 1 2)) (is (= 1 3)))
                     '(deftest c (is true) (throw (Exception. "thrown"))))))))

(deftest a-failure-is-told
  (let [[_ text] (run '(deftest b (is (= 1 2) "one is two")))]
    (is (str/includes? text "FAIL in (b)"))
    (is (str/includes? text "one is two"))))

(deftest a-namespace-that-cannot-be-loaded-fails
  (let [text (with-out-str
               (is (= {:passed 0 :failed 1}
                      (runner/totals (runner/run '[damo.there-is-none] 7)))))]
    (is (str/includes? text "damo.there-is-none: its tests did not run"))))

(deftest a-broken-fixture-fails
  (is (= 1 (:failed (first (run '(use-fixtures :once (fn [f] (throw (Exception. "fixture"))))
                                '(deftest a (is true))))))))

(deftest nothing-run-is-nothing-passed
  (is (= {:passed 0 :failed 0} (first (run '(defn not-a-test [] 1))))))

(deftest properties-start-from-the-seed
  (let [forms '[(def seen (atom []))
                (defspec p 5 (prop/for-all [x gen/large-integer] (swap! seen conj x) true))]
        numbers #(with-namespace forms
                   (fn [name]
                     (with-out-str (runner/run [name] %))
                     @@(ns-resolve name 'seen)))]
    (is (= (numbers 1) (numbers 1)))
    (is (not= (numbers 1) (numbers 2)))))

(defspec the-seed-is-in-force 1
  (prop/for-all [_ gen/nat]
    (some? (:seed clojure.test.check.clojure-test/*default-opts*))))

;; ## Namespaces that end their JVM

(def ^:private sources
  "Test namespaces by the name of their file: one that ends its JVM, one that never comes back, and
  one that is right."
  {"ends_test.clj" '[(ns ends-test (:require [clojure.test :refer [deftest is]]))
                     (deftest a (is true))
                     (deftest b (.halt (Runtime/getRuntime) 134))]
   "hangs_test.clj" '[(ns hangs-test (:require [clojure.test :refer [deftest]]))
                      (deftest c @(promise))]
   "right_test.clj" '[(ns right-test (:require [clojure.test :refer [deftest is]]))
                      (deftest d (is true))]})

(defn- source-folder []
  (let [folder (str (Files/createTempDirectory "damo-watch" (make-array FileAttribute 0)))]
    (doseq [[file forms] sources]
      (spit (str folder "/" file) (str/join "\n" (map pr-str forms))))
    folder))

(defn- with-folder
  "The command with a folder in front of its class path."
  [folder command]
  (let [[before [cp path & more]] (split-with #(not= "-cp" %) command)]
    (concat before [cp (str folder ":" path)] more)))

(deftest a-namespace-that-ends-its-jvm-or-hangs-costs-its-own-results
  (let [folder (source-folder), results (volatile! nil)
        command (fn [journal]
                  (with-folder folder (watch/same-jvm "-m" "damo.test-runner" "--journal" journal
                                                      "7")))
        text (with-out-str
               (vreset! results
                        (watch/run '[ends-test hangs-test right-test] command 8000 2)))]
    (is (= '[[ends-test 0 1] [hangs-test 0 1] [right-test 1 0]]
           (map (juxt :name :passed :failed) @results)))
    (is (str/includes? text "ends-test: its JVM ended with exit status 134 while ends-test/b ran"))
    (is (str/includes? text "hangs-test: it hung, and its JVM was ended while hangs-test/c ran"))))
