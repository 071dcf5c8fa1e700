(ns damo.dev.lexer
  "Splits Clojure text into tokens with their places, for checks that need more than the reader
  keeps: comments, columns, line breaks. It knows brackets, strings and prefixes, not meaning.
  (tokens \"(a)\")
  => ({:kind :open, :text \"(\", :line 1, :col 1} {:kind :atom, …} {:kind :close, …})"
  (:require [clojure.string :as str])
  (:import [java.util.regex Matcher]))

(set! *warn-on-reflection* true)

(def ^:private token-pattern
  "One group for each kind of token, tried in this order. Possessive repetition keeps the matcher
  from recursing once per character of a long string."
  #"(?xs)
    ( [\s,]++ )                                              # :blank
  | ( ;[^\n]* )                                              # :comment
  | ( \#?\"(?:[^\"\\]++|\\.)*+\" )                           # :string
  | ( \\(?:[A-Za-z0-9]++|.) )                                # :char
  | ( \#::?[\w.*+!?-]*\{ | \#\?@?\( | \#[({] | [(\[{] )      # :open
  | ( [)\]}] )                                               # :close
  | ( \#['_^=] | \#\# | [\^'`@] | ~@? )                      # :prefix
  | ( [^\s,;\"()\[\]{}\\]++ )                                # :atom")

(def ^:private kinds
  "The kinds in the order of their groups."
  [:blank :comment :string :char :open :close :prefix :atom])

(defn- advance
  "The place [line col] after `text`, which begins at [line col]."
  [[line col] ^String text]
  (let [last-break (.lastIndexOf text "\n")]
    (if (neg? last-break)
      [line (+ col (count text))]
      [(+ line (count (filter #{\newline} text))) (- (count text) last-break)])))

(defn- token-at [^Matcher m [line col]]
  (let [group (first (filter #(.group m (int %)) (range 1 (inc (count kinds)))))]
    {:kind (kinds (dec group)) :text (.group m) :line line :col col}))

(defn tokens
  "The tokens of `text` without blanks, in order: {:kind :text :line :col}, lines and columns from
  1. The kinds are :comment :string :char :open :close :prefix :atom, and :stray for a character
  that begins none, such as the quote of a string without an end."
  [^String text]
  (let [m (re-matcher token-pattern text)]
    (loop [at 0, place [1 1], found []]
      (cond (= at (count text)) (remove #(= :blank (:kind %)) found)
            (and (.find m (int at)) (= at (.start m)))
            (recur (.end m) (advance place (.group m)) (conj found (token-at m place)))
            :else
            (let [stray (subs text at (inc at))]
              (recur (inc at) (advance place stray)
                     (conj found {:kind :stray :text stray
                                  :line (first place) :col (second place)})))))))

;; ## Elements: what stands in a bracket

(defn- in-frame
  "Adds the element that begins with `token` to the innermost open bracket; returns the state."
  [{:keys [frames last-line prefixed] :as state} {:keys [line col text kind]}]
  (if prefixed
    state
    (let [element {:line line :col col :text text :kind kind :depth (count frames)
                   :first-on-line (not= line last-line) :frame (peek frames)}]
      (cond-> (update state :elements conj element)
        (seq frames) (update :frames #(conj (pop %) (update (peek %) :items conj
                                                            (dissoc element :frame))))))))

(defn- open-frame [state {:keys [line col text]}]
  (update state :frames conj {:text text :line line :col col
                              :inside (+ col (count text)) :items []}))

(def ^:private partner {")" "(" "]" "[" "}" "{"})

(defn- close-frame [{:keys [frames last-line last-kind] :as state} {:keys [line text] :as token}]
  (cond
    (not (and (seq frames) (str/ends-with? (:text (peek frames)) (partner text))))
    (update state :faults conj (assoc token :fault (str "'" text "' closes nothing")))
    :else (cond-> (-> state
                      (update :closed conj (assoc (peek frames) :end line))
                      (update :frames pop))
            (and (not= line last-line) (not= :comment last-kind))
            (update :faults conj (assoc token :fault "a closing bracket stands alone")))))

(defn- step [state {:keys [kind line text] :as token}]
  (let [after (case kind
                :comment state
                :stray (update state :faults conj
                               (assoc token :fault (str "'" text "' begins no form")))
                :close (close-frame state token)
                :open (-> state (in-frame token) (open-frame token))
                (in-frame state token))
        end (first (advance [line 1] text))]
    (assoc after :prefixed (= :prefix kind) :last-line end :last-kind kind)))

(defn outline
  "The structure of `text`: {:elements, each form with its place, :depth, whether it is the
  :first-on-line, and the :frame, the bracket around it with the :items before it; :closed, the
  brackets with all their items and their last line, :end; :faults, tokens with a :fault}."
  [text]
  (let [{:keys [frames] :as state}
        (reduce step {:frames [] :elements [] :closed [] :faults [] :last-line 0} (tokens text))]
    (-> (select-keys state [:elements :closed :faults])
        (update :faults into (map #(assoc % :fault (str "'" (:text %) "' is never closed")))
                frames))))
