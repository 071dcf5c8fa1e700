package damo.verify;

import damo.DamoException;
import damo.program.Access;
import damo.program.Size;
import damo.program.Step;
import java.util.List;
import java.util.Map;

/**
 * Checks that a matrix product stays inside its buffers, for given dimensions. Sizes and strides
 * that BLAS cannot be told are the generator's affair: it has loops for them.
 */
final class GemmBounds {
    private final int step;
    private final Step.Gemm gemm;
    private final SizeValues sizes;
    private final Ranges ranges;
    private final long[] elements;
    private boolean runs = true;

    private GemmBounds(int step, Step.Gemm gemm, SizeValues sizes, Ranges ranges,
                       long[] elements) {
        this.step = step;
        this.gemm = gemm;
        this.sizes = sizes;
        this.ranges = ranges;
        this.elements = elements;
    }

    /**
     * The multiplications of step number {@code step}, which is safe. Throws a DamoException of
     * kind "out-of-bounds" (an operand beyond its buffer, or a layout that is not a product's),
     * "bad-size" or "size-overflow".
     */
    static double check(int step, Step.Gemm gemm, SizeValues sizes, Ranges ranges,
            long[] elements) {
        return new GemmBounds(step, gemm, sizes, ranges, elements).check();
    }

    private double check() {
        long m = size(gemm.m(), ":m");
        long n = size(gemm.n(), ":n");
        // Without terms each element is written all the same.
        double work = (double) m * n * Math.max(1, size(gemm.k(), ":k"));
        for (Step.Batch b : gemm.batch()) {
            long extent = size(b.extent(), ":batch extent");
            runs &= extent > 0;
            work *= extent;
        }
        runs &= m > 0 && n > 0;
        List<Access> uses = gemm.accesses();
        operand(":a", gemm.a(), gemm.m(), gemm.k(), uses.get(0));
        operand(":b", gemm.b(), gemm.k(), gemm.n(), uses.get(1));
        operand(":c", gemm.c(), gemm.m(), gemm.n(), uses.getLast());
        scale(":alpha", gemm.alpha());
        scale(":beta", gemm.beta());
        return work;
    }

    /** Every size is evaluated, also where nothing is touched: native code evaluates it too. */
    private void operand(String name, Step.Operand o, Size rows, Size cols, Access use) {
        size(o.offset(), name + " offset");
        size(o.rowStride(), name + " row stride");
        size(o.colStride(), name + " column stride");
        for (Step.Batch b : gemm.batch()) {
            size(stride(b, name), name + " batch stride");
        }
        if (!runs || size(rows, name) == 0 || size(cols, name) == 0) {
            return;
        }
        try {
            layout(name, o, rows, cols);
            reach(name, o.buffer(), ranges.reach(use.region()));
        } catch (ArithmeticException e) {
            throw new DamoException("size-overflow", "step " + step + ", a :gemm: the extent of "
                    + name + " overflows 64 bits", Map.of("step", step, "buffer", o.buffer()));
        }
    }

    private static Size stride(Step.Batch b, String operand) {
        return operand.equals(":a") ? b.a() : operand.equals(":b") ? b.b() : b.c();
    }

    private boolean always(Size size, long value) {
        Affine a = ranges.of(size);
        return a.constant() && a.lo() == value;
    }

    private boolean atMostOne(Size size) {
        return ranges.max(ranges.of(size)) <= 1;
    }

    private void layout(String name, Step.Operand o, Size rows, Size cols) {
        boolean unit = always(o.colStride(), 1) || atMostOne(cols);
        boolean apart = atMostOne(rows) || o.rowStride().equals(cols)
                || ranges.min(ranges.of(o.rowStride()).minus(ranges.of(cols))) >= 0;
        boolean output = name.equals(":c");
        if (output ? !(unit && apart) : !(unit || always(o.rowStride(), 1) || atMostOne(rows))) {
            throw fail(name + " of " + size(rows, name) + " x " + size(cols, name)
                    + " has strides [" + size(o.rowStride(), name) + " "
                    + size(o.colStride(), name) + "]; " + (output
                    ? "its last axis has stride 1 and its rows do not overlap"
                    : "one of them is 1"));
        }
    }

    private void reach(String name, int buffer, long[] reach) {
        if (reach[0] < 0) {
            throw fail(name + " may begin before its buffer " + buffer);
        }
        if (reach[1] >= elements[buffer]) {
            throw fail(name + " reaches element " + reach[1] + ", but buffer " + buffer + " has "
                    + elements[buffer]);
        }
    }

    private void scale(String name, Step.Scale s) {
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
