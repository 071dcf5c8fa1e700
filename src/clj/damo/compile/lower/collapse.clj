(ns damo.compile.lower.collapse
  "Merges perfectly nested loops into one where every index is linear in them: a loop over [784 500]
  dense elements becomes one loop over 392,000, without a remainder in every row. Kernel body in,
  kernel body out."
  (:require [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(defn- terms
  "An index in normal form as a vector of products, each a vector of factors."
  [index]
  (map (fn [t] (if (and (vector? t) (= :* (first t))) (vec (rest t)) [t]))
       (if (and (vector? index) (= :+ (first index))) (rest index) [index])))

(defn- mentions? [x v]
  (boolean (some #{v} (tree-seq coll? seq x))))

(defn coefficient
  "The factor of variable v in an index that is linear in it: a dim; nil when it is not linear."
  [index v]
  (reduce (fn [c factors]
            (let [n (count (filter #{v} factors))
                  others (remove #{v} factors)]
              (cond (some #(mentions? % v) others) (reduced nil)
                    (= n 0) c
                    (= n 1) (type/dim+ c (apply type/dim* others))
                    :else (reduced nil))))
          0 (terms index)))

(defn- indices
  "All indices of loads and stores in a body, and nil for anything else that uses the variables i or
  j."
  [body i j]
  (letfn [(walk [x]
            (cond (not (vector? x)) (when (or (= x i) (= x j)) [nil])
                  (= :load (first x)) [(nth x 2)]
                  (= :store (first x)) (cons (nth x 2) (walk (nth x 3)))
                  :else (mapcat walk x)))]
    (mapcat walk body)))

(defn- replaced [index i j merged]
  (let [c (coefficient index j)
        rest-of (fn [factors] (if (some #{i j} factors) [0] factors))]
    (apply type/dim+ (type/dim* c merged) (map #(apply type/dim* (rest-of %)) (terms index)))))

(defn- rewrite [x i j merged]
  (cond (not (vector? x)) x
        (= :load (first x)) (update x 2 replaced i j merged)
        (= :store (first x)) (-> x (update 2 replaced i j merged) (update 3 rewrite i j merged))
        :else (mapv #(rewrite % i j merged) x)))

(defn- merge-loops
  "The merged loop of [:for i e1 [:for j e2 & body]], or nil when some index forbids it."
  [[_ i outer [_ j inner & body]]]
  (let [all (indices body i j)]
    (when (every? (fn [index]
                    (when index
                      (let [ci (coefficient index i), cj (coefficient index j)]
                        (and ci cj (= ci (type/dim* inner cj))))))
                  all)
      (into [:for i (type/dim* outer inner)] (map #(rewrite % i j i)) body))))

(defn collapse
  "A kernel body with its mergeable loops merged."
  [body]
  (mapv (fn [s]
          (if (and (vector? s) (= :for (first s)))
            (let [[_ i extent & inner] s
                  inner (collapse inner)
                  loop-form (into [:for i extent] inner)]
              (or (when (and (= 1 (count inner)) (= :for (ffirst inner)))
                    (merge-loops loop-form))
                  loop-form))
            s))
        body))
