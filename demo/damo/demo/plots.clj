(ns damo.demo.plots
  "The pictures of the demo, as PNG files: the learning curve, and a page of the digits that were
  misclassified. Drawn with Java2D and XChart, without a display.
  (learning-curve! \"curve.png\" [{:epoch 1, :loss 0.4, :accuracy 0.93} …])."
  (:require [clojure.java.io :as io])
  (:import [java.awt Color Font Graphics2D RenderingHints]
           [java.awt.image BufferedImage]
           [javax.imageio ImageIO]
           [org.knowm.xchart BitmapEncoder BitmapEncoder$BitmapFormat XYChart XYChartBuilder
            XYSeries]
           [org.knowm.xchart.style Styler$LegendPosition Styler$YAxisPosition XYStyler]))

(set! *warn-on-reflection* true)

(defn text-can-be-drawn?
  "Can Java draw text on this machine? Not in a bare container, which has neither fonts nor the
  library that finds them; Java tells so by errors of many kinds."
  []
  (try
    (.drawString (.createGraphics (BufferedImage. 1 1 BufferedImage/TYPE_BYTE_GRAY)) "0" 0 0)
    true
    (catch RuntimeException _ false)
    (catch LinkageError _ false)
    (catch InternalError _ false)))

;; ## Learning curve

(defn- empty-chart ^XYChart []
  (let [builder (doto (XYChartBuilder.) (.width 900) (.height 500) (.title "Learning curve"))]
    (.xAxisTitle builder "epoch")
    (.build builder)))

(defn- add-line! [^XYChart chart {:keys [title group position epochs ys]}]
  (let [^XYSeries series (.addSeries chart ^String title (double-array epochs) (double-array ys))]
    (.setYAxisGroup series group)
    (.setYAxisGroupTitle chart group title)
    (.setYAxisGroupPosition (.getStyler chart) group position)))

(defn- curve-chart ^XYChart [history]
  (let [chart (empty-chart), epochs (map :epoch history)]
    (doto ^XYStyler (.getStyler chart)
      (.setLegendPosition Styler$LegendPosition/OutsideS)
      (.setChartBackgroundColor Color/WHITE))
    (add-line! chart {:title "mean loss in training", :group (int 0), :epochs epochs
                      :position Styler$YAxisPosition/Left, :ys (map :loss history)})
    (add-line! chart {:title "test accuracy, %", :group (int 1), :epochs epochs
                      :position Styler$YAxisPosition/Right
                      :ys (map #(* 100.0 (double (:accuracy %))) history)})
    chart))

(defn learning-curve!
  "Draws loss and accuracy over the epochs into a PNG file; `history` is a seq of
  {:epoch :loss :accuracy (0 to 1)}. Returns the file's name."
  [file history]
  (with-open [out (io/output-stream file)]
    (BitmapEncoder/saveBitmap (curve-chart history) out BitmapEncoder$BitmapFormat/PNG))
  (str file))

;; ## Misclassified digits

(def ^:private columns 12)
(def ^:private rows-shown 10)
(def ^:private zoom 2)
(def ^:private caption-height 16)
(def ^:private gap 8)

(defn- digit-image
  "The digit at `index` of a data set as an image, black ink on white."
  ^BufferedImage [{:keys [rows cols ^bytes pixels]} index]
  (let [image (BufferedImage. cols rows BufferedImage/TYPE_BYTE_GRAY)
        raster (.getRaster image)
        start (long (* (long index) (long rows) (long cols)))]
    (dotimes [i (* (long rows) (long cols))]
      (.setSample raster (int (rem i (long cols))) (int (quot i (long cols))) 0
                  (int (- 255 (bit-and 0xff (aget pixels (+ start i)))))))
    image))

(defn- tile-size [{:keys [rows cols]}]
  [(+ gap (* zoom cols)) (+ gap caption-height (* zoom rows))])

(defn- draw-tile! [^Graphics2D pen {:keys [rows cols labels] :as set} predictions index place]
  (let [[width height] (tile-size set)
        x (+ gap (* width (rem place columns)))
        y (+ gap (* height (quot place columns)))]
    (.drawImage pen (digit-image set index) (int x) (int y)
                (int (* zoom cols)) (int (* zoom rows)) nil)
    (.drawString pen (str (aget ^bytes labels index) " as " (nth predictions index))
                 (int x) (int (+ y (* zoom rows) (- caption-height 4))))))

(defn- page ^BufferedImage [set places]
  (let [[width height] (tile-size set)
        rows (max 1 (quot (+ places columns -1) columns))]
    (BufferedImage. (+ gap (* width columns)) (+ gap (* height rows))
                    BufferedImage/TYPE_BYTE_GRAY)))

(defn misclassified!
  "Draws the digits at `indices` of a data set, at most 120, into a PNG file, each with its label
  and its prediction: `4 as 9`. Returns the file's name."
  [file set predictions indices]
  (let [shown (take (* columns rows-shown) indices)
        image (page set (count shown))
        pen (.createGraphics image)]
    (.setColor pen Color/WHITE)
    (.fillRect pen 0 0 (.getWidth image) (.getHeight image))
    (.setColor pen Color/BLACK)
    (.setFont pen (Font. Font/SANS_SERIF Font/PLAIN 12))
    (.setRenderingHint pen RenderingHints/KEY_TEXT_ANTIALIASING
                       RenderingHints/VALUE_TEXT_ANTIALIAS_ON)
    (doseq [[place index] (map-indexed vector shown)]
      (draw-tile! pen set predictions index place))
    (.dispose pen)
    (with-open [out (io/output-stream file)]
      (ImageIO/write image "png" out))
    (str file)))
