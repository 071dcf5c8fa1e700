(ns damo.compile.lower.chirp
  "Discrete Fourier transforms of any length as a convolution with a chirp (Bluestein, 'A linear
  filtering approach to the computation of discrete Fourier transform', 1970), by transforms of a
  longer one. A length that is a number has passes for the next length of small factors. For others
  it is a power of two, found in the call: all passes have one pattern of access (Pease, 'An
  adaptation of the fast Fourier transform for parallel processing', 1968), so that a loop of passes
  does for all lengths, and leave their results out of order, from where they go back."
  (:require [damo.compile.lower :as lower]
            [damo.compile.lower.butterfly :as butterfly]
            [damo.compile.lower.keys :as keys]
            [damo.compile.lower.nests :as nests]
            [damo.compile.lower.passes :as passes]
            [damo.compile.lower.roots :as roots]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(defn- integer [n] [:const :i64 n])

(defn- index!
  "An index variable of an :i64 expression below `extent`."
  [line body value extent]
  (keys/checked! line body value extent))

;; ## Memory: complex arrays of a fixed room, imaginary parts `room` elements behind

(defn- memory [line name room]
  {:p (roots/scratch! line name (:d line) (type/dim* 2 room)), :room room})

(defn- value-at [{:keys [p room]} i] [[:load p i] [:load p (type/dim+ i room)]])

(defn- write! [{:keys [p room]} body i [re im]]
  (lower/emit! body [:store p i re])
  (lower/emit! body [:store p (type/dim+ i room) im]))

;; ## Transforms of a power of two, in place, `half` of which is an index variable

(defn- pass
  "The statements of pass t: forward from x to `other`, or back from `other` to x, each with a copy
  to where it was."
  [{:keys [cx] :as line} {:keys [half total roots other]} x t back?]
  (let [sub (keys/loop-over
             line half
             (fn [body j]
               (let [name! #(butterfly/named (fn [e] (keys/named cx body "v" e)) %)
                     t [:size t]
                     e (index! line body [:shl [:shr [:size j] t] t] (:room roots))
                     w (value-at roots e), near (type/dim* 2 j), far (type/dim+ near 1)
                     across (type/dim+ j half)]
                 (if back?
                   (let [u (name! (value-at other near)), [c s] w
                         v (name! (butterfly/times [c [:neg s]] (value-at other far)))]
                     (write! x body j (name! (butterfly/plus u v)))
                     (write! x body across (name! (butterfly/minus u v))))
                   (let [a (name! (value-at x j)), b (name! (value-at x across))]
                     (write! other body near (name! (butterfly/plus a b)))
                     (write! other body far
                             (name! (butterfly/times w (name! (butterfly/minus a b))))))))))
        copied (fn [from to]
                 (keys/loop-over line total
                                 (fn [body i]
                                   (write! to body i (mapv #(keys/named cx body "v" %)
                                                           (value-at from i))))))]
    (if back? [(copied x other) sub] [sub (copied other x)])))

(defn- loop-of-passes
  "The loop of the passes of a transform of x, or of its inverse times its length."
  [line {:keys [steps] :as power} x back?]
  (keys/loop-over line steps
                  (fn [body i]
                    (let [t (if back? [:- [:- steps 1] i] i)]
                      (run! #(lower/emit! body %) (pass line power x t back?))))))

(defn- power-of-two!
  "Emits how long the convolution is, a power of two of at least 2n - 1, and the table of its roots.
  {:total, :room, its largest value, :transform (fn [x back?] statements), in place}."
  [{:keys [cx n] :as line} body]
  (let [room (type/dim* 4 n), half-room (type/dim* 2 n)
        exponent [:shr [:bits [:cast :f64 [:size (type/dim* 2 [:- n 1])]]] (integer 52)]
        steps (index! line body [:maximum (integer 0) [:sub exponent (integer 1022)]] 65)
        total (index! line body [:shl (integer 1) [:size steps]] (type/dim+ room 1))
        half (index! line body [:shr [:size total] (integer 1)] (type/dim+ half-room 1))
        roots (memory line :roots half-room)]
    (lower/emit! body
                 (keys/loop-over
                  line half
                  (fn [inner e]
                    (write! roots inner e
                            (roots/cast-to :f64 (:d line)
                                           (roots/unit cx inner -1 [:size (type/dim* 2 e)]
                                                       [:size total]))))))
    (let [power {:steps steps, :total total, :half half, :roots roots
                 :other (memory line :other room)}]
      {:total total, :room room
       :transform (fn [x back?] [(loop-of-passes line power x back?)])})))

(defn- smooth!
  "The same for a length that is a number: the next one of small factors."
  [{:keys [n] :as line} body]
  (let [total (first (filter passes/factors (iterate inc (dec (* 2 (long n))))))
        line (assoc line :n total, :sign -1), tables (passes/tables line)]
    (run! #(lower/emit! body %) (:statements tables))
    {:total total, :room total
     :transform (fn [{:keys [p]} back?]
                  (let [memory (passes/pair-memory p total)]
                    (passes/statements line tables memory memory back?)))}))

(defn- cleared [line x total]
  (let [zero [:const (:d line) 0.0]]
    (keys/loop-over line total (fn [body i] (write! x body i [zero zero])))))

(defn- chirp!
  "Emits the chirp exp(sign·πi·k²/n), and the transform of what it is convolved with: its conjugate
  at k and at -k."
  [{:keys [cx n sign d] :as line} body {:keys [total room transform]}]
  (let [chirp (memory line :chirp n), filter (memory line :filter room)
        emit! #(lower/emit! body %)]
    (emit! (cleared line filter total))
    (emit! (keys/loop-over
            line n
            (fn [inner k]
              (let [twice [:size (type/dim* 2 n)], k-value [:size k]
                    [c s] (roots/cast-to :f64 d (roots/unit cx inner sign
                                                            [:mod [:mul k-value k-value] twice]
                                                            [:size n]))
                    across (index! line inner
                                   [:mod [:sub [:size total] k-value] [:size total]] room)]
                (write! chirp inner k [c s])
                (write! filter inner k [c [:neg s]])
                (write! filter inner across [c [:neg s]])))))
    (run! emit! (transform filter false))
    {:chirp chirp, :filter filter}))

(defn- line-statements
  "The statements that transform one line."
  [{:keys [cx n d] :as line} {:keys [total room transform]} {:keys [chirp filter]}
   {:keys [read write]}]
  (let [x (memory line :line room)
        over (fn [extent f]
               (keys/loop-over line extent
                               (fn [body i]
                                 (f body i #(butterfly/named
                                             (fn [e] (keys/named cx body "v" e)) %)))))
        product (fn [name! a b] (name! (butterfly/times (name! a) (name! b))))]
    (concat
     [(cleared line x total)
      (over n (fn [body i name!]
                (write! x body i (product name! (read body i) (value-at chirp i)))))]
     (transform x false)
     [(over total (fn [body i name!]
                    (write! x body i (product name! (value-at x i) (value-at filter i)))))]
     (transform x true)
     [(over n (fn [body i name!]
                (write body i (butterfly/scaled
                               [:div [:const d 1.0] [:cast d [:size total]]]
                               (product name! (value-at x i) (value-at chirp i))))))])))

(defn statements
  "The statements of transforms of lines of any length, (at-lead lead) of which reads and writes the
  line at a position."
  [{:keys [cx n lead-shape] :as line} at-lead]
  (let [before (lower/body {}), power ((if (integer? n) smooth! power-of-two!) line before)
        chirps (chirp! line before power)]
    (into @(:stmts before)
          (nests/statements cx lead-shape
                            (fn [body lead]
                              (run! #(lower/emit! body %)
                                    (line-statements line power chirps (at-lead lead))))))))
