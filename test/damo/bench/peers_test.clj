(ns damo.bench.peers-test
  "Peers: the file that names them, what they print, and running them; the fakes are shell lines."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.bench.peers :as peers])
  (:import [java.io File]))

(defn- read-text [text]
  (let [file (File/createTempFile "peers" ".txt")]
    (try (spit file text)
         (peers/read-peers file)
         (finally (.delete file)))))

(deftest the-file-of-peers
  (is (= [{:name "c", :kinds #{"mlp" "rnn10"}, :threads #{1 2}, :command "run {task} | cat"}
          {:name "language-model", :kinds #{"rnn10"}, :threads #{1}, :command "other"}]
         (read-text (str "# a comment\n\n"
                         "c | mlp, rnn10 | 1,2 | run {task} | cat\n"
                         "language-model | rnn10 | 1 | other\n")))))

(deftest bad-lines-are-named
  (doseq [[text message] [["# x\nc | mlp | 1" #"line 2: expected `name \| kinds \| threads \| comm"]
                          ["c | mlp | two | run" #"line 1: threads must be a list such as 1,2; got"]
                          ["c | mlp | 0 | run" #"threads must be a list"]
                          [" | mlp | 1 | run" #"line 1: expected"]]]
    (testing text
      (is (thrown-with-msg? Exception message (read-text text))))))

(deftest the-peers-of-the-project-can-be-read
  (is (some #(= "c-blas" (:name %)) (peers/read-peers "bench/peers.txt"))))

(deftest commands-are-filled-in
  (is (= "run mlp 2 60 1.5 {other}"
         (peers/command-for {:command "run {task} {threads} {batch} {secs} {other}"}
                            ["mlp" 2 60] 1.5))))

(deftest what-a-peer-prints
  (doseq [[text expected]
          [["mlp 1 60 94321.5  # c best 95000.0 reps 6" {:rate 94321.5}]
           ["noise\nmlp 1 60 1.2e5\n" {:rate 120000.0}]
           ["mlp 1 60 94321.5 MISMATCH" {:rate 94321.5, :mismatch true}]
           ["mlp 2 60 94321.5" nil]
           ["mlp 1 60 fast" nil]
           ["" nil]]]
    (testing (pr-str text)
      (is (= expected (peers/parse-output text ["mlp" 1 60]))))))

(deftest processor-times-of-a-shell
  (is (= 61.7 (peers/cpu-seconds "noise\n0m0.003s 0m0.004s\n1m1.20s 0m0.50s\n")))
  (is (nil? (peers/cpu-seconds "nothing"))))

(defn- run [command]
  (peers/run-peer {:name "fake", :command command} ["mlp" 2 10] 1.5))

(deftest running-a-peer
  (testing "its line becomes a row"
    (is (= {:program "fake", :task "mlp", :threads 2, :batch 10, :rate 4.5}
           (dissoc (run "echo {task} {threads} {batch} 4.5") :other))))
  (testing "it is told how many threads to use"
    (is (= 2.0 (:rate (run "echo mlp 2 10 $OMP_NUM_THREADS"))))
    (is (= 2.0 (:rate (run "echo mlp 2 10 $MKL_NUM_THREADS")))))
  (testing "a failure is told with the last words of the program"
    (is (= "exit status 3: no library" (:failed (run "echo no library >&2; (exit 3)"))))
    (is (re-find #"exit status 127: .*not found" (:failed (run "no-such-program-anywhere")))))
  (testing "silence is a failure too"
    (is (= "exit status 0" (:failed (run "true"))))))
