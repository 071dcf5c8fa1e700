package damo.tensor;

import java.lang.foreign.MemorySegment;
import java.util.function.LongBinaryOperator;

/**
 * How a matrix of floats lies in panels of columns, as products read it fastest: element (r, j) at
 * {@code (j / width)·(rows·width) + r·width + j mod width}. The last panel is padded with zeros.
 */
public record Panels(DType dtype, long rows, long columns, int width) {
    /** The columns of a panel: two vectors of a machine whose vectors have so many bits. */
    public static int width(DType t, int vectorBits) {
        return 2 * vectorBits / (8 * t.bytes());
    }

    /** The number of elements with those of the padding; may overflow for absurd sizes only. */
    public long elements() {
        return Math.multiplyExact(rows, Math.multiplyExact(count(), (long) width));
    }

    /** The shape of the matrix. */
    public long[] shape() {
        return new long[] {rows, columns};
    }

    private long count() {
        return Math.ceilDiv(columns, width);
    }

    /** A new 1-d tensor with the panels of a matrix. Throws as {@link Tensor#uninitialized}. */
    public Tensor packed(Tensor matrix) {
        Tensor panels = columns % width == 0 ? Tensor.uninitialized(dtype, elements())
                : Tensor.zeros(dtype, elements());
        copy(matrix, this::inRows, panels, this::inPanels);
        return panels;
    }

    /** A new matrix of panels that {@link #packed} made. */
    public Tensor unpacked(Tensor panels) {
        Tensor matrix = Tensor.uninitialized(dtype, rows, columns);
        copy(panels, this::inPanels, matrix, this::inRows);
        return matrix;
    }

    private long inRows(long row, long panel) {
        return row * columns + panel * width;
    }

    private long inPanels(long row, long panel) {
        return panel * rows * width + row * width;
    }

    /** Copies, a run of a row and a panel at a time; the places count elements. */
    private void copy(Tensor from, LongBinaryOperator source, Tensor to,
                      LongBinaryOperator target) {
        MemorySegment in = from.pin();
        MemorySegment out = to.pin();
        long bytes = dtype.bytes();
        for (long row = 0; row < rows; row++) {
            for (long panel = 0; panel < count(); panel++) {
                long run = Math.min(width, columns - panel * width);
                MemorySegment.copy(in, bytes * source.applyAsLong(row, panel), out,
                        bytes * target.applyAsLong(row, panel), bytes * run);
            }
        }
        to.unpin();
        from.unpin();
    }
}
