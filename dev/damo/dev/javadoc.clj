(ns damo.dev.javadoc
  "Checks of the Java sources by the compiler's own parser: public types and methods without a
  documentation comment, long methods, packages without package-info.java. An offence is
  {:path p :line n :message s}."
  (:require [clojure.java.io :as io]
            [damo.dev.source :as source])
  (:import [com.sun.source.tree ClassTree CompilationUnitTree MethodTree ModifiersTree Tree
            Tree$Kind]
           [com.sun.source.util DocTrees JavacTask SourcePositions TreePath Trees]
           [java.io File]
           [javax.lang.model.element Modifier]
           [javax.tools StandardJavaFileManager ToolProvider]))

(set! *warn-on-reflection* true)

(def method-cap
  "The most lines that a method may have, from its first annotation to its closing brace."
  60)

(defn- modifier? [^ModifiersTree modifiers modifier]
  (contains? (set (.getFlags modifiers)) modifier))

(defn- public? [^ModifiersTree modifiers ^ClassTree owner]
  (or (modifier? modifiers Modifier/PUBLIC)
      (and owner (#{Tree$Kind/INTERFACE Tree$Kind/ANNOTATION_TYPE} (.getKind owner))
           (not (modifier? modifiers Modifier/PRIVATE)))))

(defn- override? [^ModifiersTree modifiers]
  (some #(= "Override" (str (.getAnnotationType ^com.sun.source.tree.AnnotationTree %)))
        (.getAnnotations modifiers)))

(defn- compact-constructor?
  "True of a constructor in a record: the comment of the record speaks for it."
  [^MethodTree method ^ClassTree owner]
  (and (= Tree$Kind/RECORD (.getKind owner)) (= "<init>" (str (.getName method)))))

(defn- members
  "All types and methods of a compilation unit: {:tree :place :owner :public}, where :public says
  that code outside the package can see it."
  [^CompilationUnitTree unit]
  (letfn [(walk [^Tree tree owner ^TreePath parent visible]
            (let [place (TreePath. parent tree)]
              (condp instance? tree
                ClassTree (let [public (and visible
                                            (public? (.getModifiers ^ClassTree tree) owner))]
                            (cons {:tree tree :place place :owner owner :public public}
                                  (mapcat #(walk % tree place public)
                                          (.getMembers ^ClassTree tree))))
                MethodTree [{:tree tree :place place :owner owner
                             :public (and visible
                                          (public? (.getModifiers ^MethodTree tree) owner))}]
                nil)))]
    (let [root (TreePath. unit)]
      (mapcat #(walk % nil root true) (.getTypeDecls unit)))))

(defn- needs-comment? [{:keys [tree owner public]}]
  (and public
       (not (and (instance? MethodTree tree)
                 (or (override? (.getModifiers ^MethodTree tree))
                     (compact-constructor? tree owner))))))

(defn- name-of [tree]
  (if (instance? ClassTree tree)
    (str (.getSimpleName ^ClassTree tree))
    (str (.getName ^MethodTree tree))))

(defn- lines-of
  "The first and the last line of a tree."
  [^SourcePositions positions ^CompilationUnitTree unit ^Tree tree]
  (let [line-of #(.getLineNumber (.getLineMap unit) %)]
    [(line-of (.getStartPosition positions unit tree))
     (line-of (max 0 (dec (.getEndPosition positions unit tree))))]))

(defn- unit-offences [^DocTrees trees root ^CompilationUnitTree unit]
  (let [file (.toPath (File. (.toUri (.getSourceFile unit))))
        path (str (.relativize (.toPath (.getCanonicalFile (io/file root))) file))]
    (for [{:keys [tree place] :as member} (members unit)
          :let [[line end] (lines-of (.getSourcePositions trees) unit tree)
                n (inc (- end line))]
          message [(when (and (needs-comment? member)
                              (not (.getDocComment ^Trees trees place)))
                     (str (name-of tree) " is public and has no documentation comment"))
                   (when (and (instance? MethodTree tree) (< method-cap n))
                     (str (name-of tree) " has " n " lines; the cap is " method-cap))]
          :when message]
      {:path path :line line :message message})))

(defn- packages-without-info [root files]
  (for [^File dir (sort (distinct (map #(.getParentFile ^File %) files)))
        :when (not (.exists (io/file dir "package-info.java")))]
    {:path (str (.relativize (.toPath (io/file root)) (.toPath dir))) :line 1
     :message "the package has no package-info.java"}))

(defn offences
  "The offences of all Java files below the folder `dir` of the project at `root`."
  [root dir]
  (let [files (source/files (io/file root dir) ".java")
        compiler (ToolProvider/getSystemJavaCompiler)]
    (with-open [^StandardJavaFileManager manager
                (.getStandardFileManager compiler nil nil nil)]
      (let [units (.getJavaFileObjectsFromFiles manager files)
            task ^JavacTask (.getTask compiler nil manager nil ["-proc:none"] nil units)
            trees (DocTrees/instance task)]
        (vec (concat (packages-without-info root files)
                     (mapcat #(unit-offences trees root %) (.parse task))))))))
