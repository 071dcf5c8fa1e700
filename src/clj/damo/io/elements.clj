(ns damo.io.elements
  "The elements of tensors as bytes in files: of either byte order, in chunks, so that no size
  stated by a file takes memory that the file does not fill."
  (:require [damo.data.fail :refer [fail!]]
            [damo.data.file :as file]
            [damo.data.thrown :as thrown]
            [damo.data.type :as type])
  (:import [damo.tensor DType Tensor]
           [java.io InputStream OutputStream]
           [java.lang.foreign MemorySegment ValueLayout]))

(set! *warn-on-reflection* true)

(def ^:private piece (* 1024 1024))

(defn- swap!-bytes
  "The order of the bytes of each element reversed, in place."
  [^bytes bytes ^long n ^long width]
  (loop [at 0]
    (when (< at n)
      (loop [i at, j (dec (+ at width))]
        (when (< i j)
          (let [b (aget bytes i)]
            (aset bytes i (aget bytes j))
            (aset bytes j b)
            (recur (inc i) (dec j)))))
      (recur (+ at width)))))

(defn- copy-in! [^bytes bytes ^long n ^MemorySegment to ^long at]
  (MemorySegment/copy bytes 0 to ValueLayout/JAVA_BYTE at (int n)))

(defn- byte-size
  "How many bytes the elements take; fails for what no file holds."
  [dtype shape source size]
  (let [n (*' (reduce *' 1 shape) (:bytes (type/dtypes dtype)))]
    (when (or (some neg? shape) (< Long/MAX_VALUE n))
      (fail! ::bad-size (str source ": the header states the shape " (pr-str (vec shape))
                             "; its sizes are 0 or more, and their product is below 2^63 bytes")
             {:file (str source), :shape (vec shape)}))
    (when (and size (< size n))
      (fail! ::truncated (str source ": cut short: the shape " (pr-str (vec shape)) " of " dtype
                              " needs " n " bytes of data, found " size)
             {:file (str source), :shape (vec shape)}))
    (when (and (nil? size) (< (- Integer/MAX_VALUE 16) n))
      (fail! ::bad-size (str source ": packed data of " n " bytes; unpack the file first, more"
                             " than 2^31 bytes are read from plain files only")
             {:file (str source), :shape (vec shape)}))
    (long n)))

(defn- fill! [^InputStream in source ^MemorySegment to n width swap?]
  (loop [at 0]
    (when (< at (long n))
      (let [k (min (long piece) (- (long n) at)), bytes (file/read-exactly in source "the data" k)]
        (when swap? (swap!-bytes bytes k width))
        (copy-in! bytes k to at)
        (recur (+ at k))))))

(defn read-tensor
  "The tensor of that dtype and shape whose elements follow in the stream; `size` is how many bytes
  do, nil for a packed source; `order` :little or :big."
  ^Tensor [^InputStream in source size dtype shape order]
  (let [n (byte-size dtype shape source size), width (:bytes (type/dtypes dtype))
        swap? (and (= order :big) (< 1 (long width)))
        packed (when (nil? size) (file/read-exactly in source "the data" n))
        ^Tensor t (thrown/translating
                   (Tensor/uninitialized (DType/of (name dtype)) (long-array shape)))
        ^MemorySegment segment (.segment t)]
    (if packed
      (do (when swap? (swap!-bytes packed n width))
          (copy-in! packed n segment 0))
      (fill! in source segment n width swap?))
    t))

(defn write-tensor
  "Writes the elements of a tensor, row-major, in that order of bytes."
  [^OutputStream out ^Tensor t order]
  (let [^MemorySegment from (.segment t), n (.byteSize t)
        width (:bytes (type/dtypes (keyword (.label (.dtype t)))))]
    (loop [at 0]
      (when (< at n)
        (let [k (int (min (long piece) (- n at))), bytes (byte-array k)]
          (MemorySegment/copy from ValueLayout/JAVA_BYTE at bytes 0 k)
          (when (and (= order :big) (< 1 (long width))) (swap!-bytes bytes k width))
          (.write out bytes)
          (recur (+ at k)))))))
