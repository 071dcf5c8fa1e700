(ns damo.compile.lower.sorting
  "Kernels that sort the lines of an array along an axis, stably and with NaN at the end. An element
  becomes an integer key that is ordered as it is. Short lines: the rank of each element is the
  number of those before it in order, counted by loops that are vectorised. Long ones: a radix sort
  of the keys from the lowest digit on, in O(n) for each of at most six digits.
  (sort-body cx id), (argsort-body cx id) and (both-body cx id) give [statements scratch]."
  (:require [damo.compile.lower :as lower]
            [damo.compile.lower.nests :as nests]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(def ^:private digit-bits "Bits of a radix digit: the counts of 2^11 fit the cache." 11)
(def ^:private radix (bit-shift-left 1 digit-bits))

(defn- short-line
  "The longest line that is sorted by ranks, which take n² steps of vectors. Measured with AVX-512:
  there both ways take as long."
  [{:keys [bits]}]
  (if (= bits 64) 384 192))

;; ## Keys

(defn- key-type
  "How elements of a computed dtype become keys: :dtype of the key; :bits that differ, 32 and 64
  where the sign is one of them, else after :offset was added."
  [dtype]
  (case dtype
    :f64 {:dtype :i64, :bits 64}
    :i64 {:dtype :i64, :bits 64}
    (:f32 :i32) {:dtype :i32, :bits 32}
    :i16 {:dtype :i32, :bits 16, :offset 32768}
    (:i8 :u8 :bool) {:dtype :i32, :bits 10, :offset 256}))

(defn- float-info [dtype]
  (case dtype
    :f32 {:key :i32, :shift 31, :largest Integer/MAX_VALUE}
    :f64 {:key :i64, :shift 63, :largest Long/MAX_VALUE}))

(defn- named [cx body prefix e]
  (let [v (lower/fresh cx prefix)] (lower/emit! body [:let v e]) v))

(defn- mirrored
  "Bits of a float ordered as integers are, and back: those of negative ones are inverted but for
  the sign."
  [{:keys [key shift largest]} b]
  [:xor b [:and [:shr b [:const key shift]] [:const key largest]]])

(defn- key-of!
  "The name of the key of value v, of that dtype; with `zeros-equal` -0.0 has the key of 0.0."
  [cx body dtype v descending zeros-equal]
  (let [{key :dtype} (key-type dtype)
        k (if (type/float-dtype? dtype)
            (let [{:keys [largest] :as info} (float-info dtype), zero [:const dtype 0.0]
                  v (named cx body "v" (if zeros-equal [:select [:eq v zero] zero v] v))
                  b (named cx body "v" [:bits v])]
              [:select [:isnan v] [:const key largest] (mirrored info b)])
            (if (= key dtype) v [:cast key v]))]
    (named cx body "v" (if descending [:not k] k))))

(defn- value-of
  "The expression of the element of which k names the key."
  [cx body dtype k descending]
  (let [{key :dtype} (key-type dtype)
        k (if descending (named cx body "v" [:not k]) k)]
    (cond (type/float-dtype? dtype) [:float (mirrored (float-info dtype) k)]
          (= key dtype) k
          :else [:cast dtype k])))

(defn- unsigned
  "The key with its bits such that digits are ordered as natural numbers; its own inverse for keys
  of full width."
  [{:keys [dtype bits offset]} k]
  (if offset
    [:add k [:const dtype offset]]
    [:xor k [:const dtype (if (= bits 32) Integer/MIN_VALUE Long/MIN_VALUE)]]))

(defn- signed [{:keys [dtype offset] :as info} u]
  (if offset [:sub u [:const dtype offset]] (unsigned info u)))

;; ## A line
;; `line` holds what all parts of a kernel share: {:cx :id :n extent, :in read-a-key!, :key
;; key-type,
;; :element! and :index!, which write the results at a place, nil for what is no result, and the
;; parameters :keys :others :places :counts}.

(defn- loop-over
  "The loop of `extent` around the statements (f body variable)."
  [{:keys [cx]} extent f]
  (let [i (lower/fresh cx "i"), body (lower/body {})]
    (f body i)
    (into [:for i extent] @(:stmts body))))

(defn- checked!
  "Emits an index variable for a value that lies below the extent, and returns it."
  [{:keys [cx id]} body value extent]
  (let [x (lower/fresh cx "x")]
    (lower/emit! body [:index x value extent ((:note-of cx) id)])
    x))

(defn- as-number
  "A place, the variable of a loop or an :i64, as an :i64."
  [place]
  (if (symbol? place) [:size place] place))

(defn- write!
  "Emits the statements that write at q the element with the key (key!), and `place`, where it was."
  [{:keys [element! index!]} body q key! place]
  (when index! (index! body q (as-number place)))
  (when element! (element! body q (key!) place)))

(defn- rank-statements [{:keys [cx n in keys] :as line}]
  [(loop-over line n (fn [body i] (lower/emit! body [:store keys i (in body i)])))
   (loop-over
    line n
    (fn [body i]
      (let [k (named cx body "v" [:load keys i]), rank (lower/fresh cx "a")
            counted (fn [extent from test]
                      (loop-over line extent
                                 (fn [inner j]
                                   (let [other [:load keys (type/dim+ from j)]]
                                     (lower/emit! inner [:acc :add rank
                                                         [:cast :i32 [test other k]]])))))]
        (lower/emit! body [:var rank [:const :i32 0]])
        (lower/emit! body (counted i 0 :le))
        (lower/emit! body (counted [:- [:- n 1] i] (type/dim+ i 1) :lt))
        (write! line body (checked! line body [:cast :i64 rank] n) (constantly k) i))))])

(defn- passes [{:keys [bits]}] (quot (+ bits digit-bits -1) digit-bits))

(defn- digit [{:keys [dtype]} u p]
  (let [shifted (if (zero? p) u [:shr u [:const dtype (* p digit-bits)]])]
    [:cast :i64 [:and shifted [:const dtype (dec radix)]]]))

(defn- count-statements
  "Keys to memory, and for each pass where the first element of each digit belongs."
  [{:keys [cx n in key keys counts] :as line}]
  (let [at (fn [p d] (type/dim+ (* p radix) d)), one [:const :i64 1], zero [:const :i64 0]
        ps (range (passes key))]
    (into
     [(loop-over line (* (count ps) radix)
                 (fn [body i] (lower/emit! body [:store counts i zero])))
      (loop-over line n
                 (fn [body i]
                   (let [u (named cx body "v" (unsigned key (in body i)))]
                     (lower/emit! body [:store keys i u])
                     (doseq [p ps :let [d (checked! line body (digit key u p) radix)]]
                       (lower/emit! body [:store counts (at p d)
                                          [:add [:load counts (at p d)] one]])))))]
     (mapcat (fn [p]
               (let [sum (lower/fresh cx "a")]
                 [[:var sum zero]
                  (loop-over line radix
                             (fn [body d]
                               (let [c (named cx body "v" [:load counts (at p d)])]
                                 (lower/emit! body [:store counts (at p d) sum])
                                 (lower/emit! body [:set sum [:add sum c]]))))])))
     ps)))

(defn- pass-statement
  "The pass over digit p of the last but `after`: each element to its place among those with equal
  lower digits."
  [{:keys [cx n index! key keys others places counts] :as line} p after]
  (let [[from to] (if (even? p) [keys others] [others keys]), last? (zero? after)
        own? (odd? after)                   ; indices alternate between `places` and the result
        read-place (fn [i] (cond (zero? p) i
                                 own? ((:result line) i)
                                 :else [:load places i]))]
    (loop-over
     line n
     (fn [body i]
       (let [u (named cx body "v" [:load from i])
             d (checked! line body (digit key u p) radix)
             at (type/dim+ (* p radix) d)
             place (named cx body "v" [:load counts at])
             q (checked! line body place n)]
         (lower/emit! body [:store counts at [:add place [:const :i64 1]]])
         (when-not last? (lower/emit! body [:store to q u]))
         (cond last? (write! line body q #(named cx body "v" (signed key u)) (read-place i))
               (not index!) nil
               own? (lower/emit! body [:store places q (as-number (read-place i))])
               :else (index! body q (as-number (read-place i)))))))))

(defn- radix-statements [{:keys [key] :as line}]
  (let [k (passes key)]
    (into (vec (count-statements line))
          (map (fn [p] (pass-statement line p (- k p 1))))
          (range k))))

;; ## The kernel

(defn- short? [key n] (and (integer? n) (<= (long n) (long (short-line key)))))

(defn- line-statements [{:keys [n key] :as line}]
  (let [limit [:const :i64 (short-line key)]]
    (cond (short? key n) (rank-statements line)
          (integer? n) (radix-statements line)
          :else [(into [:if [:le [:size n] limit]] (rank-statements line))
                 (into [:if [:gt [:size n] limit]] (radix-statements line))])))

(defn- memory
  "{name [dtype size]} of the scratch memory of a line."
  [key n indices?]
  (let [long? (not (short? key n)), k (passes key)]
    (cond-> {:keys [(:dtype key) n]}
      (and long? (< 1 k)) (assoc :others [(:dtype key) n])
      (and long? indices? (< 1 k)) (assoc :places [:i64 n])
      long? (assoc :counts [:i64 (* k radix)]))))

(defn- scratch-param [{:keys [id cx]} name dtype]
  (lower/param cx [:scratch [id name]] dtype :in)
  (lower/param cx [:scratch [id name]] dtype :out))

(defn- element-writer
  "The function that writes elements to parameter p: made of their keys. Where zeros have one key,
  `zeros-equal`, they are read where they were, for their sign."
  [{:keys [cx id n] :as line} p index read dtype descending zeros-equal]
  (fn [body q key place]
    (let [v (value-of cx body dtype key descending), inner (lower/body {})]
      (if (and zeros-equal (type/float-dtype? dtype))
        (let [v (named cx body "v" v), at (if (symbol? place) place (checked! line inner place n))]
          (lower/emit! inner [:store p (index q) (read inner at)])
          (lower/emit! body [:store p (index q) v])
          (lower/emit! body (into [:if [:eq v [:const dtype 0.0]]] @(:stmts inner))))
        (lower/emit! body [:store p (index q) v])))))

(defn- line-at
  "The line whose elements stand where (at i) says; `element` and `place` are the parameters of the
  results, nil for what is no result."
  [{:keys [g] :as line} {:keys [element place]} at]
  (let [{:keys [cx id n dtype]} line, [_ {:keys [descending]} x] (nth (:nodes g) id)
        strides (array/strides (graph/shape-at g x))
        index (fn [i] (lower/dense-index 0 strides (at i)))
        read (fn [body i] (let [at (at i)] (lower/read-at cx body at x at)))]
    (assoc line
           :in (fn [body i] (key-of! cx body dtype (read body i) descending (some? place)))
           :result (fn [i] [:load place (index i)])
           :index! (when place
                     (fn [body q i]
                       (lower/emit! body [:store place (index q) i])))
           :element! (when element
                       (element-writer line element index read dtype descending (some? place))))))

(defn- body
  "[statements scratch] of the node; `results` says which node has which of its results in memory,
  {:element :place}."
  [{:keys [g] :as cx} id results]
  (let [[_ {:keys [axis]} x] (nth (:nodes g) id)
        [from shape] (graph/type-of g x), n (nth shape axis), dtype (type/computed from)
        key (key-type dtype), memory (memory key n (some? (:place results)))
        out (fn [k dtype] (when-let [of (k results)] (lower/param cx [:node of] dtype :out)))
        params {:element (out :element from), :place (out :place :i64)}
        line {:cx cx, :id id, :g g, :n n, :dtype dtype, :key key}]
    (when (:places memory) (lower/param cx [:node (:place results)] :i64 :in))
    [(nests/statements
      cx (into (subvec shape 0 axis) (subvec shape (inc axis)))
      (fn [body lead]
        (let [line (merge (line-at line params
                                   (fn [i] (vec (concat (take axis lead) [i] (drop axis lead)))))
                          (into {} (for [[name [d]] memory] [name (scratch-param line name d)])))]
          (run! #(lower/emit! body %) (line-statements line)))))
     (into {} (for [[name [d size]] memory] [[:scratch [id name]] {:dtype d, :size size}]))]))

(defn argsort-body
  "[statements scratch] of the node: the permutation that sorts the lines along :axis."
  [cx id]
  (body cx id {:place id}))

(defn sort-body
  "[statements scratch] of the node: the lines along :axis, sorted."
  [cx id]
  (body cx id {:element id}))

(defn both-body
  "[statements scratch] of the node with both results, the lines sorted and the permutation."
  [cx id]
  (let [{element 0, place 1} (get-in cx [:sched :parts id])]
    (body cx id {:element element, :place place})))
