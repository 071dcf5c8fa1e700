(ns damo.demo.digits
  "Draws data sets of digits, so that the demo needs no download: the strokes of damo.demo.glyphs,
  each time with random shear, rotation, scale, offset, wobble, pen width, blur and noise. The
  same seed draws the same digits. (draw-set {:name \"drawn\", :count 8000, :seed 1}) gives a data
  set as damo.demo.idx reads them."
  (:require [damo.demo.glyphs :as glyphs])
  (:import [java.awt BasicStroke Color Graphics2D RenderingHints]
           [java.awt.geom AffineTransform Path2D Path2D$Double]
           [java.awt.image BufferedImage DataBufferByte]
           [java.util SplittableRandom]))

(set! *warn-on-reflection* true)

(def ^:const side "Rows and columns of a digit, in pixels." 28)

(def ^:private ^:const height "Of an upright digit before random scaling, in pixels." 19.5)

;; ## Random numbers

(defn- between ^double [^SplittableRandom random ^double lo ^double hi]
  (+ lo (* (- hi lo) (.nextDouble random))))

(defn- normal ^double [^SplittableRandom random ^double deviation]
  (* deviation (.nextGaussian random)))

;; ## Strokes to paths

(defn- wobble
  "The points, each moved a little: no two people bend a stroke alike."
  [random points]
  (mapv (fn [[x y]] [(+ (double x) (normal random 0.028)) (+ (double y) (normal random 0.028))])
        points))

(defn- curve-to!
  "Adds the piece from b to c of a smooth line through a, b, c, d: Catmull and Rom's spline, whose
  tangents at b and c are (c - a)/2 and (d - b)/2, as a Bézier curve."
  [^Path2D path [ax ay] [bx by] [cx cy] [dx dy]]
  (let [ax (double ax) ay (double ay) bx (double bx) by (double by)
        cx (double cx) cy (double cy) dx (double dx) dy (double dy)]
    (.curveTo path (+ bx (/ (- cx ax) 6.0)) (+ by (/ (- cy ay) 6.0))
              (- cx (/ (- dx bx) 6.0)) (- cy (/ (- dy by) 6.0)) cx cy)))

(defn- add-stroke! [^Path2D path [kind points]]
  (let [[[x y]] points
        n (count points)
        at (if (= kind :loop)
             #(nth points (mod % n))
             #(nth points (max 0 (min (dec n) %))))]
    (.moveTo path (double x) (double y))
    (dotimes [i (if (= kind :loop) n (dec n))]
      (if (= kind :line)
        (let [[x y] (nth points (inc i))] (.lineTo path (double x) (double y)))
        (curve-to! path (at (dec i)) (at i) (at (inc i)) (at (+ i 2)))))))

(defn- glyph-path
  "The outline of a digit in the unit square, a random variant of it, its points wobbled."
  ^Path2D [^SplittableRandom random digit]
  (let [variants (glyphs/glyphs digit)
        path (Path2D$Double.)]
    (doseq [[kind points] (nth variants (.nextInt random (count variants)))]
      (add-stroke! path [kind (wobble random points)]))
    path))

(defn- placement
  "The transform from the unit square to pixels: scaled, sheared and rotated about the middle, and
  moved."
  ^AffineTransform [random]
  (let [middle (/ side 2.0)]
    (doto (AffineTransform.)
      (.translate (+ middle (normal random 0.9)) (+ middle (normal random 0.9)))
      (.rotate (normal random 0.13))
      (.shear (normal random 0.18) 0.0)
      (.scale (* height (between random 0.62 1.02)) (* height (between random 0.86 1.06)))
      (.translate -0.5 -0.5))))

;; ## Ink

(defn- canvas []
  (let [image (BufferedImage. side side BufferedImage/TYPE_BYTE_GRAY)]
    {:image image
     :bytes (.getData ^DataBufferByte (.getDataBuffer (.getRaster image)))
     :pen (doto (.createGraphics image)
            (.setRenderingHint RenderingHints/KEY_ANTIALIASING RenderingHints/VALUE_ANTIALIAS_ON)
            (.setRenderingHint RenderingHints/KEY_STROKE_CONTROL
                               RenderingHints/VALUE_STROKE_PURE))}))

(defn- stroke-digit! [{:keys [^Graphics2D pen]} ^SplittableRandom random digit]
  (.setColor pen Color/BLACK)
  (.fillRect pen 0 0 side side)
  (.setColor pen Color/WHITE)
  (.setStroke pen (BasicStroke. (float (between random 1.5 3.3))
                                BasicStroke/CAP_ROUND BasicStroke/JOIN_ROUND))
  (.draw pen (.createTransformedShape (placement random) (glyph-path random digit))))

(defn- pixel ^double [^bytes bytes ^long row ^long col]
  (if (and (<= 0 row) (< row side) (<= 0 col) (< col side))
    (double (bit-and 0xff (aget bytes (+ (* row side) col))))
    0.0))

(defn- noisy ^double [^SplittableRandom random ^double ink]
  (if (< ink 1.0) 0.0 (+ ink (normal random 12.0))))

(defn- blur-into!
  "Writes the pixels of `source`, each mixed with the mean of its four neighbours and with noise on
  the ink, to `target` from `start` on."
  [^bytes source ^bytes target ^long start ^SplittableRandom random]
  (let [spread (between random 0.0 0.45)]
    (dotimes [row side]
      (dotimes [col side]
        (let [around (+ (pixel source (dec row) col) (pixel source (inc row) col)
                        (pixel source row (dec col)) (pixel source row (inc col)))
              ink (+ (* (- 1.0 spread) (pixel source row col)) (* spread 0.25 around))
              value (Math/round (Math/clamp (noisy random ink) 0.0 255.0))]
          (aset target (+ start (* row side) col) (unchecked-byte value)))))))

(defn draw-set
  "A data set of `count` drawn digits, {:name … :count … :rows 28 :cols 28 :pixels byte[]
  :labels byte[]}; each digit is equally likely. Takes about 40 microseconds a digit."
  [{:keys [name count seed]}]
  (let [random (SplittableRandom. (long seed))
        pixels (byte-array (* (long count) side side))
        labels (byte-array count)
        {:keys [bytes] :as canvas} (canvas)]
    (dotimes [i count]
      (let [digit (.nextInt random 10)]
        (aset labels i (byte digit))
        (stroke-digit! canvas random digit)
        (blur-into! bytes pixels (* i side side) random)))
    {:name name, :count count, :rows side, :cols side, :pixels pixels, :labels labels}))
