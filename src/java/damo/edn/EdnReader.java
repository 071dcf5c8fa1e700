package damo.edn;

import damo.DamoException;
import damo.Limits;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * One reading of one text, by recursive descent of bounded depth; {@link Edn} says what it accepts.
 */
final class EdnReader {
    /** A longer text is refused: no program needs it, and offsets must stay far from overflow. */
    private static final int MAX_CHARS = Limits.TEXT.most();

    private static final String CLOSERS = ")]}";
    private static final Object END = new Object();
    private static final Object DISCARDED = new Object();

    private final String text;
    private final Map<String, Edn.Symbol> symbols = new HashMap<>();
    private int at;

    EdnReader(String text) {
        this.text = text;
        if (text.length() > MAX_CHARS) {
            throw new DamoException("bad-edn", "EDN text of " + text.length()
                    + " characters; at most " + MAX_CHARS + " are read");
        }
    }

    Object readOnly() {
        Object value = form(0);
        if (value == END) {
            throw fail(at, "the text ends where a value was expected");
        }
        int next = at;
        if (form(0) != END) {
            throw fail(next, "expected one value, found a second one");
        }
        return value;
    }

    /** The next value, or END at the end of the text or before a closing bracket. */
    private Object form(int depth) {
        if (depth > Edn.MAX_DEPTH) {
            throw fail(at, "nested deeper than " + Edn.MAX_DEPTH);
        }
        for (;;) {
            skipBlank();
            if (at >= text.length()) {
                return END;
            }
            char c = text.charAt(at);
            if (depth == 0 && CLOSERS.indexOf(c) >= 0) {
                throw fail(at, "unmatched " + c);
            }
            Object value = switch (c) {
                case ')', ']', '}' -> END;
                case '(' -> items(depth, ')');
                case '[' -> items(depth, ']');
                case '{' -> map(depth);
                case '"' -> string();
                case '\\' -> character();
                case '#' -> dispatch(depth);
                default -> atom(at, name());
            };
            if (value != DISCARDED) {
                return value;
            }
        }
    }

    /** What follows a #; DISCARDED when that was #_. */
    private Object dispatch(int depth) {
        int start = at++;
        char c = at < text.length() ? text.charAt(at) : ' ';
        if (c == '{') {
            return set(depth);
        }
        if (c == '#') {
            at++;
            return atom(start, "##" + name());
        }
        if (c == '_') {
            at++;
            if (form(depth + 1) == END) {
                throw fail(start, "#_ discards the next value, but none follows");
            }
            return DISCARDED;
        }
        throw fail(start, "tagged literals and reader macros are not read");
    }

    private List<Object> items(int depth, char close) {
        int start = at++;
        List<Object> items = new ArrayList<>();
        for (Object value = form(depth + 1); value != END; value = form(depth + 1)) {
            items.add(value);
        }
        close(start, close);
        return EdnCollections.list(items);
    }

    private void close(int start, char close) {
        if (at >= text.length()) {
            throw fail(start, "the text ends before the " + close + " that closes this "
                    + text.charAt(start));
        }
        if (text.charAt(at) != close) {
            throw fail(at, "expected " + close + ", found " + text.charAt(at));
        }
        at++;
    }

    private Map<Object, Object> map(int depth) {
        int start = at++;
        LinkedHashMap<Object, Object> map = new LinkedHashMap<>();
        EdnCollections.Collisions collisions = new EdnCollections.Collisions();
        for (;;) {
            skipBlank();
            int keyAt = at;
            Object key = form(depth + 1);
            if (key == END) {
                break;
            }
            Object value = form(depth + 1);
            if (value == END) {
                throw fail(keyAt, "the key " + Edn.brief(key) + " has no value");
            }
            put(map, key, value, collisions, keyAt, "key");
        }
        close(start, '}');
        return EdnCollections.map(map);
    }

    private void put(LinkedHashMap<Object, Object> map, Object key, Object value,
                     EdnCollections.Collisions collisions, int keyAt, String what) {
        if (map.containsKey(key)) {
            throw fail(keyAt, "duplicate " + what + " " + Edn.brief(key));
        }
        map.put(key, value);
        if (collisions.tooMany(map.keySet(), key)) {
            throw fail(keyAt, "more than " + EdnCollections.MAX_COLLISIONS
                    + " keys that share one hash, of which " + Edn.brief(key) + " is one");
        }
    }

    private Set<Object> set(int depth) {
        int start = at++;
        LinkedHashMap<Object, Object> set = new LinkedHashMap<>();
        EdnCollections.Collisions collisions = new EdnCollections.Collisions();
        for (;;) {
            skipBlank();
            int elementAt = at;
            Object element = form(depth + 1);
            if (element == END) {
                break;
            }
            put(set, element, true, collisions, elementAt, "element");
        }
        close(start, '}');
        return EdnCollections.set(set);
    }

    private String string() {
        int start = at++;
        StringBuilder out = new StringBuilder();
        while (at < text.length()) {
            char c = text.charAt(at++);
            if (c == '"') {
                return out.toString();
            }
            out.append(c == '\\' ? escape() : c);
        }
        throw fail(start, "the text ends inside this string");
    }

    private char escape() {
        char c = at < text.length() ? text.charAt(at++) : ' ';
        return switch (c) {
            case 't' -> '\t';
            case 'r' -> '\r';
            case 'n' -> '\n';
            case 'b' -> '\b';
            case 'f' -> '\f';
            case '\\', '"' -> c;
            case 'u' -> {
                int start = at;
                at = Math.min(text.length(), at + 4);
                yield unicode(start, text.substring(start, at));
            }
            default -> throw fail(at - 1, "unknown escape \\" + c);
        };
    }

    private char unicode(int start, String digits) {
        int value = 0;
        for (int i = 0; i < digits.length(); i++) {
            int d = Character.digit(digits.charAt(i), 16);
            value = d < 0 ? -1 : value * 16 + d;
            if (d < 0) {
                break;
            }
        }
        if (digits.length() != 4 || value < 0) {
            throw fail(start, "expected four hexadecimal digits after \\u");
        }
        return (char) value;
    }

    private Character character() {
        int start = at++;
        int from = at++;
        while (at < text.length() && !terminates(text.charAt(at))) {
            at++;
        }
        String name = text.substring(Math.min(from, text.length()), Math.min(at, text.length()));
        return switch (name) {
            case "newline" -> '\n';
            case "return" -> '\r';
            case "space" -> ' ';
            case "tab" -> '\t';
            default -> {
                if (name.length() == 1) {
                    yield name.charAt(0);
                }
                if (name.length() == 5 && name.charAt(0) == 'u') {
                    yield unicode(start, name.substring(1));
                }
                throw fail(start, "unknown character \\" + name);
            }
        };
    }

    /** The number, keyword, symbol or literal of that text. */
    private Object atom(int start, String name) {
        try {
            Object value = EdnAtoms.read(name);
            return value instanceof Edn.Symbol s ? shared(s) : value;
        } catch (IllegalArgumentException e) {
            throw fail(start, e.getMessage());
        }
    }

    /** Equal names share one String, so that comparing them is comparing references. */
    private Edn.Symbol shared(Edn.Symbol symbol) {
        Edn.Symbol known = symbols.putIfAbsent(symbol.name(), symbol);
        return known == null ? symbol : known;
    }

    private String name() {
        int start = at;
        while (at < text.length() && !terminates(text.charAt(at))) {
            at++;
        }
        if (at == start) {
            throw fail(start, "expected a value");
        }
        return text.substring(start, at);
    }

    private static boolean blank(char c) {
        return c == ',' || Character.isWhitespace(c);
    }

    private static boolean terminates(char c) {
        return blank(c) || "()[]{}\";\\".indexOf(c) >= 0;
    }

    private void skipBlank() {
        while (at < text.length()) {
            char c = text.charAt(at);
            if (c == ';') {
                while (at < text.length() && text.charAt(at) != '\n') {
                    at++;
                }
            } else if (blank(c)) {
                at++;
            } else {
                return;
            }
        }
    }

    private DamoException fail(int offset, String message) {
        int line = 1;
        int column = 1;
        for (int i = 0; i < Math.min(offset, text.length()); i++) {
            boolean newline = text.charAt(i) == '\n';
            line += newline ? 1 : 0;
            column = newline ? 1 : column + 1;
        }
        return new DamoException("bad-edn", "EDN, line " + line + ", column " + column + ": "
                + message,
                Map.of("line", line, "column", column));
    }
}
