;; Writes docs/rules.md anew: bin/damo script dev/rules_page.clj, from the project's folder.
(require 'damo.tool.rulebook)
(spit "docs/rules.md" (damo.tool.rulebook/text))
