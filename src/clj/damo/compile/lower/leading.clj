(ns damo.compile.lower.leading
  "Sorts of lines by the kernel language's :sort, which puts the smallest keys first, in order: all
  of them or as many as are wanted. The keys alone where only elements are; keys of 32 bits with
  their places in one integer; of longer ones the wanted are sorted alone, and the line then
  searched for them. The functions give statements for a line, see damo.compile.lower.keys."
  (:require [damo.compile.lower :as lower]
            [damo.compile.lower.keys :as keys]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(def ^:private zero [:const :i64 0])
(def ^:private one [:const :i64 1])

(defn- add! [body v e] (lower/emit! body [:set v [:add v e]]))

;; ## Elements alone

(defn- zeros-in-order
  "The statements that put zeros of both signs in the order in which they stand in the line, which
  their keys do not know: behind the number of keys before those of zeros, -1 and 0."
  [{:keys [cx n k key dtype read keys out] :as line}]
  (let [at (lower/fresh cx "a")
        before (fn [i] [:lt [:load keys i] [:const key -1]])]
    [[:var at zero]
     (keys/loop-over line n (fn [body i]
                              (lower/emit! body [:acc :add at [:cast :i64 (before i)]])))
     (keys/loop-over
      line n
      (fn [body i]
        (let [v (read body i)]
          (lower/emit! body (keys/conditional
                             [:and [:eq v [:const dtype 0.0]] [:lt at [:size k]]]
                             (fn [inner]
                               (out inner (keys/checked! line inner at k) v)
                               (add! inner at one)))))))]))

(defn elements
  "The wanted elements, sorted."
  [{:keys [cx n k key dtype descending in keys room element!] :as line}]
  (let [float? (type/float-dtype? dtype), signs (lower/fresh cx "a")
        negative-zero [:const key (if descending 0 -1)]
        values (keys/loop-over line k (fn [body i]
                                        (let [v (keys/named cx body "v" [:load keys i])]
                                          (element! body i v i))))
        all (keys/loop-over line n (fn [body i]
                                     (let [v (in body i)]
                                       (lower/emit! body [:store keys i v])
                                       (when float?
                                         (lower/emit! body [:acc :or signs
                                                            [:eq v negative-zero]])))))]
    (cond-> (if float? [[:var signs [:const :bool false]]] [])
      true (conj all [:sort keys n k room] values)
      float? (conj (into [:if signs] (zeros-in-order line))))))

;; ## Keys of 32 bits and places

(def ^:private low [:const :i64 0xffffffff])
(def ^:private half [:const :i64 32])

(defn packed
  "The wanted places, sorted, with their elements where these are wanted: each key and its place are
  one integer, so no two are equal."
  [{:keys [cx id n k in keys room] :as line}]
  [[:require [:le [:size n] low] ((:note-of cx) id)]
   (keys/loop-over line n (fn [body i]
                            (let [high [:shl [:cast :i64 (in body i)] half]]
                              (lower/emit! body [:store keys i [:or high [:size i]]]))))
   [:sort keys n k room]
   (keys/loop-over line k (fn [body i]
                            (let [v (keys/named cx body "v" [:load keys i])
                                  place (keys/named cx body "v" [:and v low])]
                              (keys/write! line body i
                                           #(keys/named cx body "v" [:cast :i32 [:shr v half]])
                                           [:or place zero]))))])

;; ## Few of long keys and places

(defn- first-place!
  "Emits the search for the first of the k sorted keys that is not less than v, by steps that halve;
  returns the variable of its number."
  [{:keys [cx k keys] :as line} body v]
  (let [found (lower/fresh cx "a"), step (lower/fresh cx "a"), inner (lower/body {})
        b (lower/fresh cx "i"), next-one (keys/named cx inner "v" [:add found step])
        at (keys/checked! line inner [:minimum [:sub next-one one] [:size [:- k 1]]] k)]
    (lower/emit! body [:var found zero])
    (lower/emit! body [:var step [:const :i64 (bit-shift-left 1 62)]])
    (lower/emit! inner [:set found [:select [:and [:le next-one [:size k]]
                                             [:lt [:load keys at] v]]
                                    next-one found]])
    (lower/emit! inner [:set step [:shr step one]])
    (lower/emit! body (into [:for b 63] @(:stmts inner)))
    found))

(defn searched
  "The wanted places, with their elements where these are wanted: those of keys that are not larger
  than the last one wanted, in the order of the line; `seen` counts equal ones."
  [{:keys [cx n k in read keys room seen out index!] :as line}]
  (let [last-one (lower/fresh cx "v")
        place! (fn [body i v]
                 (let [q (keys/checked! line body (first-place! line body v) k)
                       place (keys/named cx body "v" [:add [:size q] [:load seen q]])]
                   (lower/emit! body [:store seen q [:add [:load seen q] one]])
                   (lower/emit! body (keys/conditional
                                      [:lt place [:size k]]
                                      (fn [inner]
                                        (let [at (keys/checked! line inner place k)]
                                          (index! inner at [:size i])
                                          (when out (out inner at (read inner i)))))))))]
    [(keys/loop-over line n (fn [body i] (lower/emit! body [:store keys i (in body i)])))
     (keys/loop-over line k (fn [body i] (lower/emit! body [:store seen i zero])))
     [:sort keys n k room]
     ;; Once where anything is wanted: a loop, so that an empty line is not looked at.
     (into [:for (lower/fresh cx "v") [:min 1 k]]
           [[:let last-one [:load keys [:max 0 [:- k 1]]]]
            (keys/loop-over line n (fn [body i]
                                     (let [v (in body i)]
                                       (lower/emit! body (keys/conditional
                                                          [:le v last-one]
                                                          #(place! % i v))))))])]))
