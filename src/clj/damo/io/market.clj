(ns damo.io.market
  "Matrix Market's files, text with one element a line. (read-entries \"a.mtx\") has the elements of
  a matrix with their places; (write-entries! \"a.mtx\" [2 3] :f64 rows cols data) writes one."
  (:require [clojure.string :as str]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.file :as file])
  (:import [java.io BufferedReader InputStream InputStreamReader OutputStream OutputStreamWriter
            Writer]
           [java.lang.reflect Array]
           [java.util StringTokenizer]))

(set! *warn-on-reflection* true)

(defn- bad! [file line message]
  (fail! ::bad-line (str file ", line " line ": " message) {:file (str file), :line line}))

(def ^:private known
  {:format #{"coordinate" "array"}, :field #{"real" "integer" "pattern"}
   :symmetry #{"general" "symmetric" "skew-symmetric"}})

(defn- banner
  "{:format :field :symmetry} of the first line."
  [file text]
  (let [[mark object & more] (str/split (str/lower-case (str text)) #"\s+")
        found (zipmap [:format :field :symmetry] more)]
    (when-not (and (= mark "%%matrixmarket") (= object "matrix") (= 3 (count found)))
      (bad! file 1 (str "a Matrix Market file begins with %%MatrixMarket matrix and three words;"
                        " got " (fail/value-text text))))
    (doseq [[k word] found :when (not ((known k) word))]
      (bad! file 1 (str "matrices that are " word " are not read; of " (name k) " there are "
                        (str/join ", " (sort (known k))))))
    (when (= ["array" "pattern"] [(:format found) (:field found)])
      (bad! file 1 "an array has elements; it cannot be a pattern"))
    found))

(defn- lines
  "A function to the next line that has something to say, [number tokens], nil at the end."
  [^BufferedReader in]
  (let [number (volatile! 1)]
    (fn []
      (loop []
        (when-let [text (.readLine in)]
          (vswap! number inc)
          (if (or (str/starts-with? text "%") (str/blank? text))
            (recur)
            [@number (StringTokenizer. text)]))))))

(defn- token [file line ^StringTokenizer tokens what]
  (if (.hasMoreTokens tokens) (.nextToken tokens) (bad! file line (str "there is no " what))))

(defn- whole [file line tokens what least most]
  (let [text (token file line tokens what), n (parse-long text)]
    (when-not (and n (<= (long least) (long n) (long most)))
      (bad! file line (str "the " what " is an integer from " least " to " most "; got " text)))
    n))

(defn- number [file line tokens field]
  (let [text (token file line tokens "element")]
    (or (if (= field "integer") (parse-long text) (parse-double text))
        (bad! file line (str "an element is a number of the field " field "; got "
                             (fail/value-text text))))))

(defn- coordinates
  "[m n places] with a place [row column element] for each line."
  [file {:keys [field]} next-line]
  (let [[line tokens] (or (next-line) (bad! file 2 "there is no line with the sizes"))
        [m n] (repeatedly 2 #(whole file line tokens "size" 0 Integer/MAX_VALUE))
        stored (whole file line tokens "number of elements" 0 Integer/MAX_VALUE)
        place (fn [k]
                (let [[line tokens] (or (next-line)
                                        (bad! file "the last one"
                                              (str "there are " k " elements of " stored)))]
                  [(dec (long (whole file line tokens "row" 1 m)))
                   (dec (long (whole file line tokens "column" 1 n)))
                   (if (= field "pattern") 1.0 (number file line tokens field))]))
        found (mapv place (range stored))]
    (when-let [[line] (next-line)] (bad! file line (str "there are more than " stored " elements")))
    [m n found]))

(defn- elements
  "The same of an array, column after column; of symmetric ones the lower half is there."
  [file {:keys [field symmetry]} next-line]
  (let [[line tokens] (or (next-line) (bad! file 2 "there is no line with the sizes"))
        [m n] (doall (repeatedly 2 #(whole file line tokens "size" 0 Integer/MAX_VALUE)))
        from (fn [j] (case symmetry "general" 0, "symmetric" j, (inc (long j))))]
    [m n (vec (for [j (range n), i (range (from j) m)]
                (let [[line tokens] (or (next-line)
                                        (bad! file "the last one" "there are too few elements"))]
                  [i j (number file line tokens field)])))]))

(defn- mirrored
  "The places with those on the other side of the diagonal."
  [symmetry places]
  (case symmetry
    "general" places
    (into places (keep (fn [[i j x]]
                         (when (not= i j) [j i (if (= symmetry "symmetric") x (- x))])))
          places)))

(defn read-entries
  "{:format :shape :rows :cols :data} of a file, gzipped or not: :format \"coordinate\" or
  \"array\", the elements a long[] or a double[], symmetric ones on both sides."
  [file]
  (file/reading
   file
   (fn [^InputStream in _]
     (let [reader (BufferedReader. (InputStreamReader. in "UTF-8"))
           {:keys [format field symmetry] :as kind} (banner file (.readLine reader))
           [m n places] ((if (= format "coordinate") coordinates elements) file kind (lines reader))
           places (mirrored symmetry places)]
       {:format format, :shape [m n]
        :rows (long-array (map #(nth % 0) places)), :cols (long-array (map #(nth % 1) places))
        :data ((if (= field "integer") long-array double-array) (map #(nth % 2) places))}))))

(defn write-entries!
  "Writes elements of a matrix of that shape with their places, a long[] each and an array of
  numbers, whole or not at all; returns the file. Floats are written with the digits that tell them
  from others of their dtype."
  [file [m n] dtype ^longs rows ^longs cols data]
  (file/write-whole!
   file
   (fn [^OutputStream out]
     (let [^Writer w (OutputStreamWriter. out "UTF-8"), real? (= "[D" (.getName (class data)))
           text (fn [x] (if (= :f64 dtype) (str x) (if real? (str (float x)) (str x))))]
       (.write w (str "%%MatrixMarket matrix coordinate " (if real? "real" "integer") " general\n"
                      m " " n " " (alength rows) "\n"))
       (dotimes [k (alength rows)]
         (.write w (str (inc (aget rows k)) " " (inc (aget cols k)) " " (text (Array/get data k))
                        "\n")))
       (.flush w)))))
