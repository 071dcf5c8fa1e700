package damo.program;

import damo.DamoException;
import java.util.List;
import java.util.Map;

/**
 * Checks that a matrix product stays inside its buffers and within what BLAS can be told, for given
 * dimensions.
 */
final class GemmBounds {
    private final int step;
    private final Program.Gemm gemm;
    private final SizeValues sizes;
    private final long[] elements;
    private boolean runs = true;

    private GemmBounds(int step, Program.Gemm gemm, SizeValues sizes, long[] elements) {
        this.step = step;
        this.gemm = gemm;
        this.sizes = sizes;
        this.elements = elements;
    }

    /**
     * Returns when step number {@code step} is safe. Throws a DamoException of kind "out-of-bounds"
     * (an operand beyond its buffer, strides that BLAS does not take, sizes beyond 32 bits),
     * "bad-size" or "size-overflow".
     */
    static void check(int step, Program.Gemm gemm, SizeValues sizes, long[] elements) {
        new GemmBounds(step, gemm, sizes, elements).check();
    }

    private void check() {
        long m = blas(gemm.m(), ":m");
        long n = blas(gemm.n(), ":n");
        long k = blas(gemm.k(), ":k");
        List<Program.Batch> batch = gemm.batch();
        long[] extents = new long[batch.size()];
        for (int i = 0; i < extents.length; i++) {
            extents[i] = size(batch.get(i).extent(), ":batch extent");
            runs &= extents[i] > 0;
        }
        runs &= m > 0 && n > 0;
        operand(":a", gemm.a(), m, k, extents);
        operand(":b", gemm.b(), k, n, extents);
        operand(":c", gemm.c(), m, n, extents);
        scale(":alpha", gemm.alpha());
        scale(":beta", gemm.beta());
    }

    /**
     * Strides are checked even where nothing is touched: native code narrows them to 32 bits before
     * it looks.
     */
    private void operand(String name, Program.Operand o, long rows, long cols, long[] extents) {
        long offset = size(o.offset(), name + " offset");
        long rowStride = blas(o.rowStride(), name + " row stride");
        long colStride = blas(o.colStride(), name + " column stride");
        long[] strides = new long[extents.length];
        for (int i = 0; i < extents.length; i++) {
            Program.Batch b = gemm.batch().get(i);
            strides[i] = size(name.equals(":a") ? b.a() : name.equals(":b") ? b.b() : b.c(),
                    name + " batch stride");
        }
        if (!runs || rows == 0 || cols == 0) {
            return;
        }
        boolean byRows = (colStride == 1 || cols == 1) && (rowStride >= cols || rows == 1);
        boolean byColumns = (rowStride == 1 || rows == 1) && (colStride >= rows || cols == 1);
        if (!byRows && (name.equals(":c") || !byColumns)) {
            throw fail(name + " of " + rows + " x " + cols + " has strides [" + rowStride + " "
                    + colStride + "], which BLAS does not take; "
                    + "one is 1 and the other steps over a whole line"
                    + (name.equals(":c") ? "; :c has unit stride along its last axis" : ""));
        }
        reach(name, o.buffer(), offset, rows, rowStride, cols, colStride, extents, strides);
    }

    private void reach(String name, int buffer, long offset, long rows, long rowStride,
            long cols, long colStride,
                       long[] extents, long[] strides) {
        long last;
        try {
            last = Math.addExact(offset, Math.addExact((rows - 1) * rowStride,
                    (cols - 1) * colStride));
            for (int i = 0; i < extents.length; i++) {
                last = Math.addExact(last, Math.multiplyExact(extents[i] - 1, strides[i]));
            }
        } catch (ArithmeticException e) {
            throw new DamoException("size-overflow", "step " + step + ", a :gemm: the extent of "
                    + name
                    + " overflows 64 bits", Map.of("step", step, "buffer", buffer));
        }
        if (last >= elements[buffer]) {
            throw fail(name + " reaches element " + last + ", but buffer " + buffer + " has "
                    + elements[buffer]);
        }
    }

    private void scale(String name, Program.Scale s) {
        if (s.buffer() >= 0 && elements[s.buffer()] < 1) {
            throw fail(name + " is element 0 of buffer " + s.buffer() + ", which is empty");
        }
    }

    private long size(Size size, String what) {
        return sizes.of(size, () -> "step " + step + ", a :gemm, " + what);
    }

    /** A size that BLAS takes as a 32-bit integer. */
    private long blas(Size size, String what) {
        long value = size(size, what);
        if (value > Integer.MAX_VALUE) {
            throw fail(what + " is " + sizes.explain(size) + ": " + value + ", but BLAS counts to "
                    + Integer.MAX_VALUE);
        }
        return value;
    }

    private DamoException fail(String message) {
        return new DamoException("out-of-bounds", "step " + step + ", a :gemm: " + message,
                Map.of("step", step));
    }
}
