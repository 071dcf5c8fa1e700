(ns damo.compile.lower.facing
  "Copies that permute axes: of their loops the one along which the copy is read stands right around
  the one along which it is written, so that the two make matrices, which are turned by tiles.
  (facing body): kernel body in, kernel body out."
  (:require [damo.compile.lower.collapse :as collapse]))

(set! *warn-on-reflection* true)

(defn- nest
  "[[[variable extent] …] statements] of loops that hold nothing but each other."
  [[_ v extent & body]]
  (if (and (nil? (next body)) (= :for (ffirst body)))
    (update (nest (first body)) 0 #(into [[v extent]] %))
    [[[v extent]] (vec body)]))

(defn- copied
  "[stored-index loaded-index] of statements that copy one element of another memory; nil of
  others."
  [statements]
  (let [[_ v load] (when (= 2 (count statements)) (first statements))
        [head p index value] (peek statements), value (if (= value v) load value)]
    (when (and (= :store head) (vector? value) (<= (count statements) 2))
      (let [[from q loaded] value]
        (when (and (= :load from) (not= p q)) [index loaded])))))

(defn- along
  "The number of the loop that runs along an index; nil where none does, or several."
  [loops index]
  (let [found (keep-indexed (fn [k [v]] (when (= 1 (collapse/coefficient index v)) k)) loops)]
    (when (nil? (next found)) (first found))))

(defn- apart? [loops]
  (let [vars (set (map first loops))]
    (not-any? vars (flatten (map rest loops)))))

(defn- faced
  "The loop of a copy with the one that reads along memory as the last but one."
  [s]
  (let [[loops statements] (nest s), [stored loaded] (copied statements), n (count loops)
        from (when loaded (along loops loaded))]
    (if (and from (< from (- n 2)) (= (dec n) (along loops stored)) (apart? loops))
      (let [others (into (subvec loops 0 from) (subvec loops (inc from) (dec n)))]
        (first (reduce (fn [body [v extent]] [(into [:for v extent] body)]) statements
                       (rseq (conj others (loops from) (peek loops))))))
      s)))

(defn facing
  "A kernel body in which the loops of copies stand in that order."
  [body]
  (mapv (fn [s] (if (= :for (first s)) (faced s) s)) body))
