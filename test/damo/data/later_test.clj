(ns damo.data.later-test
  "What is loaded at once and what later: who requires the face does not wait for rules,
  derivatives, code generators and laws, half of all sources."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.data.later :as later]
            [damo.dev.source :as source]))

(set! *warn-on-reflection* true)

(def ^:private all
  (source/namespaces [(io/file (System/getProperty "damo.root" ".") "src/clj")]))

(defn- lines [name]
  (count (str/split-lines (slurp (:file (all name))))))

(defn- reached
  "The namespaces that requiring one loads, itself included."
  [name]
  (loop [found #{}, more [name]]
    (if-let [[n & others] (seq more)]
      (recur (conj found n) (concat others (remove found (filter all (:requires (all n))))))
      found)))

(deftest the-face-is-half-of-the-sources
  (let [loaded (reached 'damo.core), part (fn [names] (reduce + (map lines names)))]
    (testing "no folder of the compiler but what expressions and calls need"
      (is (= '#{damo.compile.host damo.compile.plan.note damo.compile.sizes damo.compile.told
                damo.rule.trace}
             (set (filter #(re-find #"^damo\.(rule|rules|diff|compile|laws)\b" (str %)) loaded)))))
    (is (< (part loaded) (* 0.65 (part (keys all)))))
    (testing "and no library of macros that expand for seconds"
      (is (empty? (mapcat #(filter (comp #{"clojure.core.match" "clojure.core.async"} str)
                                   (:requires (all %)))
                          (keys all)))))))

(deftest what-is-loaded-later-exists
  (let [names (for [[_ {:keys [file]}] all
                    [_ name] (re-seq #"later/of '([^\s)]+)" (slurp file))]
                (symbol name))]
    (is (< 8 (count names)))
    (doseq [name names]
      (is (fn? @(requiring-resolve name)) (str name)))))

(deftest what-is-bound-where-it-is-loaded-does-not-matter
  (is (= [false nil] (binding [*unchecked-math* true, *print-length* 1]
                       ((later/of 'damo.data.later-sample/bound))))))

(deftest functions-of-later
  (let [f (later/of 'clojure.string/upper-case)]
    (is (= ["A" "B"] [(f "a") (f "b")]))
    (is (thrown? java.io.FileNotFoundException ((later/of 'damo.no-such-namespace/f))))))
