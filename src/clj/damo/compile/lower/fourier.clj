(ns damo.compile.lower.fourier
  "Kernels of discrete Fourier transforms along the last axis of arrays [… 2 n], real parts in the
  first line of each pair. A length of small prime factors, which is a number, is transformed by
  passes that need no sorting (Stockham's; Temperton, 'Self-sorting mixed-radix fast Fourier
  transforms', 1983); other lengths by damo.compile.lower.chirp. (dft-body cx id) gives [statements
  scratch]."
  (:require [damo.compile.lower :as lower]
            [damo.compile.lower.butterfly :as butterfly]
            [damo.compile.lower.chirp :as chirp]
            [damo.compile.lower.keys :as keys]
            [damo.compile.lower.nests :as nests]
            [damo.compile.lower.roots :as roots]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type])
  (:import [damo Limits]))

(set! *warn-on-reflection* true)

(def ^:private radices
  "The lengths of butterflies, those that are tried first in front: the first pass writes so many
  neighbours, over which later ones are vectorised."
  [8 4 2 5 3 7 11 13])

(defn factors
  "The radices whose product is n, for the passes in order; nil when n has other factors."
  [n]
  (loop [n (long n), found []]
    (if (= n 1)
      (if (seq found) found [1])
      (when-let [r (first (filter #(zero? (rem n (long %))) radices))]
        (recur (quot n (long r)) (conj found r))))))

(defn- index+ [& terms] (apply type/signed+ terms))
(defn- index* [a b] (type/signed* a b))

(defn- loops
  "Loops over variables with extents, those of extent 1 left out, around the statements (f body
  variables), in which 0 stands for what is left out."
  [cx extents f]
  (let [vars (mapv #(if (= 1 %) 0 (lower/fresh cx "i")) extents), body (lower/body {})]
    (f body vars)
    (reduce (fn [stmts [v extent]] (if (= v 0) stmts [(into [:for v extent] stmts)]))
            @(:stmts body) (reverse (map vector vars extents)))))

(defn- pass
  "The statements of one pass, of radix r over lines of l = r·m, of which s lie side by side: `read`
  and `write` are of complex values at an index, `root` of the factor of place p and result k."
  [{:keys [cx d sign]} {:keys [r m s]} {:keys [read write root]}]
  (loops cx [m s]
         (fn [body [p q]]
           (let [let! #(keys/named cx body "v" %)
                 at (fn [k] (index+ q (index* s p) (* s m k)))
                 vs (mapv #(butterfly/named let! (read body (at %))) (range r))
                 ys (butterfly/transform let! d sign vs)]
             (doseq [[k y] (map-indexed vector ys)]
               (write body (index+ q (index* (* s r) p) (* s k))
                      (if (or (= k 0) (= m 1))
                        y
                        (butterfly/named let! (butterfly/times (root body p k) y)))))))))

(defn- plan
  "The passes of a line: [{:r :m :s} …]."
  [n]
  (loop [[r & more] (factors n), l n, s (long 1), passes []]
    (let [passes (conj passes {:r r, :m (quot l r), :s s})]
      (if more (recur more (quot l r) (* s (long r)) passes) passes))))

(defn- pair-memory
  "Reading and writing of complex values in memory p, imaginary parts n elements behind."
  [p n]
  {:read (fn [_ i] [[:load p i] [:load p (index+ i n)]])
   :write (fn [body i [re im]]
            (lower/emit! body [:store p i re])
            (lower/emit! body [:store p (index+ i n) im]))})

(defn- line-memory
  "Reading of the operand and writing of the result for the line at `lead`."
  [{:keys [g] :as cx} id lead]
  (let [[_ _ x] (nth (:nodes g) id), [from shape] (graph/type-of g id)
        out (lower/param cx [:node id] from :out), strides (array/strides shape)
        place (fn [part i] (conj (vec lead) part i))]
    {:read (fn [body i] (mapv #(lower/read-at cx body (place % i) x (place % i)) [0 1]))
     :write (fn [body i value]
              (doseq [[part v] (map-indexed vector value)]
                (lower/emit! body [:store out (lower/dense-index 0 strides (place part i)) v])))}))

(defn- fill
  "The statements that write the roots of exponents (exponent variables), of loops over extents, at
  (at variables) of the pair memory p of that size."
  [cx root p extents at size exponent]
  (loops cx extents
         (fn [body vars]
           ((:write (pair-memory p size)) body (at vars) (root body (exponent vars))))))

(defn- tables
  "The roots of all passes: {:statements, :root (fn [pass] (fn [body p k] complex))}. Those of the
  first pass lie one result behind the other, those of later ones are picked from one list."
  [{:keys [cx d] :as line} passes]
  (let [{:keys [r m]} (first passes), {:keys [statements root]} (roots/table line)
        size (* (dec r) m), pair (fn [p at n] [[:load p at] [:load p (index+ at n)]])
        first-ones (roots/scratch! line :first d (* 2 size))
        later (roots/scratch! line :later d (* 2 m))]
    {:statements (concat statements
                         (fill cx root first-ones [(dec r) m] (fn [[k p]] (index+ (index* m k) p))
                               size (fn [[k p]] (if (= k 0) p [:* (index+ k 1) p])))
                         (fill cx root later [1 m] second m (fn [[_ j]] (index* r j))))
     :root (fn [{:keys [s m]}]
             (if (= s 1)
               (fn [_ p k] (pair first-ones (index+ (* m (dec k)) p) size))
               (fn [_ p k] (pair later (index* (* k (quot s r)) p) (:m (first passes))))))}))

(defn- between
  "[statements memories] of what lies between the passes: two lines in turns, local to a round of
  the loops over lines where that fits, so that rounds share nothing."
  [{:keys [cx n d] :as line} passes]
  (let [kinds (take (dec (count passes)) (cycle [:even :odd])), distinct-kinds (distinct kinds)
        bytes (* 2 n (:bytes (type/dtypes d)) (count distinct-kinds))
        local? (<= (* 2 bytes) (.most Limits/LOCALS))
        memory (into {} (for [kind distinct-kinds]
                          [kind (if local?
                                  (lower/fresh cx "t")
                                  (roots/scratch! line kind d (* 2 n)))]))]
    [(when local? (for [kind distinct-kinds] [:local (memory kind) d (* 2 n)]))
     (mapv #(pair-memory (memory %) n) kinds)]))

(defn- by-passes
  "The statements for a length that is a number of small factors."
  [{:keys [cx n lead-shape] :as line} at-lead]
  (let [passes (plan n), {:keys [statements root]} (when (next passes) (tables line passes))]
    (vec (concat
          statements
          (nests/statements
           cx lead-shape
           (fn [body lead]
             (let [{:keys [read write]} (at-lead lead), [locals memories] (between line passes)]
               (run! #(lower/emit! body %) locals)
               (doseq [[p from to] (map vector passes (cons {:read read} memories)
                                        (conj memories {:write write}))
                       statement (pass line p {:read (:read from), :write (:write to)
                                               :root (when root (root p))})]
                 (lower/emit! body statement)))))))))

(defn- widened
  "Reading and writing of a line of a float dtype in :f64: the errors of a convolution are those of
  its largest element."
  [dtype {:keys [read write]}]
  (let [d (type/computed dtype)]
    {:read (fn [body i] (roots/cast-to d :f64 (read body i)))
     :write (fn [body i z] (write body i (roots/cast-to :f64 d z)))}))

(defn dft-body
  "[statements scratch] of the node :dft."
  [{:keys [g] :as cx} id]
  (let [[_ {:keys [inverse]}] (nth (:nodes g) id), [dtype shape] (graph/type-of g id)
        n (peek shape), at-lead #(line-memory cx id %)
        line {:cx cx, :id id, :n n, :d (type/computed dtype), :sign (if inverse 1 -1)
              :scratch (volatile! {}), :lead-shape (subvec shape 0 (- (count shape) 2))}
        statements (if (and (integer? n) (factors n))
                     (by-passes line at-lead)
                     (chirp/statements (assoc line :d :f64) #(widened dtype (at-lead %))))]
    [statements @(:scratch line)]))
