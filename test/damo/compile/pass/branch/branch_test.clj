(ns damo.compile.pass.branch.branch-test
  "Passes of branches: what is known, what is not read, what one case alone needs. The nodes around
  and in the cases are counted, what they give is compared."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.compile.pass.branch.sink :as sink]
            [damo.compile.pass.branch.tidy :as tidy]
            [damo.compile.pass.loop.sample :as s]
            [damo.compile.pass.unite :as unite]
            [damo.data.graph :as graph]))

(set! *warn-on-reflection* true)

(def ^:private t [:f64 '[n]])

(def ^:private inputs {'x t, 'y t, 'c [:f64 []], 'd [:f64 []]})

(defn- env [c] {'n 3, 'x [[3] [1 2 3]], 'y [[3] [4 5 6]], 'c [[] [c]], 'd [[] [1]]})

(defn- same-values? [a b] (every? #(= (s/values a (env %)) (s/values b (env %))) [-1 1]))

(defn- ops
  "The ops of the live nodes of a graph, besides leaves, parts and what decides."
  [g]
  (into #{} (comp (map #(graph/op-at g %)) (remove #{:input :part :param :const :gt}))
        (graph/live g)))

(defn- cases [g] (mapv ops (:cases (first (s/at-op g :branch)))))

(defn- branch [test args & cases]
  (into [:branch {:cases (mapv #(s/body (vec (mapcat (fn [a] [a t]) args)) %) cases)} test] args))

(defn- of [test args & cases]
  (s/graph inputs ['b (apply branch test args cases)] '[[:part {:at 0} b]]))

;; ## One case

(deftest a-branch-whose-case-is-known-is-that-case
  (are [test left] (let [g (of test '[x y] '[[:sin x]] '[[:mul x y]])]
                     (and (= left (ops (tidy/decided g))) (same-values? g (tidy/decided g))))
    true #{:mul}, false #{:sin}, '[:gt c 0.0] #{:branch})
  (testing "and so is one of equal cases"
    (is (= #{:sin} (ops (tidy/decided (of '[:gt c 0.0] '[x y] '[[:sin x]] '[[:sin x]])))))
    (is (= #{:branch :add :iota :sum :cast}
           (ops (tidy/decided (of '[:cast {:dtype :i64} [:sum [:add y [:iota {:shape [n]}]]]]
                                  '[x y] '[[:sin x]] '[[:sin x]]))))
        "but not where the index may be out of range")))

(deftest a-case-knows-what-was-decided
  (let [inner (branch 'p '[x y] '[[:sin x]] '[[:mul x y]])
        body (s/body ['x t 'y t 'p [:bool []]] ['b inner] '[[:part {:at 0} b]])
        g (s/graph inputs ['p [:gt 'c 0.0] 'b [:branch {:cases [body body]} 'p 'x 'y 'p]]
                   '[[:part {:at 0} b]])
        inside #(mapv ops (:cases (first (s/at-op % :branch))))
        known (tidy/informed g)
        g' (update-in known [:nodes (first (filter #(= :branch (graph/op-at known %))
                                                   (graph/live known))) 1 :cases]
                      (partial mapv #(dissoc (tidy/decided %) :notes)))]
    (is (= [#{:branch} #{:branch}] (inside g)))
    (is (= [#{:sin} #{:mul}] (inside g')))
    (is (same-values? g g'))
    (is (= 2 (count (rest (rest (rest (last (butlast (:nodes known))))))))
        "nor is it passed any more")))

;; ## What is not read

(deftest what-no-one-reads-of-a-branch-is-dropped
  (let [g (s/graph (assoc inputs 'i [:i64 []])
                   ['b [:branch {:cases [(s/body ['x t 'y t 'i [:i64 []]]
                                                 '[[:sin x] [:exp y] [:add y [:take x i]]])
                                         (s/body ['x t 'y t 'i [:i64 []]]
                                                 '[[:cos x] [:log y] y])]}
                        '[:gt c 0.0] 'x 'y 'i]]
                   '[[:part {:at 0} b]])]
    (is (= [#{:sin :add :take} #{:cos}] (cases (tidy/dropped g))) "what may fail stays")
    (let [g' (tidy/dropped g)] (is (identical? g' (tidy/dropped g'))))
    (let [g (of '[:gt c 0.0] '[x y x] '[[:sin x] [:exp y]] '[[:cos x] [:log y]])
          g' (tidy/dropped g)]
      (is (= [#{:sin} #{:cos}] (cases g')))
      (is (= 2 (count (drop 2 (first (filter #(= :branch (first %)) (:nodes g'))))))
          "the test and x")
      (is (same-values? g g')))))

;; ## Branches of one test

(deftest branches-of-one-test-are-one
  (let [a (branch 'p '[x y] '[[:sin x]] '[[:mul x y]])
        b (branch 'p '[x] '[[:cos x]] '[[:exp x]])
        g (fn [q b] (s/graph inputs ['p [:gt 'c 0.0] 'q q 'a a 'b b]
                             '[[:part {:at 0} a] [:part {:at 0} b]]))
        left #(count (s/at-op (unite/united %) :branch))
        both (g [:gt 'd 0.0] b)]
    (is (= 1 (left both)))
    (is (= [#{:sin :cos} #{:mul :exp}] (cases (unite/united both))))
    (is (same-values? both (unite/united both)))
    (is (= 2 (left (g [:gt 'd 0.0] (assoc b 2 'q)))) "another test")
    (is (= 2 (left (g [:gt 'd 0.0] (assoc b 3 [:part {:at 0} 'a])))) "one needs the other")))

;; ## What one case alone needs

(deftest what-one-case-needs-moves-into-it
  (let [g (fn [outputs]
            (s/graph (assoc inputs 'i [:i64 []])
                     ['e [:exp 'x], 'l [:log 'y], 'k [:add [:take 'x 'i] 'l]
                      'b (branch [:gt 'c 0.0] '[x e k] '[[:mul e e]] '[[:add x k]])]
                     (into '[[:part {:at 0} b]] outputs)))
        ops-after (fn [outputs] (let [g' (sink/sunk (g outputs))] [(ops g') (cases g')]))]
    (is (= [#{:branch} [#{:exp :mul} #{:add :take :log}]] (ops-after [])))
    (testing "but not what anything else reads"
      (is (= [#{:branch :exp :neg} [#{:mul} #{:add :take :log}]] (ops-after '[[:neg e]])))
      (is (= [#{:branch :log} [#{:exp :mul} #{:add :take}]] (ops-after '[l]))))
    (testing "it neither costs nor fails where another case is taken"
      (let [env (assoc (env -1) 'i [[] [7] :i64]), g (g [])]
        (is (= :damo.array/index-out-of-range (s/error g env)))
        (is (nil? (s/error (sink/sunk g) env)))
        (is (= :damo.array/index-out-of-range (s/error (sink/sunk g) (assoc env 'c [[] [1]]))))))))

(deftest a-whole-loop-moves-into-a-case
  (let [l [:loop {:steps 'n, :params [[:each 0 0 1]], :carries [], :results [[0 :all]]
                  :body (s/body ['x [:f64 []]] '[[:sin x]])}
           'x]
        g (fn [outputs]
            (s/graph inputs ['l l 'h [:part {:at 0} 'l]
                             'b (branch [:gt 'c 0.0] '[x h] '[[:neg x]] '[[:mul x h]])]
                     (into '[[:part {:at 0} b]] outputs)))]
    (is (= [#{:neg} #{:loop :mul}] (cases (sink/sunk (g [])))))
    (is (= [#{:neg} #{:mul}] (cases (sink/sunk (g '[h])))))
    (is (same-values? (g []) (sink/sunk (g []))))))

(deftest what-one-of-two-branches-needs-goes-there-alone
  (let [g (s/graph inputs
                   ['e [:exp 'x] 'p [:gt 'c 0.0]
                    'a (branch 'p '[x e] '[[:neg x]] '[[:mul x e]])
                    'b (branch '[:gt d 0.0] '[x e] '[[:neg x]] '[[:sin e]])]
                   '[[:part {:at 0} a] [:part {:at 0} b]])]
    (is (identical? g (sink/sunk g)))))
