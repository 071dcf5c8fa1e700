(ns damo.io
  "Data in files: NumPy's .npy and .npz, IDX, and numbers as text, to and from tensors. Readers take
  gzipped files too; writers leave a whole file or none.
  (require '[damo.io :as io]) (io/read-npy \"x.npy\")."
  (:require [damo.face.parameters :as parameters]
            [damo.io.csv :as csv]
            [damo.io.idx :as idx]
            [damo.io.npy :as npy]))

(set! *warn-on-reflection* true)

(defmacro ^:private export [& functions]
  `(do ~@(for [f functions, :let [{:keys [doc arglists]} (meta (resolve f))]]
           `(def ~(with-meta (symbol (name f)) {:doc doc, :arglists `'~arglists}) ~f))))

(export npy/read-npy npy/write-npy npy/read-npz npy/write-npz csv/read-csv csv/write-csv
        idx/read-idx idx/write-idx)

(parameters/guard! *ns*)
