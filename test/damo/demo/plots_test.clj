(ns damo.demo.plots-test
  "The pictures are PNG files of the right size, with something on them."
  (:require [clojure.test :refer [deftest is]]
            [damo.demo.digits :as digits]
            [damo.demo.plots :as plots])
  (:import [java.awt.image BufferedImage]
           [java.io File]
           [javax.imageio ImageIO]))

(set! *warn-on-reflection* true)

(defn- picture-by
  "The image that (draw! file) writes."
  ^BufferedImage [draw!]
  (let [file (File/createTempFile "damo" ".png")]
    (try (draw! file)
         (ImageIO/read file)
         (finally (.delete file)))))

(defn- colours [^BufferedImage image]
  (count (set (for [x (range (.getWidth image)), y (range (.getHeight image))]
                (.getRGB image x y)))))

(deftest this-machine-has-fonts
  (is (plots/text-can-be-drawn?)))

(deftest a-learning-curve
  (let [image (picture-by #(plots/learning-curve! % [{:epoch 1, :loss 0.5, :accuracy 0.9}
                                                     {:epoch 2, :loss 0.3, :accuracy 0.95}]))]
    (is (= [900 500] [(.getWidth image) (.getHeight image)]))
    (is (< 10 (colours image)))))

(deftest a-learning-curve-of-one-epoch
  (is (= 900 (.getWidth (picture-by #(plots/learning-curve! % [{:epoch 1, :loss 0.5
                                                                :accuracy 0.9}]))))))

(deftest a-page-of-misclassified-digits
  (let [set (digits/draw-set {:name "drawn", :count 40, :seed 1})
        predictions (vec (repeat 40 3))
        height #(.getHeight (picture-by
                             (fn [file] (plots/misclassified! file set predictions %))))]
    (is (= [88 88 168] [(height []) (height (range 12)) (height (range 13))]))
    (is (< 10 (colours (picture-by #(plots/misclassified! % set predictions (range 40))))))))
