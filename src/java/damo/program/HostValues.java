package damo.program;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The shapes and attributes of host steps for given dimensions. Pure functions of the program's
 * data; the dimensions are those of the call in progress.
 */
public final class HostValues {
    private static final Set<String> OPERATIONS = Set.of("+", "*", "-", "quot", "/", "min",
            "max");
    private static final Where ATTRIBUTE = Where.of("an attribute of a :host step");

    private final Map<String, Long> dims = new LinkedHashMap<>();

    /** For dimensions of these names and values. */
    public HostValues(List<String> names, long[] values) {
        for (int d = 0; d < values.length; d++) {
            dims.put(names.get(d), values[d]);
        }
    }

    /** The extents of a shape. Throws ArithmeticException on overflow. */
    public long[] shape(List<Size> shape) {
        return shape.stream().mapToLong(s -> Sizes.evaluate(s, dims::get)).toArray();
    }

    /** Attributes by name without colon, the dimensions in them replaced by their values. */
    public Map<String, Object> attributes(Map<?, ?> attrs) {
        Map<String, Object> out = new LinkedHashMap<>();
        attrs.forEach((key, value) -> out.put(key instanceof Edn.Keyword k ? k.name()
                : String.valueOf(key), value(value)));
        return Collections.unmodifiableMap(out);
    }

    private Object value(Object form) {
        return switch (form) {
            case Edn.Symbol s when dims.containsKey(s.name()) -> dims.get(s.name());
            case List<?> list when size(list) -> Sizes.evaluate(
                    Sizes.parse(list, name -> { }, false, ATTRIBUTE), dims::get);
            case List<?> list -> list.stream().map(this::value).toList();
            case null, default -> form;
        };
    }

    /** Is a list an expression such as [:* n 2] over dimensions and integers? */
    private boolean size(List<?> list) {
        if (list.size() < 3 || !(list.get(0) instanceof Edn.Keyword k)
                || !OPERATIONS.contains(k.name())) {
            return false;
        }
        return list.subList(1, list.size()).stream().allMatch(part ->
                part instanceof Long || part instanceof Edn.Symbol s && dims.containsKey(s.name())
                || part instanceof List<?> inner && size(inner));
    }
}
