package damo.edn;

import damo.DamoException;
import damo.Limits;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * EDN as plain Java values: {@code null}, Boolean, Long, Double, String, Character, {@link
 * Keyword}, {@link Symbol}, List (for lists and vectors), Map and Set. Maps and sets keep the order
 * of the text; all are unmodifiable.
 *
 * <p>Strict: tagged literals, ratios, big decimals, metadata and everything that would need
 * evaluation are refused, as are duplicate keys, integers beyond 64 bits, and more than 64 keys of
 * one map that share one hash: reading takes time linear in the text. Example: {@code
 * Edn.read("{:a [1 2.5]}")} is a map from {@code new Keyword("a")} to {@code List.of(1L, 2.5)}.
 */
public final class Edn {
    /**
     * How deep collections may be nested; deeper text is refused, so that reading it cannot exhaust
     * the stack.
     */
    public static final int MAX_DEPTH = Limits.DEPTH.most();

    private static final int BRIEF = 100;

    private Edn() { }

    /**
     * A keyword; {@code name} is without the colon and may hold a namespace: {@code
     * "damo/program"}.
     */
    public record Keyword(String name) implements Comparable<Keyword> {
        @Override
        public int compareTo(Keyword other) {
            return name.compareTo(other.name);
        }

        @Override
        public String toString() {
            return ":" + name;
        }
    }

    /** A symbol; {@code name} may hold a namespace. */
    public record Symbol(String name) implements Comparable<Symbol> {
        @Override
        public int compareTo(Symbol other) {
            return name.compareTo(other.name);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    /**
     * The one value that the text holds, comments and white space aside.
     * Throws a DamoException of kind "bad-edn" that says what is wrong, at which line and column.
     */
    public static Object read(String text) {
        return Nesting.within(() -> new EdnReader(text).readOnly());
    }

    /** {@link #read} of text that must be one map. */
    public static Map<?, ?> readMap(String text) {
        if (read(text) instanceof Map<?, ?> map) {
            return map;
        }
        throw new DamoException("bad-edn", "expected one map at the top of the EDN text");
    }

    /**
     * Text that {@link #read} turns back into an equal value. Throws a DamoException of kind
     * "bad-edn" for a value that EDN does not have, or nested deeper than {@link #MAX_DEPTH}.
     */
    public static String write(Object value) {
        StringBuilder out = new StringBuilder();
        write(out, value, 0, Integer.MAX_VALUE);
        return out.toString();
    }

    /**
     * The beginning of the value's text, for messages: at most about a hundred characters, never an
     * exception.
     */
    public static String brief(Object value) {
        StringBuilder out = new StringBuilder();
        write(out, value, 0, BRIEF);
        return out.length() <= BRIEF ? out.toString() : out.substring(0, BRIEF) + " …";
    }

    private static void write(StringBuilder out, Object value, int depth, int limit) {
        boolean exact = limit == Integer.MAX_VALUE;
        if (depth > MAX_DEPTH && exact) {
            throw new DamoException("bad-edn", "cannot write a value nested deeper than "
                    + MAX_DEPTH);
        }
        switch (value) {
            case null -> out.append("nil");
            case Double d -> out.append(number(d));
            case String s -> string(out, s);
            case Character c -> out.append('\\').append(character(c));
            case List<?> list -> sequence(out, list, "[", "]", depth, limit);
            case Set<?> set -> sequence(out, set, "#{", "}", depth, limit);
            case Map<?, ?> map -> entries(out, map, depth, limit);
            case Long n -> out.append(n.longValue());
            case Boolean b -> out.append(b.booleanValue());
            case Keyword k -> out.append(k);
            case Symbol s -> out.append(s);
            default -> {
                if (exact) {
                    throw new DamoException("bad-edn", "EDN has no " + value.getClass().getName());
                }
                out.append(value);
            }
        }
    }

    private static void sequence(StringBuilder out, Collection<?> items, String open, String close,
                                 int depth, int limit) {
        out.append(open);
        String gap = "";
        for (Object item : items) {
            if (out.length() > limit) {
                return;
            }
            out.append(gap);
            write(out, item, depth + 1, limit);
            gap = " ";
        }
        out.append(close);
    }

    private static void entries(StringBuilder out, Map<?, ?> map, int depth, int limit) {
        out.append('{');
        String gap = "";
        for (Map.Entry<?, ?> e : map.entrySet()) {
            if (out.length() > limit) {
                return;
            }
            out.append(gap);
            write(out, e.getKey(), depth + 1, limit);
            out.append(' ');
            write(out, e.getValue(), depth + 1, limit);
            gap = ", ";
        }
        out.append('}');
    }

    private static String number(double d) {
        if (Double.isNaN(d)) {
            return "##NaN";
        }
        return Double.isInfinite(d) ? (d > 0 ? "##Inf" : "##-Inf") : Double.toString(d);
    }

    private static void string(StringBuilder out, String s) {
        out.append('"');
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                default -> out.append(c < ' ' ? String.format("\\u%04x", (int) c) : c);
            }
        }
        out.append('"');
    }

    private static String character(char c) {
        return switch (c) {
            case '\n' -> "newline";
            case '\r' -> "return";
            case ' ' -> "space";
            case '\t' -> "tab";
            default -> c > ' ' && c < 127 ? String.valueOf(c) : String.format("u%04x", (int) c);
        };
    }
}
