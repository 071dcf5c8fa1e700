;; Writes docs/ops.md anew: bin/damo script dev/ops_page.clj, from the project's folder.
(require 'damo.catalogue)
(spit "docs/ops.md" (damo.catalogue/text))
