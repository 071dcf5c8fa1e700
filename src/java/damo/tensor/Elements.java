package damo.tensor;

import damo.DamoException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;

/**
 * Single elements in memory, as doubles, longs or boxed values, and the rules by which a value
 * enters an element of another dtype. Addresses need no alignment: a view may start anywhere.
 */
final class Elements {
    /**
     * How far a value may change on its way into an element. Floats never become integers, numbers
     * never become booleans.
     */
    enum Rule {
        /** Not at all: f64 does not enter f32, an integer enters a float only when exact. */
        LOSSLESS,
        /**
         * A boxed number takes the dtype of its partner: as above, but a double is rounded to a
         * shorter float unless it overflows.
         */
        NUMBER,
        /** Rounding is welcome. */
        DOWNCAST
    }

    private Elements() { }

    /** The element as a double: exact but for i64 beyond 2^53. */
    static double getDouble(MemorySegment s, DType dtype, long i) {
        return switch (dtype) {
            case F64 -> s.get(ValueLayout.JAVA_DOUBLE_UNALIGNED, 8 * i);
            case F32 -> s.get(ValueLayout.JAVA_FLOAT_UNALIGNED, 4 * i);
            case F16, BF16 -> ShortFloats.value(dtype,
                    s.get(ValueLayout.JAVA_SHORT_UNALIGNED, 2 * i));
            default -> getLong(s, dtype, i);
        };
    }

    /** The element of an integer or boolean dtype. */
    static long getLong(MemorySegment s, DType dtype, long i) {
        return switch (dtype) {
            case I64 -> s.get(ValueLayout.JAVA_LONG_UNALIGNED, 8 * i);
            case I32 -> s.get(ValueLayout.JAVA_INT_UNALIGNED, 4 * i);
            case I16 -> s.get(ValueLayout.JAVA_SHORT_UNALIGNED, 2 * i);
            case I8 -> s.get(ValueLayout.JAVA_BYTE, i);
            case U8 -> s.get(ValueLayout.JAVA_BYTE, i) & 0xff;
            case BOOL -> s.get(ValueLayout.JAVA_BYTE, i) != 0 ? 1 : 0;
            default -> throw new IllegalArgumentException("not an integer dtype: " + dtype);
        };
    }

    /** The element as a Double, Long or Boolean. */
    static Object get(MemorySegment s, DType dtype, long i) {
        if (dtype.floating()) {
            return getDouble(s, dtype, i);
        }
        long value = getLong(s, dtype, i);
        return dtype == DType.BOOL ? (Object) (value != 0) : (Object) value;
    }

    /** All elements as nested lists; a single value for a 0-d shape. */
    static Object nested(MemorySegment s, DType dtype, long[] shape) {
        long lists = 1;
        for (int axis = 0; axis < shape.length - 1; axis++) {
            lists *= Math.max(1, shape[axis]);
        }
        if (lists > Integer.MAX_VALUE - 8) {
            throw new DamoException("size-overflow", "the shape " + Shapes.format(shape)
                    + " is too much for nested lists; take slices");
        }
        return nested(s, dtype, shape, 0, 0);
    }

    private static Object nested(MemorySegment s, DType dtype, long[] shape, int axis, long i) {
        if (axis == shape.length) {
            return get(s, dtype, i);
        }
        if (shape[axis] > Integer.MAX_VALUE - 8) {
            throw new DamoException("size-overflow",
                    "no list is " + shape[axis] + " long; take slices");
        }
        Object[] values = new Object[(int) shape[axis]];
        for (int k = 0; k < values.length; k++) {
            values[k] = nested(s, dtype, shape, axis + 1, i * shape[axis] + k);
        }
        return ClojureVectors.of(values);
    }

    /**
     * Stores an integer; returns false, and stores nothing, when the rule or the range of the dtype
     * forbids it.
     */
    static boolean putLong(MemorySegment s, DType dtype, long i, long v, Rule rule) {
        boolean ok = switch (dtype) {
            case F64 -> rule == Rule.DOWNCAST || exact((double) v, v);
            case F32 -> rule == Rule.DOWNCAST || exact((float) v, v);
            case F16, BF16 -> rule == Rule.DOWNCAST || exact(ShortFloats.round(dtype, v), v);
            case I64 -> true;
            case I32 -> v == (int) v;
            case I16 -> v == (short) v;
            case I8 -> v == (byte) v;
            case U8 -> v == (v & 0xff);
            case BOOL -> false;
        };
        if (ok) {
            put(s, dtype, i, v);
        }
        return ok;
    }

    /** Stores a double; returns false, and stores nothing, when the rule forbids it. */
    static boolean putDouble(MemorySegment s, DType dtype, long i, double v, Rule rule) {
        if (dtype == DType.F64) {
            s.set(ValueLayout.JAVA_DOUBLE_UNALIGNED, 8 * i, v);
            return true;
        }
        if (!dtype.floating()) {
            return false;
        }
        float narrow = dtype == DType.F32 ? (float) v : ShortFloats.round(dtype, v);
        boolean ok = switch (rule) {
            case LOSSLESS -> narrow == v || Double.isNaN(v);
            case NUMBER -> !Float.isInfinite(narrow) || Double.isInfinite(v);
            case DOWNCAST -> true;
        };
        if (ok && dtype == DType.F32) {
            s.set(ValueLayout.JAVA_FLOAT_UNALIGNED, 4 * i, narrow);
        } else if (ok) {
            s.set(ValueLayout.JAVA_SHORT_UNALIGNED, 2 * i, ShortFloats.bits(dtype, v));
        }
        return ok;
    }

    /** Stores a truth value as 0 or 1 of any dtype. */
    static boolean putBoolean(MemorySegment s, DType dtype, long i, boolean v) {
        put(s, dtype, i, v ? 1 : 0);
        return true;
    }

    /**
     * Stores a boxed number or boolean under {@link Rule#NUMBER} or {@link Rule#DOWNCAST}; returns
     * false when it does not fit.
     */
    static boolean putBoxed(MemorySegment s, DType dtype, long i, Object v, boolean downcast) {
        Rule rule = downcast ? Rule.DOWNCAST : Rule.NUMBER;
        if (v instanceof Boolean b) {
            return putBoolean(s, dtype, i, b);
        }
        if (v instanceof Long || v instanceof Integer || v instanceof Short || v instanceof Byte) {
            return putLong(s, dtype, i, ((Number) v).longValue(), rule);
        }
        if (v instanceof Number n) {
            return wholeDigits(n) ? putWhole(s, dtype, i, n, rule) : putDouble(s, dtype, i,
                    n.doubleValue(), rule);
        }
        return false;
    }

    /**
     * Whether that boxed number is an integer of any width, Clojure's and Java's big ones included.
     */
    static boolean isInteger(Object v) {
        return v instanceof Number n && !(v instanceof Double) && !(v instanceof Float)
                && (v instanceof Long || v instanceof Integer || wholeDigits(n));
    }

    private static boolean putWhole(MemorySegment s, DType dtype, long i, Number n, Rule rule) {
        BigInteger whole = new BigInteger(n.toString());
        if (whole.bitLength() < Long.SIZE) {
            return putLong(s, dtype, i, whole.longValue(), rule);
        }
        return rule == Rule.DOWNCAST && putDouble(s, dtype, i, whole.doubleValue(), rule);
    }

    /**
     * Clojure's BigInt is no BigInteger, and its class is unknown here: its digits tell. A ratio or
     * a decimal has more than digits.
     */
    private static boolean wholeDigits(Number n) {
        if (n instanceof Double || n instanceof Float || n instanceof java.math.BigDecimal) {
            return false;
        }
        String text = n.toString();
        int start = text.startsWith("-") ? 1 : 0;
        return text.length() > start && text.chars().skip(start).allMatch(c -> c >= '0'
                && c <= '9');
    }

    private static void put(MemorySegment s, DType dtype, long i, long v) {
        switch (dtype) {
            case F64 -> s.set(ValueLayout.JAVA_DOUBLE_UNALIGNED, 8 * i, (double) v);
            case F32 -> s.set(ValueLayout.JAVA_FLOAT_UNALIGNED, 4 * i, (float) v);
            case F16, BF16 -> s.set(ValueLayout.JAVA_SHORT_UNALIGNED, 2 * i,
                    ShortFloats.bits(dtype, v));
            case I16 -> s.set(ValueLayout.JAVA_SHORT_UNALIGNED, 2 * i, (short) v);
            case I64 -> s.set(ValueLayout.JAVA_LONG_UNALIGNED, 8 * i, v);
            case I32 -> s.set(ValueLayout.JAVA_INT_UNALIGNED, 4 * i, (int) v);
            default -> s.set(ValueLayout.JAVA_BYTE, i, (byte) v);
        }
    }

    /**
     * Long.MAX_VALUE rounds up to 2^63, which converts back to Long.MAX_VALUE: the saturation would
     * hide the rounding.
     */
    private static boolean exact(double d, long v) {
        return (long) d == v && d != 0x1p63;
    }
}
