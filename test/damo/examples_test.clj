(ns damo.examples-test
  "The examples run from top to bottom and print what they promise."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [damo.core]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(defn- output-of
  "What an example prints when it is loaded, as bin/damo script does, in a namespace of its own."
  [file]
  (let [before @op/registry]
    (try
      (binding [*ns* (create-ns 'damo.examples-test.script)]
        (refer-clojure)
        (with-out-str
          (load-file (str (io/file (System/getProperty "damo.root" ".") "examples" file)))))
      (finally
        (reset! op/registry before)
        (remove-ns 'damo.examples-test.script)))))

(deftest native-functions
  (let [text (output-of "native_function.clj")]
    (doseq [line [":root #damo/tensor [:f64 [3]] [2.0 3.0 4.0]"
                  "kernel  add-cbrt-sqr-mul-div"
                  "the op :cbrt keeps "
                  "[#damo/tensor [:f64 []] 12.0 #damo/tensor [:f64 [3]] [1.0 -1.0 1.0]]"
                  "[3.0 3.0 4.0 4.0 5.0 9.0 9.0 9.0]"
                  "the kernel of the op fragile failed: java.lang.Exception: a negative number"
                  "expression: (fragile x)"
                  "[2.0 3.0]"]]
      (is (str/includes? text line)))))
