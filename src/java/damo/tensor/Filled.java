package damo.tensor;

import damo.DamoException;
import java.lang.foreign.MemorySegment;
import java.util.Map;

/** Tensors whose elements follow from their position. */
final class Filled {
    private Filled() { }

    /** A tensor with one value everywhere. */
    static Tensor full(Object value, DType dtype, long[] shape) {
        Tensor t = Tensor.uninitialized(dtype, shape);
        MemorySegment data = t.pin();
        try (Tensor one = Tensor.of(value, dtype)) {
            if (one.rank() != 0) {
                throw new DamoException("shape-mismatch",
                        "expected one number to fill with, got a tensor of shape "
                        + Shapes.format(one.shape()), Map.of("shape", one.shape()));
            }
            long bytes = dtype.bytes();
            MemorySegment pattern = one.pin();
            try {
                repeat(pattern, data, bytes);
            } finally {
                one.unpin();
            }
        } catch (Throwable e) {
            t.close();
            throw e;
        } finally {
            t.unpin();
        }
        return t;
    }

    /** Writes the pattern over the data by doubling what is written: log n copies. */
    private static void repeat(MemorySegment pattern, MemorySegment data, long bytes) {
        if (data.byteSize() == 0) {
            return;
        }
        MemorySegment.copy(pattern, 0, data, 0, bytes);
        for (long done = bytes; done < data.byteSize(); done *= 2) {
            MemorySegment.copy(data, 0, data, done, Math.min(done, data.byteSize() - done));
        }
    }

    /** The numbers start + i step between start and stop, exclusive. */
    static Tensor arange(double start, double stop, double step, DType dtype) {
        double count = Math.ceil((stop - start) / step);
        if (step == 0 || Double.isNaN(count) || count > Long.MAX_VALUE / 8) {
            throw new DamoException("bad-data",
                    "expected finite bounds and a step that is not 0, got arange from "
                    + start + " to " + stop + " by " + step);
        }
        Tensor t = Tensor.uninitialized(dtype, Math.max(0, (long) count));
        MemorySegment data = t.pin();
        try {
            for (long i = 0; i < t.elements(); i++) {
                put(data, dtype, i, start + i * step);
            }
        } catch (Throwable e) {
            t.close();
            throw e;
        } finally {
            t.unpin();
        }
        return t;
    }

    private static void put(MemorySegment data, DType dtype, long i, double v) {
        boolean ok = dtype.floating() ? Elements.putDouble(data, dtype, i, v, Elements.Rule.NUMBER)
                : v == Math.rint(v) && Math.abs(v) <= 0x1p53
                        && Elements.putLong(data, dtype, i, (long) v, Elements.Rule.NUMBER);
        if (!ok) {
            throw new DamoException("dtype-mismatch",
                    "the number " + v + " of the range cannot become :" + dtype.label(),
                    Map.of("value", v, "to", dtype.label()));
        }
    }

    /** A matrix with ones on the diagonal. */
    static Tensor eye(long rows, long columns, DType dtype) {
        Tensor t = Tensor.zeros(dtype, rows, columns);
        MemorySegment data = t.pin();
        try {
            for (long i = 0; i < Math.min(rows, columns); i++) {
                Elements.putBoolean(data, dtype, i * columns + i, true);
            }
        } finally {
            t.unpin();
        }
        return t;
    }
}
