(ns damo.runtime.forge
  "Model files of any content, with right checksums, for tests that lie."
  (:import [java.nio ByteBuffer ByteOrder]
           [java.util.zip CRC32C]))

(set! *warn-on-reflection* true)

(defn crc "The checksum of bytes." [^bytes b] (.getValue (doto (CRC32C.) (.update b))))

(defn forged
  "A file with this manifest, these sections, and right checksums in the header."
  ^bytes [manifest sections {:keys [version total manifest-bytes] :or {version 1}}]
  (let [text (.getBytes (if (string? manifest) ^String manifest (pr-str manifest)) "UTF-8")
        pad (fn [^bytes b] (java.util.Arrays/copyOf b (int (* 64 (quot (+ 63 (alength b)) 64)))))
        body (byte-array (mapcat pad (cons text sections)))
        header (doto (.order (ByteBuffer/allocate 64) ByteOrder/LITTLE_ENDIAN)
                 (.putLong 0 0x1A0A0D4F4D414489) (.putInt 8 version)
                 (.putLong 16 (or total (+ 64 (alength body))))
                 (.putLong 24 (or manifest-bytes (alength text)))
                 (.putInt 32 (unchecked-int (crc text))))]
    (.putInt header 12 (unchecked-int (crc (.array header))))
    (byte-array (concat (.array header) body))))

(defn manifest
  "The manifest of a file with one program, `total` of damo.runtime.programs, and its state of two
  zeros; `program` is the program's text as bytes."
  [^bytes program]
  {:damo/model 1
   :programs [{:name "total" :bytes (alength program) :crc32c (crc program)}]
   :states [{:name "w" :dtype :f64 :shape [2] :free [true] :bytes 16
             :crc32c (crc (byte-array 16))}]})
