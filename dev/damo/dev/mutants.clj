(ns damo.dev.mutants
  "`bin/damo mutants [NAME...]`: are the tests able to fail? A mutant is a mistake that a hurried
  developer makes, as data in test/mutants/AREA.edn:
  {:name :neg-sub, :file \"src/…\", :replace \"text that stands there once\", :with \"other text\",
   :fails [damo.laws.rules-test/values-are-kept-as-promised], :why \"what is wrong with it\"}.
  Each is planted in a copy of the project, target/mutants, the namespaces of its :fails are run
  there, and it is caught when one of those tests fails. Names may be those of mutants or of areas,
  which are files. One without :fails meets all tests, and what failed is printed: a start."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str]
            [damo.dev.source :as source])
  (:import [java.io File]
           [java.util List]))

(set! *warn-on-reflection* true)

(defn mutants
  "All mutants below `root`, with their :area, the name of their file; by area, as written."
  [root]
  (for [^File f (source/files (io/file root "test/mutants") ".edn")
        mutant (edn/read-string (slurp f))]
    (assoc mutant :area (keyword (str/replace (.getName f) ".edn" "")))))

(defn- times-in [^String text ^String part]
  (loop [from 0, n 0]
    (let [at (.indexOf text part from)]
      (if (neg? at) n (recur (inc at) (inc n))))))

(defn- there?
  "Is a test of that name in the file of its namespace?"
  [root test]
  (let [path (str/replace (str/replace (namespace test) "." "/") "-" "_")
        file (io/file root "test" (str path ".clj"))]
    (and (.exists file)
         (some #(str/includes? (slurp file) (str % (name test))) ["(deftest " "(defspec "]))))

(defn faults
  "What is wrong with mutants as data, as sentences: a text that does not stand in its file exactly
  once, names that are taken, a test that names none."
  [root mutants]
  (concat
   (for [[name n] (frequencies (map :name mutants)) :when (< 1 n)]
     (str name " is there " n " times"))
   (for [{:keys [name file replace with fails why]} mutants
         :let [source (io/file root file)
               n (if (.exists source) (times-in (slurp source) replace) 0)
               fault (cond (not= 1 n) (str "its text stands " n " times in " file)
                           (= replace with) "it changes nothing"
                           (not (every? #(and (qualified-symbol? %) (there? root %)) fails))
                           "its :fails are no names of tests"
                           (str/blank? why) "it has no :why")]
         :when fault]
     (str name ": " fault))))

;; ## The copy

(def ^:private folder "target/mutants")

(defn- copied
  "Brings the copy to the state of the project: files that are equal stay, so that little is built."
  []
  (let [skip #{"target" ".git"}
        below (fn [root] (tree-seq #(.isDirectory ^File %)
                                   (fn [^File dir]
                                     (remove #(skip (.getName ^File %)) (.listFiles dir)))
                                   (io/file root)))
        paths (fn [root] (set (for [^File f (below root) :when (.isFile f)]
                                (str (.relativize (.toPath (io/file root)) (.toPath f))))))
        here (paths ".")]
    (.mkdirs (io/file folder))
    (doseq [path (remove here (paths folder))] (io/delete-file (io/file folder path)))
    (doseq [path here :let [from (io/file path), to (io/file folder path)]
            :when (not (and (.exists to) (= (slurp from) (slurp to))))]
      (io/make-parents to)
      (io/copy from to)
      (.setExecutable to (.canExecute from)))))

(defn- tested
  "The output of bin/damo test in the copy."
  [namespaces]
  (let [^List command (into ["bin/damo" "test"] (map str) namespaces)
        process (-> (ProcessBuilder. command)
                    (.directory (io/file folder)) (.redirectErrorStream true) .start)
        text (slurp (.getInputStream process))]
    (.waitFor process)
    text))

(defn failed
  "The names of the tests that failed by the output of a run, a namespace where it was lost whole."
  [text]
  (second
   (reduce (fn [[name found] line]
             (if-let [[_ name] (re-matches #"Testing (\S+)" line)]
               [name found]
               (if-let [[_ test] (re-find #"^(?:FAIL|ERROR) in \(?([^\s:)]+)" line)]
                 [name (conj found (if (str/includes? test ".")
                                     (symbol test)
                                     (symbol name (first (str/split test #"/")))))]
                 [name found])))
           [nil #{}]
           (str/split-lines text))))

(defn verdict
  "{:caught test} when one of the tests that should fail did, or its namespace was lost; else
  {:broken line} when the code does not compile; else {:survived failed}, with what did fail."
  [{:keys [fails]} text]
  (let [found (failed text)
        failed? (fn [test] (or (found test) (found (symbol (namespace test)))))
        hit (first (filter failed? fails))]
    (cond hit {:caught hit}
          (str/includes? text "does not compile")
          {:broken (some #(re-find #".*(?:does not compile|error:).*" %) (str/split-lines text))}
          :else {:survived found})))

(defn- namespaces-of [mutants]
  (sort (distinct (map (comp symbol namespace) (mapcat :fails mutants)))))

(defn- plant
  "The verdict of the tests on one mutant."
  [{:keys [file replace with fails] :as mutant}]
  (let [place (io/file folder file), right (slurp place)]
    (try
      (spit place (str/replace-first right replace with))
      (verdict mutant (tested (when (seq fails) (namespaces-of [mutant]))))
      (finally (spit place right)))))

(defn- tell [{:keys [name area why]} {:keys [caught broken survived]} seconds]
  (println (cond caught (str "caught    " name ", by " caught)
                 broken (str "BROKEN    " name ": " broken)
                 :else (str "SURVIVED  " name " (" (symbol area) "): " why
                            (when (seq survived) (str "; failed: " (str/join " " survived)))))
           (str "(" seconds " s)"))
  (flush))

(defn- chosen [all names]
  (let [names (set (map #(keyword (str/replace % #"^:" "")) names))
        known (into #{} (mapcat (juxt :name :area)) all)]
    (when-let [unknown (seq (remove known names))]
      (println "there is no mutant or area" (str/join ", " (map name unknown)))
      (System/exit 2))
    (if (seq names) (filter #(or (names (:name %)) (names (:area %))) all) all)))

(defn- stop! [lines]
  (run! println lines)
  (System/exit 1))

(defn -main
  "Plants the mutants or areas named, or all; exits with 1 when one was not caught."
  [& names]
  (let [all (mutants ".")
        mutants (chosen all names)]
    (some-> (seq (faults "." all)) stop!)
    (copied)
    (let [text (tested (namespaces-of mutants))]
      (when-not (re-find #"(?m)^[1-9]\d* passed, 0 failed$" text)
        (stop! ["the tests fail without any mutant:" text])))
    (let [verdicts (doall (for [mutant mutants :let [start (System/nanoTime), v (plant mutant)]]
                            (do (tell mutant v (quot (- (System/nanoTime) start) 1000000000)) v)))
          caught (count (filter :caught verdicts))]
      (println)
      (println (str caught " caught, " (- (count verdicts) caught) " not caught"))
      (shutdown-agents)
      (System/exit (if (= caught (count verdicts)) 0 1)))))
