(ns damo.runtime.model-test
  "Model files: what goes in comes out; whatever is wrong with a file is said, and nothing is lost."
  (:require [clojure.java.io :as io]
            [clojure.test :refer [deftest is testing]]
            [damo.runtime.forge :as forge]
            [damo.runtime.programs :as programs :refer [call refusal]])
  (:import (damo Damo)
           (damo.runtime Model State)
           (damo.tensor DType Tensor)
           (java.io File)
           (java.nio.file Files Path)
           (java.nio.file.attribute FileAttribute)))

(set! *warn-on-reflection* true)

(defn- with-folder
  "Calls `f` with a new folder, deleted afterwards."
  [f]
  (let [folder (.toFile (Files/createTempDirectory "damo" (make-array FileAttribute 0)))]
    (try (f folder)
         (finally (run! #(.delete ^File %) (reverse (file-seq folder)))))))

(defn- path ^Path [^File folder name] (.toPath (io/file folder name)))

(defn- files [^File folder] (sort (.list folder)))

(defn- state-of
  ^State [name data dtype]
  (State/of name (Tensor/of data ^DType dtype) (boolean-array 0)))

(defn- model
  "A model of two functions that share the state w."
  ^Model [w]
  (Model/of {"step" (pr-str programs/axpy) "total" (pr-str programs/total)}
            {"w" w}
            {"step" "{:outputs [sum]}"}
            #{"step"}))

(deftest a-model-comes-back
  (with-folder
    (fn [folder]
      (let [file (path folder "m.damo")]
        (.save (model (programs/state "w" [1 2])) file)
        (with-open [m (Damo/load file)]
          (is (= ["step" "total"] (.names m)))
          (is (= "{:outputs [sum]}" (.info m "step")))
          (is (nil? (.info m "total")))
          (is (= [true false] [(.downcasts m "step") (.downcasts m "total")]))
          (is (= [3.0] (call (.function m "step") 10 [1 1])))
          (is (= [23.0] (call (.function m "total"))) "functions share the state")
          (is (identical? (.function m "total") (.function m "total")))
          (is (= "unknown-function" (first (refusal #(.function m "x")))))
          (is (= "unknown-state" (first (refusal #(.state m "x")))))
          (is (= "#damo/model functions [step, total], states [w]" (str m)))
          (.set (.state m "w") [5 6 7])
          (.save m file))
        (is (= ["m.damo"] (files folder)) "no debris")
        (let [m (Damo/load file)]
          (is (= [5.0 6.0 7.0] @(.value (.state m "w"))) "a free axis stays free")
          (.close m)
          (.close m)
          (is (= "closed" (first (refusal #(.function m "total")))))
          (is (= "closed" (first (refusal #(.value (.state m "w")))))))))))

(deftest every-dtype-comes-back
  (with-folder
    (fn [folder]
      (let [values {DType/F64 [1.5 ##Inf] DType/F32 [0.5] DType/I64 [Long/MIN_VALUE] DType/I32 [-1]
                    DType/I8 [-128 127] DType/U8 [255] DType/BOOL [true false]}
            states (into {} (for [[^DType dtype data] values]
                              [(.label dtype) (state-of (.label dtype) data dtype)]))
            odd {"an \"odd\"\nname, …" (state-of "x" [[[]]] DType/F32)
                 "s" (state-of "s" 3 DType/I8)}
            file (path folder "all")]
        (.save (Model/of {} (merge states odd) {}) file)
        (with-open [m (Damo/load file)]
          (doseq [[^DType dtype data] values]
            (is (= data @(.value (.state m (.label dtype)))) (str dtype)))
          (is (= [1 1 0] (vec (.shape (.state m "an \"odd\"\nname, …")))))
          (is (= 3 @(.value (.state m "s"))))
          (is (= "shape-mismatch" (first (refusal #(.set (.state m "u8") [1 2]))))
              "no axis is free"))))))

(defn- load-bytes
  "Loads a file with these bytes: :fine, or [kind message]."
  [^File folder ^bytes data]
  (let [file (path folder "broken")]
    (Files/write file data ^"[Ljava.nio.file.OpenOption;" (make-array java.nio.file.OpenOption 0))
    (or (refusal #(.close (Model/load file))) :fine)))

(defn- saved ^bytes [^File folder]
  (let [file (path folder "small")]
    (.save (Model/of {"total" (pr-str programs/total)} {"w" (programs/state "w" [1 2])} {}) file)
    (Files/readAllBytes file)))

(deftest a-flipped-byte-anywhere-is-refused
  (with-folder
    (fn [folder]
      (let [good (saved folder)]
        (is (= :fine (load-bytes folder good)))
        (dotimes [i (alength good)]
          (let [bad (aclone good)]
            (aset bad i (byte (bit-xor (aget bad i) (bit-shift-left 1 (mod i 7)))))
            (is (= "bad-file" (first (load-bytes folder bad))) (str "byte " i))))))))

(deftest a-file-cut-anywhere-is-refused
  (with-folder
    (fn [folder]
      (let [good (saved folder)]
        (doseq [n (range (alength good))]
          (is (= "bad-file" (first (load-bytes folder (java.util.Arrays/copyOf good (int n)))))
              (str n " bytes")))
        (is (= "bad-file" (first (load-bytes folder (java.util.Arrays/copyOf
                                                     good (+ 64 (alength good))))))
            "and one with more behind")))))

;; ## Files whose checksums are right and whose contents lie

(defn- state-entry [more]
  (merge {:name "w" :dtype :f64 :shape [1] :free [false] :bytes 8
          :crc32c (forge/crc (byte-array 8))}
         more))

(deftest files-that-lie
  (with-folder
    (fn [folder]
      (let [top (fn [programs states] {:damo/model 1 :programs programs :states states})
            huge 4611686018427387904
            one [(byte-array 8)]]
        (is (= :fine (load-bytes folder (forge/forged (top [] [(state-entry {})]) one {}))))
        (doseq [[what manifest sections opts message]
                [["a newer format" (top [] []) [] {:version 2} #"format 2, this Damo reads"]
                 ["its length" (top [] []) [] {:total huge} #"cut short"]
                 ["the manifest's length" (top [] []) [] {:manifest-bytes huge} #"claims 4611686"]
                 ["a negative length" (top [] []) [] {:manifest-bytes -1} #"claims -1 bytes"]
                 ["no EDN" "{:a" [] {} #"is no EDN"]
                 ["no map" "[1]" [] {} #"is no map"]
                 ["no version" {:programs [] :states []} [] {} #"lacks :damo/model"]
                 ["no lists" "{:damo/model 1}" [] {} #"no list :programs"]
                 ["deep nesting" (apply str (repeat 100000 "[")) [] {} #"is no EDN"]
                 ["an absurd shape" (top [] [(state-entry {:shape [huge huge] :free [false false]
                                                           :bytes 8})])
                  one {} #"claims more elements"]
                 ["an absurd size" (top [] [(state-entry {:shape [huge] :bytes huge})]) one {}
                  #"claims more elements"]
                 ["a shape of another size" (top [] [(state-entry {:shape []  :free [] :bytes 16})])
                  one {} #"has 16 bytes where its shape takes 8"]
                 ["a negative axis" (top [] [(state-entry {:shape [-1]})]) one {} #"has the shape"]
                 ["too many axes" (top [] [(state-entry {:shape (repeat 40 1)
                                                         :free (repeat 40 false)})])
                  one {} #"40 axes"]
                 ["no dtype" (top [] [(state-entry {:dtype :f8})]) one {} #"no known :dtype"]
                 ["no flags" (top [] [(state-entry {:free []})]) one {} #"in :free"]
                 ["two states of a name" (top [] [(state-entry {}) (state-entry {})])
                  [(byte-array 8) (byte-array 8)] {} #"two states named w"]
                 ["a bool of 2" (top [] [(state-entry {:dtype :bool :bytes 1
                                                       :crc32c (forge/crc (byte-array [2]))})])
                  [(byte-array [2])] {} #"neither 0 nor 1"]
                 ["a long program" (top [{:name "p" :bytes 100000 :crc32c 0}] []) one {}
                  #"claims 100000 bytes"]
                 ["bytes nobody tells of" (top [] []) one {} #"64 bytes more"]]]
          (let [[kind text] (load-bytes folder (forge/forged manifest sections opts))]
            (is (= "bad-file" kind) what)
            (is (re-find message (str text)) what)))
        (testing "a program that breaks the rules, and one whose state is missing"
          (doseq [[text kind] [["{:damo/program 1}" "bad-program"] ["{" "bad-edn"]
                               [(pr-str programs/total) "unknown-state"]]
                  :let [b (.getBytes ^String text "UTF-8")]]
            (is (= kind (first (load-bytes folder (forge/forged (top [{:name "p" :bytes (alength b)
                                                                       :crc32c (forge/crc b)}] [])
                                                                [b] {})))))))))))

(deftest files-that-cannot-be-read
  (with-folder
    (fn [folder]
      (is (= "cannot-read" (first (refusal #(Model/load (path folder "none"))))))
      (is (= "cannot-read" (first (refusal #(Model/load (.toPath ^File folder)))))))))

(deftest a-failed-save-loses-nothing
  (with-folder
    (fn [^File folder]
      (let [m (model (programs/state "w" [1 2]))
            file (path folder "m")]
        (is (= "cannot-write" (first (refusal #(.save m (path folder "none/m"))))))
        (.save m file)
        (is (= "cannot-write" (first (refusal #(.save m (path folder "m/m"))))))
        (.mkdir (io/file folder "taken"))
        (spit (io/file folder "taken" "x") "x")
        (is (= "cannot-write" (first (refusal #(.save m (path folder "taken"))))) "a folder")
        (.interrupt (Thread/currentThread))
        (let [[kind _] (refusal #(.save m file))
              interrupted (Thread/interrupted)]
          (is (= ["cannot-write" true] [kind interrupted]) "interrupted, and still so afterwards"))
        (is (= ["m" "taken"] (files folder)) "no debris")
        (with-open [back (Model/load file)]
          (is (= [3.0] (call (.function back "total"))) "the old file is as it was"))))))

(deftest bad-models-are-not-made
  (doseq [[programs states kind] [[{"p" "{:a 1}"} {} "bad-program"]
                                  [{"p" (pr-str programs/total)} {} "unknown-state"]
                                  [{"p" (pr-str programs/total)}
                                   {"w" (state-of "w" [1] DType/I64)} "state-mismatch"]]]
    (is (= kind (first (refusal #(Model/of programs states {}))))))
  (let [s (state-of "w" [1] DType/F64)]
    (is (= "state-mismatch" (first (refusal #(Model/of {} {"a" s "b" s} {})))))))

(deftest what-is-no-file-is-not-replaced
  (with-folder
   (fn [folder]
     (with-open [m (Model/of {} {"w" (programs/state "w" [1 2])} {})]
       (let [file (path folder "models/m"), link (path folder "link"), far (path folder "far")
             attributes (make-array java.nio.file.attribute.FileAttribute 0)
             links (fn [^Path from ^Path to] (Files/createSymbolicLink from to attributes))]
         (Files/createDirectory (path folder "models") attributes)
         (links link (Path/of "models/m" (make-array String 0)))
         (links far link)
         (doseq [what ["a file that is not there yet" "one that is"]]
           (.save m far)
           (is (Files/isRegularFile file (make-array java.nio.file.LinkOption 0)) what)
           (is (every? #(Files/isSymbolicLink %) [link far]) what))
         (links (path folder "round") (path folder "round"))
         (links (path folder "null") (Path/of "/dev/null" (make-array String 0)))
         (doseq [[to message] [["models" #"it is a folder; name a file in it"]
                               ["null" #"/dev/null: .*it is a device, not a file"]
                               ["round" #"FileSystemLoop"]]
                 :let [[kind text] (refusal #(.save m (path folder to)))]]
           (is (= "cannot-write" kind) to)
           (is (re-find message text)))
         (is (= "cannot-write" (first (refusal #(.save m (Path/of "/dev/null"
                                                                  (make-array String 0)))))))
         (is (not (Files/isRegularFile (Path/of "/dev/null" (make-array String 0))
                                       (make-array java.nio.file.LinkOption 0)))))))))

(deftest states-longer-than-one-write
  (with-folder
   (fn [folder]
     ;; Sections are written and read in pieces of 64 MiB.
     (let [n (+ 67108864 5), t (Tensor/zeros DType/I8 (long-array [n])), s (.pin t)]
       (doseq [i [0 67108863 67108864 (dec n)]]
         (.set s java.lang.foreign.ValueLayout/JAVA_BYTE (long i) (byte 7)))
       (.unpin t)
       (with-open [m (Model/of {} {"w" (State/of "w" t (boolean-array 0))} {})]
         (.save m (path folder "m")))
       (with-open [m (Model/load (path folder "m"))]
         (is (= -1 (java.util.Arrays/mismatch ^bytes (.toJavaArray t)
                                              ^bytes (.toJavaArray (.value (.state m "w")))))))))))
