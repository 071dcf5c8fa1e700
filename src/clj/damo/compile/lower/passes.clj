(ns damo.compile.lower.passes
  "Passes of discrete Fourier transforms of lengths that are numbers of small factors, which need no
  sorting (Stockham's; Temperton, 'Self-sorting mixed-radix fast Fourier transforms', 1983).
  (statements line (tables line) from to) transform one line of {:cx :id :n :d :sign :scratch}; from
  and to are {:read (fn [body i] complex)} and {:write (fn [body i complex])}."
  (:require [damo.compile.lower :as lower]
            [damo.compile.lower.butterfly :as butterfly]
            [damo.compile.lower.keys :as keys]
            [damo.compile.lower.roots :as roots]
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

(defn pair-memory
  "{:read :write} of complex values in memory p, imaginary parts n elements behind."
  [p n]
  {:read (fn [_ i] [[:load p i] [:load p (index+ i n)]])
   :write (fn [body i [re im]]
            (lower/emit! body [:store p i re])
            (lower/emit! body [:store p (index+ i n) im]))})

(defn- fill
  "The statements that write the roots of exponents (exponent variables), of loops over extents, at
  (at variables) of the pair memory p of that size."
  [cx root p extents at size exponent]
  (loops cx extents
         (fn [body vars]
           ((:write (pair-memory p size)) body (at vars) (root body (exponent vars))))))

(defn tables
  "The roots of all passes of a line: {:statements, :root (fn [pass] (fn [body p k] complex))}; of
  one pass nothing. Those of the first pass lie one result behind the other, those of later ones are
  picked from one list."
  [{:keys [cx d n] :as line}]
  (let [[{:keys [r m]} & more] (plan n), size (* (dec r) m)
        pair (fn [p at n] [[:load p at] [:load p (index+ at n)]])]
    (when more
      (let [{:keys [statements root]} (roots/table line)
            first-ones (roots/scratch! line :first d (* 2 size))
            later (roots/scratch! line :later d (* 2 m))]
        {:statements
         (concat statements
                 (fill cx root first-ones [(dec r) m] (fn [[k p]] (index+ (index* m k) p)) size
                       (fn [[k p]] (if (= k 0) p [:* (index+ k 1) p])))
                 (fill cx root later [1 m] second m (fn [[_ j]] (index* r j))))
         :root (fn [{s :s}]
                 (if (= s 1)
                   (fn [_ p k] (pair first-ones (index+ (* m (dec k)) p) size))
                   (fn [_ p k] (pair later (index* (* k (quot s r)) p) m))))}))))

(defn- between
  "[statements memories] of what lies between the passes: two lines in turns, local to a round of
  the loops over lines where that fits, so that rounds share nothing."
  [{:keys [cx n d] :as line} passes]
  (let [kinds (take (dec (count passes)) (cycle [:even :odd])), both (distinct kinds)
        local? (<= (* 2 2 n (:bytes (type/dtypes d)) (count both)) (.most Limits/LOCALS))
        memory (into {} (for [kind both]
                          [kind (if local?
                                  (lower/fresh cx "t")
                                  (roots/scratch! line kind d (* 2 n)))]))]
    [(when local? (for [kind both] [:local (memory kind) d (* 2 n)]))
     (mapv #(pair-memory (memory %) n) kinds)]))

(defn statements
  "The statements that transform one line, read and written as `from` and `to` say; with `back?` the
  other way round, by the same tables, times n."
  [{:keys [n sign] :as line} {:keys [root]} from to back?]
  (let [passes (plan n), [locals memories] (between line passes)
        line (assoc line :sign (if back? (- (long sign)) sign))
        root-of (fn [p]
                  (when root
                    (let [f (root p)]
                      (if back? (fn [body p k] (let [[c s] (f body p k)] [c [:neg s]])) f))))]
    (into (vec locals)
          (mapcat (fn [p from to]
                    (pass line p {:read (:read from), :write (:write to), :root (root-of p)}))
                  passes (cons from memories) (conj memories to)))))
