;; Writes docs/ops.md anew: bin/damo script dev/ops_page.clj, from the project's folder.
(require 'damo.tool.catalogue)
(spit "docs/ops.md" (damo.tool.catalogue/text))
