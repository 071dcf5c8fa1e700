package damo.edn;

import java.util.AbstractList;
import java.util.AbstractMap;
import java.util.AbstractSet;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.RandomAccess;
import java.util.Set;

/**
 * The collections that a reader makes: unmodifiable, equal to other Java collections of the same
 * elements, and with a hash that is computed once: as a key of a key of a key, a long list would be
 * hashed once a level otherwise. Keys that share one hash are counted, for a table of many would
 * compare each with each.
 */
final class EdnCollections {
    /** Keys of one map that may share one hash; in data that nobody made to collide few do. */
    static final int MAX_COLLISIONS = 64;

    private EdnCollections() { }

    /** A list of those elements, which the caller must not change any more. */
    static List<Object> list(List<Object> items) {
        return new Items(items, items.hashCode());
    }

    /** A map of those entries, likewise. */
    static Map<Object, Object> map(LinkedHashMap<Object, Object> entries) {
        return new Entries(entries, entries.hashCode());
    }

    /** A set of those keys, likewise. */
    static Set<Object> set(LinkedHashMap<Object, Object> keys) {
        return new Elements(keys.keySet(), keys.keySet().hashCode());
    }

    /** Counts the hashes of the keys of one map, once it has so many that it matters. */
    static final class Collisions {
        private Map<Integer, Integer> counts;

        /** Whether the key, just put among {@code keys}, is one too many with its hash. */
        boolean tooMany(Set<Object> keys, Object key) {
            if (keys.size() <= MAX_COLLISIONS) {
                return false;
            }
            if (counts == null) {
                counts = new HashMap<>();
                keys.forEach(k -> counts.merge(Objects.hashCode(k), 1, Integer::sum));
            } else {
                counts.merge(Objects.hashCode(key), 1, Integer::sum);
            }
            return counts.get(Objects.hashCode(key)) > MAX_COLLISIONS;
        }
    }

    private static final class Items extends AbstractList<Object> implements RandomAccess {
        private final List<Object> items;
        private final int hash;

        Items(List<Object> items, int hash) {
            this.items = items;
            this.hash = hash;
        }

        @Override
        public Object get(int i) {
            return items.get(i);
        }

        @Override
        public int size() {
            return items.size();
        }

        @Override
        public int hashCode() {
            return hash;
        }

        @Override
        public boolean equals(Object other) {
            return this == other || !(other instanceof Items i && i.hash != hash)
                    && items.equals(other);
        }
    }

    private static final class Entries extends AbstractMap<Object, Object> {
        private final Map<Object, Object> entries;
        private final int hash;

        Entries(Map<Object, Object> entries, int hash) {
            this.entries = Collections.unmodifiableMap(entries);
            this.hash = hash;
        }

        @Override
        public Set<Map.Entry<Object, Object>> entrySet() {
            return entries.entrySet();
        }

        @Override
        public boolean containsKey(Object key) {
            return entries.containsKey(key);
        }

        @Override
        public Object get(Object key) {
            return entries.get(key);
        }

        @Override
        public int hashCode() {
            return hash;
        }

        @Override
        public boolean equals(Object other) {
            return this == other || !(other instanceof Entries e && e.hash != hash)
                    && entries.equals(other);
        }
    }

    private static final class Elements extends AbstractSet<Object> {
        private final Set<Object> elements;
        private final int hash;

        Elements(Set<Object> elements, int hash) {
            this.elements = Collections.unmodifiableSet(elements);
            this.hash = hash;
        }

        @Override
        public Iterator<Object> iterator() {
            return elements.iterator();
        }

        @Override
        public boolean contains(Object x) {
            return elements.contains(x);
        }

        @Override
        public int size() {
            return elements.size();
        }

        @Override
        public int hashCode() {
            return hash;
        }

        @Override
        public boolean equals(Object other) {
            return this == other || !(other instanceof Elements e && e.hash != hash)
                    && elements.equals(other);
        }
    }
}
