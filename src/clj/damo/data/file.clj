(ns damo.data.file
  "Files, read and written whole: failures name the file and are Damo's own, and a file that is
  written appears complete or not at all. (write-whole! \"a.edn\" (fn [out] …))."
  (:require [clojure.java.io :as io]
            [damo.data.fail :refer [fail!]])
  (:import [damo.runtime Destination]
           [java.io BufferedInputStream EOFException File FileNotFoundException InputStream
            IOException]
           [java.nio.file CopyOption Files StandardCopyOption]
           [java.nio.file.attribute FileAttribute]
           [java.util.zip GZIPInputStream ZipException]))

(set! *warn-on-reflection* true)

(defn failed!
  "Throws the IOException e of what was done with a file as a failure of Damo."
  [file what ^IOException e]
  (cond (instance? EOFException e)
        (fail! :damo.file/truncated (str file ": cut short: the compressed data end too early")
               {:file (str file)} e)
        (instance? ZipException e)
        (fail! :damo.file/damaged (str file ": damaged compressed data: " (ex-message e))
               {:file (str file)} e)
        :else
        (fail! :damo.file/failed (str file " cannot be " what ": "
                                  (if (instance? FileNotFoundException e)
                                   (ex-message e)
                                   (str (.getSimpleName (class e)) " " (ex-message e))))
               {:file (str file)} e)))

(defn reading
  "What (f stream size) returns for a stream of the bytes of the file; size is their number, nil
  when the file is packed by gzip, which is seen by its first bytes and unpacked."
  [file f]
  (try
    (let [^File of-disk (io/file file)]
      (with-open [in (BufferedInputStream. (io/input-stream of-disk) 65536)]
        (.mark in 2)
        (let [gzip? (and (= 0x1f (.read in)) (= 0x8b (.read in)))]
          (.reset in)
          (if gzip?
            (with-open [unpacked (GZIPInputStream. in 65536)] (f unpacked nil))
            (f in (.length of-disk))))))
    (catch IOException e (failed! file "read" e))))

(defn write-whole!
  "Writes a file by (f output-stream), whole or not at all; returns the file."
  [file f]
  (try
    (let [target (Destination/of (.toPath (io/file file)))
          temp (Files/createTempFile (.getParent target) ".damo" ".part"
                                     (make-array FileAttribute 0))]
      (try
        (with-open [out (io/output-stream (.toFile temp))] (f out))
        (Files/move temp target (into-array CopyOption [StandardCopyOption/REPLACE_EXISTING
                                                        StandardCopyOption/ATOMIC_MOVE]))
        file
        (finally (Files/deleteIfExists temp))))
    (catch IOException e (failed! file "written" e))))

(defn read-exactly
  "n bytes of a stream; fails, saying what they are, when there are fewer. A size that lies takes no
  memory."
  ^bytes [^InputStream in file what n]
  (let [bytes (.readNBytes in (int n))]
    (when (< (alength bytes) (long n))
      (fail! :damo.file/truncated
             (str file ": cut short: " what " has " n " bytes, found " (alength bytes))
             {:file (str file)}))
    bytes))
