package damo.program;

import damo.DamoException;
import java.util.List;
import java.util.Map;

/**
 * Checks that a matrix product stays inside its buffers, for given dimensions. Sizes and strides
 * that BLAS cannot be told are the generator's affair: it has loops for them.
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
     * (an operand beyond its buffer, or a layout that is not a product's), "bad-size" or
     * "size-overflow".
     */
    static void check(int step, Program.Gemm gemm, SizeValues sizes, long[] elements) {
        new GemmBounds(step, gemm, sizes, elements).check();
    }

    private void check() {
        long m = size(gemm.m(), ":m");
        long n = size(gemm.n(), ":n");
        long k = size(gemm.k(), ":k");
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

    /** Every size is evaluated, also where nothing is touched: native code evaluates it too. */
    private void operand(String name, Program.Operand o, long rows, long cols, long[] extents) {
        long offset = size(o.offset(), name + " offset");
        long rowStride = size(o.rowStride(), name + " row stride");
        long colStride = size(o.colStride(), name + " column stride");
        long[] strides = new long[extents.length];
        for (int i = 0; i < extents.length; i++) {
            Program.Batch b = gemm.batch().get(i);
            strides[i] = size(name.equals(":a") ? b.a() : name.equals(":b") ? b.b() : b.c(),
                    name + " batch stride");
        }
        if (!runs || rows == 0 || cols == 0) {
            return;
        }
        layout(name, rows, rowStride, cols, colStride);
        try {
            long last = Math.addExact(span(rows, rowStride), span(cols, colStride));
            for (int i = 0; i < extents.length; i++) {
                last = Math.addExact(last, span(extents[i], strides[i]));
            }
            reach(name, o.buffer(), Math.addExact(last, offset));
        } catch (ArithmeticException e) {
            throw new DamoException("size-overflow", "step " + step + ", a :gemm: the extent of "
                    + name + " overflows 64 bits", Map.of("step", step, "buffer", o.buffer()));
        }
    }

    private void layout(String name, long rows, long rowStride, long cols, long colStride) {
        boolean unit = colStride == 1 || cols == 1;
        boolean apart = rowStride >= cols || rows == 1;
        boolean output = name.equals(":c");
        if (output ? !(unit && apart) : !(unit || rowStride == 1 || rows == 1)) {
            throw fail(name + " of " + rows + " x " + cols + " has strides [" + rowStride + " "
                    + colStride + "]; " + (output
                    ? "its last axis has stride 1 and its rows do not overlap"
                    : "one of them is 1"));
        }
    }

    private void reach(String name, int buffer, long last) {
        if (last >= elements[buffer]) {
            throw fail(name + " reaches element " + last + ", but buffer " + buffer + " has "
                    + elements[buffer]);
        }
    }

    private static long span(long extent, long stride) {
        return Math.multiplyExact(extent - 1, stride);
    }

    private void scale(String name, Program.Scale s) {
        if (s.buffer() >= 0 && elements[s.buffer()] < 1) {
            throw fail(name + " is element 0 of buffer " + s.buffer() + ", which is empty");
        }
    }

    private long size(Size size, String what) {
        return sizes.of(size, () -> "step " + step + ", a :gemm, " + what);
    }

    private DamoException fail(String message) {
        return new DamoException("out-of-bounds", "step " + step + ", a :gemm: " + message,
                Map.of("step", step));
    }
}
