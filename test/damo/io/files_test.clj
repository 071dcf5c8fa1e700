(ns damo.io.files-test
  "Tensors to files and back: NumPy's, IDX and text; what NumPy itself writes; and files that lie or
  are cut, which fail with a message and take no memory."
  (:require [clojure.java.io :as io]
            [clojure.java.shell :as shell]
            [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [damo.core :as d]
            [damo.face.parameters :as parameters]
            [damo.io :as files])
  (:import [clojure.lang ExceptionInfo]
           [damo.tensor Tensor]
           [java.io ByteArrayOutputStream File]
           [java.nio.file Files]
           [java.nio.file.attribute FileAttribute]
           [java.util.zip GZIPOutputStream]))

(set! *warn-on-reflection* true)

(def ^:private ^File folder
  (.toFile (Files/createTempDirectory "damo-io" (make-array FileAttribute 0))))

(defn- file [n] (str (io/file folder n)))

(defn- write! [n ^bytes bytes] (io/copy bytes (io/file (file n))) (file n))

(defn- bytes-of ^bytes [f] (Files/readAllBytes (.toPath (io/file f))))

(defn- gzipped ^bytes [^bytes bytes]
  (let [out (ByteArrayOutputStream.)]
    (with-open [z (GZIPOutputStream. out)] (.write z bytes))
    (.toByteArray out)))

(defn- error [f] (try (f) nil (catch ExceptionInfo e (:damo/error (ex-data e)))))

(defn- same? [^Tensor a ^Tensor b]
  (and (= (d/dtype a) (d/dtype b)) (= (d/shape a) (d/shape b)) (= @a @b)))

(def ^:private tensors
  (into {} (for [[dtype data] {:f64 [[1.5 -2.0] [##Inf 1e-300]], :f32 [0.1 0.2]
                               :f16 [[1.5] [65504]]
                               :i64 [Long/MIN_VALUE 7], :i32 [[[-3]]], :i16 [-300 300]
                               :i8 [-128 127], :u8 [0 255], :bool [true false]}]
             [dtype (d/tensor data dtype)])))

(deftest round-trips
  (doseq [[dtype t] (assoc tensors :scalar (d/tensor 3.5) :empty (d/zeros [0 3] :f32))]
    (is (same? t (files/read-npy (files/write-npy (file "a.npy") t))) (str dtype))
    (is (same? t (files/read-npy (write! "a.npy.gz" (gzipped (bytes-of (file "a.npy")))))))
    (when-not (#{:f16 :i64 :bool} dtype)
      (is (same? t (files/read-idx (files/write-idx (file "a.idx") t))) (str dtype))))
  (let [all (files/read-npz (files/write-npz (file "a.npz") tensors))]
    (is (= (set (keys tensors)) (set (keys all))))
    (is (every? (fn [[k t]] (same? t (all k))) tensors)))
  (is (= :damo.io.npy/other-dtype (error #(files/write-npy (file "b.npy") (d/zeros [2] :bf16)))))
  (is (= :damo.io.idx/other-dtype (error #(files/write-idx (file "b.idx") (d/zeros [2] :i64)))))
  (is (not (.exists (io/file (file "b.npy"))))))

;; ## What NumPy writes

(defn- npy
  "A .npy file of that version with that header and data."
  ^bytes [version header data]
  (let [out (ByteArrayOutputStream.), n (count header)]
    (.write out (byte-array (map unchecked-byte [0x93 78 85 77 80 89 version 0])))
    (.write out (byte-array (map unchecked-byte (take (if (= version 1) 2 4)
                                                      [n (quot n 256) 0 0]))))
    (.write out (.getBytes ^String header "UTF-8"))
    (.write out (byte-array (map unchecked-byte data)))
    (.toByteArray out)))

(defn- header [descr fortran shape]
  (format "{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }\n" descr fortran shape))

(deftest files-of-numpy
  (are [v bytes] (= v @(files/read-npy (write! "n.npy" bytes)))
    [[1 2 3] [4 5 6]] (npy 1 (header "|u1" "False" "2, 3") [1 2 3 4 5 6])
    [[1 3 5] [2 4 6]] (npy 2 (header "|u1" "True" "2, 3") [1 2 3 4 5 6])
    [[[1 5] [3 7]] [[2 6] [4 8]]] (npy 3 (header "|u1" "True" "2, 2, 2") (range 1 9))
    [1 256] (npy 1 (header ">i2" "False" "2,") [0 1 1 0])
    [1 256] (npy 1 (header "<i2" "False" "2L,") [1 0 0 1])
    [65535] (npy 1 (header "<u2" "False" "1,") [255 255])
    [4294967295] (npy 1 (header "<u4" "False" "1,") [255 255 255 255])
    [1.0 -2.0] (npy 1 (header ">f8" "True" "2,") [0x3f 0xf0 0 0 0 0 0 0 0xc0 0 0 0 0 0 0 0])
    [true false true] (npy 1 (header "|b1" "False" "3,") [1 0 7])
    7 (npy 1 (header "<i8" "False" "") [7 0 0 0 0 0 0 0]))
  (are [kind bytes] (= kind (error #(files/read-npy (write! "n.npy" bytes))))
    :damo.io.npy/other-dtype (npy 1 (header "<c8" "False" "1,") (repeat 8 0))
    :damo.io.npy/other-dtype (npy 1 (header "|O" "False" "1,") (repeat 8 0))
    :damo.io.npy/other-dtype (npy 1 (header "<u8" "False" "1,") (repeat 8 255))
    :damo.io.npy/other-dtype (npy 1 (str "{'descr': [('a', '<f8')], 'fortran_order': False, "
                                         "'shape': (1,)}")
                                  (repeat 8 0))))

(def ^:private numpy-script
  "import numpy as np, sys
a = np.load(sys.argv[1]); np.save(sys.argv[2], np.asfortranarray(a.astype('>f4') * 2))
np.savez_compressed(sys.argv[3], a=a, b=np.arange(3, dtype=np.uint16))")

(deftest numpy-itself
  (when (zero? (:exit (try (shell/sh "python3" "-c" "import numpy")
                           (catch Exception _ {:exit 1}))))
    (let [t (d/tensor [[1.5 2] [3 4] [5 6]]), in (files/write-npy (file "in.npy") t)
          {:keys [exit err]} (shell/sh "python3" "-c" numpy-script in (file "o.npy")
                                       (file "o.npz"))]
      (is (= 0 exit) err)
      (is (same? (d/tensor [[3 4] [6 8] [10 12]] :f32) (files/read-npy (file "o.npy"))))
      (is (= [@t [0 1 2]] (map deref ((juxt :a :b) (files/read-npz (file "o.npz")))))))))

;; ## Files that lie

(deftest files-that-lie
  (let [huge "4611686018427387904, 4"]
    (are [kind bytes] (= kind (error #(files/read-npy (write! "l.npy" bytes))))
      :damo.file/truncated (byte-array 3)
      :damo.io.npy/not-npy (.getBytes "not a file of NumPy")
      :damo.io.npy/not-npy (npy 9 (header "<f8" "False" "1,") [])
      :damo.io.npy/not-npy (npy 1 "{}" [])
      :damo.io.npy/not-npy (npy 1 (header "<f8" "False" "a,") [])
      :damo.file/truncated (byte-array (map unchecked-byte [0x93 78 85 77 80 89 2 0 255 0 0 0]))
      :damo.io.npy/not-npy (byte-array (map unchecked-byte
                                            [0x93 78 85 77 80 89 2 0 255 255 255 255]))
      :damo.io.elements/truncated (npy 1 (header "<f8" "False" "1000000000,") [1 2 3])
      :damo.io.elements/bad-size (npy 1 (header "<f8" "False" huge) [1 2 3])
      :damo.io.elements/bad-size (npy 1 (header "<f8" "False" "-1,") [1 2 3])
      :damo.io.elements/bad-size (gzipped (npy 1 (header "<f8" "False" "1000000000,") [1]))
      :damo.file/truncated (gzipped (npy 1 (header "<f8" "False" "100000000,") [1]))
      :damo.file/truncated (let [z (gzipped (npy 1 (header "|u1" "False" "9,") (range 9)))]
                             (java.util.Arrays/copyOf z (- (alength z) 12)))))
  (are [kind bytes] (= kind (error #(files/read-idx (write! "l.idx" bytes))))
    :damo.file/truncated (byte-array 2)
    :damo.io.idx/not-idx (byte-array [0 0 7 1 0 0 0 1 0])
    :damo.io.elements/truncated (byte-array [0 0 8 1 127 0 0 0 1])
    :damo.io.idx/too-long (byte-array [0 0 8 1 0 0 0 1 5 6]))
  (testing "every prefix of a file, and every byte of it changed"
    (let [good (bytes-of (files/write-npy (file "g.npy") (d/tensor [[1 2] [3 4]])))]
      (doseq [n (range 0 (alength good) 5)]
        (is (error #(files/read-npy (write! "p.npy" (java.util.Arrays/copyOf good (int n)))))))
      (doseq [i (range 0 128 3)]
        (let [bad (aclone good)]
          (aset bad i (unchecked-byte (bit-xor 0x15 (aget bad i))))
          (error #(files/read-npy (write! "p.npy" bad)))))))
  (is (= :damo.file/damaged (error #(files/read-npz (write! "z.npz" (.getBytes "PK no zip"))))))
  (is (= :damo.file/failed (error #(files/read-npy (file "missing")))))
  (is (= :damo.file/failed (error #(files/write-npy "/dev/null" (d/tensor 1))))))

;; ## Text

(deftest text-files
  (let [text (fn [& lines] (write! "t.csv" (.getBytes (str/join "\r\n" lines) "UTF-8")))]
    (are [v t] (= v @t)
      [[1.0 2.5] [-3.0 ##Inf]] (files/read-csv (text "1,2.5" "" "-3,inf"))
      [[1 2] [3 4]] (files/read-csv (text "\uFEFFa;b" "1;2" " 3 ; 4") :header true :separator ";"
                                    :dtype :i64)
      [[2.0] [4.0]] (files/read-csv (text "\"x, y\",2" "\"say \"\"z\"\"\",4") :columns [1])
      [[1.0 0.0]] (files/read-csv (text "1,") :missing 0)
      [[1 0]] (files/read-csv (text "true,false") :dtype :u8)
      [] (files/read-csv (text "")))
    (is (= [[1.0] [2.0]] @(files/read-csv (write! "t.gz" (gzipped (.getBytes "1\n2\n"))))))
    (doseq [[lines where] {["1,2" "3"] "line 2: 1 fields, where the lines before have 2"
                           ["1,x"] "line 1: column 1 is no number of dtype :f64: \"x\""
                           ["1,"] "line 1: column 1 is no number of dtype :f64: \"\""}]
      (is (thrown-with-msg? ExceptionInfo (re-pattern (java.util.regex.Pattern/quote where))
                            (files/read-csv (apply text lines)))))
    (is (= :damo.io.csv/bad-line (error #(files/read-csv (text "1,2") :columns [5]))))
    (is (= :damo.attribute/unknown-option (error #(files/read-csv (text "1") :delimiter ";"))))
    (let [t (d/tensor [[0.1 1e300] [-0.0 ##-Inf]])]
      (is (= "a,b\n0.1,1.0E300\n-0.0,-Infinity\n"
             (slurp (files/write-csv (file "w.csv") t :header [:a "b"]))))
      (is (= @t @(files/read-csv (file "w.csv") :header true))))
    (is (= :damo.face/wrong-arity (error #(files/read-csv))))
    (is (= :damo.face/bad-argument (error #(files/read-csv 7))))
    (is (= :damo.face/bad-argument (error #(files/write-npz (file "x.npz") {:a 1}))))))
