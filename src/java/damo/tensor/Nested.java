package damo.tensor;

import damo.DamoException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/**
 * Reads nested data: a number or boolean, or lists, object arrays, primitive arrays and tensors of
 * such, equally long at every depth. The shape comes from the first element of each level; then
 * every element is visited, so that ragged data is found where it is ragged.
 */
final class Nested {
    private final Object data;
    private final long[] shape;
    /** The path from the outermost list to the element at hand, for messages. */
    private final long[] path;
    private DType dtype;
    private MemorySegment target;
    private boolean downcast;
    private long cursor;

    private Nested(Object data) {
        this.data = data;
        this.shape = shapeOf(data);
        this.path = new long[shape.length];
    }

    /**
     * A new tensor with that data; its dtype is {@code wanted}, or what the data shows: i64 for
     * integers, f64 for other numbers (f32 when all are Floats), bool for booleans, an array's own
     * dtype.
     *
     * @throws DamoException "ragged", "bad-data" or "dtype-mismatch", with the position
     */
    static Tensor read(Object data, DType wanted, boolean downcast) {
        Nested nested = new Nested(data);
        nested.dtype = wanted;
        if (wanted == null) {
            nested.infer(data, 0);
        }
        DType dtype = nested.dtype == null ? DType.F64 : nested.dtype;
        Tensor tensor = Tensor.uninitialized(dtype, nested.shape);
        try {
            nested.fill(tensor, downcast);
        } catch (Throwable e) {
            tensor.close();
            throw e;
        }
        return tensor;
    }

    private void fill(Tensor tensor, boolean allowDowncast) {
        downcast = allowDowncast;
        dtype = tensor.dtype();
        target = tensor.pin();
        try {
            visit(data, 0);
        } finally {
            tensor.unpin();
        }
    }

    private static long[] shapeOf(Object data) {
        long[] shape = new long[Shapes.MAX_RANK];
        int rank = 0;
        Object level = data;
        while (true) {
            if (level instanceof Tensor t) {
                long[] inner = t.shape();
                return join(shape, rank, inner);
            }
            if (JavaArrays.dtypeOf(level) != null) {
                return join(shape, rank, new long[] {JavaArrays.length(level)});
            }
            List<?> items = items(level);
            if (items == null) {
                return Arrays.copyOf(shape, rank);
            }
            if (rank == Shapes.MAX_RANK) {
                throw tooDeep();
            }
            shape[rank++] = Sequences.length(items);
            if (items.isEmpty()) {
                return Arrays.copyOf(shape, rank);
            }
            level = items.iterator().next();
        }
    }

    private static long[] join(long[] outer, int rank, long[] inner) {
        if (rank + inner.length > Shapes.MAX_RANK) {
            throw tooDeep();
        }
        long[] shape = Arrays.copyOf(outer, rank + inner.length);
        System.arraycopy(inner, 0, shape, rank, inner.length);
        return shape;
    }

    private static DamoException tooDeep() {
        return new DamoException("bad-data", "the data is nested deeper than " + Shapes.MAX_RANK
                + " levels");
    }

    /** The elements of a list or object array; null for anything else. */
    private static List<?> items(Object data) {
        return switch (data) {
            case List<?> list -> list;
            case Object[] array -> Arrays.asList(array);
            case null, default -> null;
        };
    }

    private void infer(Object item, int depth) {
        if (item instanceof Tensor t) {
            checkExtents(t.shape(), depth);
            join(t.dtype());
        } else if (JavaArrays.dtypeOf(item) != null) {
            checkExtents(new long[] {JavaArrays.length(item)}, depth);
            join(JavaArrays.dtypeOf(item));
        } else if (items(item) != null) {
            each(items(item), depth, true);
        } else {
            checkExtents(new long[0], depth);
            join(dtypeOfLeaf(item, depth));
        }
    }

    private DType dtypeOfLeaf(Object leaf, int depth) {
        if (leaf instanceof Boolean) {
            return DType.BOOL;
        }
        if (leaf instanceof Number) {
            return leaf instanceof Float ? DType.F32 : Elements.isInteger(leaf) ? DType.I64
                    : DType.F64;
        }
        throw notNumber(leaf, depth);
    }

    private void join(DType other) {
        if (dtype == null || dtype == other) {
            dtype = other;
        } else if (dtype == DType.BOOL || other == DType.BOOL) {
            throw new DamoException("bad-data", "the data mixes booleans and numbers"
                    + where(path.length));
        } else {
            dtype = dtype.floating() || other.floating() ? DType.F64 : DType.I64;
        }
    }

    /**
     * Visits the elements of a list, after checking its length; the iterator serves lazy lists in
     * linear time.
     */
    private void each(List<?> items, int depth, boolean inferring) {
        if (depth >= shape.length) {
            throw ragged(depth, "a number", "a list of " + Sequences.length(items));
        }
        int length = Sequences.length(items);
        if (length != shape[depth]) {
            throw ragged(depth, shape[depth] + " elements", String.valueOf(length));
        }
        Iterator<?> iterator = items.iterator();
        for (path[depth] = 0; iterator.hasNext(); path[depth]++) {
            Object item = iterator.next();
            if (inferring) {
                infer(item, depth + 1);
            } else {
                visit(item, depth + 1);
            }
        }
    }

    private void visit(Object item, int depth) {
        if (item instanceof Tensor t) {
            checkExtents(t.shape(), depth);
            copyTensor(t);
        } else if (JavaArrays.dtypeOf(item) != null) {
            int n = JavaArrays.length(item);
            checkExtents(new long[] {n}, depth);
            JavaArrays.copyIn(item, target, dtype, cursor, downcast);
            cursor += n;
        } else if (items(item) != null) {
            each(items(item), depth, false);
        } else {
            checkExtents(new long[0], depth);
            if (!Elements.putBoxed(target, dtype, cursor, item, downcast)) {
                throw refused(item, depth);
            }
            cursor++;
        }
    }

    private void copyTensor(Tensor t) {
        MemorySegment from = t.pin();
        try {
            MemorySegment to = target.asSlice(cursor * dtype.bytes(), t.elements() * dtype.bytes());
            Conversions.copy(from, t.dtype(), to, dtype, t.elements(), downcast);
        } finally {
            t.unpin();
        }
        cursor += t.elements();
    }

    private void checkExtents(long[] inner, int depth) {
        if (!Arrays.equals(inner, 0, inner.length, shape, Math.min(depth, shape.length),
                shape.length)) {
            long[] rest = Arrays.copyOfRange(shape, Math.min(depth, shape.length), shape.length);
            throw ragged(depth, describe(rest), describe(inner));
        }
    }

    private static String describe(long[] shape) {
        return shape.length == 0 ? "a number" : shape.length == 1 ? shape[0] + " elements"
                : "the shape " + Shapes.format(shape);
    }

    private DamoException ragged(int depth, String expected, String got) {
        return new DamoException("ragged", "the data is ragged: expected " + expected
                + ", as in the first element, got " + got + where(depth),
                Map.of("position", position(depth)));
    }

    private DamoException refused(Object leaf, int depth) {
        if (!(leaf instanceof Number)) {
            throw notNumber(leaf, depth);
        }
        String to = ":" + dtype.label();
        String why = dtype == DType.BOOL ? "a number is never made a boolean"
                : dtype.floating() && Elements.isInteger(leaf) ? to
                        + " cannot hold it exactly; only numbers with a point are rounded"
                : dtype.floating() || Elements.isInteger(leaf) ? to + " cannot hold it"
                : "a float is never made an integer";
        return new DamoException("dtype-mismatch",
                "the number " + leaf + where(depth) + " cannot become " + to + ": " + why,
                Map.of("value", leaf, "to", dtype.label(), "position", position(depth)));
    }

    private DamoException notNumber(Object leaf, int depth) {
        String got = leaf == null ? "nil" : "a " + leaf.getClass().getName();
        return new DamoException("bad-data",
                "expected numbers, booleans, or nested lists or arrays of them; got " + got
                + where(depth), leaf == null ? Map.of("position", position(depth))
                : Map.of("position", position(depth), "class", leaf.getClass().getName()));
    }

    private String where(int depth) {
        return depth == 0 ? "" : " at " + Shapes.format(position(depth));
    }

    private long[] position(int depth) {
        return Arrays.copyOf(path, Math.min(depth, path.length));
    }
}
