(ns damo.ops.linear.einsum
  "Sums of products by Einstein's notation. (einsum \"ij,jk->ik\" x y) is (matmul x y): a
  letter names an axis; what is named on the left only is summed over; ... stands for leading axes
  that broadcast. It becomes products of pairs, cheapest first, each one matrix product or one fused
  loop."
  (:require [clojure.set :as set]
            [clojure.string :as str]
            [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

;; ## Reading subscripts
;; A term is a vector of labels, one an axis: letters as strings, and for the axes of an ellipsis
;; the integers … -2 -1, counted from the last of them.

(defn- bad! [subscripts message]
  (fail! :damo.op.einsum/bad-subscripts
         (str message " in the subscripts " (pr-str subscripts)
              "; they look like \"ij,jk->ik\", one letter an axis")
         {:subscripts subscripts}))

(defn- tokens
  "The letters of one term, with \"...\" for an ellipsis."
  [subscripts term]
  (let [found (re-seq #"\.\.\.|." term)]
    (doseq [t found :when (not (re-matches #"\.\.\.|[A-Za-z]" t))]
      (bad! subscripts (str "there is " (pr-str t) ", which is no letter,")))
    (when (next (filter #{"..."} found))
      (bad! subscripts "there are two ellipses in one term"))
    (vec found)))

(defn- parse
  "{:inputs [tokens …] :output tokens or nil} of subscripts."
  [subscripts]
  (when-not (string? subscripts)
    (fail! :damo.op.einsum/bad-subscripts
           (str "the first argument of einsum is a string such as \"ij,jk->ik\"; "
            "got " (pr-str subscripts))
           {:subscripts subscripts}))
  (let [[left right & more] (str/split (str/replace subscripts #"\s" "") #"->" -1)]
    (when more (bad! subscripts "there is more than one ->"))
    {:inputs (mapv #(tokens subscripts %) (str/split left #"," -1))
     :output (when right (tokens subscripts right))}))

(defn- labels
  "The term for tokens: an ellipsis stands for `n` axes."
  [tokens n]
  (into [] (mapcat #(if (= "..." %) (range (- n) 0) [%])) tokens))

(defn- operand-labels [subscripts position tokens shape]
  (let [letters (count (remove #{"..."} tokens)), rank (count shape)
        n (- rank letters)]
    (when (if (some #{"..."} tokens) (neg? n) (not= 0 n))
      (bad! subscripts (str "operand " position " has " rank " axes, " (pr-str shape) ", and "
                            letters " letters, " (apply str tokens) ",")))
    (labels tokens n)))

(defn- implicit-output
  "NumPy's: the axes of ellipses, then the letters that appear once, in alphabetical order."
  [terms n]
  (let [times (frequencies (apply concat terms))]
    (into (vec (range (- n) 0)) (sort (for [[l k] times :when (and (string? l) (= 1 k))] l)))))

(defn- check-output [subscripts output terms]
  (doseq [[l k] (frequencies output)]
    (when (< 1 k) (bad! subscripts (str "the letter " l " appears twice in the output")))
    (when-not (some #(some #{l} %) terms)
      (bad! subscripts (str "the letter " l " of the output is named by no operand")))))

(defn- extent-of
  "The extent of a label, from those it has, [[position extent] …]: equal, or 1 in another operand
  where it may broadcast."
  [subscripts label found broadcasts?]
  (reduce (fn [a [position b]]
            (cond (= a b) a
                  (and broadcasts? (= a 1)) b
                  (and broadcasts? (= b 1)) a
                  :else (fail! :damo.op.einsum/shape-mismatch
                               (str (if (string? label) (str "the letter " label)
                                        (str "axis " label " of the ellipsis"))
                                    " has the extents " (pr-str a) " and " (pr-str b)
                                    " (operand " position ") in the subscripts "
                                    (pr-str subscripts))
                               {:subscripts subscripts, :letter label, :expected a, :given b})))
          (second (first found)) (rest found)))

(defn- own-extents
  "{label [position extent]} of one operand; a letter that it has twice has one extent."
  [subscripts position term shape]
  (let [found (reduce (fn [m [l d]] (update m l (fnil conj []) [position d])) {}
                      (map vector term shape))]
    (into {} (map (fn [[l f]] [l [position (extent-of subscripts l f false)]])) found)))

(defn- terms-of
  "[terms output] for operands of these shapes; fails where ranks or letters do not fit."
  [subscripts shapes]
  (let [{:keys [inputs output]} (parse subscripts)]
    (when-not (= (count inputs) (count shapes))
      (bad! subscripts (str "there are " (count shapes) " operands and " (count inputs) " terms")))
    (let [terms (mapv #(operand-labels subscripts %1 %2 %3) (range) inputs shapes)
          n (count (filter integer? (distinct (apply concat terms))))]
      (when (and output (pos? n) (not-any? #{"..."} output))
        (bad! subscripts "the output lacks the ellipsis of the operands"))
      [terms (if output (labels output n) (implicit-output terms n))])))

(defn read-subscripts
  "{:terms [labels …] :output labels :extents {label dim}} for operands of these shapes; fails on
  misfits, naming the letter. Axes of extent 1 broadcast; with `strict` only those of an ellipsis."
  [subscripts shapes & [strict]]
  (let [[terms output] (terms-of subscripts shapes)
        found (apply merge-with into {}
                     (map (fn [position term shape]
                            (update-vals (own-extents subscripts position term shape) vector))
                          (range) terms shapes))]
    (check-output subscripts output terms)
    {:terms terms, :output output
     :extents (into {} (map (fn [[l f]]
                              [l (extent-of subscripts l f (or (not strict) (integer? l)))]))
                    found)}))

(defn- rule [{:keys [subscripts]} types]
  (when (empty? types) (bad! subscripts "there is no operand"))
  (typing/check-dtype :num (type/dtype-of (first types)))
  (let [{:keys [output extents]} (read-subscripts subscripts (mapv type/shape-of types))]
    [(type/dtype-of (first types)) (mapv extents output)]))

;; ## Meaning

(defn value
  "The :eval: the sums over all labels that are not in the output, one product at a time."
  [{:keys [subscripts]} & arrays]
  (let [dtype (:dtype (first arrays))
        {:keys [terms output extents]} (read-subscripts subscripts (mapv :shape arrays))
        summed (vec (remove (set output) (keys extents)))
        [plus times] (if (type/float-dtype? dtype) [+ *] [unchecked-add unchecked-multiply])
        element (fn [at {:keys [shape] :as a} term]
                  (array/at a (mapv (fn [l d] (if (= d 1) 0 (at l))) term shape)))
        inner (array/indices (mapv extents summed))]
    (array/from-indices
     dtype (mapv extents output)
     (fn [index]
       (transduce (map (fn [rest-of]
                         (let [at (merge (zipmap output index) (zipmap summed rest-of))]
                           (reduce times (map #(element at %1 %2) arrays terms)))))
                  (completing plus) 0 inner)))))

;; ## Expansion
;; An operand is {:term labels :t template :dtype dtype}. Steps keep the labels of an operand
;; distinct and all of its extents those of the labels.

(defn- positions [term wanted]
  (mapv #(.indexOf ^java.util.List term %) wanted))

(defn- arranged
  "The template of an operand with its axes in the order of these labels, the same set."
  [{:keys [term t]} wanted]
  (if (= term wanted) t [:transpose {:axes (positions term wanted)} t]))

(defn- without-axes
  "The operand without the axes at these positions, which (f template) takes away."
  [{:keys [term] :as operand} axes f]
  (-> operand
      (assoc :term (vec (keep-indexed (fn [i l] (when-not (some #{i} axes) l)) term)))
      (update :t f)))

(defn- sum-over
  "The operand summed over the axes at these positions; integers stay in their dtype."
  [{:keys [dtype] :as operand} axes]
  (without-axes operand axes
                (fn [t] (typing/as-dtype dtype (typing/accumulator dtype) [:sum {:axis axes} t]))))

(defn- summed
  "The operand summed over what no one else needs."
  [{:keys [term] :as operand} needed]
  (let [axes (vec (keep-indexed (fn [i l] (when-not (needed l) i)) term))]
    (if (empty? axes) operand (sum-over operand axes))))

(defn- without-stretched
  "The operand without the axes of extent 1 whose label has another extent elsewhere."
  [{:keys [term] :as operand} shape extents]
  (let [axes (vec (keep-indexed (fn [i l] (when (and (= 1 (nth shape i)) (not= 1 (extents l))) i))
                                term))]
    (if (empty? axes)
      operand
      (without-axes operand axes (fn [t] [:squeeze {:axis axes} t])))))

(defn- with-diagonals
  "The operand with each label once: of repeated ones the diagonal, which becomes the last axis."
  [{:keys [term] :as operand}]
  (if-let [label (first (for [[l k] (frequencies term) :when (< 1 k)] l))]
    (let [[a b] (keep-indexed (fn [i l] (when (= l label) i)) term)]
      (recur (-> operand
                 (without-axes [a b] (fn [t] [:diagonal {:axis1 a, :axis2 b} t]))
                 (update :term conj label))))
    operand))

(defn- reshaped [shape to t]
  (if (= shape to) t [:reshape {:shape to} t]))

(defn- broadcast-product
  "The elementwise product with the labels `out`, those of both."
  [x y out extents]
  (letfn [(stretched [{:keys [term] :as operand}]
            (let [own (filterv (set term) out)
                  shape (mapv #(if (some #{%} term) (extents %) 1) out)]
              (reshaped (mapv extents own) shape (arranged operand own))))]
    (assoc x :term out, :t [:mul (stretched x) (stretched y)])))

(defn- matrix-product
  "The product of two operands summed over labels that both have, as one matrix product."
  [{xs :term :as x} {ys :term :as y} kept extents]
  (let [in-both (filterv (set ys) xs)
        {batch true, k false} (group-by #(boolean (kept %)) in-both)
        m (filterv (complement (set ys)) xs), n (filterv (complement (set xs)) ys)
        dims #(mapv extents %), size #(type/size (dims %))
        matrix (fn [operand rows columns]
                 (reshaped (dims (concat batch rows columns))
                           (conj (dims batch) (size rows) (size columns))
                           (arranged operand (vec (concat batch rows columns)))))]
    (assoc x
           :term (vec (concat batch m n))
           :t (reshaped (conj (dims batch) (size m) (size n)) (dims (concat batch m n))
                        [:matmul (matrix x m k) (matrix y k n)]))))

(defn- before?
  "Do the labels that only x has come before those that only y has, in the output?"
  [{xs :term} {ys :term} output]
  (let [only (fn [a b] (first (keep-indexed (fn [i l] (when (and (some #{l} a) (not (some #{l} b)))
                                                        i))
                                            output)))
        i (only xs ys), j (only ys xs)]
    (or (nil? i) (nil? j) (< (long i) (long j)))))

(defn- pair-product
  "The product of two operands, summed over the labels that are not in `kept`."
  [x y kept output extents]
  (let [x (summed x (into kept (:term y))), y (summed y (into kept (:term x)))
        xs (set (:term x)), ys (set (:term y)), both (set/intersection xs ys)
        inner (set/difference both kept)]
    (cond (or (empty? inner) (= xs ys))
          (let [all (into xs ys)
                out (into (filterv all output) (remove (set output)) (concat (:term x) (:term y)))]
            (summed (broadcast-product x y (vec (distinct out)) extents) kept))
          (before? x y output) (matrix-product x y kept extents)
          :else (matrix-product y x kept extents))))

(defn- estimate
  "A guess at an extent: unknown ones count as 100."
  [d]
  (if (integer? d) (double d) 100.0))

(defn- cost
  "The number of multiplications of a pair, and the size of what it leaves."
  [x y kept extents]
  (let [size #(reduce * 1.0 (map (comp estimate extents) %))
        all (into (set (:term x)) (:term y))]
    [(size all) (size (filter kept all))]))

(defn- needed-with [operands output]
  (into (set output) (mapcat :term) operands))

(defn- cheapest-pair [operands output extents]
  (let [n (count operands)
        others (fn [i j] (keep-indexed (fn [k o] (when-not (#{i j} k) o)) operands))]
    (first (sort-by (fn [[i j]]
                      (cost (operands i) (operands j) (needed-with (others i j) output) extents))
                    (for [i (range n), j (range (inc i) n)] [i j])))))

(defn- contracted
  "One operand, the product of all, summed over what is not in the output. Pairs are taken cheapest
  first."
  [operands output extents]
  (loop [operands operands]
    (if (next operands)
      (let [[i j] (cheapest-pair operands output extents)
            others (vec (keep-indexed (fn [k o] (when-not (#{i j} k) o)) operands))
            kept (needed-with others output)]
        (recur (conj others (pair-product (operands i) (operands j) kept output extents))))
      (summed (first operands) (set output)))))

(defn- argument [i] (symbol (str "?" i)))

(defn- expansion [{{:keys [subscripts]} :attrs, types :types}]
  (let [shapes (mapv type/shape-of types)
        {:keys [terms output extents]} (read-subscripts subscripts shapes)
        operands (mapv (fn [i term shape]
                         (-> {:term term, :t (argument i), :dtype (type/dtype-of (first types))}
                             (without-stretched shape extents)
                             with-diagonals))
                       (range) terms shapes)
        result (contracted operands output extents)
        present (filterv (set (:term result)) output)]
    (arranged result present)))

(defop einsum
  "The sum of products of the operands, a vector, by subscripts such as \"ij,jk->ik\": one letter an
  axis. Without -> the letters that appear once are kept, in alphabetical order. A letter twice in
  one term is the diagonal; ... stands for axes that broadcast. In expressions of the face the
  subscripts come first: (einsum \"ij,jk->ik\" x y)."
  {:internal "d/einsum takes the subscripts first"
   :kind :composite, :args :variadic, :coerce :all
   :attrs {:subscripts {:is :text, :own-check true
                        :doc "letters for the axes of each operand, -> those of the result"}}
   :type rule, :eval value, :expand expansion
   :gen (gens/on-shapes
         (fn [n]
           (for [[s & shapes] [["ij,jk->ik" [n 3] [3 n]] ["ij,jk->ki" [2 n] [n 3]] ["ii" [n n]]
                               ["i,i" [n] [n]] ["ii->i" [n n]] ["ij->ji" [n 2]] ["ij->" [n 2]]
                               ["bij,bjk->bik" [2 n 3] [2 3 2]] ["i,j" [n] [3]]
                               ["ij,j,k->ki" [2 n] [n] [3]] ["...i,...i->..." [2 n] [n]]
                               ["ij,jk,kl->il" [2 n] [n 2] [2 3]] ["b...,b" [n 2] [n]]
                               ["abc,cbd->ad" [2 n 3] [3 n 2]] ["ij,ij->i" [n 2] [n 2]]
                               ["ij,kj->ik" [1 3] [n 1]] ["iij,jk->ik" [n n 2] [2 n]]]]
             (into [{:subscripts s}] shapes))))
   :examples [[[:einsum {:subscripts "i,i"}
                [:iota {:shape [3] :axis 0}] [:iota {:shape [3] :axis 0}]]
               5]
              [[:einsum {:subscripts "ij->j"} [:iota {:shape [2 2] :axis 0}]] [1 1]]]})

(defn call-einsum
  "The sum of products of the operands by subscripts: (einsum \"ij,jk->ik\" x y). See the op."
  [subscripts & operands]
  (op/node :einsum {:subscripts subscripts} operands))
