(ns damo.dev.javadoc-test
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.dev.compile :as compile]
            [damo.dev.javadoc :as javadoc])
  (:import [java.nio.file Files]
           [java.nio.file.attribute FileAttribute]))

(set! *warn-on-reflection* true)

(defn- offences-of
  "What is found in a package p with the one file A.java of this text."
  [text & {:keys [info] :or {info "/** P. */\npackage p;\n"}}]
  (let [root (.toFile (Files/createTempDirectory "javadoc" (make-array FileAttribute 0)))]
    (try
      (io/make-parents (io/file root "src/p/A.java"))
      (spit (io/file root "src/p/A.java") (str "package p;\n" text))
      (when info (spit (io/file root "src/p/package-info.java") info))
      (mapv (juxt :path :line :message) (javadoc/offences (str root) "src"))
      (finally (compile/delete-tree root)))))

(defn- names [& args]
  (map #(first (str/split (last %) #" ")) (apply offences-of args)))

(deftest public-things-need-comments
  (is (= [["src/p/A.java" 2 "A is public and has no documentation comment"]]
         (offences-of "public final class A {}")))
  (is (empty? (offences-of "/** A. */\npublic final class A { void f() {} private int g; }")))
  (is (= ["f"] (names "/** A. */ public final class A { public void f() {} }")))
  (testing "an override says what it overrides"
    (is (empty? (names "/** A. */ public class A { @Override public String toString() {
                          return null; } }"))))
  (testing "what cannot be seen from outside needs none"
    (is (empty? (names "final class A { public void f() {} }"))))
  (testing "members of an interface are public"
    (is (= ["f" "R"] (names "/** A. */ public interface A { int f(); record R(int x) {} }"))))
  (testing "the comment of a record speaks for its constructor"
    (is (empty? (names "/** A. */ public record A(int x) { public A { x++; } }")))))

(deftest long-methods
  (let [method (fn [n] (str "final class A {\nvoid f() {\n" (str/join (repeat n ";\n")) "}\n}"))]
    (is (empty? (names (method 58))))
    (is (= [["src/p/A.java" 3 "f has 61 lines; the cap is 60"]] (offences-of (method 59))))))

(deftest packages-need-a-page
  (is (= [["src/p" 1 "the package has no package-info.java"]]
         (offences-of "final class A {}" :info nil))))
