(ns damo.face.machine
  "What Damo knows of the machine that it runs on, as users see it."
  (:require [clojure.string :as str]
            [damo.data.thrown :as thrown])
  (:import [damo.codegen LibraryUse$Shape]
           [damo.jit Machine ProductChoice]
           [damo.lib Blas Threads]
           [damo.tensor DType]))

(set! *warn-on-reflection* true)

(def ^:private forced
  "Variables of the environment that hold OpenBLAS to kernels of another processor, or to caches of
  another size."
  ["OPENBLAS_CORETYPE" "OPENBLAS_L2_SIZE"])

(defn warnings
  "What in an environment, {name value}, makes a library slower than it is, as sentences."
  [environment library]
  (if (= library "openblas")
    (for [variable forced, :let [value (environment variable)], :when value]
      (str variable "=" value " is set: OpenBLAS uses kernels made for that, whatever the processor"
           " is. Start Damo without it."))
    []))

(defn- products
  "Which products the library computes, by dtype, and why."
  [^ProductChoice choice]
  (into {:why (.why choice)}
        (for [dtype ["f32" "f64"]]
          [(keyword dtype)
           (into #{} (map #(keyword (str/lower-case (.name ^LibraryUse$Shape %))))
                 (.of (.library choice) (DType/of dtype)))])))

(defn describe-machine
  "What Damo knows of this machine: {:cpu its kind as LLVM names it, :name its own words,
  :vector-bits the width of vectors in loops, :processors how many there are, :threads how many a
  call may use, :blas {:name, :version} of the library of linear algebra, :warnings what makes that
  slower than it is, :products {:f32 #{…}, :f64 #{…}, :why …}: which large matrix products it
  computes, :deep ones of 128 terms and more, :shallow ones of 16 to 127; all others are computed by
  Damo's own code. The system property damo.products, own or blas, decides otherwise."
  []
  (thrown/translating
   (let [machine (Machine/get), blas (Blas/get)]
     {:cpu (.cpu machine), :name (str/trim (.name machine)), :vector-bits (.vectorBits machine)
      :processors (.processors machine), :threads (Threads/get)
      :blas {:name (.name blas), :version (.version blas)}
      :warnings (vec (warnings (System/getenv) (.name blas)))
      :products (products (ProductChoice/get))})))
