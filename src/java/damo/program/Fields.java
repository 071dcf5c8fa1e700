package damo.program;

import damo.Limits;
import damo.edn.Edn;
import damo.tensor.DType;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A map of a program with its known keys: each method returns the value of a key or throws what was
 * expected there.
 */
final class Fields {
    private static final int MAX_NAME = Limits.NAME.most();

    private final Map<?, ?> map;
    private final Where where;

    /** Refuses a form that is not a map, or has a key other than these. */
    Fields(Object form, Where where, Set<String> keys) {
        this.where = where;
        if (!(form instanceof Map<?, ?> m)) {
            throw where.expected("a map", form);
        }
        this.map = m;
        for (Object key : m.keySet()) {
            if (!(key instanceof Edn.Keyword k) || !keys.contains(k.name())) {
                throw where.bad("unknown key " + Edn.brief(key) + "; the keys are "
                        + String.join(" ", keys.stream().sorted().map(k -> ":" + k).toList()));
            }
        }
    }

    /** The value, which must be there. */
    Object required(String key) {
        Object value = map.get(new Edn.Keyword(key));
        if (value == null) {
            throw where.bad(":" + key + " is missing");
        }
        return value;
    }

    /** The value, or null. */
    Object optional(String key) {
        return map.get(new Edn.Keyword(key));
    }

    /** A vector, which must be there. */
    List<?> list(String key) {
        return list(key, required(key));
    }

    /** A vector, or the empty one when the key is absent. */
    List<?> optionalList(String key) {
        Object value = optional(key);
        return value == null ? List.of() : list(key, value);
    }

    private List<?> list(String key, Object value) {
        if (value instanceof List<?> list) {
            return list;
        }
        throw where.expected(":" + key + " to be a vector", value);
    }

    /** A string. */
    String string(String key) {
        Object value = required(key);
        if (value instanceof String s) {
            return s;
        }
        throw where.expected(":" + key + " to be a string", value);
    }

    /** A keyword's name. */
    String keyword(String key) {
        Object value = required(key);
        if (value instanceof Edn.Keyword k) {
            return k.name();
        }
        throw where.expected(":" + key + " to be a keyword", value);
    }

    /** A symbol's name. */
    String symbol(String key) {
        Object value = required(key);
        if (value instanceof Edn.Symbol s) {
            return s.name();
        }
        throw where.expected(":" + key + " to be a symbol", value);
    }

    /** Whether the key is true; absent is false. */
    boolean flag(String key) {
        Object value = optional(key);
        if (value == null || value instanceof Boolean) {
            return Boolean.TRUE.equals(value);
        }
        throw where.expected(":" + key + " to be true or false", value);
    }

    /** An element type. */
    DType dtype(String key) {
        return dtype(required(key), where);
    }

    /** The number of one of {@code count} things. */
    int id(String key, int count) {
        return id(required(key), count, ":" + key, where);
    }

    /** The dtype that the EDN value names. */
    static DType dtype(Object value, Where where) {
        DType dtype = value instanceof Edn.Keyword k ? DType.of(k.name()) : null;
        if (dtype == null) {
            throw where.expected("a dtype (" + String.join(" ", Arrays.stream(DType.values())
                    .map(d -> ":" + d.label()).toList()) + ")", value);
        }
        return dtype;
    }

    /** The name of an op: text without control characters, not too long. */
    static String opName(Object value, Where where) {
        if (value instanceof String s && !s.isEmpty() && s.length() <= MAX_NAME
                && s.chars().noneMatch(Character::isISOControl)) {
            return s;
        }
        throw where.expected("the name of an op, a string", value);
    }

    /** The number of one of {@code count} things called {@code what}. */
    static int id(Object value, int count, String what, Where where) {
        if (value instanceof Long n && n >= 0 && n < count) {
            return n.intValue();
        }
        throw where.expected(what + " to be an integer below " + count, value);
    }
}
