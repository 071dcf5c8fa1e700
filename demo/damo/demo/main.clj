(ns damo.demo.main
  "`bin/damo demo`: trains a classifier of digits, shows how well it does, and saves it; with
  --predict it loads a saved one and shows the same. See damo.demo.model for what is trained."
  (:require [clojure.java.io :as io]
            [damo.cli :as cli]
            [damo.core :as d]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.demo.digits :as digits]
            [damo.demo.idx :as idx]
            [damo.demo.model :as model]
            [damo.demo.plots :as plots]
            [damo.demo.progress :as progress]
            [damo.demo.report :as report]
            [damo.demo.train :as train]))

(set! *warn-on-reflection* true)

(def ^:private options
  [["--data" {:key :data, :read (cli/path), :hint "DIR"
              :doc "MNIST's IDX files, gzipped or not; otherwise digits are drawn"}]
   ["--model" {:key :model, :read (cli/path), :hint "FILE", :default "examples/mlp.edn"
               :doc "what to train, in let form"}]
   ["--predict" {:key :predict, :read (cli/path), :hint "FILE"
                 :doc "classify with this saved model, do not train"}]
   ["--epochs" {:key :epochs, :read (cli/whole 1 10000), :hint "N"
                :doc "passes over the training digits (default 10, or what the model says)"}]
   ["--batch" {:key :batch, :read (cli/whole 1 100000), :hint "N"
               :doc "digits a step (default 20, or what the model says)"}]
   ["--rate" {:key :rate, :read (cli/positive), :hint "X"
              :doc "learning rate (default 0.1, or what the model says)"}]
   ["--seed" {:key :seed, :read (cli/whole 0 1000000000), :hint "N", :default 1
              :doc "of first values and of the order of digits"}]
   ["--threads" {:key :threads, :read (cli/whole 1 1024), :hint "N"
                 :doc "of matrix products (default: as many as cores)"}]
   ["--out" {:key :out, :read (cli/path), :hint "DIR", :default "target/demo"
             :doc "where the model and the pictures go"}]])

(def ^:private intro
  "usage: bin/damo demo [OPTION...]
Trains a network on handwritten digits, prints its accuracy and confusion table, and saves it.")

;; ## Data

(def ^:private drawn-digits 10000)

;; One seed for all: a saved model meets the same test digits again.
(def ^:private drawing-seed 20260727)

(defn- data-sets [{:keys [data]}]
  (if data
    (idx/read-folder data)
    (idx/split (digits/draw-set {:name "the drawn set", :count drawn-digits
                                 :seed drawing-seed}))))

(defn- check-size [{:keys [rows cols name]} width]
  (when-not (= width (* rows cols))
    (fail! ::size-mismatch (str name " holds digits of " rows "x" cols " = " (* rows cols)
                                " pixels; the model takes " width)
           {:expected width, :given (* rows cols)})))

(defn- amount [{:keys [count name]}]
  (format "%,d digits of %s" count name))

;; ## Results

(defn- print-result [table]
  (println)
  (println (report/confusion-text table))
  (println (format "\ntest accuracy %.2f %%" (* 100.0 (report/accuracy table)))))

(defn- pictures!
  "Draws the learning curve and the page of misclassified digits; returns the names of the files,
  none where Java cannot draw text."
  [folder history {:keys [labels] :as test} predictions]
  (if (plots/text-can-be-drawn?)
    [(plots/learning-curve! (io/file folder "learning-curve.png") history)
     (plots/misclassified! (io/file folder "misclassified.png") test predictions
                           (report/misclassified labels predictions))]
    (binding [*out* *err*]
      (println "bin/damo demo: no pictures: Java finds no fonts on this machine"
               "(Debian, Ubuntu: apt-get install fontconfig fonts-dejavu-core)"))))

(defn- test-predictions [predict test]
  (train/predictions predict (train/fill! (train/tensors test) test
                                          (train/in-order (:count test)))))

(def ^:private plain-training {:epochs 10, :batch 20, :rate 0.1, :momentum 0, :decay 1, :shift 0})

(defn- falling
  "The rate of training as a 0-d state and what sets it before an epoch: :decay times that of the
  epoch before."
  [{:keys [rate decay]}]
  (let [state (d/shared 'rate (d/tensor rate :f32))]
    [state (fn [epoch]
             (d/set-value! state (* (double rate) (Math/pow decay (dec (long epoch))))))]))

(defn- train-and-show! [{:keys [out seed] :as given}]
  (let [folder (cli/folder! out)
        form (model/read-model (:model given))
        {:keys [rate momentum decay] :as opts} (merge plain-training (:train form) given)
        built (model/build form seed)
        {:keys [train test] :as data} (data-sets opts)
        _ (check-size train (:inputs built))
        [rate before!] (if (= 1 decay) [rate nil] (falling opts))
        functions (model/functions built rate momentum)
        opts (assoc opts :before! before!)
        _ (println "training on" (str (amount train) ", testing on " (amount test)))
        start (System/nanoTime)
        history (train/train! functions data opts (progress/reporter (progress/terminal?)))
        seconds (* 1e-9 (- (System/nanoTime) start))
        predictions (test-predictions (:predict functions) test)
        saved (str (d/save (str (io/file folder "model.damo")) functions))]
    (print-result (report/confusion (:labels test) predictions))
    (println (format "trained in %.1f s" seconds))
    (doseq [file (cons saved (pictures! folder history test predictions))]
      (println "wrote" file))))

(defn- predict-and-show! [{:keys [predict] :as opts}]
  (let [functions (d/load predict)
        {:keys [test]} (data-sets opts)]
    (when-not (:predict functions)
      (fail! ::no-predict (str predict " holds no function predict; it has "
                               (vec (sort (map name (keys functions)))))
             {:file predict}))
    (println "testing on" (amount test))
    (print-result (report/confusion (:labels test)
                                    (test-predictions (:predict functions) test)))))

(defn- main [args]
  (let [{:keys [help predict threads] :as opts} (cli/parse options args)]
    (when threads (d/set-threads! threads))
    (cond help (println (cli/help intro options))
          predict (predict-and-show! opts)
          :else (train-and-show! opts))))

(defn -main
  "Runs the demo with the options given and ends the process; see --help."
  [& args]
  ;; Pictures are drawn into memory: no display is needed, nor looked for.
  (System/setProperty "java.awt.headless" "true")
  (let [status (cli/run "bin/damo demo" #(main args))]
    (shutdown-agents)
    (System/exit status)))
