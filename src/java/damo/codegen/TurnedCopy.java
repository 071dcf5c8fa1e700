package damo.codegen;

import damo.program.Kernel;
import damo.program.Size;
import damo.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntUnaryOperator;

/**
 * Two loops that copy a matrix which lies transposed: the inner one stores along memory, the outer
 * one loads along it. Square tiles, as wide as a vector, are turned in registers, block after
 * block, so that each line of the cache is read and written once. The last tiles of a line overlap
 * those before.
 */
final class TurnedCopy {
    /** Tiles of a block: few lines that are stored, longer ones, so that few pages are at hand. */
    private static final int HIGH = 4;
    private static final int WIDE = 16;
    /** A tile has at most so many lines: more would not fit into the registers. */
    private static final int MOST = 16;
    /** Bytes of the lanes in which instructions shuffle elements. */
    private static final int LANE = 16;

    private final Lines lines;
    private final ExprWriter exprs;
    private final Kernel.For outer;
    private final Kernel.For inner;
    private final Kernel.Store store;
    private final Kernel.Load load;
    private final String type;
    private final int side;
    private final int lane;

    private TurnedCopy(Lines lines, ExprWriter exprs, Kernel.For outer, Kernel.For inner,
                       Kernel.Store store, Kernel.Load load, DType t, int vectorBits) {
        this.lines = lines;
        this.exprs = exprs;
        this.outer = outer;
        this.inner = inner;
        this.store = store;
        this.load = load;
        this.side = Math.min(MOST, vectorBits / 8 / t.bytes());
        this.lane = LANE / t.bytes();
        this.type = "<" + side + " x " + Types.memory(t) + ">";
    }

    /** The copy that loops are; null when they are none, or not turned. */
    static TurnedCopy of(Lines lines, ExprWriter exprs, List<Kernel.Param> memories,
                         Kernel.For outer, int vectorBits) {
        if (outer.body().size() != 1 || !(outer.body().getFirst() instanceof Kernel.For inner)
                || !(inner.body().getLast() instanceof Kernel.Store store)) {
            return null;
        }
        Kernel.Load load = loaded(inner.body(), store.value());
        if (load == null || load.param() == store.param()
                || memories.get(load.param()).dtype() != memories.get(store.param()).dtype()
                || !SizeWriter.total(inner.extent())
                || !zero(Coefficients.of(inner.extent(), outer.var()))
                || !turned(store.index(), load.index(), inner.var(), outer.var())) {
            return null;
        }
        return new TurnedCopy(lines, exprs, outer, inner, store, load,
                memories.get(store.param()).dtype(), vectorBits);
    }

    /** What the only statements of a body load and store. */
    private static Kernel.Load loaded(List<Kernel.Stmt> body, Kernel.Expr value) {
        if (body.size() == 1) {
            return value instanceof Kernel.Load l ? l : null;
        }
        return body.size() == 2 && body.getFirst() instanceof Kernel.Let let
                && let.value() instanceof Kernel.Load l && value instanceof Kernel.Ref r
                && r.name().equals(let.name()) ? l : null;
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
                && step != null && line != null && !zero(step) && !one(step) && !zero(line);
    }

    /**
     * Appends the copy of rounds {@code from} to {@code end}-1 of the outer loop, by tiles where
     * there is a whole one, else as {@code plain} appends it; {@code poll} is appended to rounds
     * around tiles.
     */
    void write(String from, String end, Runnable plain, Runnable poll) {
        String rows = from.equals("0") ? end : lines.value("sub nsw i64 ", end, ", ", from);
        String columns = exprs.size(inner.extent());
        String tiles = lines.freshLabel("tiles");
        String loops = lines.freshLabel("plain");
        String done = lines.freshLabel("turned");
        String fit = lines.value("and i1 ", lines.value("icmp sge i64 ", rows, ", " + side), ", ",
                lines.value("icmp sge i64 ", columns, ", " + side));
        lines.add("br i1 ", fit, ", label %", tiles, ", label %", loops);
        lines.label(tiles);
        tiles(from, rows, columns, poll);
        lines.add("br label %", done);
        lines.label(loops);
        plain.run();
        lines.add("br label %", done);
        lines.label(done);
    }

    private void tiles(String start, String rows, String columns, Runnable poll) {
        exprs.bind(outer.var(), start);
        exprs.bind(inner.var(), "0");
        String from = exprs.address(load.param(), load.index());
        String to = exprs.address(store.param(), store.index());
        String step = exprs.size(Coefficients.of(load.index(), inner.var()));
        String line = exprs.size(Coefficients.of(store.index(), outer.var()));
        blocks(rows, HIGH, (firstRow, moreRows) -> {
            poll.run();
            blocks(columns, WIDE, (firstColumn, moreColumns) ->
                    each(firstRow, moreRows, rows, i -> each(firstColumn, moreColumns, columns,
                            j -> tile(at(from, i, j, step), step, at(to, j, i, line), line))));
        });
    }

    private interface Blocks {
        void write(String first, String count);
    }

    private interface Tiles {
        void write(String start);
    }

    /** A loop over blocks of an extent, given their first tile and how many they have. */
    private void blocks(String extent, int tiles, Blocks body) {
        String all = lines.value("udiv i64 ", lines.value("add nsw i64 ", extent, ", "
                + (side - 1)), ", " + side);
        String count = lines.value("udiv i64 ", lines.value("add nsw i64 ", all, ", "
                + (tiles - 1)), ", " + tiles);
        String b = lines.fresh();
        lines.loop(b, count, null, () -> {
            String first = lines.value("mul nsw i64 ", b, ", " + tiles);
            String rest = lines.value("sub nsw i64 ", all, ", ", first);
            body.write(first, lines.call("i64", "llvm.smin.i64", "i64", rest, "" + tiles));
        });
    }

    private void each(String first, String count, String extent, Tiles body) {
        String t = lines.fresh();
        lines.loop(t, count, null, () -> {
            String start = lines.value("mul nsw i64 ", lines.value("add nsw i64 ", first, ", ", t),
                    ", " + side);
            String last = lines.value("sub nsw i64 ", extent, ", " + side);
            body.write(lines.call("i64", "llvm.smin.i64", "i64", start, last));
        });
    }

    /** The address of element (along, across) where a line is so long. */
    private String at(String base, String along, String across, String line) {
        String lead = lines.value("mul nsw i64 ", across, ", ", line);
        return element(base, lines.value("add nsw i64 ", lead, ", ", along));
    }

    private String element(String base, String index) {
        return lines.value("getelementptr inbounds ", type.substring(type.indexOf('x') + 2,
                type.length() - 1), ", ptr ", base, ", i64 ", index);
    }

    private void tile(String from, String step, String to, String line) {
        String align = ", align " + LANE / lane;
        List<String> values = new ArrayList<>();
        for (int r = 0; r < side; r++) {
            values.add(lines.value("load ", type, ", ptr ", element(from,
                    lines.value("mul nsw i64 ", step, ", " + r)), align));
        }
        values = across(groups(values));
        for (int r = 0; r < side; r++) {
            lines.add("store ", type, " ", values.get(r), ", ptr ", element(to,
                    lines.value("mul nsw i64 ", line, ", " + r)), align);
        }
    }

    /** Lines in groups as large as a lane, each turned within lanes. */
    private List<List<String>> groups(List<String> values) {
        List<List<String>> groups = new ArrayList<>();
        for (int g = 0; g < side; g += lane) {
            groups.add(within(values.subList(g, g + lane)));
        }
        return groups;
    }

    /** As many lines as a lane has elements, turned in each lane: perfect shuffles. */
    private List<String> within(List<String> values) {
        List<String> now = values;
        int width = lane;
        for (int n = 1; n < width; n *= 2) {
            List<String> next = new ArrayList<>();
            for (int i = 0; i < width / 2; i++) {
                for (int start : new int[] {0, width / 2}) {
                    next.add(mix(now.get(i), now.get(i + width / 2), k -> k % 2 * side
                            + k / width * width + start + k % width / 2));
                }
            }
            now = next;
        }
        return now;
    }

    /** Turns groups as squares of lanes: line l·lane + k has lane l of line k of each group. */
    private List<String> across(List<List<String>> groups) {
        List<String> all = new ArrayList<>();
        List<List<String>> turned = new ArrayList<>();
        for (int k = 0; k < lane; k++) {
            int line = k;
            turned.add(lanes(groups.stream().map(g -> g.get(line)).toList()));
        }
        for (int l = 0; l < groups.size(); l++) {
            for (int k = 0; k < lane; k++) {
                all.add(turned.get(k).get(l));
            }
        }
        return all;
    }

    /** Values of which each result has one lane of each: the even ones apart from the odd ones. */
    private List<String> lanes(List<String> values) {
        if (values.size() == 1) {
            return values;
        }
        List<List<String>> halves = new ArrayList<>();
        for (int odd = 0; odd < 2; odd++) {
            int skip = odd;
            List<String> half = new ArrayList<>();
            for (int i = 0; i < values.size(); i += 2) {
                half.add(mix(values.get(i), values.get(i + 1),
                        k -> (2 * (k / lane) + skip) * lane + k % lane));
            }
            halves.add(lanes(half));
        }
        List<String> all = new ArrayList<>();
        for (int i = 0; i < values.size(); i++) {
            all.add(halves.get(i % 2).get(i / 2));
        }
        return all;
    }

    private String mix(String x, String y, IntUnaryOperator lane) {
        StringBuilder mask = new StringBuilder();
        for (int k = 0; k < side; k++) {
            mask.append(k == 0 ? "i32 " : ", i32 ").append(lane.applyAsInt(k));
        }
        return lines.value("shufflevector ", type, " ", x, ", ", type, " ", y, ", <" + side
                + " x i32> <", mask.toString(), ">");
    }
}
