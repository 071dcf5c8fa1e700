(ns damo.dev.packages-test
  (:require [clojure.test :refer [are deftest is]]
            [damo.dev.packages :as packages]))

(set! *warn-on-reflection* true)

(deftest what-a-file-uses
  (are [text expected] (= expected (packages/uses "a" text))
    "package a;\nimport a.b.C;\nimport static a.c.D.e;\nimport java.util.List;" '[a #{a.b a.c}]
    "package a.b;\nclass C { a.D d = new a.c.E.F(); a.b.G g; }" '[a.b #{a a.c}]
    "package a.b;\nimport a.c.*;" '[a.b #{a.c}]
    "package a.b; /** {@link a.c.D} */ // a.d.E\nString s = \"a.e.F // \";" '[a.b #{}]
    "package a.b;\nObject o = \"\"\"\n a.f.G\"\"\";" '[a.b #{}]
    "package a.b;\nimport x.a.c.D;\nObject o = this.a.C;" '[a.b #{}]))

(deftest cycles-are-found
  (are [graph expected] (= expected (packages/cycles graph))
    '{a #{b c}, b #{c}, c #{}} []
    '{a #{b}, b #{a}} '[(a b a)]
    '{b #{c}, c #{a}, a #{b}} '[(a b c a)]
    '{a #{b}, b #{a c}, c #{d}, d #{c a}} '[(a b a) (c d c)])
  (is (seq (packages/cycles '{a #{a}})) "itself, if the graph says so"))
