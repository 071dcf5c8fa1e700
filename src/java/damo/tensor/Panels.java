package damo.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.LongBinaryOperator;

/**
 * How a matrix of floats lies where products read it faster than one row behind the other: in
 * panels of {@code width} columns, element (r, j) at {@code (j / width)·(rows·width) + r·width + j
 * mod width}. The last panel is padded with zeros. A panel may be as wide as the matrix: then it is
 * rows that begin at lines of memory. Columns are the rows of the transposed matrix.
 */
public record Panels(DType dtype, long rows, long columns, int width, Kind kind) {
    /** What lies behind what. */
    public enum Kind {
        /** Panels of some vectors. */
        PANELS,
        /** One panel: each row at lines of its own. */
        ROWS,
        /** Each column at lines of its own. */
        COLUMNS
    }

    /** Bytes of a line of memory. */
    private static final int LINE = 64;
    /** Lines so many apart meet in the same place of a cache. */
    private static final int CLASHING = 16;
    /** A row or column of so many bytes at least is not made much longer by a line. */
    private static final long LEAST_BYTES = 8 * LINE;
    /** Columns of more elements than this are not worth turning a matrix. */
    private static final long MOST_ROWS = 1 << 16;

    /** Panels of so many columns. */
    public Panels(DType dtype, long rows, long columns, int width) {
        this(dtype, rows, columns, width, Kind.PANELS);
    }

    /** The columns of a panel: two vectors of a machine whose vectors have so many bits. */
    public static int width(DType t, int vectorBits) {
        return 2 * vectorBits / (8 * t.bytes());
    }

    /** Rows at lines of their own; null where that wins nothing, or takes too much memory. */
    public static Panels inLines(DType t, long rows, long columns) {
        long bytes = columns * t.bytes();
        boolean clash = bytes % ((long) LINE * CLASHING) == 0;
        return bytes < LEAST_BYTES || columns > Integer.MAX_VALUE / 2
                || bytes % LINE == 0 && !clash ? null
                : new Panels(t, rows, columns, lead(t, columns), Kind.ROWS);
    }

    /**
     * Columns at lines of their own, for a matrix of few columns, of which two vectors, {@code
     * width} elements, would be left empty by a quarter; null for another.
     */
    public static Panels inColumns(DType t, long rows, long columns, int width) {
        boolean few = columns > 1 && 4 * columns <= 3L * width;
        return !few || rows > MOST_ROWS || rows * t.bytes() < LEAST_BYTES ? null
                : new Panels(t, rows, columns, lead(t, rows), Kind.COLUMNS);
    }

    /** Elements from one line of so many to the next, both where lines of memory begin. */
    private static int lead(DType t, long length) {
        long lines = Math.ceilDiv(length * t.bytes(), (long) LINE);
        return (int) ((lines % CLASHING == 0 ? lines + 1 : lines) * LINE / t.bytes());
    }

    /** How far rows lie apart, or columns where they are lines; what it would be, of panels. */
    public long lead() {
        return kind == Kind.PANELS ? columns : width;
    }

    /** The number of elements with those of the padding; may overflow for absurd sizes only. */
    public long elements() {
        return Math.multiplyExact(kind == Kind.COLUMNS ? columns : rows,
                Math.multiplyExact(count(), (long) width));
    }

    /** The shape of the matrix. */
    public long[] shape() {
        return new long[] {rows, columns};
    }

    private long count() {
        return kind == Kind.PANELS ? Math.ceilDiv(columns, width) : 1;
    }

    /** A new 1-d tensor with the panels of a matrix. Throws as {@link Tensor#uninitialized}. */
    public Tensor packed(Tensor matrix) {
        long elements = elements();
        Tensor panels = elements == Math.multiplyExact(rows, columns)
                ? Tensor.uninitialized(dtype, elements) : Tensor.zeros(dtype, elements);
        copy(matrix, this::inRows, panels, this::inPanels);
        return panels;
    }

    /** A new matrix of panels that {@link #packed} made. */
    public Tensor unpacked(Tensor panels) {
        Tensor matrix = Tensor.uninitialized(dtype, rows, columns);
        copy(panels, this::inPanels, matrix, this::inRows);
        return matrix;
    }

    private long inRows(long row, long column) {
        return row * columns + column;
    }

    private long inPanels(long row, long column) {
        return kind == Kind.COLUMNS ? column * width + row
                : column / width * (rows * width) + row * width + column % width;
    }

    /** Copies, a run of a row at a time where there are some; the places count elements. */
    private void copy(Tensor from, LongBinaryOperator source, Tensor to,
                      LongBinaryOperator target) {
        MemorySegment in = from.pin();
        MemorySegment out = to.pin();
        long most = kind == Kind.COLUMNS ? 1 : width;
        for (long row = 0; row < rows; row++) {
            for (long column = 0; column < columns; column += most) {
                run(in, source.applyAsLong(row, column), out, target.applyAsLong(row, column),
                        Math.min(most, columns - column));
            }
        }
        to.unpin();
        from.unpin();
    }

    private void run(MemorySegment in, long source, MemorySegment out, long target, long count) {
        long bytes = dtype.bytes();
        if (count == 1 && dtype == DType.F32) {
            out.setAtIndex(ValueLayout.JAVA_INT, target, in.getAtIndex(ValueLayout.JAVA_INT,
                    source));
        } else {
            MemorySegment.copy(in, bytes * source, out, bytes * target, bytes * count);
        }
    }
}
