(ns damo.laws.loops
  "Random loops over the nodes of a random graph: carries of depth 1 to 3 that stay bounded, rows
  read forwards and backwards, whole arrays, the number of the round, results of all rows, of the
  last ones and in the opposite order, ends that data decides, any number of rounds, bodies that
  hold loops again. (drawn! b pool random grow) are the results of one."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.laws.inside :as inside :refer [chance one-of some-of]]
            [damo.meaning.counted :as counted]
            [damo.op :as op])
  (:import [java.util Collections Random]))

(set! *warn-on-reflection* true)

;; ## Rounds

(defn- extents
  "The leading extents of the arrays of a pool, with repetitions."
  [pool]
  (vec (keep (comp first second :type) pool)))

(defn- steps-of
  "How many rounds a loop makes: so many as an array has rows, most often; few; fewer than that."
  [^Random random pool]
  (let [found (extents pool), d (when (seq found) (one-of random found))]
    (case (.nextInt random 10)
      (0 1 2 3 4) (or d 2)
      (5 6 7) (one-of random [0 1 2 2 3 5])
      8 (if d (type/dim-min d 2) 1)
      9 (if (and d (chance random 0.2)) (type/dim- d 1) 4))))

;; ## Parameters: {:param form :like node :arg node}

(defn- row-of [{[dtype shape] :type :as x}] (assoc x :type [dtype (subvec shape 1)]))

(defn- reading
  "A parameter that reads a node row by row, or nil where it has too few rows."
  [^Random random steps {[_ [d]] :type :as x}]
  (let [spare (when (and (integer? d) (integer? steps)) (- d steps))]
    (when (and d steps (if spare (<= 0 spare) (type/at-most? steps d)))
      (let [from (if spare (.nextInt random (int (inc spare))) 0)
            backwards (chance random 0.3)]
        {:param (if backwards
                  [:each nil (type/dim+ from steps) -1]
                  [:each nil from 1])
         :like (row-of x), :arg x}))))

(defn- sequences [^Random random steps pool]
  (let [fitting (filterv #(and (seq (second (:type %))) (reading random steps %)) pool)]
    (mapv #(reading random steps %) (some-of random 3 fitting))))

(defn- wholes [random pool]
  (mapv (fn [x] {:param [:all nil], :like x, :arg x}) (some-of random 3 pool)))

(def ^:private turn
  {:param [:turn], :like {:type [:i64 []], :exact true, :bound 20}})

;; ## Carries: {:first node :depth n :elem node :bound x}

(defn- first-rows!
  "The first rows of a carry: a node that has few, or made of another one."
  [b ^Random random pool {[_ [d] :as type] :type :as x}]
  (if (and (integer? d) (<= 1 d 3) (chance random 0.4))
    {:first x, :depth d, :elem (row-of x)}
    (let [depth (one-of random [1 1 1 2 2 3]), alike (filterv #(= type (:type %)) pool)
          others (vec (repeatedly depth #(one-of random alike)))
          names (mapv #(symbol (str "?r" %)) (range depth))]
      (when (< (inside/rank x) 4)
        (let [{:keys [exact bound] :as rows}
              (inside/made! b (zipmap names others) (into [:stack {:axis 0}] names) true
                            (apply max (map :bound others)))]
          {:depth depth, :elem (assoc x :exact exact :bound bound), :first rows})))))

(defn- carries! [b ^Random random pool]
  (into [] (comp (keep #(first-rows! b random pool %))
                 (map #(assoc % :bound (max 4 (min 1000 (:bound (:elem %))))
                              :exact (and (:exact (:elem %))
                                          (or (not (type/float-dtype? (first (:type (:elem %)))))
                                              (chance random 0.4))))))
        (some-of random 3 pool)))

(defn- windows
  "The parameters of carries: some rows of each, nearly always one."
  [^Random random carries]
  (vec (for [[c {:keys [depth elem exact bound]}] (map-indexed vector carries)
             row (range depth)
             :when (chance random (if (= 1 depth) 0.95 0.6))]
         {:param [:carry c row]
          :like (assoc elem :exact exact, :bound (max bound (:bound elem)))})))

;; ## Results

(defn- results [^Random random outputs bounded]
  (let [rows #(one-of random (if bounded [:all :all :all 1 1 2 3] [1 1 2 3]))
        drawn (vec (for [o (range outputs), _ (range (one-of random [0 1 1 1 2]))]
                     (cond-> [o (rows)] (chance random 0.2) (conj :backwards))))]
    (if (empty? drawn) [[0 (rows)]] drawn)))

(defn known?
  "Has a node of a body only dims that are known outside?"
  [b {:keys [type]}]
  (let [g (graph/finish b []), own (into #{} (mapcat #(counted/counted-by g %))
                                         (range (count (:nodes g))))]
    (not-any? (set (map :dim own)) (type/symbols type))))

(defn- end!
  "The truth value that ends a loop; without a bound it holds after some rounds for certain."
  [{:keys [b pool params]} random turn-at]
  (let [end (or (inside/truth! b pool random) (inside/constant! b [:bool []] false))]
    (if turn-at
      (inside/made! b {'?x end, '?t (params turn-at)} [:logical-or '?x [:ge '?t 3]] true 1)
      end)))

(defn- body!
  "{:body :outputs} of a loop: the next rows of carries, values that are kept, and the truth value
  that ends it, where it has one."
  [{:keys [b pool] :as inner} ^Random random carries until turn-at]
  (let [nexts (mapv (fn [{:keys [elem exact bound]}]
                      (inside/of-type! b pool random (:type elem) exact bound))
                    carries)
        kept (some-of random 3 (filterv #(known? b %) pool))
        kept (if (and (empty? carries) (empty? kept))
               [(inside/constant! b [:f32 [2]] 0.5)]
               kept)
        end (when until (end! inner random turn-at))]
    {:outputs (into nexts kept)
     :body (inside/closed b (cond-> (into nexts kept) end (conj end)))}))

;; ## The node

(defn- with-arguments
  "[args params]: the distinct arguments of parameters, and their forms with positions in them."
  [first-args parameters]
  (reduce (fn [[args params] {:keys [param arg]}]
            (if-not arg
              [args (conj params param)]
              (let [at (.indexOf ^java.util.List (mapv :id args) (:id arg))
                    [args at] (if (neg? at) [(conj args arg) (count args)] [args at])]
                [args (conj params (assoc param 1 at))])))
          [first-args []] parameters))

(defn- shuffled [^Random random v]
  (let [list (java.util.ArrayList. ^java.util.Collection v)]
    (Collections/shuffle list random)
    (vec list)))

(defn- bounds-of [carries {:keys [outputs]}]
  (map-indexed (fn [o {:keys [bound exact]}]
                 (let [{:keys [elem] from :bound, decided :exact} (get carries o)]
                   {:bound (if elem (max from (:bound elem)) bound)
                    :exact (boolean (if elem decided exact))}))
               outputs))

(defn parts!
  "The results of a node of several, like `about`."
  [b id about]
  (map-indexed (fn [at known]
                 (let [part (op/emit! b :part {:at at} [(op/->Id id)] nil)]
                   (assoc known :id part, :type (graph/node-type b part))))
               about))

(defn- attributes
  "The attributes of a loop; `unless` is the position of that argument."
  [{:keys [steps until unless params carries body]} wanted]
  (cond-> {:steps steps, :params params, :results wanted, :body body
           :carries (vec (range (count carries)))}
    until (assoc :until true)
    unless (assoc :unless unless)))

(defn- parameters [random steps pool carries]
  (shuffled random (concat (when steps (sequences random steps pool)) (wholes random pool)
                           (windows random carries)
                           (when (or (nil? steps) (chance random 0.5)) [turn]))))

(defn drawn!
  "The results of a random loop over the nodes of a pool; (grow b pool k) makes random steps in
  its body."
  [b pool ^Random random grow]
  (let [pool (filterv #(< (inside/rank %) 4) pool)
        until (chance random 0.3), unless (when (chance random 0.15) (inside/truth! b pool random))
        steps (when-not (and until (chance random 0.3)) (steps-of random pool))
        carries (carries! b random pool)
        parameters (parameters random steps pool carries)
        first-args (cond-> (mapv :first carries) unless (conj unless))
        [args params] (with-arguments first-args parameters)
        made (body! (inside/grown (mapv :like parameters) random grow) random carries until
                    (when-not steps (.indexOf ^java.util.List parameters turn)))
        about (vec (bounds-of carries made)), wanted (results random (count about) steps)
        attrs (attributes {:steps steps, :until until, :unless (when unless (count carries))
                           :params params, :carries carries, :body (:body made)}
                          wanted)]
    (parts! b (op/emit! b :loop attrs (mapv (comp op/->Id :id) args) nil)
            (map (fn [[o]] (about o)) wanted))))
