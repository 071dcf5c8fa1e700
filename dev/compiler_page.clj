;; Writes the values in docs/compiler.md anew: bin/damo script dev/compiler_page.clj, from the
;; project's folder.
(load-file "dev/damo/dev/page.clj")
(spit "docs/compiler.md" (damo.dev.page/renewed (slurp "docs/compiler.md")))
