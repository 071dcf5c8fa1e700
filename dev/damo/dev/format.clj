(ns damo.dev.format
  "`bin/damo format [--fix] [PATH...]`: lists the layout offences of all files as FILE:LINE:
  message, and with --fix first mends those that need no thought: blanks at line ends, the end of
  the file, long lines of prose, and lines of Clojure that begin in the wrong column."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [damo.dev.layout :as layout]
            [damo.dev.lexer :as lexer]
            [damo.dev.prose :as prose])
  (:import [java.io File]))

(set! *warn-on-reflection* true)

(def ^:private endings #"\.(clj|cljc|edn|java|md|sh)$|/bin/damo$|/\.ci/[a-z]+$")

(def ^:private skipped
  "Folders that hold no sources: output, history, and texts that a generator wrote."
  #{"target" ".git" "golden" "node_modules"})

(defn- children [^File dir]
  (sort (remove #(skipped (.getName ^File %)) (.listFiles dir))))

(defn files
  "The paths of the project's text files below `root`, relative to it, sorted."
  [root]
  (let [root (io/file root)]
    (sort (for [^File f (tree-seq #(.isDirectory ^File %) children root)
                :let [path (str (.relativize (.toPath root) (.toPath f)))]
                :when (and (.isFile f) (re-find endings (str "/" path)))]
            path))))

(defn offences
  "The layout offences of `paths`, files below `root`: {:path :line :message}, by file and line."
  [root paths]
  (sort-by (juxt :path :line)
           (mapcat #(layout/of-file % (slurp (io/file root %))) paths)))

(defn text-of
  "An offence as the line FILE:LINE: message."
  [{:keys [path line message]}]
  (str path ":" line ": " message))

;; ## Mending

(defn- tidy-lines [text]
  (str (str/trimr (str/replace text #"[ \t]+(?=\n|$)" "")) "\n"))

(defn- shift
  "Moves the line `n` and those after it up to `end` by `delta` columns. Lines that begin in the
  middle of a string, the set `inside`, stay."
  [text-lines n end delta inside]
  (reduce (fn [lines i]
            (let [^String line (lines i)]
              (cond (or (inside (inc i)) (str/blank? line)) lines
                    (neg? delta) (assoc lines i (subs line (min (- delta)
                                                                (- (count line)
                                                                   (count (str/triml line))))))
                    :else (assoc lines i (str (str/join (repeat delta \space)) line)))))
          text-lines
          (range (dec n) end)))

(defn- string-lines
  "The numbers of the lines of `text` that begin inside a string."
  [text]
  (set (for [{:keys [kind text line]} (lexer/tokens text)
             :when (= :string kind)
             n (range 1 (count (str/split text #"\n" -1)))]
         (+ line n))))

(defn- end-of
  "The last line of the form that begins at this place."
  [{:keys [closed]} {:keys [line col]}]
  (reduce max line (for [c closed :when (and (= line (:line c)) (<= col (:col c)))] (:end c))))

(defn- mend-one
  "The text with the first wrongly indented line moved to the nearest column that is right, or nil."
  [text]
  (let [outline (lexer/outline text)]
    (when-let [{:keys [element allowed]} (first (layout/misplaced outline))]
      (let [{:keys [line col]} element
            goal (apply min-key #(abs (- % col)) (sort allowed))]
        (str/join "\n" (shift (str/split text #"\n" -1) line (end-of outline element)
                              (- goal col) (string-lines text)))))))

(defn mended
  "The text of a file at `path` with all offences mended that can be."
  [path text]
  (let [tidy (if (str/ends-with? path ".md")
               text
               (prose/rewrapped path (tidy-lines text) (:columns layout/caps)))]
    (if (and (re-find #"\.cljc?$" path) (empty? (:faults (lexer/outline tidy))))
      ;; Every round moves one form; the bound only guards against a text that never settles.
      (last (take 2000 (take-while some? (iterate mend-one tidy))))
      tidy)))

(defn- fix! [root paths]
  (doseq [path paths
          :let [file (io/file root path), text (slurp file), better (mended path text)]
          :when (not= text better)]
    (spit file better)
    (println "mended" path)))

(defn -main
  "Lists the offences of all files, or of those whose paths begin with one of `args`; exits with 1
  when there are some. With --fix as the first argument it mends what it can before."
  [& args]
  (let [fix? (= "--fix" (first args))
        begins (if fix? (rest args) args)
        paths (filter (fn [path] (or (empty? begins) (some #(str/starts-with? path %) begins)))
                      (files "."))]
    (when fix? (fix! "." paths))
    (let [found (offences "." paths)]
      (run! (comp println text-of) found)
      (println (str (count paths) " files, " (count found) " offences"))
      (shutdown-agents)
      (System/exit (if (and (seq paths) (empty? found)) 0 1)))))
