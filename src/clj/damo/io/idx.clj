(ns damo.io.idx
  "Files in IDX format, gzipped or not, as MNIST comes in: two zero bytes, the element type, the
  number of axes, their sizes, then the elements, all in big-endian order. (read-idx file) is a
  tensor."
  (:require [clojure.set :as set]
            [damo.data.fail :refer [fail!]]
            [damo.data.file :as file]
            [damo.io.elements :as elements])
  (:import [damo.tensor Tensor]
           [java.io InputStream OutputStream]
           [java.nio ByteBuffer]))

(set! *warn-on-reflection* true)

(def ^:private dtypes {8 :u8, 9 :i8, 11 :i16, 12 :i32, 13 :f32, 14 :f64})

(defn- big-endian [^bytes bytes n]
  (let [buffer (ByteBuffer/wrap bytes)] (vec (repeatedly n #(.getInt buffer)))))

(defn- read-array [^InputStream in source size]
  (let [start (file/read-exactly in source "the beginning of an IDX file" 4)
        [a b code rank] (map #(bit-and 0xff (long %)) start)
        dtype (dtypes code)]
    (when-not (and (= 0 a b) dtype)
      (fail! ::not-idx (str source ": it does not begin as an IDX file, with two zero bytes and"
                            " one of the types 8, 9, 11 to 14; found " (vec start))
             {:file (str source)}))
    (let [header (file/read-exactly in source "the header of an IDX file" (* 4 rank))
          shape (big-endian header rank)
          before (+ 4 (* 4 (long rank)))
          t (elements/read-tensor in source (when size (- (long size) before)) dtype shape :big)]
      (when-not (neg? (.read in))
        (fail! ::too-long (str source ": more data than the sizes " shape " in its header need")
               {:file (str source), :shape shape}))
      t)))

(defn read-idx
  "The tensor in an IDX file, gzipped or not."
  [file]
  (file/reading file (fn [in size] (read-array in file size))))

(defn write-idx
  "Writes a tensor of :u8 :i8 :i16 :i32 :f32 or :f64 as an IDX file, whole or not at all; returns
  the file."
  [file t]
  (let [^Tensor t t, shape (.shape t), dtype (keyword (.label (.dtype t)))
        code ((set/map-invert dtypes) dtype)]
    (when-not (and code (< (count shape) 256) (every? #(<= % Integer/MAX_VALUE) shape))
      (fail! ::other-dtype (str "an IDX file holds :u8 :i8 :i16 :i32 :f32 or :f64; the tensor is "
                                dtype)
             {:dtype dtype}))
    (let [header (ByteBuffer/allocate (+ 4 (* 4 (count shape))))]
      (.putInt header (int (+ (* 256 (long code)) (count shape))))
      (doseq [d shape] (.putInt header (int d)))
      (file/write-whole! file (fn [^OutputStream out]
                                (.write out (.array header))
                                (elements/write-tensor out t :big))))))
