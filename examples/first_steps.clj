;; A tour of Damo in a few seconds: bin/damo script examples/first_steps.clj
(require '[damo.core :as d])

(defn title [text] (println (str "\n== " text)))

(title "Expressions know their types")
(def x (d/input 'x [:f32 ['n 2]]))                  ; n rows, any number, of two numbers
(def y (d/input 'y [:i64 ['n]]))                    ; n labels
(def w (d/shared 'w (d/zeros [2 3] :f32)))          ; state that lives between calls
(def b (d/shared 'b (d/zeros [3] :f32)))
(def logits (d/add (d/dot x w) b))
(println logits)

(title "A mistake is reported where it is written")
(try (d/dot x b)
     (catch Exception e (println (ex-message e))))

(title "Gradients are expressions too")
(def loss (d/mean (d/cross-entropy logits y)))      ; softmax cross-entropy, a mean over n
(def grads (d/grad loss [w b]))
(println (map d/type-of grads))

(title "A function is compiled to machine code; :updates change its state")
(def step
  (d/function [x y] loss
              {:updates {w (d/sub w (d/mul 0.5 (grads 0)))
                         b (d/sub b (d/mul 0.5 (grads 1)))}}))
(def points [[1 0] [2 1] [1 1] [-1 0] [-2 1] [-1 1] [0 -2] [1 -3] [-1 -2]])
(def labels [0 0 0 1 1 1 2 2 2])
(println "loss of the first step:" @(step points labels))
(dotimes [_ 200] (step points labels))
(println "after 200 more:        " @(step points labels))
(println "w =" @(d/value w))

(title "Another function shares that state")
(def predict (d/function [x] {:class (d/argmax logits :axis 1), :p (d/softmax logits)}))
(println "classes:" @(:class (predict [[3 1] [-3 1] [0 -3]])))
(try (predict [[1 2 3]])
     (catch Exception e (println "a wrong shape:" (ex-message e))))

(title "Rules keep numbers sound")
(def z (d/input 'z [:f64 []]))
(def softplus (d/function [z] (d/log (d/add 1 (d/exp z)))))
(println "log(1 + exp(800)) =" @(softplus 800))

(title "Forward and reverse mode from the same declarations")
(def v (d/input 'v [:f64 [3]]))
(def norm (d/sum (d/mul v (d/sqr v))))
(println "gradient of the sum of v^3:   " @(d/eval (d/grad norm v) {v [1 2 3]}))
(println "its derivative along [1 0 0]: " @(d/eval (d/rop norm v (d/tensor [1.0 0.0 0.0]))
                                                   {v [1 2 3]}))

(title "The graph is data")
(prn (:nodes (d/graph (d/tanh z))))

(title "Saved as one file, for Clojure and for Java")
(def file (str (java.io.File/createTempFile "first-steps" ".damo")))
(d/save file {:predict predict})
(println "loaded:" @(:class ((:predict (d/load file)) [[3 1] [-3 1] [0 -3]])))
(.delete (java.io.File. file))
