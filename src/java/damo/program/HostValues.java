package damo.program;

import damo.edn.Edn;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The shapes and attributes of host steps for given dimensions. Pure functions of the program's
 * data; the dimensions are those of the call in progress.
 */
public final class HostValues {
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
        return shape.stream().mapToLong(this::size).toArray();
    }

    /** The value of a size. Throws ArithmeticException on overflow. */
    public long size(Size size) {
        return Sizes.evaluate(size, dims::get);
    }

    /** The attributes of a step by name without colon: as they are, and sizes with their values. */
    public Map<String, Object> attributes(Step.RunHost step) {
        Map<String, Object> out = new LinkedHashMap<>();
        step.attrs().forEach((key, form) -> out.put(name(key), form));
        step.sized().forEach((key, form) -> out.put(name(key), value(form)));
        return Collections.unmodifiableMap(out);
    }

    private static String name(Object key) {
        return key instanceof Edn.Keyword k ? k.name() : String.valueOf(key);
    }

    private Object value(Object form) {
        return switch (form) {
            case Edn.Symbol s -> dims.get(s.name());
            case List<?> list when !list.isEmpty() && list.get(0) instanceof Edn.Keyword ->
                    Sizes.evaluate(Sizes.parse(list, name -> { }, false, ATTRIBUTE), dims::get);
            case List<?> list -> list.stream().map(this::value).toList();
            case null, default -> form;
        };
    }
}
