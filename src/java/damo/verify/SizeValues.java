package damo.verify;

import damo.DamoException;
import damo.program.Size;
import damo.program.Sizes;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.function.ToLongFunction;

/**
 * The sizes of one program for given dimensions, and the exceptions for those that have no value.
 */
final class SizeValues {
    private final Map<String, Long> dims = new HashMap<>();
    /** What knows counted dimensions and rounds; null without any. */
    private final Counts counts;

    /** Sizes of dimensions that a call counts. */
    interface Counts {
        /** Whether the size mentions such a dimension. */
        boolean counted(Size size);

        /** Whether it mentions the number of a round. */
        boolean turns(Size size);

        /** The largest value of the size; throws ArithmeticException as {@link Sizes}. */
        long largest(Size size);

        /** The smallest. */
        long smallest(Size size);
    }

    /** Where all names have a value. */
    SizeValues(List<String> names, long[] values) {
        this(names, values, null);
    }

    /** The same; sizes that mention a counted dimension have their largest value. */
    SizeValues(List<String> names, long[] values, Counts counts) {
        this.counts = counts;
        for (int d = 0; d < values.length; d++) {
            dims.put(names.get(d), values[d]);
        }
    }

    /**
     * The value, which is not negative; the largest one that a size of counted dimensions or of
     * rounds may have. A round has no native code that looks whether a size is negative in it.
     * Throws a DamoException of kind "size-overflow" or
     * "bad-size" that names {@code what} (called only then), the expression and its dimensions.
     */
    long of(Size size, Supplier<String> what) {
        if (size instanceof Size.Int i) {
            return i.value();
        }
        boolean turns = counts != null && counts.turns(size);
        boolean counted = turns || counts != null && counts.counted(size);
        if (turns && varying(counts::smallest, size, what) < 0) {
            throw fail("bad-size", what.get() + ": size " + explain(size) + " may be negative",
                    size);
        }
        long value = counted ? Math.max(0, varying(counts::largest, size, what))
                : exact(size, what);
        if (value < 0) {
            throw fail("bad-size", what.get() + ": size " + explain(size) + " is negative: "
                    + value, size);
        }
        return value;
    }

    private long varying(ToLongFunction<Size> value, Size size, Supplier<String> what) {
        try {
            return value.applyAsLong(size);
        } catch (ArithmeticException e) {
            throw failed(e, size, what);
        }
    }

    /** The value of a size of bound dimensions, which may be negative; throws as {@link #of}. */
    long exact(Size size, Supplier<String> what) {
        try {
            return Sizes.evaluate(size, dims::get);
        } catch (ArithmeticException e) {
            throw failed(e, size, what);
        }
    }

    /**
     * Whether a division failed, not an overflow. HotSpot throws exceptions without a message where
     * overflows are frequent.
     */
    static boolean divides(ArithmeticException e) {
        String why = e.getMessage();
        return why != null && (why.startsWith("divisor") || why.startsWith("remainder"));
    }

    private DamoException failed(ArithmeticException e, Size size, Supplier<String> what) {
        boolean division = divides(e);
        return fail(division ? "bad-size" : "size-overflow", what.get() + ": size "
                + explain(size)
                + (division ? " has a " + e.getMessage() : " overflows 64 bits"), size);
    }

    /** The expression, and the values of the dimensions in it: {@code "[:* n 784] with n = 60"}. */
    String explain(Size size) {
        Set<String> names = new TreeSet<>();
        Sizes.names(size, names);
        StringBuilder out = new StringBuilder(Sizes.show(size));
        String gap = " with ";
        for (String name : names) {
            Long value = dims.get(name);
            out.append(gap).append(name).append(value != null ? " = " + value
                    : counts != null && counts.turns(new Size.Name(name)) ? " of any round"
                    : " counted");
            gap = ", ";
        }
        return out.toString();
    }

    /** An exception of that kind about a size. */
    static DamoException fail(String kind, String message, Size size) {
        return new DamoException(kind, message, Map.of("expression", Sizes.show(size)));
    }

    /** The product of the axes; 0 when one is 0, however large the others. */
    static long count(long[] shape, String what) {
        long count = 1;
        for (long axis : shape) {
            if (axis == 0) {
                return 0;
            }
        }
        for (long axis : shape) {
            try {
                count = Math.multiplyExact(count, axis);
            } catch (ArithmeticException e) {
                throw new DamoException("size-overflow", what + " of shape "
                         + Arrays.toString(shape)
                        + " has more elements than 64 bits count");
            }
        }
        return count;
    }
}
