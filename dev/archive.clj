;; What bin/damo runs once for each image, to see which classes a typical start loads; the JVM
;; archives them at exit. A start that fails archives what it reached.
(try
  (require 'damo.core)
  (catch Exception _))
