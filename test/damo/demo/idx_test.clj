(ns damo.demo.idx-test
  "Reading IDX files: good ones plain and gzipped, and every way in which a file can be wrong."
  (:refer-clojure :exclude [ints])
  (:require [clojure.java.io :as io]
            [clojure.test :refer [deftest is testing]]
            [damo.demo.idx :as idx])
  (:import [java.io ByteArrayOutputStream File]
           [java.nio ByteBuffer]
           [java.nio.file Files]
           [java.nio.file.attribute FileAttribute]
           [java.util Arrays]
           [java.util.zip GZIPOutputStream]))

(set! *warn-on-reflection* true)

(defn- ints ^bytes [& numbers]
  (let [buffer (ByteBuffer/allocate (* 4 (count numbers)))]
    (doseq [n numbers] (.putInt buffer (unchecked-int n)))
    (.array buffer)))

(defn- joined ^bytes [& parts]
  (let [out (ByteArrayOutputStream.)]
    (doseq [^bytes part parts] (.write out part))
    (.toByteArray out)))

(defn- gzipped ^bytes [^bytes bytes]
  (let [out (ByteArrayOutputStream.)]
    (with-open [gzip (GZIPOutputStream. out)] (.write gzip bytes))
    (.toByteArray out)))

(defn- images
  "An IDX file of n images of 2 rows and 3 columns; the pixels count up from 0."
  ^bytes [n]
  (joined (ints 2051 n 2 3) (byte-array (map unchecked-byte (range (* n 6))))))

(defn- labels ^bytes [values]
  (joined (ints 2049 (count values)) (byte-array (map unchecked-byte values))))

(defn- with-folder
  "Calls f with a folder that holds `files`, {name bytes}, and deletes it."
  [files f]
  (let [folder (.toFile (Files/createTempDirectory "damo-idx" (make-array FileAttribute 0)))]
    (doseq [[name bytes] files] (io/copy bytes (io/file folder name)))
    (try (f folder)
         (finally (run! #(.delete ^File %) (reverse (file-seq folder)))))))

(defn- t10k [images labels]
  {"t10k-images-idx3-ubyte" images, "t10k-labels-idx1-ubyte" labels})

(deftest one-pair-is-split
  (doseq [wrap [identity gzipped]]
    (with-folder (t10k (wrap (images 10)) (wrap (labels (range 10))))
      (fn [folder]
        (let [{:keys [train test]} (idx/read-folder folder)]
          (is (= [8 2 3] ((juxt :count :rows :cols) train)))
          (is (= 2 (:count test)))
          (is (= (range 8) (vec (:labels train))))
          (is (= [8 9] (vec (:labels test))))
          (is (= (range 48 60) (vec (:pixels test)))))))))

(deftest both-pairs-are-used-as-they-are
  (with-folder (merge (t10k (images 2) (labels [1 2]))
                      {"train-images.idx3-ubyte.gz" (gzipped (images 3))
                       "train-labels.idx1-ubyte" (labels [7 8 9])})
    (fn [folder]
      (let [{:keys [train test]} (idx/read-folder folder)]
        (is (= [7 8 9] (vec (:labels train))))
        (is (= [1 2] (vec (:labels test))))))))

(deftest wrong-files-are-refused
  (let [good (images 10), named (labels (range 10))]
    (doseq [[what files message]
            [["an empty folder" {} #"holds no digits; expected train-images"]
             ["images without labels" {"t10k-images-idx3-ubyte" good} #"counterpart t10k-labels"]
             ["labels without images" {"t10k-labels-idx1-ubyte" named} #"counterpart t10k-images"]
             ["labels for images" (t10k named named)
              #"images-idx3.* 3 axes; found :u8 of 1 axes: these are l"]
             ["images for labels" (t10k good good)
              #"labels-idx1.* 1 axes; found :u8 of 3 axes: these are i"]
             ["another magic" (t10k (ints 42 1 2 3) named) #"does not begin as an IDX file"]
             ["an empty file" (t10k (byte-array 0) named)
              #"cut short: the beginning of an IDX file has 4 b"]
             ["half a header" (t10k (ints 2051 10) named) #"12 bytes, found 4"]
             ["a pixel too few" (t10k (Arrays/copyOf good (dec (alength good))) named)
              #"\[10 2 3\] of :u8 needs 60 bytes of data, found 59"]
             ["a pixel too many" (t10k (Arrays/copyOf good (inc (alength good))) named)
              #"more data than the sizes \[10 2 3\]"]
             ["a negative size" (t10k (ints 2051 -1 2 3) named) #"states the shape \[-1 2 3\]"]
             ["no images" (t10k (ints 2051 0 2 3) named) #"its sizes are \[0 2 3\]"]
             ["a product beyond 2^31" (t10k (ints 2051 2000000000 2000000000 2000000000) named)
              #"below 2\^63"]
             ["a header that promises 2 GB" (t10k (ints 2051 2000000 28 28) named) #"found 0"]
             ["a label of 10" (t10k good (labels (range 1 11))) #"label 9 is 10, expected 0 to 9"]
             ["a label of 255" (t10k good (labels (cons 255 (range 9)))) #"label 0 is 255"]
             ["fewer labels" (t10k good (labels (range 9))) #"holds 10 images, but .* 9 labels"]
             ["too few to split" (t10k (images 4) (labels (range 4))) #"at least 5"]
             ["a gzip stream cut short" (t10k (Arrays/copyOf (gzipped good) 40) named) #"cut short"]
             ["damaged gzip data" (t10k (joined (Arrays/copyOf (gzipped good) 12) (byte-array 9))
                                        named)
              #"damaged|cut short|does not begin"]]]
      (testing what
        (with-folder files
          (fn [folder]
            (is (thrown-with-msg? Exception message (idx/read-folder folder)))))))))

(deftest every-truncation-is-refused
  (let [good (gzipped (images 10))]
    (with-folder {}
      (fn [folder]
        (let [file (io/file folder "x.gz")]
          (doseq [n (range (alength good))]
            (io/copy (Arrays/copyOf good (int n)) file)
            (is (thrown? Exception (idx/read-images file)) (str "first " n " bytes"))))))))

(deftest a-file-is-no-folder
  (is (thrown-with-msg? Exception #"is not a folder" (idx/read-folder "deps.edn")))
  (is (thrown-with-msg? Exception #"is not a folder" (idx/read-folder "no/such/place"))))
