(ns damo.ops.conv.convolve-test
  "Convolutions beside a product by a dense matrix and sums written out, their derivatives up to the
  second, dims as symbols, and what they refuse."
  (:require [clojure.test :refer [deftest is]]
            [damo.core :as d]
            [damo.data.array :as array]
            [damo.data.expr :as expr]
            [damo.face.function :as function]
            [damo.nn :as nn])
  (:import [clojure.lang ExceptionInfo]
           [java.util Random]))

(set! *warn-on-reflection* true)

;; ## Sums written out

(defn- element [x at]
  (reduce (fn [v i] (if (and v (<= 0 i) (< i (count v))) (nth v i) nil)) x at))

(defn- written-out
  "The convolution of nested vectors of images and kernels; p the padding in front."
  [x w {:keys [p s dil groups out]}]
  (let [per (quot (count w) groups), c (count (first w)), [mh mw] out]
    (vec (for [image x]
           (vec (for [o (range (count w))]
                  (vec (for [i (range mh)]
                         (vec (for [j (range mw)]
                                (reduce + (for [k (range c), a (range (count (ffirst w)))
                                                b (range (count (first (ffirst w))))]
                                            (* (double (element w [o k a b]))
                                               (double (or (element image
                                                                    [(+ (* c (quot o per)) k)
                                                                     (- (+ (* i s) (* a dil)) p)
                                                                     (- (+ (* j s) (* b dil)) p)])
                                                           0.0)))))))))))))))

(defn- random-array [^Random r shape]
  (array/nested (array/of :f64 shape (repeatedly (apply * shape) #(- (.nextInt r 7) 3.0)))))

(defn- places [n k p s dil] (inc (quot (- (+ n p p) (inc (* dil (dec k)))) s)))

(defn- values [tensor] (mapv double (vec (d/->array tensor))))

(defn- near? [a b]
  (and (= (count a) (count b))
       (every? true? (map #(< (Math/abs (- (double %1) (double %2))) 1e-9) a b))))

(defn- random-case
  "{:inputs :arrays :output :expected :said} of a convolution drawn at random, its inputs numbered."
  [^Random r i]
  (let [pick #(+ %1 (.nextInt r (int (- %2 %1))))
        g (pick 1 3), c (pick 1 3), per (pick 1 3), n (pick 1 3), kh (pick 1 4), kw (pick 1 4)
        p (pick 0 3), s (pick 1 3), dil (pick 1 3), h (+ 7 (pick 0 3)), w (+ 7 (pick 0 3))
        x [n (* g c) h w], k [(* g per) c kh kw]
        xs (random-array r x), ks (random-array r k)
        out [(places h kh p s dil) (places w kw p s dil)]
        [images kernels :as inputs] [(d/input (symbol (str "x" i)) [:f64 x])
                                     (d/input (symbol (str "w" i)) [:f64 k])]]
    {:inputs inputs, :arrays [xs ks], :said {:padding p, :strides s, :dilation dil, :groups g}
     :output (nn/conv2d images kernels :padding p :strides s :dilation dil :groups g)
     :expected (flatten (written-out xs ks {:p p, :s s, :dil dil, :groups g, :out out}))}))

(deftest random-shapes-agree-with-sums-written-out
  (let [r (Random. 67), cases (mapv #(random-case r %) (range 6))
        results (apply (d/function (into [] (mapcat :inputs) cases) (mapv :output cases))
                       (mapcat :arrays cases))]
    (doseq [[{:keys [expected said]} result] (map vector cases results)]
      (is (near? expected (values result)) (pr-str said)))))

;; ## A dense matrix

(defn- as-matrix
  "The matrix [out in] by which a convolution with the kernels w multiplies flattened images."
  [convolved shape]
  (let [size (apply * shape)
        units (d/reshape (d/cast (d/eye size) :dtype :f64) :shape (into [size] (rest shape)))]
    (d/transpose (d/reshape (convolved units) :shape [size -1]))))

(deftest derivatives-agree-with-a-product-by-a-dense-matrix
  (doseq [[kernels options] [[[2 2 2 2] [:padding :same :strides 2]]
                             [[2 2 2 2] [:padding [[0 2] [1 0]] :dilation 2 :flip true]]
                             [[2 1 2 2] [:padding 1 :strides [3 2] :groups 2]]]]
    (let [x (d/input 'x [:f64 [1 2 3 4]]), w (d/input 'w [:f64 kernels])
          conv #(apply nn/conv2d %1 %2 options)
          twin (d/matmul (as-matrix #(conv % w) [1 2 3 4]) (d/reshape x :shape [24]))
          first-ones (fn [y] (d/grad (d/sum (d/sin (d/flatten y))) [x w]))
          all (fn [y] (let [[gx gw :as both] (first-ones y)]
                        (into (vec both) (d/grad (d/add (d/sum (d/sqr gx)) (d/sum (d/sqr gw)))
                                                 [x w]))))
          f (d/function [x w] (into (all (conv x w)) (all twin)))
          r (Random. 5)
          results (mapv values (f (random-array r [1 2 3 4]) (random-array r kernels)))
          half (quot (count results) 2)]
      (doseq [k (range half)]
        (is (near? (results k) (results (+ k half))) (pr-str options k))))))

;; ## Symbols, layouts, faults

(defn- ones [& shape] (d/ones shape :f64))

(deftest dims-may-be-symbols
  (let [x (d/input 'x [:f64 '[n c h w]]), w (d/input 'w [:f64 '[o c kh kw]])
        shape #(expr/shape-of (apply nn/conv2d x w %))]
    (is (= '[n o [:- [:+ h 1] kh] [:- [:+ w 1] kw]] (shape [])))
    (is (= '[n o h w] (shape [:padding :same])))
    (is (= '[n o [:- [:+ h kh] 1] [:- [:+ kw w] 1]] (shape [:padding :full])))
    (doseq [options [[:strides 2]]]
      (let [y (apply nn/conv2d x w options), grads (fn [y x w] (d/grad (d/sum (d/sqr y)) [x w]))
            f (d/function [x w] (into [y] (grads y x w)))
            x1 (d/input 'x1 [:f64 [2 3 7 6]]), w1 (d/input 'w1 [:f64 [4 3 3 2]])
            y1 (apply nn/conv2d x1 w1 options)
            f1 (d/function [x1 w1] (into [y1] (grads y1 x1 w1)))
            r (Random. 3), arrays [(random-array r [2 3 7 6]) (random-array r [4 3 3 2])]]
        (is (every? true? (map near? (map values (apply f arrays))
                               (map values (apply f1 arrays)))))))
    (is (thrown-with-msg? ExceptionInfo #"windows must lie inside"
                          ((d/function [x w] (nn/conv2d x w))
                           [[[[1.0 1.0]]]] [[[[1.0 1.0 1.0]]]])))))

(deftest channels-may-be-last-and-in-groups
  (let [r (Random. 8), xs (random-array r [2 4 5 5]), ws (random-array r [6 2 3 3])
        x (d/input 'x [:f64 [2 4 5 5]]), w (d/input 'w [:f64 [6 2 3 3]])
        last-ones #(d/transpose % :axes [0 2 3 1])
        [a b] ((d/function [x w] [(last-ones (nn/conv2d x w :groups 2 :strides 2))
                                  (nn/conv2d (last-ones x) w :groups 2 :strides 2 :layout :nhwc)])
               xs ws)]
    (is (near? (values a) (values b)))
    (is (= [2 3 3 3] (expr/shape-of (nn/separable-conv2d x (ones 8 1 3 3) (ones 3 8 1 1)))))
    (is (= [0 6 3 3] (expr/shape-of (nn/conv2d (ones 0 4 5 5) w :groups 2))))))

(deftest a-transposed-convolution-is-the-gradient-by-the-images
  (let [r (Random. 9), x (d/input 'x [:f64 [1 4 3 3]]), w (d/input 'w [:f64 [4 2 3 3]])
        images (d/input 'images [:f64 [1 4 7 7]])
        [a b] ((d/function [x w images]
                           [(nn/conv-transpose2d x w :strides 2 :groups 2)
                            (d/grad (d/sum (d/mul x (nn/conv2d images w :strides 2 :groups 2)))
                                    images)]
                           :on-unused-input :ignore)
               (random-array r [1 4 3 3]) (random-array r [4 2 3 3]) (random-array r [1 4 7 7]))]
    (is (near? (values a) (values b)))
    (is (= [1 4 6 6] (expr/shape-of (nn/conv-transpose2d x w :strides 2 :padding :same
                                                         :groups 2))))))

(deftest what-does-not-fit-is-an-error
  (doseq [[message f] [[#"channels must agree" #(nn/conv2d (ones 1 2 4 4) (ones 3 3 2 2))]
                       [#"kernel of 5 does not fit" #(nn/conv2d (ones 1 2 4 4) (ones 3 2 5 2))]
                       [#"images and kernels of 4 axes" #(nn/conv2d (ones 2 4 4) (ones 3 2 5 2))]
                       [#"2 groups do not divide the 3"
                        #(nn/conv2d (ones 1 2 4 4) (ones 3 1 2 2) :groups 2)]
                       [#":padding is" #(nn/conv2d (ones 1 2 4 4) (ones 3 2 2 2) :padding :some)]
                       [#":padding is" #(nn/conv2d (ones 1 2 4 4) (ones 3 2 2 2) :padding -1)]
                       [#":strides is" #(nn/conv2d (ones 1 2 4 4) (ones 3 2 2 2) :strides 0)]
                       [#"at least one element" #(nn/conv2d (ones 1 2 4 4) (ones 3 2 0 2))]
                       [#"channels must agree" #(nn/conv-transpose2d (ones 1 2 4 4)
                                                                     (ones 3 2 2 2))]
                       [#"nothing is left" #(nn/conv-transpose2d (ones 1 2 1 1) (ones 2 2 2 2)
                                                                 :padding 2)]]]
    (is (thrown-with-msg? ExceptionInfo message (f)))))

;; ## Loops, branches, threads

(deftest loops-and-branches-convolve
  (let [r (Random. 10), x (d/input 'x [:f64 [3 2 2 4 5]]), w (d/input 'w [:f64 [2 2 3 2]])
        conv #(nn/conv2d % w :padding :same :strides [2 1])
        in-loop (:y (d/scan {:sequences {:k x}} (fn [{:keys [k]}] {:y (conv k)})))
        at-once (conv (d/reshape x :shape [6 2 4 5]))
        whole (d/reshape x :shape [6 2 4 5])
        in-branch (d/ifelse (d/gt (d/sum w) 0) (conv whole) (d/neg (conv whole)))
        with-grads (fn [y] (into [y] (d/grad (d/sum (d/sqr y)) [x w])))
        f (d/function [x w] (into [] (mapcat with-grads) [in-loop at-once in-branch]))
        ws (random-array r [2 2 3 2]), xs (random-array r [3 2 2 4 5])
        [looped whole branched] (partition 3 (mapv values (f xs ws)))
        sign (if (pos? (double (reduce + (flatten ws)))) 1 -1)]
    (is (every? true? (map near? looped whole)))
    (is (every? true? (map near? (update (vec branched) 0 (partial mapv #(* sign %))) whole)))))

(deftest two-threads-give-the-bits-of-one
  (let [r (Random. 11), x (d/input 'x [:f32 [4 3 20 20]]), w (d/input 'w [:f32 [5 3 3 3]])
        y (nn/conv2d x w :padding :same)
        run (fn [threads xs ws]
              (mapv values ((d/function [x w] (into [y] (d/grad (d/sum (d/sqr y)) [x w]))
                                        {:threads threads})
                            xs ws)))
        xs (random-array r [4 3 20 20]), ws (random-array r [5 3 3 3])]
    (is (= (run 1 xs ws) (run 2 xs ws)))))

(deftest kernels-of-one-element-copy-nothing
  (let [x (d/input 'x [:f32 [2 4 20 20]]), w (d/input 'w [:f32 [3 4 1 1]])
        f (d/function [x w] (nn/conv2d x w))]
    (is (empty? (:kernels (:program (function/info f)))))))
