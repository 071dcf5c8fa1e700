(ns damo.demo.main-test
  "The demo as a user meets it: options, results, and what bad input leads to."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing use-fixtures]]
            [damo.cli :as cli]
            [damo.demo.digits :as digits]
            [damo.demo.main :as main])
  (:import [java.io File StringWriter]
           [java.nio ByteBuffer]
           [java.nio.file Files]
           [java.nio.file.attribute FileAttribute]
           [java.util Arrays]))

(set! *warn-on-reflection* true)

(def ^:private small-model
  '{:inputs {x [:f32 [n 784]]}
    :params {w {:type [:f32 [784 10]], :init :zeros}}
    :outputs {logits [:dot x w]}})

(def ^:dynamic ^:private *folder* nil)

(defn- path ^String [& names] (str (apply io/file *folder* names)))

(defn- idx-bytes [header ^bytes data]
  (let [buffer (ByteBuffer/allocate (+ (* 4 (count header)) (alength data)))]
    (doseq [n header] (.putInt buffer (int n)))
    (.put buffer data)
    (.array buffer)))

(defn- write-set! [folder {:keys [count rows cols pixels labels]}]
  (.mkdirs (io/file (path folder)))
  (io/copy (idx-bytes [2051 count rows cols] pixels)
           (io/file (path folder "t10k-images-idx3-ubyte")))
  (io/copy (idx-bytes [2049 count] labels)
           (io/file (path folder "t10k-labels-idx1-ubyte"))))

(use-fixtures :once
  (fn [run-tests]
    (let [folder (.toFile (Files/createTempDirectory "damo-demo" (make-array FileAttribute 0)))]
      (binding [*folder* folder]
        (write-set! "data" (digits/draw-set {:name "drawn", :count 500, :seed 5}))
        (spit (path "small.edn") (pr-str small-model))
        (try (run-tests)
             (finally (run! #(.delete ^File %) (reverse (file-seq folder)))))))))

(defn- demo
  "Runs the demo with these arguments; {:status n, :out text, :err text}."
  [& args]
  (let [out (StringWriter.), err (StringWriter.)
        status (binding [*out* out, *err* err] (cli/run "demo" #(#'main/main args)))]
    {:status status, :out (str out), :err (str err)}))

(defn- train [out]
  (demo "--data" (path "data") "--model" (path "small.edn") "--epochs" "3" "--rate" "0.05"
        "--out" (path out)))

(defn- result
  "What the demo printed from the confusion table to the accuracy."
  [{:keys [out]}]
  (re-find #"(?s) label \|.*test accuracy [\d.]+ %" out))

(deftest training-and-predicting-show-the-same-result
  (let [trained (train "out")
        again (demo "--data" (path "data") "--predict" (path "out" "model.damo"))]
    (is (= [0 "" 0 ""] (mapcat (juxt :status :err) [trained again])))
    (is (some? (result trained)))
    (is (= (result trained) (result again)))
    (is (= 3 (count (re-seq #"epoch  \d/3" (:out trained)))))
    (doseq [file ["model.damo" "learning-curve.png" "misclassified.png"]]
      (is (< 500 (.length (io/file (path "out" file)))) file))))

(deftest bad-options-end-with-status-2
  (doseq [args [["--epocs" "3"] ["--epochs" "none"] ["--rate" "0"] ["--batch"] ["digits"]]]
    (testing (pr-str args)
      (let [{:keys [status out err]} (apply demo args)]
        (is (= 2 status))
        (is (= "" out))
        (is (= 1 (count (str/split-lines err))))))))

(deftest help-is-no-error
  (let [{:keys [status out]} (demo "--help")]
    (is (= 0 status))
    (is (str/includes? out "--predict FILE"))))

(defn- flip-middle ^bytes [^bytes bytes]
  (let [copy (Arrays/copyOf bytes (alength bytes)), i (quot (alength bytes) 2)]
    (aset copy i (unchecked-byte (bit-xor 4 (aget copy i))))
    copy))

(deftest bad-input-ends-with-status-1-and-one-message
  (train "good")
  (let [model (Files/readAllBytes (.toPath (io/file (path "good" "model.damo"))))
        cut (path "cut.damo"), flipped (path "flipped.damo"), text (path "text.damo")]
    (io/copy (Arrays/copyOf model (quot (alength model) 2)) (io/file cut))
    (io/copy (flip-middle model) (io/file flipped))
    (spit text "no model")
    (doseq [[args message]
            [[["--predict" cut] #"cut\.damo"]
             [["--predict" flipped] #"flipped\.damo"]
             [["--predict" text] #"text\.damo"]
             [["--predict" (path "none.damo")] #"none\.damo"]
             [["--model" (path "none.edn")] #"none\.edn"]
             [["--model" text] #"text\.damo must hold exactly one EDN form"]
             [["--data" (path "none")] #"none is not a folder"]
             [["--data" (path "good")] #"good holds no digits"]
             [["--out" text] #"text\.damo: it is a file, not a folder"]]]
      (testing (pr-str args)
        (let [{:keys [status err]} (apply demo args)]
          (is (= 1 status))
          (is (re-find message err))
          (is (not (re-find #"\n\s+at " err)) "no stack trace"))))))

(deftest digits-of-another-size-are-refused
  (write-set! "tiny" {:count 10, :rows 2, :cols 2
                      :pixels (byte-array 40), :labels (byte-array 10)})
  (let [{:keys [status err]} (demo "--data" (path "tiny") "--out" (path "out2"))]
    (is (= 1 status))
    (is (re-find #"2x2 = 4 pixels; the model takes 784" err))))

(deftest the-old-model-survives-a-run-that-fails
  (train "kept")
  (let [file (io/file (path "kept" "model.damo"))
        before (vec (Files/readAllBytes (.toPath file)))]
    (is (= 1 (:status (demo "--data" (path "tiny-none") "--out" (path "kept")))))
    (is (= before (vec (Files/readAllBytes (.toPath file)))))))
