(ns damo.bench.chart
  "Bar charts as SVG text, a pure function of data. (bars {:title \"mlp\", :unit \"k/s\", :groups
  [[\"batch 1\" [[\"damo\" 12.5] [\"jax\" 9.8]]] …]}) => \"<svg …\"."
  (:require [clojure.string :as str]))

(set! *warn-on-reflection* true)

(def ^:private colours
  ["#1f5fa8" "#9a9a9a" "#c9a227" "#b5523b" "#4f8a5b" "#7a5aa6" "#5b8fa8" "#a85b86"])
(def ^:private line-height 16)
(def ^:private label-width 190)
(def ^:private bar-width 420)
(def ^:private number-width 90)

(defn- escaped [text]
  (str/escape (str text) {\< "&lt;", \> "&gt;", \& "&amp;", \" "&quot;"}))

(defn- text-at [x y anchor text & [style]]
  (format "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\"%s>%s</text>"
          (long x) (long y) anchor (if style (str " " style) "") (escaped text)))

(defn- bar
  "The lines of a bar of so much of the whole width, named and numbered."
  [y [name value] largest colour number]
  (let [width (max 1.0 (* bar-width (/ (double value) largest)))]
    [(text-at (- label-width 6) (+ y 12) "end" name)
     (format "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>"
             (long label-width) (long (+ y 2)) width (long (- line-height 4)) colour)
     (text-at (+ label-width width 5) (+ y 12) "start" (number value))]))

(defn- group
  "The lines of a group of bars, which begins at y; bars are scaled to the largest of them."
  [y [title bars] colour-of number]
  (let [largest (apply max (map second bars))]
    (cons (text-at 6 (+ y 13) "start" title "font-weight=\"bold\"")
          (mapcat (fn [i [name :as b]]
                    (bar (+ y (* line-height (inc i))) b largest (colour-of name) number))
                  (range) bars))))

(defn- height-of [[_ bars]] (* line-height (+ 1.5 (count bars))))

(defn bars
  "The text of an SVG file: groups of horizontal bars, each [title [[name value] …]], scaled within
  a group, a name having one colour in all of them; `number` makes text of a value."
  [{:keys [title groups number] :or {number str}}]
  (let [groups (filter #(seq (second %)) groups)
        names (distinct (map first (mapcat second groups)))
        colour-of (zipmap names (cycle colours))
        tops (reductions + 30 (map height-of groups))
        width (+ label-width bar-width number-width)]
    (str/join
     "\n"
     (concat [(format (str "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\""
                           " font-family=\"sans-serif\" font-size=\"11\">")
                      (long width) (long (last tops)))
              "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
              (text-at 6 18 "start" title "font-size=\"14\" font-weight=\"bold\"")]
             (mapcat (fn [y g] (group y g colour-of number)) tops groups)
             ["</svg>" ""]))))
