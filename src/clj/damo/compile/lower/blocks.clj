(ns damo.compile.lower.blocks
  "A line in blocks of one size and the rest, as loops of a kernel whose indices are proved.
  (loops {:fresh f} n 64 (fn [start number extent] statements)) = statements."
  (:require [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(defn along?
  "Can a line of that extent be cut into blocks? Its rest must be known to end with it, so all that
  its extent mentions must be among the dims `fixed` when a call begins."
  [fixed extent]
  (every? (or fixed #{}) (type/dim-symbols extent)))

(defn parts
  "The blocks of a line of n: those that are full, of which :count is the number, and the rest,
  which is block number :number. (:start number) is where one begins."
  [n block]
  (let [full (type/dim-quot n block), rest-of (if (integer? n) (mod n block) [:mod n block])]
    (remove #(= 0 (:extent %))
            [{:count full, :extent (if (= 0 full) 0 block), :start #(type/dim* block %)}
             {:extent rest-of, :start (constantly (type/dim* block full)), :number full}])))

(defn each
  "The statements (f start block-number extent) of a part, for each of its blocks; `fresh` gives
  names."
  [fresh {:keys [count extent start number]} f]
  (if count
    (let [b (fresh "i")] [(into [:for b count] (f (start b) b extent))])
    (f (start nil) number extent)))

(defn loops
  "The statements (f start block-number extent) for each block of a line of n."
  [fresh n block f]
  (into [] (mapcat #(each fresh % f)) (parts n block)))
