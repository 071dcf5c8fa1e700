package damo.tensor;

import damo.DamoException;
import damo.Limits;
import java.util.Map;

/** Arithmetic on shapes, exact in 64 bits. */
final class Shapes {
    /**
     * More axes than this are refused: nobody needs them, and a list that contains itself has
     * infinitely many.
     */
    static final int MAX_RANK = Limits.RANK.most();
    /** The axes of an empty tensor that are not empty may have so many elements together. */
    private static final long MAX_BESIDE_EMPTY = 1L << 48;

    private Shapes() { }

    /**
     * The number of elements of that shape. A negative extent and an overflow of 64 bits are
     * refused, and for an empty shape other axes that no memory could hold.
     */
    static long elements(long[] shape) {
        if (shape.length > MAX_RANK) {
            throw new DamoException("shape-mismatch",
                    "expected at most " + MAX_RANK + " axes, got " + shape.length, Map.of("rank",
                            shape.length));
        }
        boolean empty = false;
        for (long extent : shape) {
            if (extent < 0) {
                throw new DamoException("shape-mismatch",
                        "expected extents of 0 or more, got the shape "
                        + format(shape), Map.of("shape", shape.clone()));
            }
            empty |= extent == 0;
        }
        long product = 1;
        for (long extent : shape) {
            // Axes beside an empty one are walked all the same, and must be of this world.
            long most = empty ? MAX_BESIDE_EMPTY : Long.MAX_VALUE;
            if (product > most / Math.max(1, extent)) {
                throw empty ? besideEmpty(shape) : overflow(shape, "elements");
            }
            product *= Math.max(1, extent);
        }
        return empty ? 0 : product;
    }

    /**
     * The size in bytes of that many elements. An overflow of 64 bits is refused, naming the shape.
     */
    static long bytes(long elements, DType dtype, long[] shape) {
        if (elements > Long.MAX_VALUE / dtype.bytes()) {
            throw overflow(shape, "bytes of :" + dtype.label());
        }
        return elements * dtype.bytes();
    }

    /** The shape without its first axis. */
    static long[] rest(long[] shape) {
        long[] rest = new long[shape.length - 1];
        System.arraycopy(shape, 1, rest, 0, rest.length);
        return rest;
    }

    /** A shape or position as people read it: {@code [784 10]}. */
    static String format(long[] shape) {
        StringBuilder text = new StringBuilder("[");
        for (int axis = 0; axis < shape.length; axis++) {
            text.append(axis == 0 ? "" : " ").append(shape[axis]);
        }
        return text.append(']').toString();
    }

    /** The exception for a shape that does not fit, or whose number of elements does not. */
    static DamoException mismatch(long[] expected, long[] given) {
        return new DamoException("shape-mismatch", "expected the shape " + format(expected)
                + ", got " + format(given),
                Map.of("expected", expected.clone(), "given", given.clone()));
    }

    /** Refuses an index outside of 0 … extent - 1. */
    static void checkIndex(long index, long extent) {
        if (index < 0 || index >= extent) {
            throw new DamoException("index-out-of-bounds", "expected an index of 0 or more below "
                    + extent + ", got " + index, Map.of("index", index, "extent", extent));
        }
    }

    /** Refuses a range that does not lie in 0 … extent. */
    static void checkRange(long from, long to, long extent) {
        if (from < 0 || to < from || to > extent) {
            throw new DamoException("index-out-of-bounds", "expected 0 <= from <= to <= " + extent
                    + ", got " + from + " and " + to,
                    Map.of("from", from, "to", to, "extent", extent));
        }
    }

    private static DamoException besideEmpty(long[] shape) {
        return new DamoException("size-overflow", "a tensor of shape " + format(shape)
                + " is empty, and its other axes have more places than any memory, 2^48",
                Map.of("shape", shape.clone()));
    }

    private static DamoException overflow(long[] shape, String what) {
        return new DamoException("size-overflow",
                "a tensor of shape " + format(shape) + " has more " + what
                        + " than 64 bits can count",
                Map.of("shape", shape.clone()));
    }
}
