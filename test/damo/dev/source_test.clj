(ns damo.dev.source-test
  (:require [clojure.java.io :as io]
            [clojure.test :refer [deftest is testing]]
            [damo.dev.source :as source]))

(deftest requires-of-every-shape
  (is (= '#{a.b c d.e d.f.g h}
         (source/requires '(ns x "doc" {:author "me"}
                             (:require [a.b :as b] c (d [e :as e] f.g) :reload)
                             (:use [h :only [k]])
                             (:import [java.io File]))))))

(deftest ns-form-of-a-file
  (let [file (java.io.File/createTempFile "source" ".clj")]
    (try
      (spit file "; a comment\n(ns a.b (:require [c.d]))\n(def x #=(System/exit 3))")
      (is (= '(ns a.b (:require [c.d])) (source/ns-form file)))
      (spit file "(def x 1)")
      (testing "a file without one has none" (is (nil? (source/ns-form file))))
      (spit file "")
      (is (nil? (source/ns-form file)))
      (finally (io/delete-file file)))))

(def ^:private graph
  '{a {:requires #{}}, b {:requires #{a clojure.string}}, c {:requires #{b}}, d {:requires #{a}}})

(deftest order-of-compilation
  (is (= '[a b c d] (source/in-order graph)))
  (testing "a circle is named"
    (is (thrown-with-msg? Exception #"circle: p, q"
                          (source/in-order '{p {:requires #{q}} q {:requires #{p}}})))))

(deftest dependents-are-stale-too
  (is (= '#{b c} (source/with-dependents graph '[b])))
  (is (= '#{a b c d} (source/with-dependents graph '[a])))
  (is (= #{} (source/with-dependents graph []))))
