;; What bin/damo runs once for each image with the JVM taking notes: which classes a typical start
;; loads and which methods it warms. A start that fails is noted as far as it came.
(try
  (require 'damo.core)
  (eval '(let [x (damo.core/input 'x [:f32 ['n 3]])
               y (damo.core/input 'y [:i64 ['n]])
               w (damo.core/shared 'w (damo.core/zeros [3 2] :f32))
               loss (damo.core/mean (damo.core/cross-entropy (damo.core/dot x w) y))
               slope (damo.core/grad loss w)
               step (damo.core/function [x y] loss
                                        {:updates {w (damo.core/sub w (damo.core/mul 0.1 slope))}})]
           (println (damo.core/type-of loss) @(step [[1 2 3] [4 5 6]] [0 1]))))
  (catch Exception e
    (println (ex-message e))))
