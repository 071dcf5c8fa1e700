(ns damo.diff.loop.given
  "What the gradients of the results of a loop give to its rows, for reverse mode. Of a carry, that
  of the last rows, no more than its depth, is pending at the beginning; others give to a row in
  each round, and to the first rows at the end. In: a situation of damo.diff.loop.reverse. Out:
  ids."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff.loop.bodies :as bodies]
            [damo.diff.loop.rows :as rows]
            [damo.diff.mask :as mask]
            [damo.diff.node :as node]
            [damo.op :as op]
            [damo.op.looping :as looping]))

(set! *warn-on-reflection* true)

;; ## The rows that a gradient has

(defn- part-of-zeros
  "{:start :stop :id} of a gradient that is zeros but for these rows, node :id; nil of others."
  [b g]
  (let [[op {:keys [start stop step]} zeros id] (graph/node b g)
        [_ [_ & shape]] (graph/node-type b g)]
    (when (and (= :patch (op/kind op)) (mask/zero-node? b zeros) (every? #{1} step)
               (every? #{0} (rest start)) (= shape (next stop)))
      {:start (first start), :stop (first stop), :id id})))

(defn- terms
  "[[result gradient] …]: a gradient of a result as gradients of the last rows alone, where it is
  zeros before them, and sums of such."
  [b [o _ & order :as result] g]
  (let [[op _ x y] (graph/node b g), {:keys [start stop id]} (part-of-zeros b g)
        last-rows (if (looping/backwards? result)
                    (when (= 0 start) stop)
                    (when (and stop (= stop (rows/extent b g))) (type/dim- stop start)))]
    (cond last-rows (terms b (into [o last-rows] order) id)
          (= :add op) (mapcat #(terms b result %) [x y])
          :else [[result g]])))

(defn by-output
  "{output [[result gradient] …]} of {result number, gradient} of a loop."
  [b attrs g]
  (reduce (fn [m [r id]] (let [result (nth (:results attrs) r)]
                           (update m (first result) (fnil into []) (terms b result id))))
          {} (sort g)))

;; ## Where they go

(defn depth
  "The depth of carry o of the loop of a situation."
  [{:keys [attrs types]} o]
  (looping/depth attrs types o))

(defn total
  "The rows that output o has after the last round."
  [{:keys [attrs types]} o]
  (looping/total attrs types o))

(defn real
  "The type of gradients of what has that type."
  [[dtype shape]]
  [(type/float-of dtype) shape])

(defn- few? [{:keys [attrs] :as s} [o rows]]
  (and (integer? rows) (looping/first-rows attrs o) (<= rows (depth s o))))

(defn- late?
  "Are so many last rows known to be few of all, or not known to be most? Then looking in each round
  whether its row is there costs less than zeros for the others."
  [n total]
  (and (integer? n) (not (and (integer? total) (<= total (* 2 n))))))

(defn to-rows
  "What gives to a row of output o in each round, a map each: :id, a gradient, known as :token in
  the body, its latest row first where it is :back?. Of a few last rows alone it has these, :late;
  else all, zeros where it has none, read from row :from on, :by 1 or -1."
  [{:keys [b id given] :as s} o]
  (for [[i [[_ n :as result] g]] (map-indexed vector (remove (comp (partial few? s) first)
                                                             (given o)))
        :let [total (total s o), back? (looping/backwards? result), token [:given o i]
              start (if back? 0 (type/dim- total (rows/extent b g)))]
        :when (not= 0 n)]
    (if (late? n total)
      {:token token, :id g, :back? back?, :late true}
      {:token token, :id (rows/placed! b id g start total), :back? back?
       :from (if back? 0 total), :by (if back? 1 -1)})))

(defn spec
  "What the parameter of the body is that knows such a gradient."
  [{:keys [late id from by]}]
  (if late [:all id] [:each id from by]))

(defn- late-row
  "The template of the row of ?g that is the ?u-th from the latest, zeros where there are fewer."
  [n back?]
  (let [n [:dim {:dim n}]]
    [:where [:lt '?u n]
     [:take {:axis 0} '?g (if back?
                            [:minimum '?u [:sub n 1]]
                            [:maximum 0 [:sub [:sub n '?u] 1]])]
     0]))

(defn row!
  "The id in the builder of the body of what such a gradient gives to the row of this round."
  [{:keys [b inner attrs]} o {:keys [token id late back?]}]
  (if late
    (let [g (bodies/param! inner token (graph/node-type b id))
          u (bodies/param! inner [:turn] [:i64 []])]
      (node/emit-template! inner u {'?g g, '?u u} (late-row (rows/extent b id) back?)))
    (bodies/param! inner token (real (looping/output-type attrs o)))))

(defn pending!
  "The id of the gradient of row j of the last window of carry c before a round is looked at."
  [{:keys [b id given attrs types] :as s} c j]
  (let [d (depth s c), type (real (nth types (looping/first-rows attrs c)))
        found (for [[[_ n :as result] g] (given c) :when (few? s result)
                    :let [i (if (looping/backwards? result) (- d 1 j) (- j (- d n)))]
                    :when (< -1 i n)]
                (rows/slice! b id g i (inc i)))]
    (if (seq found)
      (reduce #(node/sum! b id %1 %2) found)
      (rows/zeros! b id type 1))))

(defn- late-first-rows!
  "The ids of what the last rows of a result give to each of the first rows of carry c."
  [{:keys [b id] :as s} c {g :id, :keys [back?]}]
  (let [n (rows/extent b g)]
    (for [j (range (depth s c))
          :let [u (op/emit! b :dim {:dim (type/dim- (total s c) (inc j))} [] nil)]]
      (node/emit-template! b id {'?g g, '?u u}
                           [:expand-dims {:axis [0]} (late-row n back?)]))))

(defn to-first-rows
  "The ids of what results of the loop give to the first rows of carry c."
  [{:keys [b id rounds] :as s} c]
  (for [{g :id, :keys [back? late] :as given} (get-in s [:rows c]) :let [d (depth s c)]]
    (cond late (rows/joined! b id (late-first-rows! s c given))
          back? (rows/flipped! b id (rows/slice! b id g rounds (type/dim+ rounds d)))
          :else (rows/slice! b id g 0 d))))
