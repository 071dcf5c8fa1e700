(ns damo.compile.lower.room-test
  "Local arrays of several loops in one kernel: all that take some have one budget."
  (:require [clojure.test :refer [are deftest is]]
            [damo.compile.lower.abreast :as abreast]
            [damo.compile.lower.narrow :as narrow]
            [damo.compile.lower.room :as room]
            [damo.compile.lower.turned :as turned])
  (:import [damo Limits]))

(set! *warn-on-reflection* true)

(defn- named
  "A nest with names of its own, and memories of its own to write to."
  [nest k]
  (let [own (fn own [x] (cond (symbol? x) (if ('#{m n} x) x (symbol (str x "." k)))
                              (vector? x) (if (= :memory (first x)) (+ k (second x)) (mapv own x))
                              :else x))]
    (own nest)))

(def ^:private sums
  '[:for i m [:for j n [:store [:memory 1] j [:add [:load [:memory 1] j]
                                              [:load 0 [:+ [:* i n] j]]]]]])

(def ^:private across
  '[:for i m [:for j n [:store [:memory 1] [:+ [:* i n] j] [:neg [:load 0 [:+ [:* j m] i]]]]]])

(def ^:private rows
  '[:for i m [:var a [:const :f64 0]] [:for j n [:acc :maximum a [:load 0 [:+ [:* i n] j]]]]
    [:store [:memory 1] i a]])

(defn- zeros [k]
  (let [v (symbol (str "z" k))] [:for v 'n [:store (inc k) v [:const :f64 0]]]))

(defn- arranged [body]
  (let [all? (constantly true), f64 (constantly :f64)]
    (->> body (narrow/lines f64 all?) (turned/blocks f64 all?) (abreast/abreast f64 all?))))

(deftest all-of-a-kernel-fit
  (are [nests] (let [body (map-indexed #(named %2 %1) nests)
                     after (arranged (into (mapv zeros (range (count nests))) body))]
                 (and (pos? (room/taken after)) (<= 0 (room/left after))))
    [sums]
    [sums sums sums]
    [across across across across across across across across across]
    [rows rows rows rows rows]
    [sums sums across across rows rows]
    [rows across sums sums]
    [[:for 'b 'm sums across] [:for 'c 'm rows rows rows]]))

(deftest what-is-inside-of-a-loop-is-counted
  (is (= 24 (room/taken '[[:local t :f64 1]
                          [:for i n [:local u :f32 2] [:if x [:local v :u8 8]]]])))
  (is (= (- (.most Limits/LOCALS) 8) (room/left '[[:local t :f64 1]]))))
