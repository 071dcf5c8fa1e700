(ns damo.data.graph-test
  "Tests of the flat table: interning, walking, checking, files."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [damo.data.fail :as fail]
            [damo.data.graph :as graph])
  (:import [java.io File]))

(set! *warn-on-reflection* true)

(defmacro ^:private error [& body]
  `(try ~@body nil
        (catch clojure.lang.ExceptionInfo e# [(:damo/error (ex-data e#)) (fail/what e#)])))

(def ^:private tower
  {:nodes '[[:input {:name x, :type [:f32 []]}] [:add {} 0 0] [:exp {} 0] [:add {} 1 1]]
   :types [[:f32 []] [:f32 []] [:f32 []] [:f32 []]], :outputs [3], :notes {}})

(deftest equal-nodes-get-equal-ids
  (let [b (graph/builder)
        x (graph/add-node! b '[:input {:name x}] [:f32 []] {:src {:line 1}})
        y (graph/add-node! b [:exp {} x] [:f32 []] nil)
        z (graph/add-node! b [:exp {} x] [:f32 []] {:src {:line 9}})]
    (is (= [0 1 1] [x y z]))
    (is (= 2 (graph/node-count b)))
    (testing "notes are no part of identity; the first stays"
      (is (= {0 {:src {:line 1}}} (:notes (graph/finish b [y])))))
    (graph/add-note! b 0 {:src {:line 5}, :name 'x})
    (is (= {:src {:line 1}, :name 'x} (graph/note b 0)))))

(deftest a-graph-joins-a-builder
  (let [b (graph/builder)]
    (graph/add-node! b [:zeros {}] [:f32 []] nil)
    (is (= [1 2 3 4] (graph/load-graph! b tower)))
    (is (= [:add {} 2 2] (graph/node b 4)))
    (is (= [1 2 3 4] (graph/load-graph! b tower)))))

(deftest live-nodes
  (is (= [0 1 3] (graph/live tower)))
  (is (= [0 2] (graph/live tower [2])))
  (is (= '[[:input {:name x, :type [:f32 []]}] [:add {} 0 0] [:add {} 1 1]]
         (:nodes (graph/prune tower))))
  (is (= [2] (:outputs (graph/prune tower))))
  (is (= {0 [1 1], 1 [3 3]} (graph/users tower))))

(deftest long-chains-need-no-stack
  (let [n 100000
        chain {:nodes (into '[[:input {:name x}]] (map (fn [i] [:exp {} i])) (range n))
               :outputs [n], :notes {}}]
    (is (= (inc n) (count (graph/live chain)) (count (:nodes (graph/prune chain)))))
    (is (= chain (graph/check chain)))))

(deftest malformed-graphs-are-refused
  (are [nodes outputs kind text] (let [[k message] (error (graph/check {:nodes nodes
                                                                        :outputs outputs}))]
                                   (and (= k kind) (str/includes? message text)))
    [[:exp {} 0]] [0] :damo.graph/bad-node "node 0 refers forward to 0 (to itself, or in a cycle)"
    [[:exp {} 1] [:exp {} 0]] [1] :damo.graph/bad-node "refers forward to 1"
    [[:exp {} -1]] [0] :damo.graph/bad-node "has the argument -1, which is no id to its left"
    [[:exp]] [0] :damo.graph/bad-node "is not a vector [op attrs & argument-ids]"
    [["exp" {}]] [0] :damo.graph/bad-node "has no op keyword in front"
    [[:exp 3]] [0] :damo.graph/bad-node "has no attribute map in second place"
    [[:exp {}]] [1] :damo.graph/bad-output "the output 1 is no node: there are 1"
    nil [0] :damo.graph/bad-graph "a graph is a map with the vectors :nodes and :outputs")
  (is (= [:damo.graph/bad-graph (str "the :types of a graph are a vector with one for each node;"
                                 " there are 1 nodes")]
         (error (graph/check {:nodes [[:a {}]], :types [], :outputs []}))))
  (testing "the neighbours of the bad node are shown"
    (is (= [[0 [:a {}]] [1 [:b {} 2]] [2 [:c {}]] [3 [:d {}]]]
           (try (graph/check {:nodes [[:a {}] [:b {} 2] [:c {}] [:d {}] [:e {}]], :outputs []})
                (catch clojure.lang.ExceptionInfo e (:window (ex-data e))))))))

;; ## Files

(defn- temp-file ^File []
  (doto (File/createTempFile "graph" ".edn") (.deleteOnExit)))

(deftest graphs-survive-a-file
  (let [file (temp-file)
        odd (assoc-in tower [:nodes 2] [:const {:type [:f64 [3]], :value [##NaN ##Inf -0.0]}])]
    (is (= tower (graph/read-graph (graph/write-graph file tower))))
    (graph/write-graph file odd)
    (is (= (pr-str (:nodes odd)) (pr-str (:nodes (graph/read-graph file)))))
    (testing "whatever the printing is set to"
      (binding [*print-length* 2, *print-level* 2] (graph/write-graph file tower))
      (is (= tower (graph/read-graph file))))))

(deftest a-graph-written-before-types-were-a-column-is-read
  (let [file (temp-file), old (dissoc tower :types)]
    (spit file (pr-str (assoc old :notes (into {} (for [id (range 4)] [id {:type [:f32 []]}])))))
    (is (= tower (graph/read-graph file)))
    (spit file (pr-str (assoc old :notes {0 {:type [:f32 []], :src {:line 3}}, 2 {:name 'y}})))
    (is (= (assoc tower :types [[:f32 []] nil nil nil], :notes {0 {:src {:line 3}}, 2 {:name 'y}})
           (graph/read-graph file)) "a type that is not noted is derived by check-types")))

(deftest files-that-are-no-graph
  (let [file (temp-file)]
    (are [text kind] (do (spit file text) (= kind (first (error (graph/read-graph file)))))
      "{:nodes [" :damo.graph/not-edn
      "" :damo.graph/not-edn
      "{} {}" :damo.graph/not-edn
      "#=(System/exit 1)" :damo.graph/not-edn
      "{:nodes [[:exp {} 0]] :outputs [0]}" :damo.graph/bad-node)))

(deftest a-failed-write-leaves-the-old-file
  (let [file (temp-file)]
    (graph/write-graph file tower)
    (is (= :damo.graph/bad-node (first (error (graph/write-graph file {:nodes [[:exp {} 0]]
                                                                       :outputs [0]})))))
    (is (= tower (graph/read-graph file)))
    (is (= [] (filter #(str/starts-with? % ".damo")
                      (.list (io/file (.getParent file))))))))
