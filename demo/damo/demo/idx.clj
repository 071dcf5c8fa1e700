(ns damo.demo.idx
  "Reads data sets of digits: files in IDX format, gzipped or not, as MNIST comes in. A set is
  {:name text, :count n, :rows 28, :cols 28, :pixels byte[n*rows*cols], :labels byte[n]}, pixels
  row-major, 0 paper to 255 ink, labels 0-9. (read-folder \"mnist\") => {:train set, :test set}."
  (:require [clojure.java.io :as java-io]
            [damo.core :as d]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.io :as io])
  (:import [damo.tensor Tensor]
           [java.io File]
           [java.lang.foreign ValueLayout]
           [java.util Arrays]))

(set! *warn-on-reflection* true)

;; ## One file

(defn- bad! [kind file message]
  (fail! kind (str file ": " message) {:file (str file)}))

(def ^:private meanings {1 "labels", 3 "images"})

(defn- read-bytes
  "{:sizes [n …] :bytes byte[]} of an IDX file of bytes with that many axes."
  [file rank]
  (let [^Tensor t (io/read-idx file), sizes (vec (.shape t))]
    (when-not (and (= :u8 (d/dtype t)) (= rank (count sizes)))
      (bad! ::wrong-kind file
            (str "expected an IDX file of " (meanings rank) ", bytes of " rank " axes; found "
                 (d/dtype t) " of " (count sizes) " axes"
                 (when (meanings (count sizes)) (str ": these are " (meanings (count sizes)))))))
    (when (some zero? sizes)
      (bad! ::empty file (str "there is nothing in it: its sizes are " sizes)))
    {:sizes sizes, :bytes (.toArray (.segment t) ValueLayout/JAVA_BYTE)}))

(defn read-images
  "{:count n, :rows r, :cols c, :pixels byte[n*r*c]} of an IDX file of images. Fails as
  damo.io/read-idx does, and with ::wrong-kind or ::empty."
  [file]
  (let [{[n rows cols] :sizes, :keys [bytes]} (read-bytes file 3)]
    {:count n, :rows rows, :cols cols, :pixels bytes}))

(defn read-labels
  "The labels of an IDX file, a byte array of 0-9. Fails like read-images, and with ::bad-label."
  ^bytes [file]
  (let [^bytes labels (:bytes (read-bytes file 1))]
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
    (assoc set :labels label-bytes, :name (str (.getName (java-io/file images))))))

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
  (first (filter #(.isFile ^File %) (map #(java-io/file folder %) (candidates kind part)))))

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
  (when-not (.isDirectory (java-io/file folder))
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
