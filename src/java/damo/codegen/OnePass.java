package damo.codegen;

import damo.tensor.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * An update W += alpha a b and a product of a vector x with the new W, or with the old one, each
 * row read and written once: y = factor x W + beta y, or y = factor W x + beta y. Either may be
 * left out, and then the other has the same bits. As one function, which several threads may share:
 * its parameters are the rows and columns of W, alpha, a, its stride, b, W, how far its rows lie
 * apart, factor, x, its stride, beta, y, its stride, whether the product comes first, 1 or 0, and
 * how many threads. a is null for no update, y for no product; b lies dense. y has a stride where
 * the product sums over columns, x where it sums over rows. beta = 0 never reads y.
 */
final class OnePass {
    static final String PARAMETERS = "i64, i64, {T}, ptr, i64, ptr, ptr, i64, {T}, ptr, i64, {T}, "
            + "ptr, i64, i64, i64";
    /** Rows at a time: their factors stay in registers. */
    private static final int ROWS_WIDE = 8;
    private static final int ROWS = 4;
    private static final int WIDEST = 512;
    /** What is left of them, in fewer at a time. */
    private static final int[] LEFT = {2, 1};
    /** Sums along a row that are under way at once, so that none waits for the one before. */
    private static final int CHAINS = 8;
    /** Bytes of a line of memory, and how many of x are asked for before they are needed. */
    private static final int LINE = 64;
    private static final int ASKED = 64;
    /** What the function is given, but for the number of threads. */
    private static final String[] WORDS = {"i64 rows", "i64 columns", "{T} alpha", "ptr a",
        "i64 a.step", "ptr b", "ptr w", "i64 lead", "{T} factor", "ptr x", "i64 x.step",
        "{T} beta", "ptr y", "i64 y.step", "i64 first"};

    /** What a part of the function does with W. */
    private enum Does {
        /** The product with the new W. */
        BOTH,
        /** The product with the old W. */
        BEFORE, UPDATE, PRODUCT;

        private String suffix() {
            return "." + name().toLowerCase(Locale.ROOT);
        }
    }

    private final DType t;
    private final int lanes;
    private final int most;
    private final boolean sums;
    private final String name;
    private final Does does;
    private final boolean updates;
    private final boolean multiplies;
    private final Lines lines = new Lines();
    private final Vectors v;

    private OnePass(DType t, int vectorBits, boolean sums, Does does) {
        this.t = t;
        this.lanes = vectorBits / Types.bits(t);
        this.most = unit(t, vectorBits, sums);
        this.sums = sums;
        this.name = name(t, vectorBits, sums);
        this.does = does;
        this.updates = does != Does.PRODUCT;
        this.multiplies = does != Does.UPDATE;
        this.v = new Vectors(lines, t, lanes);
    }

    /** The name, without {@code @}, of the one whose product sums over rows, or over columns. */
    static String name(DType t, int vectorBits, boolean sums) {
        return "damo.pass." + vectorBits / Types.bits(t) + "x" + t.label() + (sums ? ".rows"
                : ".columns");
    }

    /** The module that defines it. */
    static LlvmModule module(DType t, int vectorBits, boolean sums) {
        Outside outside = new Outside();
        String parallel = Parallel.require(outside, vectorBits);
        String scratch = Scratch.require(outside, vectorBits);
        StringBuilder text = new StringBuilder(outside.declarations());
        for (Does does : Does.values()) {
            text.append(new OnePass(t, vectorBits, sums, does).part());
        }
        PassBlocks blocks = new PassBlocks(t, vectorBits, sums);
        text.append(blocks.text(parallel, scratch))
                .append(Attributes.text(vectorBits));
        return new LlvmModule(List.of(new LlvmModule.Text(text.toString(),
                LlvmModule.Kind.LOOPS)), outside.externals(), outside.shared());
    }

    /** What a function of a pass is given, a type and a name each. */
    static List<String> words(DType t) {
        return Arrays.stream(WORDS).map(word -> word.replace("{T}", Types.value(t)).replace(" ",
                " %")).toList();
    }

    /** How many rows are taken at a time, where there are as many. */
    static int unit(DType t, int vectorBits, boolean sums) {
        int rows = vectorBits >= WIDEST ? ROWS_WIDE : ROWS;
        return sums ? rows : Math.min(rows, vectorBits / Types.bits(t));
    }

    /**
     * Appends a call of what is asked for, with arguments for the words: columns from … to-1 of all
     * rows where the product sums over rows, else rows. `a` and `y` tell what that is.
     */
    static void call(Lines lines, String name, List<String> arguments, String a, String y,
                     String from, String to) {
        String update = lines.value("icmp ne ptr ", a, ", null");
        String product = lines.value("icmp ne ptr ", y, ", null");
        Consumer<Does> does = d -> lines.add("call void @", name, d.suffix(), "(",
                String.join(", ", arguments), ", i64 ", from, ", i64 ", to, ")");
        lines.either(update, () -> lines.either(product, () -> lines.either(
                lines.value("icmp ne i64 %first, 0"), () -> does.accept(Does.BEFORE),
                () -> does.accept(Does.BOTH)), () -> does.accept(Does.UPDATE)),
                () -> lines.when(product, () -> does.accept(Does.PRODUCT)));
    }

    // ## One part

    /** Vectors of a row from %from on: whole ones, and what is left under a mask. */
    private record Row(String from, String whole, String end, String some, String mask) { }

    private String part() {
        String from = sums ? "%from" : "0";
        String length = sums ? lines.value("sub nsw i64 %to, %from") : "%columns";
        String whole = lines.value("udiv i64 ", length, ", ", Integer.toString(lanes));
        String covered = lines.value("mul nuw nsw i64 ", whole, ", ", Integer.toString(lanes));
        String left = lines.value("sub nsw i64 ", length, ", ", covered);
        Row row = new Row(from, whole, lines.value("add nuw nsw i64 ", from, ", ", covered),
                lines.value("zext i1 ", lines.value("icmp sgt i64 ", left, ", 0"), " to i64"),
                v.below(left));
        if (sums && multiplies) {
            begin(row);
        } else if (does == Does.PRODUCT) {
            ask();
        }
        String first = sums ? "0" : "%from";
        String last = sums ? "%rows" : "%to";
        first = blocks(first, last, most, row);
        for (int count : LEFT) {
            first = blocks(first, last, count, row);
        }
        lines.add("ret void");
        String text = String.join(", ", words(t)).replace("ptr %a", "ptr noalias readonly %a")
                .replace("ptr %b", "ptr noalias readonly %b").replace("ptr %w", "ptr noalias %w")
                .replace("ptr %x", "ptr noalias readonly %x").replace("ptr %y", "ptr noalias %y");
        return "define internal void @" + name + does.suffix() + "(" + text
                + ", i64 %from, i64 %to) #0 {\n" + lines.text() + "}\n";
    }

    /**
     * Asks for the first lines of x, which may be an example that nobody has seen: all at once, as
     * a row of W would have their sum wait for each of them.
     */
    private void ask() {
        int line = LINE / t.bytes();
        String most = lines.call("i64", "llvm.smin.i64", "i64", "%columns",
                Integer.toString(ASKED * line));
        String i = lines.fresh();
        lines.loop(i, lines.value("udiv i64 ", most, ", ", Integer.toString(line)), null, () ->
                v.prefetch(v.address("%x", lines.value("mul nuw nsw i64 ", i, ", ",
                        Integer.toString(line)))));
    }

    /** What is done with the vector at an index, under a mask that may be null. */
    private interface Part {
        void write(String index, String mask);
    }

    private void each(Row row, Part part) {
        vectors("0", row.whole, row, part);
        lines.loop(lines.fresh(), row.some, null, () -> part.write(row.end, row.mask));
    }

    private void vectors(String from, String count, Row row, Part part) {
        String i = lines.fresh();
        lines.loop(i, count, null, () -> part.write(index(row, lines.value("add nuw nsw i64 ",
                from, ", ", i)), null));
    }

    private String index(Row row, String vector) {
        return lines.value("add nuw nsw i64 ", row.from, ", ", lines.value("mul nuw nsw i64 ",
                vector, ", ", Integer.toString(lanes)));
    }

    /** The same with so many parts that take turns. */
    private void each(Row row, List<Part> parts) {
        String chains = Integer.toString(parts.size());
        String blocks = lines.value("udiv i64 ", row.whole, ", ", chains);
        String block = lines.fresh();
        lines.loop(block, blocks, null, () -> {
            String from = lines.value("mul nuw nsw i64 ", block, ", ", chains);
            for (int s = 0; s < parts.size(); s++) {
                parts.get(s).write(index(row, lines.value("add nuw nsw i64 ", from, ", ",
                        Integer.toString(s))), null);
            }
        });
        String done = lines.value("mul nuw nsw i64 ", blocks, ", ", chains);
        vectors(done, lines.value("sub nsw i64 ", row.whole, ", ", done), row, parts.getFirst());
        lines.loop(lines.fresh(), row.some, null, () -> parts.getFirst().write(row.end, row.mask));
    }

    /** y before anything is added to it. */
    private void begin(Row row) {
        lines.either(reads(), () -> each(row, (i, m) -> v.store(v.times(v.splat("%beta"),
                v.load(v.address("%y", i), m)), v.address("%y", i), m)),
                () -> each(row, (i, m) -> v.store("zeroinitializer", v.address("%y", i), m)));
    }

    private String reads() {
        return lines.value("fcmp une ", v.element(), " %beta, ", Types.floating(0.0));
    }

    /** Blocks of so many rows; returns the first row that is left. */
    private String blocks(String from, String to, int count, Row row) {
        String blocks = lines.value("udiv i64 ", lines.value("sub nsw i64 ", to, ", ", from),
                ", ", Integer.toString(count));
        String block = lines.fresh();
        lines.loop(block, blocks, null, () -> block(lines.value("add nuw nsw i64 ", from, ", ",
                lines.value("mul nuw nsw i64 ", block, ", ", Integer.toString(count))), count,
                row));
        return lines.value("add nuw nsw i64 ", from, ", ", lines.value("mul nuw nsw i64 ", blocks,
                ", ", Integer.toString(count)));
    }

    private void block(String first, int count, Row row) {
        List<String> us = new ArrayList<>();
        List<String> xs = new ArrayList<>();
        List<String> starts = new ArrayList<>();
        for (int r = 0; r < count; r++) {
            String l = lines.value("add nuw nsw i64 ", first, ", ", Integer.toString(r));
            starts.add(v.address("%w", lines.value("mul nsw i64 ", l, ", %lead")));
            if (updates) {
                us.add(scaled("%alpha", "%a", l, "%a.step"));
            }
            if (multiplies && sums) {
                xs.add(scaled("%factor", "%x", l, "%x.step"));
            }
        }
        if (multiplies && !sums) {
            dots(first, count, row, us, starts);
            return;
        }
        each(row, (i, m) -> {
            List<String> ws = rows(us, starts, i, m);
            if (multiplies) {
                add(i, m, xs, ws);
            }
        });
    }

    /** Rows whose products with x are summed up along them. */
    private void dots(String first, int count, Row row, List<String> us, List<String> starts) {
        int chains = Math.max(1, CHAINS / count);
        List<String> dots = v.sums(count * chains);
        List<Part> parts = new ArrayList<>();
        for (int s = 0; s < chains; s++) {
            List<String> some = dots.subList(s * count, (s + 1) * count);
            parts.add((i, m) -> {
                List<String> ws = rows(us, starts, i, m);
                String x = v.load(v.address("%x", i), m);
                for (int r = 0; r < count; r++) {
                    v.add(some.get(r), x, ws.get(r));
                }
            });
        }
        each(row, parts);
        finish(first, v.totals(dots, count));
    }

    private String scaled(String factor, String vector, String l, String step) {
        String x = v.scalar(v.address(vector, lines.value("mul nsw i64 ", l, ", ", step)));
        return v.splat(lines.value("fmul ", v.element(), " ", factor, ", ", x));
    }

    /** A vector of each row as the product takes it; those of W are updated. */
    private List<String> rows(List<String> us, List<String> starts, String i, String mask) {
        String b = updates ? v.load(v.address("%b", i), mask) : null;
        List<String> ws = new ArrayList<>();
        for (int r = 0; r < starts.size(); r++) {
            String address = v.address(starts.get(r), i);
            String w = v.load(address, mask);
            String fresh = updates ? v.plus(w, v.times(us.get(r), b)) : w;
            if (updates) {
                v.store(fresh, address, mask);
            }
            ws.add(does == Does.BEFORE ? w : fresh);
        }
        return ws;
    }

    /** Two sums, as one chain would wait for itself. */
    private void add(String i, String mask, List<String> xs, List<String> ws) {
        String address = v.address("%y", i);
        String[] sums = {v.load(address, mask), null};
        for (int r = 0; r < xs.size(); r++) {
            String product = v.times(xs.get(r), ws.get(r));
            sums[r % 2] = sums[r % 2] == null ? product : v.plus(sums[r % 2], product);
        }
        v.store(sums[1] == null ? sums[0] : v.plus(sums[0], sums[1]), address, mask);
    }

    /** Elements of y, of the sums of rows. */
    private void finish(String first, List<String> totals) {
        String all = v.across(totals);
        for (int r = 0; r < totals.size(); r++) {
            String sum = lines.value("extractelement <", Integer.toString(totals.size()), " x ",
                    v.element(), "> ", all, ", i64 ", Integer.toString(r));
            String l = lines.value("add nuw nsw i64 ", first, ", ", Integer.toString(r));
            String y = v.address("%y", lines.value("mul nsw i64 ", l, ", %y.step"));
            String result = lines.value("fmul ", v.element(), " %factor, ", sum);
            lines.either(reads(), () -> lines.add("store ", v.element(), " ", lines.value("fadd ",
                    v.element(), " ", result, ", ", lines.value("fmul ", v.element(), " %beta, ",
                    v.scalar(y))), ", ptr ", y), () -> lines.add("store ", v.element(), " ",
                    result, ", ptr ", y));
        }
    }
}
