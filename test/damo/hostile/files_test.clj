(ns damo.hostile.files-test
  "EDN texts and model files that nobody vouches for: made to be slow, or changed at random with
  their checksums made right again. They are read in time linear in their length, or refused."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.hostile.mutate :as mutate]
            [damo.runtime.forge :as forge]
            [damo.runtime.programs :as programs])
  (:import [damo DamoException]
           [damo.edn Edn]
           [damo.runtime Function Model]
           [java.io File]
           [java.nio.file Files OpenOption]
           [java.util Random]))

(set! *warn-on-reflection* true)

;; ## Keys that share one hash

(def ^:private words
  "Different words of one hash."
  (nth (iterate #(for [a % b ["Aa" "BB"]] (str a b)) [""]) 15))

(defn- seconds [f]
  (let [start (System/nanoTime)] (f) (/ (- (System/nanoTime) start) 1e9)))

(deftest keys-made-to-collide-are-refused-at-once
  (doseq [[what key] {"strings" pr-str, "keywords" #(str ":" %), "names" str
                      "lists" #(str "[" (pr-str %) "]"), "sets" #(str "#{" (pr-str %) "}")
                      "maps" #(str "{1 " (pr-str %) "}")
                      "a mixture" (let [n (atom 0)]
                                    #(nth [(pr-str %) (str ":" %) %] (mod (swap! n inc) 3)))}
          [open value close] [["{" " 1" "}"] ["#{" "" "}"]]]
    (testing (str what " in " open)
      (let [text (str open (str/join " " (map #(str (key %) value) words)) close)]
        (is (> 5 (seconds #(is (= "bad-edn" (first (programs/refusal
                                                    (fn [] (Edn/read text)))))))))
        (is (re-find #"more than 64 keys that share one hash"
                     (second (programs/refusal #(Edn/read text)))))))))

(deftest few-keys-that-collide-are-read
  (let [some-words (take 64 words)
        text (str "{" (str/join " " (map #(str ":" % " 1") some-words)) "}")]
    (is (= 64 (count (Edn/read text))))
    (is (= 1 (get (Edn/read text) (damo.edn.Edn$Keyword. (last some-words)))))))

(deftest keys-inside-keys-are-hashed-once
  (let [long-list (str "[" (str/join " " (range 100000)) "]")
        nested (fn [depth] (str (str/join (repeat depth "{")) long-list
                                (str/join (repeat depth " 1}"))))
        shallow (seconds #(Edn/read (nested 2)))]
    (is (> (+ 2 (* 20 shallow)) (seconds #(Edn/read (nested 500)))))))

;; ## Changed model files

(def ^:private attacks (or (some-> (System/getenv "DAMO_ATTACKS") parse-long) 600))

(defn- loaded
  "What becomes of a file of these bytes: :loaded, :refused, or what was thrown."
  [^File file ^bytes data]
  (Files/write (.toPath file) data ^"[Ljava.nio.file.OpenOption;" (make-array OpenOption 0))
  (try (with-open [^Model m (Model/load (.toPath file))]
         (run! #(.function m %) (.names m))
         (str m)
         :loaded)
       (catch DamoException _ :refused)
       (catch Throwable e e)))

(deftest changed-manifests-are-refused-or-read
  (let [file (File/createTempFile "damo" "model")
        program (pr-str programs/total)
        found (for [seed (range attacks)
                    :let [random (Random. seed)
                          bytes (.getBytes ^String program "UTF-8")
                          manifest (mutate/mutated random (forge/manifest bytes))
                          result (loaded file (forge/forged manifest [bytes (byte-array 16)] {}))]]
                (do (when-not (#{:loaded :refused} result)
                      (is (nil? result) (str "seed " seed ": " (pr-str manifest))))
                    result))]
    (try
      (is (= :loaded (loaded file (forge/forged (forge/manifest (.getBytes program "UTF-8"))
                                                [(.getBytes program "UTF-8") (byte-array 16)]
                                                {}))))
      (is (< (quot attacks 2) (:refused (frequencies found))))
      (finally (.delete file)))))

(deftest programs-are-refused-on-a-small-stack-too
  (let [deep (fn [n] (str (str/join (repeat n "[")) (str/join (repeat n "]"))))
        nested {:damo/program 1 :name "deep" :dims '[n]
                :buffers '[{:dtype :f32 :size n :kind :input} {:dtype :f32 :size n :kind :output}]
                :inputs '[{:name "x" :dtype :f32 :shape [n] :buffer 0}]
                :outputs '[{:name "y" :dtype :f32 :shape [n] :buffer 1}]
                :kernels [{:name "k" :params [[:f32 :in] [:f32 :out]]
                           :body [[:for 'i 'n
                                   [:store 1 'i (nth (iterate #(vector :neg %) [:load 0 'i])
                                                     480)]]]}]
                :steps [{:do :kernel :kernel 0 :args [0 1]}]}
        text (pr-str nested)
        result (promise)
        run (fn [] (deliver result (mapv (fn [f] (try (f) :done (catch DamoException e (.kind e))
                                                      (catch Throwable e e)))
                                         [#(Edn/read (deep 500))
                                          #(.hashCode (Edn/read (deep 500)))
                                          #(str (Edn/read (deep 500)))
                                          #(.close (Function/compile text {}))])))]
    (.start (Thread. nil run "small" (* 192 1024)))
    (is (every? #{:done "bad-edn" "bad-program" "stack-too-small"} (deref result 60000 [:hung])))))
