package damo.codegen;

import damo.program.Kernel;
import damo.program.Size;
import damo.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/**
 * Two loops that copy a matrix which lies transposed: the inner one stores along memory, the outer
 * one loads along it. Tiles, as wide as a vector, are turned in registers, block after block, so
 * that each line of the cache is read and written once. A matrix with fewer rows or columns than a
 * vector has elements is turned by tiles that are as long and as high as the largest power of 2
 * that fits. The last tiles of a line overlap those before.
 */
final class TurnedCopy {
    /** Tiles of a block: few lines that are stored, longer ones, so that few pages are at hand. */
    private static final int HIGH = 4;
    private static final int WIDE = 16;
    /** A tile has at most so many lines: more would not fit into the registers. */
    private static final int MOST = 16;
    /** Tiles have at least so many rows and columns. */
    private static final int LEAST = 2;

    private final Lines lines;
    private final ExprWriter exprs;
    private final Kernel.For outer;
    private final Kernel.For inner;
    private final Kernel.Store store;
    private final Kernel.Load load;
    private final DType type;
    private final int side;
    /** Whether what is written is a local array: then the order in which it is read counts. */
    private final boolean near;

    private TurnedCopy(Lines lines, ExprWriter exprs, Kernel.For outer, Kernel.For inner,
                       Kernel.Store store, Kernel.Load load, DType t, boolean near,
                       int vectorBits) {
        this.lines = lines;
        this.exprs = exprs;
        this.outer = outer;
        this.inner = inner;
        this.store = store;
        this.load = load;
        this.side = Math.min(MOST, vectorBits / 8 / t.bytes());
        this.type = t;
        this.near = near;
    }

    /**
     * The copy that loops are; null when they are none, or not turned. Of the memories
     * {@code params} are parameters, others local arrays.
     */
    static TurnedCopy of(Lines lines, ExprWriter exprs, List<Kernel.Param> memories, int params,
                         Kernel.For outer, int vectorBits) {
        if (outer.body().size() != 1 || !(outer.body().getFirst() instanceof Kernel.For inner)
                || inner.body().isEmpty()
                || !(inner.body().getLast() instanceof Kernel.Store store)) {
            return null;
        }
        Kernel.Load load = LineCopy.loaded(inner.body(), store.value());
        if (load == null || load.param() == store.param()
                || memories.get(load.param()).dtype() != memories.get(store.param()).dtype()
                || !SizeWriter.total(inner.extent())
                || !zero(Coefficients.of(inner.extent(), outer.var()))
                || !turned(store.index(), load.index(), inner.var(), outer.var())) {
            return null;
        }
        return new TurnedCopy(lines, exprs, outer, inner, store, load,
                memories.get(store.param()).dtype(), store.param() >= params, vectorBits);
    }

    private static boolean zero(Size x) {
        return x instanceof Size.Int i && i.value() == 0;
    }

    private static boolean one(Size x) {
        return x instanceof Size.Int i && i.value() == 1;
    }

    private static boolean turned(Size store, Size load, String along, String across) {
        Size step = Coefficients.of(load, along);
        Size line = Coefficients.of(store, across);
        return one(Coefficients.of(store, along)) && one(Coefficients.of(load, across))
                && step != null && line != null && !zero(step) && !one(step) && !zero(line)
                && SizeWriter.total(line);
    }

    /**
     * Appends the copy of rounds {@code from} to {@code end}-1 of the outer loop, by the largest
     * tiles of which there is a whole one, else as {@code plain} appends it, and also where lines
     * overlap, so that it matters which is written first; {@code poll} is appended to rounds around
     * tiles.
     */
    void write(String from, String end, Runnable plain, Runnable poll) {
        String rows = from.equals("0") ? end : lines.value("sub nsw i64 ", end, ", ", from);
        String columns = exprs.sizes().ahead(inner.extent());
        String apart = apart(columns);
        String done = lines.freshLabel("turned");
        for (int[] sides : sides()) {
            String fits = lines.value("and i1 ", apart, ", ", lines.value("and i1 ",
                    atLeast(rows, sides[0]), ", ", atLeast(columns, sides[1])));
            lines.when(fits, () -> {
                tiles(from, rows, columns, sides[0], sides[1], poll);
                lines.add("br label %", done);
                lines.label(lines.freshLabel("none"));
            });
        }
        plain.run();
        lines.add("br label %", done);
        lines.label(done);
    }

    /** Whether lines that are stored, of so many elements, share none. */
    private String apart(String columns) {
        String line = exprs.sizes().ahead(Coefficients.of(store.index(), outer.var()));
        return lines.value("or i1 ", lines.value("icmp sge i64 ", line, ", ", columns), ", ",
                lines.value("icmp sle i64 ", line, ", ", lines.value("sub i64 0, ", columns)));
    }

    /** The rows and columns of tiles, the largest first: one is a vector long, or both are less. */
    private List<int[]> sides() {
        List<int[]> all = new ArrayList<>();
        all.add(new int[] {side, side});
        for (int few = side / 2; few >= LEAST; few /= 2) {
            all.add(new int[] {few, side});
            all.add(new int[] {side, few});
        }
        for (int few = side / 2; few >= 2 * LEAST; few /= 2) {
            all.add(new int[] {few, few});
        }
        all.removeIf(s -> never(outer.extent(), s[0]) || never(inner.extent(), s[1]));
        return all;
    }

    /** Whether there is no tile with such a side: none that fits, or always a larger one. */
    private boolean never(Size extent, int length) {
        return smaller(extent, length) || length < side && extent instanceof Size.Int n
                && n.value() >= side;
    }

    private static boolean smaller(Size extent, int least) {
        return extent instanceof Size.Int n && n.value() < least;
    }

    private String atLeast(String extent, int least) {
        return lines.value("icmp sge i64 ", extent, ", " + least);
    }

    private void tiles(String start, String rows, String columns, int high, int wide,
                       Runnable poll) {
        exprs.bind(outer.var(), start);
        exprs.bind(inner.var(), "0");
        String from = exprs.address(load.param(), load.index());
        String to = exprs.address(store.param(), store.index());
        String step = exprs.size(Coefficients.of(load.index(), inner.var()));
        String line = exprs.size(Coefficients.of(store.index(), outer.var()));
        TurnedTile tile = new TurnedTile(lines, Types.memory(type), type.bytes(), high, wide);
        blocks(rows, HIGH, high, (firstRow, moreRows) -> {
            poll.run();
            blocks(columns, WIDE, wide, (firstColumn, moreColumns) -> {
                Pairs pairs = (i, j) -> tile.write(tile.at(from, i, j, step), step,
                        tile.at(to, j, i, line), line);
                if (near) {
                    each(firstColumn, moreColumns, columns, wide, j ->
                            each(firstRow, moreRows, rows, high, i -> pairs.write(i, j)));
                } else {
                    each(firstRow, moreRows, rows, high, i ->
                            each(firstColumn, moreColumns, columns, wide, j -> pairs.write(i, j)));
                }
            });
        });
    }

    private interface Blocks {
        void write(String first, String count);
    }

    private interface Pairs {
        void write(String row, String column);
    }

    private interface Tiles {
        void write(String start);
    }

    /** A loop over blocks of an extent, given their first tile and how many they have. */
    private void blocks(String extent, int tiles, int size, Blocks body) {
        String all = lines.value("udiv i64 ", lines.value("add nsw i64 ", extent, ", "
                + (size - 1)), ", " + size);
        String count = lines.value("udiv i64 ", lines.value("add nsw i64 ", all, ", "
                + (tiles - 1)), ", " + tiles);
        String b = lines.fresh();
        lines.loop(b, count, null, () -> {
            String first = lines.value("mul nsw i64 ", b, ", " + tiles);
            String rest = lines.value("sub nsw i64 ", all, ", ", first);
            body.write(first, lines.call("i64", "llvm.smin.i64", "i64", rest, "" + tiles));
        });
    }

    private void each(String first, String count, String extent, int size, Tiles body) {
        String t = lines.fresh();
        lines.loop(t, count, null, () -> {
            String start = lines.value("mul nsw i64 ", lines.value("add nsw i64 ", first, ", ", t),
                    ", " + size);
            String last = lines.value("sub nsw i64 ", extent, ", " + size);
            body.write(lines.call("i64", "llvm.smin.i64", "i64", start, last));
        });
    }
}
