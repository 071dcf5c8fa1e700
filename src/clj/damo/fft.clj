(ns damo.fft
  "Discrete Fourier transforms of expressions and arrays, with NumPy's names, lengths and norms.
  Complex values are pairs [re im] of real expressions. (fft/rfft [1 0 0 0]) = [re im], 1 1 1 and
  0 0 0; (fft/irfft [re im]) is the array again."
  (:require [damo.data.attribute :as attribute]
            [damo.data.explain :as explain]
            [damo.face.fourier :as fourier]))

(set! *warn-on-reflection* true)

(defmacro ^:private export [& functions]
  `(do ~@(for [f functions
               :let [{:keys [doc arglists]} (meta (ns-resolve 'damo.face.fourier f))]]
           `(def ~(with-meta f {:doc doc, :arglists `'~arglists})
              (explain/explained ~(keyword f) ~(symbol "damo.face.fourier" (name f)))))))

(export fft ifft rfft irfft fftn ifftn fftfreq rfftfreq fftshift ifftshift)
