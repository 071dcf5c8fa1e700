(ns damo.lib.natives-test
  "Unpacking and opening of native libraries."
  (:require [clojure.java.io :as io]
            [clojure.test :refer [deftest is testing]])
  (:import (damo DamoException)
           (damo.lib Natives Natives$Group)
           (java.nio ByteBuffer ByteOrder)
           (java.nio.file Files Path)
           (java.nio.file.attribute FileAttribute)))

(set! *warn-on-reflection* true)

(def ^:private small
  "A group whose file is small, so that the tests are fast."
  (Natives$Group. "org/bytedeco/openblas" ["libgcc_s.so.1"] "org.bytedeco/openblas"))

(defn- with-cache
  "Calls (f folder) while damo.cache names a fresh folder."
  [f]
  (let [folder (.toFile (Files/createTempDirectory "natives" (make-array FileAttribute 0)))
        before (System/getProperty "damo.cache")]
    (try
      (System/setProperty "damo.cache" (str folder))
      (f folder)
      (finally
        (if before
          (System/setProperty "damo.cache" before)
          (System/clearProperty "damo.cache"))
        (run! io/delete-file (reverse (file-seq folder)))))))

(defn- failure [f]
  (try (f) nil (catch DamoException e e)))

(deftest unpack-test
  (with-cache
    (fn [folder]
      (let [library (.resolve (Natives/unpack small) "libgcc_s.so.1")
            size (Files/size library)]
        (is (.startsWith library (.toPath (io/file folder))))
        (is (< 100000 size))
        (testing "a file of the right size is left alone"
          (let [stamp (.lastModified (.toFile library))]
            (.setLastModified (.toFile library) (- stamp 5000))
            (Natives/unpack small)
            (is (= (- stamp 5000) (.lastModified (.toFile library))))))
        (testing "a file that is cut short is replaced"
          (spit (.toFile library) "broken")
          (Natives/unpack small)
          (is (= size (Files/size library))))
        (testing "nothing is left behind"
          (is (= ["libgcc_s.so.1"] (vec (.list (.toFile (.getParent library)))))))))))

(deftest unpack-together-test
  (with-cache
    (fn [_]
      (let [folders (->> (repeatedly 8 #(future (str (Natives/unpack small))))
                         doall (map deref) set)]
        (is (= 1 (count folders)))
        (is (= 1 (count (.list (io/file (first folders))))))))))

(deftest what-a-killed-start-left-is-swept
  (with-cache
    (fn [_]
      (let [folder (.getParent (.resolve (Natives/unpack small) "libgcc_s.so.1"))
            left (io/file (str folder) "libgcc_s.so.1.123.part")
            held (io/file (str folder) "libgcc_s.so.1.456.part")
            ;; The lock of another process, as a start that is unpacking right now holds it.
            java (str (System/getProperty "java.home") "/bin/java")
            source (io/file (str folder) "Hold.java")
            ^java.util.List command [java (str source) (str held)]]
        (spit left "half")
        (spit source "public class Hold { public static void main(String[] a) throws Exception {
          var c = java.nio.channels.FileChannel.open(java.nio.file.Path.of(a[0]),
              java.nio.file.StandardOpenOption.CREATE, java.nio.file.StandardOpenOption.WRITE);
          c.lock(); System.out.println(); System.in.read(); } }")
        (let [holder (.start (ProcessBuilder. command))]
          (try (.read (.getInputStream holder))
               (Natives/unpack small)
               (is (not (.exists left)))
               (is (.exists held) "another process writes it")
               (finally (.waitFor (.destroyForcibly holder))))
          (Natives/unpack small)
          (is (not (.exists held)) "and that one was killed"))))))

(deftest missing-library-test
  (let [group (Natives$Group. "org/bytedeco/none" ["libnone.so"] "org.bytedeco/none 1.0")
        e ^DamoException (failure #(Natives/unpack group))]
    (is (= "missing-library" (.kind e)))
    (is (re-find #"libnone.so.*add the dependency org.bytedeco/none 1.0" (.getMessage e))))
  (let [absent (Path/of "/nowhere/libnone.so" (make-array String 0))
        e ^DamoException (failure #(Natives/open absent))]
    (is (= "missing-library" (.kind e)))
    (is (re-find #"loader refuses /nowhere/libnone.so" (.getMessage e)))))

(defn- write-library
  "Writes a library, no more than headers, that wants so many bytes of memory; of 64 bits when the
  class is 2."
  [file elf-class ^long bytes]
  (let [b (doto (ByteBuffer/allocate 4096) (.order ByteOrder/LITTLE_ENDIAN))
        segment (fn [type at size]
                  (.putInt b type)
                  (.putInt b 6)
                  (run! #(.putLong b %) [at at at (- 4096 at) size 4096]))]
    (.put b (byte-array [0x7f 0x45 0x4c 0x46 elf-class 1 1 0 0 0 0 0 0 0 0 0]))
    (.putShort b 3)
    (.putShort b (if (= "aarch64" (System/getProperty "os.arch")) 183 62))
    (.putInt b 1)
    (run! #(.putLong b %) [0 64 0])
    (.putInt b 0)
    (run! #(.putShort b %) [64 56 3 64 0 0])
    (segment 1 0 bytes)
    (segment 2 1024 1024)
    (segment 0x6474e551 0 0)
    (with-open [out (io/output-stream file)] (.write out (.array b)))))

(deftest what-the-loader-says-test
  (with-cache
    (fn [folder]
      (let [file (io/file folder "lib.so"), open #(failure (fn [] (Natives/open (.toPath file))))]
        (write-library file 1 4096)
        (let [e ^DamoException (open)]
          (is (= "missing-library" (.kind e)))
          (is (re-find #"wrong ELF class.*may be damaged" (.getMessage e))))
        (write-library file 2 (bit-shift-left 1 46))
        (let [e ^DamoException (open)]
          (is (= "out-of-memory" (.kind e)))
          (is (re-find #"memory is short.*lib.so.*ulimit -v" (.getMessage e)))
          (is (not (re-find #"damaged" (.getMessage e)))))))))

(deftest unwritable-cache-test
  (with-cache
    (fn [folder]
      (let [file (io/file folder "file")]
        (spit file "")
        (System/setProperty "damo.cache" (str file))
        (let [e ^DamoException (failure #(Natives/unpack small))]
          (is (= "io" (.kind e)))
          (is (re-find #"damo.cache" (.getMessage e))))))))
