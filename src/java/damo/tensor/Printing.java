package damo.tensor;

import java.lang.foreign.MemorySegment;
import java.math.BigDecimal;
import java.math.MathContext;

/**
 * Tensors as short text: dtype, shape, and the corner of the values; {@code …} stands for what is
 * left out.
 */
final class Printing {
    /** A row or column longer than twice this shows so many elements at either end. */
    private static final int EDGE = 3;
    /** The same for the axes before: a stack of matrices shows its first and last. */
    private static final int OUTER_EDGE = 1;
    private static final MathContext DIGITS = new MathContext(6);

    private final DType dtype;
    private final long[] shape;
    private final MemorySegment data;
    private final StringBuilder text = new StringBuilder();

    private Printing(DType dtype, long[] shape, MemorySegment data) {
        this.dtype = dtype;
        this.shape = shape;
        this.data = data;
    }

    /**
     * For instance {@code #damo/tensor [:f32 [2 2]] [[1.0 2.0] [3.0 4.0]]}; without data it says
     * closed.
     */
    static String format(DType dtype, long[] shape, MemorySegment data) {
        Printing p = new Printing(dtype, shape, data);
        p.text.append("#damo/tensor [:").append(dtype.label()).append(' ')
                .append(Shapes.format(shape)).append("] ");
        if (data == null) {
            p.text.append("closed");
        } else {
            p.text.append(shape.length > 1 ? "\n" : "");
            p.axis(0, 0);
        }
        return p.text.toString();
    }

    private void axis(int axis, long index) {
        if (axis == shape.length) {
            text.append(value(Elements.get(data, dtype, index)));
            return;
        }
        text.append('[');
        long extent = shape[axis];
        int edge = axis < shape.length - 2 ? OUTER_EDGE : EDGE;
        for (long i = 0; i < extent; i++) {
            if (i > 0) {
                text.append(axis == shape.length - 1 ? " " : "\n" + " ".repeat(axis + 1));
            }
            if (extent > 2 * edge && i == edge) {
                text.append('…');
                i = extent - edge - 1;
            } else {
                axis(axis + 1, index * extent + i);
            }
        }
        text.append(']');
    }

    private static String value(Object value) {
        if (value instanceof Double d && !d.isNaN() && !d.isInfinite() && d != 0) {
            return Double.toString(new BigDecimal(d).round(DIGITS).doubleValue());
        }
        return value instanceof Double d && (d.isNaN() || d.isInfinite()) ? special(d)
                : value.toString();
    }

    private static String special(double d) {
        return Double.isNaN(d) ? "##NaN" : d > 0 ? "##Inf" : "##-Inf";
    }
}
