(ns damo.demo.idx
  "Reads data sets of digits: files in IDX format, gzipped or not, as MNIST comes in. A set is
  {:name text, :count n, :rows 28, :cols 28, :pixels byte[n*rows*cols], :labels byte[n]}, pixels
  row-major, 0 paper to 255 ink, labels 0-9. (read-folder \"mnist\") => {:train set, :test set}."
  (:require [clojure.java.io :as io]
            [damo.fail :as fail :refer [fail!]])
  (:import [java.io BufferedInputStream EOFException File InputStream]
           [java.nio ByteBuffer]
           [java.util Arrays]
           [java.util.zip GZIPInputStream ZipException]))

(set! *warn-on-reflection* true)

(def ^:private images-magic 2051)                 ; 0x00000803: unsigned bytes, three dimensions
(def ^:private labels-magic 2049)                 ; 0x00000801: unsigned bytes, one dimension
(def ^:private meaning {images-magic "images", labels-magic "labels"})

;; ## One file

(defn- bad! [kind file message]
  (fail! kind (str file ": " message) {:file (str file)}))

(defn- open
  "A stream of the file's bytes, unpacked when the file starts as gzip does, whatever it is called."
  ^InputStream [file]
  (let [in (BufferedInputStream. (io/input-stream file))]
    (.mark in 2)
    (let [gzip? (and (= 0x1f (.read in)) (= 0x8b (.read in)))]
      (.reset in)
      (if gzip? (GZIPInputStream. in 65536) in))))

(defn- check-magic [file found wanted]
  (when-not (= found wanted)
    (bad! ::wrong-magic file
          (str "expected an IDX file of " (meaning wanted) ", which starts with the number " wanted
               ", found " found (when (meaning found) (str ": these are " (meaning found)))))))

(defn- header
  "The sizes that the header states: count, then rows and columns for images."
  [^InputStream in file magic]
  (let [length (if (= magic images-magic) 16 8)
        bytes (.readNBytes in length)
        buffer (ByteBuffer/wrap bytes)]
    (when (<= 4 (alength bytes))
      (check-magic file (.getInt buffer) magic))
    (when (< (alength bytes) length)
      (bad! ::truncated file (str "cut short: the header has " length " bytes, found "
                                  (alength bytes))))
    (vec (repeatedly (quot (- length 4) 4) #(.getInt buffer)))))

(defn- payload-length [file sizes]
  (let [length (reduce *' sizes)]
    (when (or (some neg? sizes) (zero? length) (< (- Integer/MAX_VALUE 16) length))
      (bad! ::bad-size file (str "the header states the sizes " sizes
                                 "; expected positive ones with a product below 2^31")))
    (int length)))

(defn- payload [^InputStream in file sizes]
  (let [length (int (payload-length file sizes))
        bytes (.readNBytes in length)]
    (when (< (alength bytes) length)
      (bad! ::truncated file (str "cut short: the sizes " sizes " need " length
                                  " bytes of data, found " (alength bytes))))
    (when-not (neg? (.read in))
      (bad! ::bad-size file (str "more data than the sizes " sizes " in its header need: "
                                 length " bytes")))
    bytes))

(defn- read-idx [file magic]
  (try
    (with-open [in (open file)]
      (let [sizes (header in file magic)]
        {:sizes sizes, :bytes (payload in file sizes)}))
    (catch EOFException e
      (fail! ::truncated (str file ": cut short: the gzip stream ends too early")
             {:file (str file)} e))
    (catch ZipException e
      (fail! ::damaged (str file ": damaged gzip data: " (ex-message e)) {:file (str file)} e))))

(defn read-images
  "{:count n, :rows r, :cols c, :pixels byte[n*r*c]} of an IDX file of images. Fails with
  ::wrong-magic, ::truncated, ::bad-size or ::damaged, naming the file and what was expected."
  [file]
  (let [{[n rows cols] :sizes, :keys [bytes]} (read-idx file images-magic)]
    {:count n, :rows rows, :cols cols, :pixels bytes}))

(defn read-labels
  "The labels of an IDX file, a byte array of 0-9. Fails like read-images, and with ::bad-label."
  ^bytes [file]
  (let [^bytes labels (:bytes (read-idx file labels-magic))]
    (dotimes [i (alength labels)]
      (when-not (<= 0 (aget labels i) 9)
        (bad! ::bad-label file (str "label " i " is " (Byte/toUnsignedInt (aget labels i))
                                    ", expected 0 to 9"))))
    labels))

;; ## A pair of files

(defn read-set
  "The data set of a file of images and one of labels; fails with ::counts-differ when they do not
  belong together."
  [images labels]
  (let [{:keys [count] :as set} (read-images images)
        label-bytes (read-labels labels)]
    (when-not (= count (alength label-bytes))
      (fail! ::counts-differ (str images " holds " count " images, but " labels " "
                                  (alength label-bytes) " labels; expected one label an image")
             {:images (str images), :labels (str labels)}))
    (assoc set :labels label-bytes, :name (str (.getName (io/file images))))))

(defn subset
  "The examples from (inclusive) to (exclusive) of a data set, copied."
  [{:keys [rows cols ^bytes pixels ^bytes labels] :as set} from to]
  (let [size (* rows cols)]
    (assoc set
           :count (- to from)
           :pixels (Arrays/copyOfRange pixels (int (* from size)) (int (* to size)))
           :labels (Arrays/copyOfRange labels (int from) (int to)))))

(defn split
  "{:train set, :test set}: the first four fifths of a data set, and the rest. Fails when it has
  less than 5 examples."
  [{:keys [count name] :as set}]
  (when (< count 5)
    (fail! ::too-few (str name " holds " count " examples; expected at least 5, to train on"
                          " four fifths of them")
           {:count count}))
  (let [cut (quot (* 4 count) 5)]
    {:train (subset set 0 cut), :test (subset set cut count)}))

;; ## A folder

(defn- candidates [kind part]
  (let [rank (if (= part "images") 3 1)]
    (for [dot ["-" "."], ending ["" ".gz"]]
      (str kind "-" part dot "idx" rank "-ubyte" ending))))

(defn- find-part [folder kind part]
  (first (filter #(.isFile ^File %) (map #(io/file folder %) (candidates kind part)))))

(defn- find-set [folder kind]
  (let [images (find-part folder kind "images"), labels (find-part folder kind "labels")]
    (when (or images labels)
      (when-not (and images labels)
        (fail! ::missing-file (str "there is " (or images labels) ", but not its counterpart "
                                   (first (candidates kind (if images "labels" "images")))
                                   ", gzipped or not")
               {:folder (str folder)}))
      (read-set images labels))))

(defn read-folder
  "{:train set, :test set} of a folder with MNIST's files: train-images… and t10k-images… with
  their labels; with one of the two pairs alone, its first four fifths to train on and the rest to
  test. Fails with ::no-data when neither is there, and as read-set does."
  [folder]
  (when-not (.isDirectory (io/file folder))
    (fail! ::no-data (str folder " is not a folder; expected one with MNIST's IDX files")
           {:folder (str folder)}))
  (let [train (find-set folder "train"), t10k (find-set folder "t10k")]
    (cond (and train t10k) {:train train, :test t10k}
          (or train t10k) (split (or train t10k))
          :else (fail! ::no-data
                       (str folder " holds no digits; expected train-images-idx3-ubyte and"
                            " train-labels-idx1-ubyte, or t10k-images-idx3-ubyte and"
                            " t10k-labels-idx1-ubyte, gzipped or not")
                       {:folder (str folder)}))))
