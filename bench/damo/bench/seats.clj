(ns damo.bench.seats
  "Servers of a file of peers that take turns with Damo: started when a cell needs them, asked to
  make their work, compared by their losses. `places` are {:servers, :failed}, volatiles of running
  servers by name and of the names of those that cannot run: (places) makes them."
  (:require [clojure.string :as str]
            [damo.bench.peers :as peers]
            [damo.bench.rounds :as rounds]
            [damo.bench.server :as server]))

(set! *warn-on-reflection* true)

(defn places
  "Where servers are kept, none as yet."
  []
  {:servers (volatile! {}), :failed (volatile! #{})})

(defn leave!
  "Ends all servers."
  [{:keys [servers]}]
  (run! server/stop! (vals @servers)))

(defn versions
  "{program version} of the servers that run."
  [{:keys [servers]}]
  (into {} (map (comp server/pairs :ready)) (vals @servers)))

(defn- lasting?
  "Does a server of that peer serve all cells of as many threads?"
  [{:keys [command]}]
  (not (str/includes? command "{task}")))

(defn- tell! [& parts]
  (binding [*out* *err*] (println (str/join parts))))

(defn- failed! [failed {:keys [name]} e]
  (vswap! failed conj name)
  (tell! name " cannot run: " (ex-message e)))

(defn- start!
  "A server of a peer for a cell, of those in `servers` or a new one; nil when it cannot run."
  [{:keys [name] :as peer} [_ threads _ :as cell] {:keys [servers failed]}]
  (or (@servers name)
      (when-not (@failed name)
        (try
          (let [server (server/start! name ["sh" "-c" (peers/command-for peer cell 0)] threads)]
            (when (lasting? peer) (vswap! servers assoc name server))
            server)
          (catch clojure.lang.ExceptionInfo e (failed! failed peer e))))))

(defn- seat
  "{:name :time} of a peer that has made its work for a cell; nil when it cannot, or when its losses
  are others."
  [{:keys [name] :as peer} {:keys [cell question ok?]} places]
  (when-let [server (start! peer cell places)]
    (try
      (when-let [made (server/ask! server (str "make " question))]
        (let [loss (parse-double (second (str/split made #" ")))]
          (if (ok? loss)
            {:name name, :server server, :lasting (lasting? peer)
             :time #(if-let [ns (server/ask! server (str "time " %))] (parse-double ns) ##Inf)}
            (tell! name " " question ": loss " loss ", left out"))))
      (catch clojure.lang.ExceptionInfo e (failed! (:failed places) peer e)))))

(defn samples
  "{program [ns, a round …]} of Damo, as :damo, whose time (time seconds) tells, and the peers, by
  `rounds/take-turns` with its options and :batch-seconds of one measurement. The work is {:cell
  [task threads batch], :question what makes it, :ok? of a loss}."
  [peers time work places {:keys [batch-seconds] :as options}]
  (let [seats (vec (keep #(seat % work places) peers))]
    (try
      (rounds/take-turns
       (into [[:damo #(time batch-seconds)]]
             (for [{:keys [name time]} seats] [(keyword name) #(time batch-seconds)]))
       [:damo] options)
      (finally (run! #(server/stop! (:server %)) (remove :lasting seats))))))
