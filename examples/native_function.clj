;; C functions, Java and Clojure as ops of your own: bin/damo script examples/native_function.clj
(require '[damo.core :as d])

(defn title [text] (println (str "\n== " text)))

(title "A C function of scalars: cbrt of the C library, called inside the compiled loop")
(d/defop cbrt
  "Cube root, elementwise."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [x] (Math/cbrt x))                          ; the meaning: what every law compares with
   :native {:library "libm.so.6", :symbol "cbrt", :args [:f64], :gives :f64}
   :partials [[:div 1 [:mul 3 [:sqr ?out]]]]})           ; 1 / (3 y²); both modes follow from it

(def x (d/input 'x [:f64 ['n]]))
(def roots (d/function [x] {:root (cbrt (d/add x 1.0)), :slope (d/grad (d/sum (cbrt x)) x)}))
(println (roots [7 26 63]))
(d/explain roots)

(title "One call checks it: reference against compiled, derivatives, special values")
(d/check-op :cbrt)

(title "A C function of arrays: the sum of magnitudes of the BLAS that Damo uses")
(d/defop asum
  "The sum of |x| over all elements of an :f64 array."
  {:kind :host, :args [?x], :type (fn [_ [[dtype _]]] [dtype []])
   :eval (fn [_ x] {:dtype :f64, :shape [], :data (double-array [(reduce + (map abs (:data x)))])})
   :native {:library :blas, :symbol "cblas_dasum", :gives :f64
            :args [[:count :i32] [:in 0 :f64] [:i32 1]]} ; n, x, the stride
   :lop [[:mul ?g [:sign ?x]]], :rop [:sum [:mul ?dx [:sign ?x]]]})
(def norm (d/function [x] [(asum x) (d/grad (asum x) x)]))
(println (norm [3 -4 5]))

(title "A function of Clojure: it writes its output, or returns a tensor")
(d/defop running-max
  "The largest element so far."
  {:kind :host, :args [?x], :type (fn [_ [type]] type)
   :kernel (fn [_attrs _output x] (d/tensor (reductions max @x) (d/dtype x)))
   :no-gradient {:undefined "the maximum jumps from element to element"}})
(println @(d/eval (running-max x) {x [3 1 4 1 5 9 2 6]}))

(title "What it throws comes back with the expression and its place; nothing else is harmed")
(d/defop fragile
  "Fails on negative numbers."
  {:kind :host, :args [?x], :type (fn [_ [type]] type)
   :kernel (fn [_ _ x] (if (some neg? @x) (throw (Exception. "a negative number")) x))})
(def careful (d/function [x] (d/sqrt (fragile x))))
(try (careful [4 -9])
     (catch Exception e (println (ex-message e))))
(println @(careful [4 9]))
