(ns damo.io.npy
  "NumPy's files: .npy of one array, versions 1 to 3, of either byte order, in C's or Fortran's;
  .npz of several. (read-npy \"a.npy\") is a tensor, (read-npz \"a.npz\") a map {:name tensor}."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [damo.data.fail :refer [fail!]]
            [damo.data.file :as file]
            [damo.data.thrown :as thrown]
            [damo.data.type :as type]
            [damo.io.elements :as elements])
  (:import [damo.tensor DType Tensor]
           [java.io InputStream IOException OutputStream]
           [java.lang.foreign MemorySegment ValueLayout]
           [java.nio ByteBuffer ByteOrder]
           [java.nio.charset StandardCharsets]
           [java.util.zip ZipEntry ZipFile ZipOutputStream]))

(set! *warn-on-reflection* true)

(def ^:private codes
  "NumPy's names of element types: the dtype to read, and the one that holds the values where that
  is another."
  {"b1" [:bool], "i1" [:i8], "u1" [:u8], "i2" [:i16], "i4" [:i32], "i8" [:i64]
   "f2" [:f16], "f4" [:f32], "f8" [:f64], "u2" [:i16 :i32], "u4" [:i32 :i64]
   "u8" [:i64 :unsigned]})

(def ^:private magic [-109 78 85 77 80 89])        ; \x93NUMPY

;; ## Headers

(defn- bad! [source message]
  (fail! ::not-npy (str source ": " message) {:file (str source)}))

(defn- header-text [^InputStream in source]
  (let [start (file/read-exactly in source "the beginning" 8)
        _ (when-not (= magic (take 6 (seq start)))
            (bad! source "it does not begin as a .npy file, with \\x93NUMPY"))
        version (aget start 6)
        width (case version 1 2, (2 3) 4
                (bad! source (str "it has the version " version "; 1, 2 and 3 are known")))
        bytes (file/read-exactly in source "the length of the header" width)
        buffer (.order (ByteBuffer/wrap bytes) ByteOrder/LITTLE_ENDIAN)
        length (if (= width 2) (bit-and 0xffff (.getShort buffer))
                   (bit-and 0xffffffff (.getInt buffer)))]
    (when (< 1000000 length)
      (bad! source (str "its header claims " length " bytes")))
    [(String. (file/read-exactly in source "the header" length)
              (if (= version 3) StandardCharsets/UTF_8 StandardCharsets/ISO_8859_1))
     (+ 8 width length)]))

(defn- sizes [source text]
  (mapv #(or (parse-long (str/replace % #"L$" ""))
             (bad! source (str "its header has a shape that is none: (" text ")")))
        (remove str/blank? (map str/trim (str/split text #",")))))

(defn- parsed
  "{:order :code :fortran? :shape} of the text of a header, a Python dictionary."
  [source text]
  (let [[_ descr] (re-find #"'descr'\s*:\s*(?:'([^']*)'|\[)" text)
        [_ fortran] (re-find #"'fortran_order'\s*:\s*(True|False)" text)
        [_ shape] (re-find #"'shape'\s*:\s*\(([^)]*)\)" text)
        [_ order code] (some->> descr (re-matches #"([<>|=])(\w+)"))]
    (when-not (and fortran shape)
      (bad! source (str "its header is no description of an array: " (pr-str (str/trim text)))))
    (when-not (codes code)
      (fail! ::other-dtype
             (str source ": no dtype of Damo holds NumPy's " (or descr "structured type")
                  "; it reads " (str/join " " (sort (keys codes)))
                  "\n  try: a.astype('float64') or a view of it in NumPy")
             {:file (str source), :dtype descr}))
    {:order (if (= order ">") :big :little), :code code, :fortran? (= fortran "True")
     :shape (sizes source shape)}))

;; ## Elements

(defn- reordered
  "The tensor of that shape of one whose elements lie with the first index running fastest."
  ^Tensor [^Tensor t shape]
  (let [dtype (.dtype t), width (long (.bytes dtype)), rank (count shape)
        extents (long-array shape)
        strides (long-array (reductions * 1 (butlast shape))), index (long-array rank)
        ^Tensor out (thrown/translating (Tensor/uninitialized dtype extents))
        ^MemorySegment from (.segment t), ^MemorySegment to (.segment out)]
    (loop [k 0, at 0]
      (when (< k (.elements t))
        (MemorySegment/copy from (* at width) to (* k width) width)
        (recur (inc k)
               (long (loop [axis (dec rank), at at]
                       (if (neg? axis)
                         at
                         (let [i (inc (aget index axis))]
                           (if (< i (aget extents axis))
                             (do (aset index axis i) (+ at (aget strides axis)))
                             (do (aset index axis 0)
                                 (recur (dec axis)
                                        (- at (* (aget strides axis) (dec i)))))))))))))
    out))

(defn- check-bytes!
  "Elements of :bool are 0 or 1; other bytes count as true."
  [^Tensor t]
  (let [s (.segment t)]
    (dotimes [i (.elements t)]
      (when-not (zero? (.get s ValueLayout/JAVA_BYTE (long i)))
        (.set s ValueLayout/JAVA_BYTE (long i) (byte 1))))
    t))

(defn- widened
  "A tensor of the signed integers of `wide` with the values of the bits of t, which are unsigned."
  ^Tensor [^Tensor t wide]
  (let [mask (if (= wide :i32) 0xffff 0xffffffff), shape (.shape t)
        xs (.toJavaArray t)
        ys (if (= wide :i32)
             (int-array (map #(bit-and mask (long %)) xs))
             (long-array (map #(bit-and mask (long %)) xs)))]
    (thrown/translating (.reshape (Tensor/of ys) shape))))

(defn- signed
  "The tensor, whose bits are unsigned, when all values are below 2^63."
  [source ^Tensor t]
  (when (some neg? (.toJavaArray t))
    (fail! ::other-dtype (str source ": NumPy's u8 has values of 2^63 and more, which :i64 does not"
                              " hold")
           {:file (str source), :dtype "u8"}))
  t)

(defn- read-array
  "The tensor of a .npy file's bytes; `size` is their number, nil when that is not known."
  [^InputStream in source size]
  (let [[text before] (header-text in source)
        {:keys [order code fortran? shape]} (parsed source text)
        [dtype kept] (codes code)
        t (elements/read-tensor in source (when size (- size before)) dtype shape order)
        t (if (and fortran? (< 1 (count shape))) (reordered t shape) t)]
    (cond (= dtype :bool) (check-bytes! t)
          (= kept :unsigned) (signed source t)
          kept (widened t kept)
          :else t)))

(defn read-npy
  "The tensor in a .npy file, gzipped or not. NumPy's u2 becomes :i32, u4 and u8 :i64; complex
  numbers, texts and objects are refused."
  [file]
  (file/reading file (fn [in size] (read-array in file size))))

(defn read-npz
  "The tensors of a .npz file by name, {:w tensor}."
  [file]
  (try
    (with-open [zip (ZipFile. (io/file file))]
      (into {} (for [^ZipEntry e (enumeration-seq (.entries zip))
                     :let [[_ n] (re-matches #"(.*)\.npy" (.getName e))] :when n]
                 (with-open [in (.getInputStream zip e)]
                   [(keyword n) (read-array in (str file ", " (.getName e)) nil)]))))
    (catch IOException e (file/failed! file "read" e))))

;; ## Writing

(defn- header ^bytes [^Tensor t]
  (let [dtype (keyword (.label (.dtype t)))
        code (some (fn [[code [d kept]]] (when (and (= d dtype) (nil? kept)) code)) codes)
        _ (when-not code
            (fail! ::other-dtype (str "NumPy has no type for " dtype "; cast it to :f32 first")
                   {:dtype dtype}))
        shape (vec (.shape t))
        text (str "{'descr': '" (if (= 1 (:bytes (type/dtypes dtype))) "|" "<") code
                  "', 'fortran_order': False, 'shape': ("
                  (str/join ", " shape) (when (= 1 (count shape)) ",") "), }")
        length (* 64 (quot (+ 10 (count text) 64) 64))]
    (.getBytes (str text (str/join (repeat (- length 11 (count text)) " ")) "\n")
               StandardCharsets/ISO_8859_1)))

(defn- write-array [^OutputStream out t]
  (let [text (header t), n (alength text)]
    (.write out (byte-array (concat magic [1 0 (unchecked-byte n) (unchecked-byte (quot n 256))])))
    (.write out text)
    (elements/write-tensor out t :little)))

(defn write-npy
  "Writes a tensor as a .npy file, whole or not at all; returns the file."
  [file t]
  (header t)
  (file/write-whole! file (fn [out] (write-array out t))))

(defn write-npz
  "Writes a map of names and tensors as a .npz file, whole or not at all; returns the file."
  [file tensors]
  (run! header (vals tensors))
  (file/write-whole! file
                     (fn [^OutputStream out]
                       (let [zip (ZipOutputStream. out)]
                         (doseq [[k t] tensors]
                           (.putNextEntry zip (ZipEntry. (str (name k) ".npy")))
                           (write-array zip t)
                           (.closeEntry zip))
                         (.finish zip)))))
