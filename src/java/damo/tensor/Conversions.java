package damo.tensor;

import damo.DamoException;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;

/** Conversion of whole runs of elements, lossless or refused. */
final class Conversions {
    private Conversions() { }

    /**
     * Why elements of {@code from} can never enter {@code to}; null when they can, or when it
     * depends on the values. Integers become floats or other integers where every value is kept;
     * booleans become 0 and 1; a float becomes one that does not hold all its values only under
     * {@code downcast}.
     */
    static String refusal(DType from, DType to, boolean downcast) {
        if (from == to || from == DType.BOOL) {
            return null;
        }
        if (to == DType.BOOL) {
            return "a number is never made a boolean; compare it, for instance with 0";
        }
        if (from.floating() && !to.floating()) {
            return "a float is never made an integer; round it and cast it in the expression";
        }
        if (from.floating() && !to.holds(from) && !downcast) {
            return "it would lose precision; allow the downcast, or give :" + to.label() + " data";
        }
        return null;
    }

    /**
     * Copies {@code n} elements with conversion.
     *
     * @throws DamoException "dtype-mismatch" when the dtypes forbid it, or naming the first value
     * that does not fit
     */
    static void copy(MemorySegment from, DType source, MemorySegment to, DType target, long n,
                     boolean downcast) {
        require(source, target, downcast);
        if (source == target) {
            MemorySegment.copy(from, 0, to, 0, n * source.bytes());
            return;
        }
        Elements.Rule rule = downcast ? Elements.Rule.DOWNCAST : Elements.Rule.LOSSLESS;
        for (long i = 0; i < n; i++) {
            if (!put(from, source, to, target, i, rule)) {
                Object value = Elements.get(from, source, i);
                throw mismatch(source, target, "element " + i + " is " + value + ", which :"
                        + target.label() + " cannot hold exactly", value);
            }
        }
    }

    /** Throws "dtype-mismatch" when {@link #refusal} has a reason. */
    static void require(DType from, DType to, boolean downcast) {
        String why = refusal(from, to, downcast);
        if (why != null) {
            throw mismatch(from, to, why, null);
        }
    }

    /** The exception of a refused conversion. */
    static DamoException mismatch(DType from, DType to, String why, Object value) {
        Map<String, Object> data = new LinkedHashMap<>();
        data.put("from", from.label());
        data.put("to", to.label());
        if (value != null) {
            data.put("value", value);
        }
        return new DamoException("dtype-mismatch",
                ":" + from.label() + " data cannot become :" + to.label() + ": " + why, data);
    }

    private static boolean put(MemorySegment from, DType source, MemorySegment to, DType target,
            long i,
                               Elements.Rule rule) {
        if (source == DType.BOOL) {
            return Elements.putBoolean(to, target, i, Elements.getLong(from, source, i) != 0);
        }
        return source.floating()
                ? Elements.putDouble(to, target, i, Elements.getDouble(from, source, i), rule)
                : Elements.putLong(to, target, i, Elements.getLong(from, source, i), rule);
    }
}
