(ns damo.compile.lower.roots
  "Roots of unity in kernels of Fourier transforms, and their memory: exp(±2πi·e/n) in :f64, of long
  lines by a product of two of 2√n that a kernel computes first. (table line) = {:statements :root
  (fn [body e] complex)}; a line is {:cx :id :n :d :sign :scratch}."
  (:require [damo.compile.lower :as lower]
            [damo.compile.lower.butterfly :as butterfly]
            [damo.compile.lower.keys :as keys]))

(set! *warn-on-reflection* true)

(defn scratch!
  "The parameter of scratch memory of a line, by a name: `size` elements of a dtype."
  [{:keys [cx id scratch]} name dtype size]
  (let [key [:scratch [id name]]]
    (vswap! scratch assoc key {:dtype dtype, :size size})
    (lower/param cx key dtype :in)
    (lower/param cx key dtype :out)))

(defn unit
  "[cos sin] of sign·π·a/b, names in :f64, for :i64 expressions 0 ≤ a < 2b: of the angle nearest 0."
  [cx body sign a b]
  (let [name! #(keys/named cx body "v" %), a (name! a)
        near [:select [:gt a b] [:sub a [:mul [:const :i64 2] b]] a]
        x (name! [:div [:cast :f64 near] [:cast :f64 b]]), s [:sinpi x]]
    [(name! [:cospi x]) (name! (if (neg? (long sign)) [:neg s] s))]))

(defn cast-to "A complex value of one float dtype in another." [from to z]
  (if (= from to) z (mapv #(vector :cast to %) z)))

(def ^:private short-line
  "The longest line of which each root is computed by itself."
  256)

(defn- root-of
  "The root of exponent e, an index: e/n of a turn."
  [{:keys [cx sign n]} body e]
  (unit cx body sign [:mul [:const :i64 2] [:size e]] [:size n]))

(defn- factor-table
  "[parameter statements] of the table of roots with exponents step·i, for i below `size`."
  [{:keys [cx] :as line} name step size]
  (let [p (scratch! line name :f64 (* 2 size))]
    [p [(keys/loop-over line size
                        (fn [body i]
                          (let [[c s] (root-of (assoc line :cx cx) body [:* step i])]
                            (lower/emit! body [:store p i c])
                            (lower/emit! body [:store p [:+ i size] s]))))]]))

(defn table
  "{:statements :root} of a line whose length is a number."
  [{:keys [d n] :as line}]
  (if (<= (long n) (long short-line))
    {:root (fn [body e] (cast-to :f64 d (root-of line body e)))}
    (let [block (long (Math/ceil (Math/sqrt n))), blocks (inc (quot (long n) block))
          [fine first-statements] (factor-table line :fine 1 block)
          [coarse more] (factor-table line :coarse block blocks)
          pair (fn [p at size] [[:load p at] [:load p [:+ at size]]])]
      {:statements (concat first-statements more)
       :root (fn [_ e] (cast-to :f64 d (butterfly/times (pair fine [:mod e block] block)
                                                        (pair coarse [:quot e block] blocks))))})))
