(ns damo.io.csv
  "Numbers in text files, one row a line: (read-csv \"iris.csv\" :header true :columns [0 1]) is a
  matrix."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [damo.data.attribute :as attribute]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.file :as file]
            [damo.data.thrown :as thrown]
            [damo.data.type :as type])
  (:import [damo.tensor DType Tensor]
           [java.io BufferedReader InputStream OutputStream]))

(set! *warn-on-reflection* true)

(defn- bad! [file line message]
  (fail! ::bad-line (str file ", line " line ": " message) {:file (str file), :line line}))

(defn- fields
  "The fields of a line; one in double quotes may hold the separator, and two quotes for one."
  [line separator]
  (if (str/includes? line "\"")
    (let [one (re-pattern (str "(?:^|" (java.util.regex.Pattern/quote separator)
                               ")\\s*(?:\"((?:[^\"]|\"\")*)\"\\s*|([^\"]*?))(?="
                               (java.util.regex.Pattern/quote separator) "|$)"))]
      (mapv (fn [[_ quoted plain]] (if quoted (str/replace quoted "\"\"" "\"") plain))
            (re-seq one line)))
    (str/split line (re-pattern (java.util.regex.Pattern/quote separator)) -1)))

(def ^:private names-of-numbers
  {"nan" ##NaN, "inf" ##Inf, "+inf" ##Inf, "-inf" ##-Inf, "infinity" ##Inf, "-infinity" ##-Inf
   "true" 1, "false" 0})

(defn- number [dtype missing file line column text]
  (let [text (str/trim text)
        x (cond (str/blank? text) missing
                (type/float-dtype? dtype) (or (parse-double text)
                                              (names-of-numbers (str/lower-case text)))
                :else (or (parse-long text)
                          ({"true" 1, "false" 0} (str/lower-case text))))]
    (when (nil? x)
      (bad! file line
            (str "column " column " is no number of dtype " dtype ": " (fail/value-text text)
                 "\n  try: :columns [0 1] reads some of the columns, :header true skips the first"
                 " line, :missing 0 is what an empty field means")))
    x))

(defn- row [{:keys [separator columns dtype missing]} file line text]
  (let [all (fields text separator), n (count all)]
    (mapv (fn [c]
            (when-not (< -1 c n) (bad! file line (str "there is no column " c " among " n)))
            (number dtype missing file line c (nth all c)))
          (or columns (range n)))))

(defn- rows [{:keys [header] :as options} file ^BufferedReader reader]
  (loop [line 1, width nil, found (transient [])]
    (if-let [text (.readLine reader)]
      (let [text (if (= line 1) (str/replace text #"^\uFEFF" "") text)]
        (if (or (str/blank? text) (and header (= line 1)))
          (recur (inc line) width found)
          (let [r (row options file line text)]
            (when-not (= (count r) (or width (count r)))
              (bad! file line (str (count r) " fields, where the lines before have " width)))
            (recur (inc line) (count r) (conj! found r)))))
      (persistent! found))))

(def ^:private read-options
  {:separator {:default ",", :is :text}, :header {:default false, :is :flag}
   :columns {:default nil, :is :axes}, :dtype {:default :f64, :is :dtype}
   :missing {:default nil, :is :number}})

(defn read-csv
  "The matrix of the numbers in a text file, gzipped or not, a row a line; blank lines are skipped.
  Options: :header true skips the first line; :columns [0 2], those to read; :separator (\",\");
  :dtype (:f64); :missing, the number that an empty field means, which is an error otherwise."
  [file & options]
  (let [{:keys [dtype columns] :as options} (attribute/options read-options [] options)
        found (file/reading file (fn [^InputStream in _]
                                   (with-open [reader (io/reader in)]
                                     (rows options file reader))))
        d (DType/of (name dtype)), width (count (or (first found) columns))]
    (thrown/translating
     (if (empty? found)
       (Tensor/zeros d (long-array [0 width]))
       (Tensor/of found d)))))

(defn write-csv
  "Writes a tensor of one or two axes as text, a row a line, whole or not at all; returns the file.
  Options: :header, a vector of names for the first line; :separator (\",\")."
  [file t & options]
  (let [{:keys [separator header]}
        (attribute/options {:separator {:default ",", :is :text}, :header {:default nil}} []
                           options)
        ^Tensor t t, rank (count (.shape t))]
    (when-not (<= 1 rank 2)
      (fail! ::not-rows (str "a text file holds a vector or a matrix; the tensor has the shape "
                             (vec (.shape t)))
             {:shape (vec (.shape t))}))
    (file/write-whole! file
                       (fn [^OutputStream out]
                         (let [w (io/writer out)]
                           (doseq [r (cond->> (map #(if (= rank 1) [%] %) @t)
                                       header (cons header))]
                             (.write w (str (str/join separator (map #(if (ident? %) (name %) %) r))
                                            "\n")))
                           (.flush w))))))
