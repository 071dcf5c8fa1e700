(ns damo.jit.code-cache-test
  "Machine code that was made before: what is found, what is compiled anew, and whose files are
  trusted. Caches here share nothing but a folder, as processes do."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.core :as d])
  (:import (damo DamoException)
           (damo.codegen LlvmModule$Kind LlvmModule$Text)
           (damo.jit CodeCache CodeCache$Report)
           (damo.lib Natives)
           (java.io File)
           (java.nio.file FileVisitOption Files LinkOption Path)
           (java.nio.file.attribute FileAttribute FileTime PosixFilePermissions)
           (java.util Arrays)))

(set! *warn-on-reflection* true)

(defn- delete-tree
  "Deletes a folder with all that lies in it, but nothing that links in it lead to."
  [^Path folder]
  (with-open [paths (Files/walk folder (make-array FileVisitOption 0))]
    (run! #(Files/delete %) (reverse (sort (iterator-seq (.iterator paths)))))))

(defn- with-home
  "Calls (f home) with a fresh folder, which is deleted afterwards."
  [f]
  (let [home (Files/createTempDirectory "code" (make-array FileAttribute 0))]
    (try
      (f home)
      (finally
        (delete-tree home)))))

(defn- cache
  (^CodeCache [home] (cache home (bit-shift-left 1 20)))
  (^CodeCache [^Path home limit] (CodeCache. home (long limit))))

(defn- text
  "A text that gives the number n. Texts of steps are compiled quickly."
  [n]
  (LlvmModule$Text. (str "define i64 @f() {\n  ret i64 " n "\n}\n") LlvmModule$Kind/STEPS))

(defn- counts [^CodeCache cache]
  (let [^CodeCache$Report r (.report cache)]
    [(.remembered r) (.loaded r) (.compiled r)]))

(defn- files [^Path home]
  (vec (sort (.listFiles (io/file (.toFile home) "code")))))

(defn- permissions! [^File file text]
  (Files/setPosixFilePermissions (.toPath file) (PosixFilePermissions/fromString text)))

(defn- permissions [^File file]
  (PosixFilePermissions/toString (Files/getPosixFilePermissions (.toPath file)
                                                                (make-array LinkOption 0))))

(defn- bytes-of ^bytes [^File file] (Files/readAllBytes (.toPath file)))

(defn- write-bytes [^File file ^bytes bytes]
  (with-open [out (io/output-stream file)] (.write out bytes)))

(deftest found-again
  (with-home
    (fn [home]
      (let [first-one (cache home), object (.object first-one (text 1))]
        (is (Arrays/equals object (.object first-one (text 1))))
        (is (= [1 0 1] (counts first-one)) "from memory")
        (testing "by another process, from a file that is this user's alone"
          (let [second-one (cache home)]
            (is (Arrays/equals object (.object second-one (text 1))))
            (is (= [0 1 0] (counts second-one)))
            (is (= ["rw-------"] (map permissions (files home))))
            (is (= "rwx------" (permissions (io/file (str home) "code"))))))
        (testing "but not for what differs in a character, nor for another way to compile"
          (let [other (cache home)]
            (.object other (text 2))
            (doseq [[more kind] [["\n" LlvmModule$Kind/STEPS] ["" LlvmModule$Kind/LOOPS]
                                 ["" LlvmModule$Kind/QUICK_LOOPS]]]
              (.object other (LlvmModule$Text. (str (.ir ^LlvmModule$Text (text 1)) more) kind)))
            (is (= [0 0 4] (counts other)))))))))

(deftest failures-are-not-kept
  (with-home
    (fn [home]
      (let [cache (cache home), bad (LlvmModule$Text. "define" LlvmModule$Kind/LOOPS)]
        (dotimes [_ 2]
          (is (thrown? DamoException (.object cache bad))))
        (is (= [0 0 0] (counts cache)))
        (is (= [] (files home)))))))

(defn- spoiled
  "What a cache does with the file of (text 1) after (spoil! file): its counts. It must give the
  right object, and the next cache must find it."
  [spoil!]
  (with-home
    (fn [home]
      (let [object (.object (cache home) (text 1)), after (cache home), file (first (files home))]
        (.object (cache home) (text 2))
        (spoil! file)
        (is (Arrays/equals object (.object after (text 1))))
        (let [next-one (cache home)]
          (is (Arrays/equals object (.object next-one (text 1))))
          (is (= [0 1 0] (counts next-one)) "it was mended"))
        (counts after)))))

(deftest damage-is-found
  (testing "in any byte"
    (doseq [place [0 13 14 40 46 70 78 79 150 -1]]
      (is (= [0 0 1]
             (spoiled (fn [file]
                        (let [bytes (bytes-of file)
                              i (if (neg? place) (dec (alength bytes)) place)]
                          (aset bytes i (unchecked-byte (bit-xor 1 (aget bytes i))))
                          (write-bytes file bytes)))))
          (str "byte " place))))
  (testing "in files cut short, made longer, empty, or of another text"
    (doseq [n [0 1 77 78 100 300]]
      (is (= [0 0 1] (spoiled #(write-bytes % (Arrays/copyOf (bytes-of %) (int n)))))))
    (is (= [0 0 1] (spoiled #(write-bytes % (Arrays/copyOf (bytes-of %)
                                                           (inc (alength (bytes-of %))))))))
    (is (= [0 0 1] (spoiled (fn [^File file]
                              (let [others (remove #{file} (.listFiles (.getParentFile file)))]
                                (write-bytes file (bytes-of (first others))))))))))

(defn- nobody
  "Gives a file to another user, where this one may; else nil."
  [^File file]
  (try
    (Files/setAttribute (.toPath file) "unix:uid" (int 65534) (make-array LinkOption 0))
    (catch java.nio.file.FileSystemException _ nil)))

(defn- link! [^File file ^File target]
  (Files/createSymbolicLink (.toPath file) (.toPath target) (make-array FileAttribute 0)))

(deftest files-of-others-are-not-trusted
  (testing "nor those that others may write, nor links, though their contents are right"
    (doseq [open ["rw-rw----" "rw-----w-" "rw-r--r--"]]
      (is (= [0 0 1] (spoiled #(permissions! % open)))))
    (is (= [0 0 1] (spoiled (fn [^File file]
                              (let [aside (io/file (.getParentFile (.getParentFile file)) "aside")]
                                (.renameTo file aside)
                                (link! file aside))))))
    (is (contains? #{[0 0 1] [0 1 0]} (spoiled nobody)))
    (when (= "root" (System/getProperty "user.name"))
      (is (= [0 0 1] (spoiled nobody))))))

(defn- refusing
  "The reason and the counts of a cache whose folder was made by (make! folder) beforehand."
  [make!]
  (with-home
    (fn [^Path home]
      (make! (io/file (.toFile home) "code"))
      (let [cache (cache home)]
        (dotimes [_ 2] (.object cache (text 1)))
        (.object cache (text 2))
        [(str (.refused (.report cache))) (counts cache)]))))

(deftest folders-of-others-are-not-used
  (doseq [[reason make!]
          {"open to others" #(do (.mkdir ^File %) (permissions! % "rwxr-x---"))
           "rwxrwxrwx" #(do (.mkdir ^File %) (permissions! % "rwxrwxrwx"))
           "symbolic link|NotDirectory"
           #(let [target (io/file (.getParentFile ^File %) "target")]
              (.mkdir target)
              (permissions! target "rwx------")
              (link! % target))
           "NotDirectory" #(spit % "")}
          :let [[why seen] (refusing make!)]]
    (is (re-find (re-pattern reason) why))
    (is (= [1 0 2] seen) "memory still serves"))
  (when (= "root" (System/getProperty "user.name"))
    (is (re-find #"belongs to the user"
                 (first (refusing #(do (.mkdir ^File %) (permissions! % "rwx------")
                                       (nobody %))))))))

(deftest without-a-place-to-write
  (testing "folders that cannot be made"
    (doseq [home ["/proc/damo" "/dev/null/damo"]
            :let [cache (cache (Path/of home (make-array String 0)))]]
      (.object cache (text 1))
      (is (= [0 0 1] (counts cache)))
      (is (some? (.refused (.report cache))))))
  (testing "a folder that is deleted meanwhile is made again"
    (with-home
      (fn [^Path home]
        (let [cache (cache home)]
          (.object cache (text 1))
          (delete-tree (.resolve home "code"))
          (run! #(.object cache (text %)) [2 3])
          (is (= 1 (count (files home))))
          (is (= [0 0 3] (counts cache))))))))

(deftest size-is-bounded
  (with-home
    (fn [home]
      ;; Sixteen files of a block each; those that were not used for longest go first.
      (let [small #(cache home 65536)
            object! (fn [cache ns] (run! #(.object ^CodeCache cache (text %)) ns))]
        (object! (small) (range 8))
        (doseq [^File file (files home)]
          (Files/setLastModifiedTime (.toPath file) (FileTime/fromMillis 1000)))
        (let [again (small)]
          (object! again (range 4))
          (is (= [0 4 0] (counts again)))
          (object! again (range 100 105)))
        (is (<= 9 (count (files home)) 12))
        (let [later (small)]
          (object! later (range 4))
          (is (= [0 4 0] (counts later)) "what was used is there"))
        (object! (small) (range 200 260))
        (is (<= 9 (count (files home)) 12))))))

(deftest abandoned-parts-are-deleted
  (with-home
    (fn [^Path home]
      (.object (cache home) (text 1))
      (let [part (fn [name millis]
                   (let [file (io/file (.toFile home) "code" name)]
                     (spit file "x")
                     (Files/setLastModifiedTime (.toPath file) (FileTime/fromMillis millis))
                     file))
            old (part "part-1" 1000), new (part "part-2" (System/currentTimeMillis))]
        (.object (cache home 65536) (text 2))
        (is (not (.exists ^File old)))
        (is (.exists ^File new))))))

(deftest many-at-once
  (testing "caches on one folder, each on threads"
    (with-home
      (fn [home]
        (let [objects (fn [cache] (mapv #(vec (.object ^CodeCache cache (text (mod % 12))))
                                        (range 40)))
              seen (map deref (doall (for [c (repeatedly 3 #(cache home 50000)), _ (range 3)]
                                       (future (objects c)))))]
          (is (= 1 (count (set seen))))
          (is (not-any? #(str/starts-with? (.getName ^File %) "part-") (files home))))))))

(defn- process
  "Starts a JVM that compiles a hundred texts with its cache in that folder, and prints the sum of
  their digests and the counts."
  [^Path home]
  (let [form '(let [texts (for [n (range 100)]
                            (damo.codegen.LlvmModule$Text.
                             (str "define i64 @f() {\n  ret i64 " n "\n}\n")
                             damo.codegen.LlvmModule$Kind/STEPS))
                    sum (hash (mapv #(hash (vec (.object (damo.jit.CodeCache/get) %))) texts))
                    r (.report (damo.jit.CodeCache/get))]
                (prn [sum (+ (.loaded r) (.compiled r)) (.compiled r)]))
        command [(str (System/getProperty "java.home") "/bin/java")
                 "--enable-native-access=ALL-UNNAMED" (str "-Ddamo.cache=" home)
                 "-cp" (System/getProperty "java.class.path") "clojure.main" "-e" (pr-str form)]]
    (.start (.redirectErrorStream (ProcessBuilder. ^java.util.List command) true))))

(deftest processes-share-a-folder
  (with-home
    (fn [^Path home]
      (doseq [^File native (.listFiles (.toFile (Natives/cache)))
              :when (str/starts-with? (.getName native) "llvm-")]
        (link! (io/file (.toFile home) (.getName native)) native))
      (let [answers (fn [n] (mapv #(edn/read-string (slurp (.getInputStream ^Process %)))
                                  (doall (repeatedly n #(process home)))))
            [[sum-1 n-1] [sum-2 n-2] :as both] (answers 2)]
        (is (= [sum-1 100 100] [sum-2 n-1 n-2]) (str both))
        (is (= [[sum-1 100 0]] (answers 1)) "a later one compiles nothing")
        (is (= 100 (count (files home))))))))

(deftest switched-off
  (let [before (:megabytes (d/code-cache)), x (d/input 'x [:f32 ['n]])
        once #(d/close (d/function [x] (d/sin (d/mul x 3.25))))]
    (try
      (d/set-code-cache! 0)
      (once)
      (once)
      (is (= [2 0 2 0] (map (d/code-cache) [:remembered :loaded :compiled :megabytes])))
      (d/set-code-cache! :off)
      (once)
      (once)
      (is (= [0 0 4 :off] (map (d/code-cache) [:remembered :loaded :compiled :megabytes])))
      (is (thrown-with-msg? DamoException #"damo.code-cache.*not on" (CodeCache/limit "on")))
      (finally (d/set-code-cache! before)))))
