(ns damo.dev.page-test
  "Pages print their own values, and the page on the compiler is current."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.dev.page :as page]))

(set! *warn-on-reflection* true)

(defn- page [& blocks] (str/join (map #(str "Text.\n```clojure\n" % "```\n") blocks)))

(deftest values-are-printed-anew
  (is (= (page "(def a 1)\n" "(inc a)\n;; =>\n2\n")
         (page/renewed (page "(def a 1)\n" "(inc a)\n;; =>\nold\n"))))
  (testing "text is shown as it is"
    (is (= (page "(str \"a\" \\newline \"b\")\n;; =>\na\nb\n")
           (page/renewed (page "(str \"a\" \\newline \"b\")\n;; =>\n?\n")))))
  (testing "places count the lines of code"
    (is (= (page "(def b 1)\n" "(def c\n 2)\n;; =>\n#'damo.dev.page.code/c\n"
                 "(:line (meta #'c))\n;; =>\n2\n")
           (page/renewed (page "(def b 1)\n" "(def c\n 2)\n;; =>\n\n"
                               "(:line (meta #'c))\n;; =>\n\n"))))))

(deftest the-page-on-the-compiler-is-current
  (let [known (slurp (io/file (System/getProperty "damo.root" ".") "docs/compiler.md"))
        lines (map str/split-lines [known (page/renewed known)])]
    (is (nil? (first (remove (partial apply =) (apply map vector lines))))
        "renew it by bin/damo script dev/compiler_page.clj; expected and given stand above")
    (is (apply = (map count lines)))))
