(ns damo.face.model-test
  "Functions in files: what comes back, and that no damage of a file or folder loses anything."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.data.fail :as fail]
            [damo.face.model :as model])
  (:import [java.io File]
           [java.nio.file Files OpenOption]
           [java.nio.file.attribute FileAttribute PosixFilePermissions]
           [java.util Arrays]))

(set! *warn-on-reflection* true)

(defn- error-of [f]
  (try (f) nil
       (catch clojure.lang.ExceptionInfo e [(:damo/error (ex-data e)) (fail/what e)])))

(defmacro ^:private with-folder [[folder] & body]
  `(let [~folder (.toFile (Files/createTempDirectory "damo" (make-array FileAttribute 0)))]
     (try ~@body
          (finally (run! (fn [^File f#] (.delete f#)) (reverse (file-seq ~folder)))))))

(defn- example
  "{:predict f :step f :w shared} of a small model."
  []
  (let [x (d/input 'x [:f64 ['n 2]]), w (d/shared 'w [[1.0 2.0] [3.0 4.0]]), k (d/shared 'k 0)
        y (d/softmax (d/dot x w))]
    {:predict (d/function [x] {:y y, :best (d/argmax y :axis 1)})
     :step (d/function [x] [(d/sum y) k] {:updates {w (d/mul w 0.5), k (d/add k 1)}})
     :w w}))

(def ^:private at [[1 2] [0 -1] [3 0]])

(deftest what-is-saved-comes-back
  (with-folder [folder]
    (let [{:keys [predict step w]} (example)
          file (io/file folder "model.damo")]
      (step at)
      (is (= file (d/save file {:predict predict, :step step})))
      (let [loaded (d/load file), [again step-again] (map loaded [:predict :step])]
        (is (= #{:predict :step} (set (keys loaded))))
        (is (= (update-vals (predict at) deref) (update-vals (again at) deref)) "the form, too")
        (testing "the loaded functions share their state, and no more with the old ones"
          (let [before (update-vals (again at) deref)]
            (is (= 1 @(second (step-again at))))
            (is (not= before (update-vals (again at) deref)))
            (is (= before (update-vals (predict at) deref)))
            (is (= [[0.5 1.0] [1.5 2.0]] @(d/value w)))))
        (testing "loaded functions can be saved again"
          (d/save file loaded)
          (is (= (update-vals (again at) deref)
                 (update-vals ((:predict (d/load file)) at) deref))))))))

(deftest names-may-be-given-as-text
  (with-folder [folder]
    (let [{:keys [predict]} (example), path (str (io/file folder "m.damo"))]
      (is (= path (d/save path {"predict" predict})))
      (is (= [:predict] (keys (d/load path)))))))

(deftest what-cannot-be-saved
  (with-folder [folder]
    (let [{:keys [predict]} (example), file (io/file folder "m.damo")
          x (d/input 'x [:f64 []])
          f (d/function [x] (d/mul x (d/shared 'w 1.0)))]
      (doseq [wrong [nil {} predict {:f 7} [predict]]]
        (is (= :damo.model/not-functions (first (error-of #(d/save file wrong))))))
      (is (= :damo.model/two-states-of-one-name
             (first (error-of #(d/save file {:a predict, :b f})))))
      (is (not (.exists file))))))

(deftest a-damaged-file-is-refused
  (with-folder [folder]
    (let [{:keys [predict]} (example), file (io/file folder "m.damo")
          _ (d/save file {:predict predict})
          whole (Files/readAllBytes (.toPath file)), n (alength whole)
          no-options ^"[Ljava.nio.file.OpenOption;" (make-array OpenOption 0)
          loading (fn [^bytes data]
                    (Files/write (.toPath file) data no-options)
                    (error-of #(d/load file)))]
      (testing "cut short"
        (doseq [length (concat (range 0 64) (range 64 n 97) [(dec n)])]
          (is (= :damo/bad-file (first (loading (Arrays/copyOf whole (int length))))) length)))
      (testing "with a flipped bit"
        (doseq [i (concat (range 0 64) (range 64 n 61) [(dec n)])
                :let [bytes (aclone whole)]]
          (aset bytes i (unchecked-byte (bit-xor (aget bytes i) (bit-shift-left 1 (mod i 8)))))
          (is (= :damo/bad-file (first (loading bytes))) i)))
      (testing "no model at all"
        (is (= :damo/bad-file (first (loading (.getBytes "{:nodes []}")))))
        (is (= :damo/cannot-read (first (error-of #(d/load (io/file folder "none.damo"))))))
        (is (= :damo/cannot-read (first (error-of #(d/load folder))))))
      (is (nil? (loading whole)) "and the whole file still loads"))))

(deftest the-old-file-survives-a-failed-save
  (with-folder [folder]
    (let [{:keys [predict]} (example), file (io/file folder "sub" "m.damo")]
      (testing "in a folder that does not exist"
        (is (str/includes? (str (second (error-of #(d/save file {:predict predict})))) "m.damo")))
      (.mkdir (.getParentFile file))
      (d/save file {:predict predict})
      (let [old (vec (Files/readAllBytes (.toPath file)))
            folder-path (.toPath (.getParentFile file))
            permit #(Files/setPosixFilePermissions folder-path (PosixFilePermissions/fromString %))]
        (permit "r-xr-xr-x")
        (try
          (when-not (Files/isWritable folder-path)      ; the superuser may write anywhere
            (is (= :damo/cannot-write (first (error-of #(d/save file {:predict predict}))))))
          (finally
            (permit "rwxr-xr-x")))
        (is (= old (vec (Files/readAllBytes (.toPath file)))))
        (is (= ["m.damo"] (map #(.getName ^File %) (.listFiles (.getParentFile file))))
            "no temporary file is left"))
      (testing "onto a folder"
        (is (= :damo/cannot-write
               (first (error-of #(d/save (.getParentFile file) {:predict predict})))))
        (is (.exists file))))))
