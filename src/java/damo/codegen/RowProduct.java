package damo.codegen;

import damo.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/**
 * The product c[n] = alpha x[k] B[k n] + beta c of a row and a matrix that lies by rows, as one
 * function. Where c is a few vectors it stays in registers while k runs; else eight rows of B are
 * added to it at a time, so that B is read in long lines. BLAS spends more on its call than a small
 * product takes, and is no faster on one thread where memory decides.
 */
final class RowProduct {
    /** Sums that are under way at once, so that none waits for the one before. */
    private static final int CHAINS = 8;
    /** Vectors of c that stay in registers at once, where it is of any length. */
    private static final int TILE = 4;
    /** A row of no more vectors is taken in such parts: B is read again for each, but is small. */
    private static final int SHORT = 8;
    /** Rows of B that are added at a time; what is left, in fewer. */
    private static final int[] ROWS = {8, 2, 1};

    private final long n;
    private final int lanes;
    private final Lines lines;
    private final Vectors v;
    private final Vectors va;
    private final Vectors vb;

    private RowProduct(Lines lines, Inputs in, long n) {
        this.lines = lines;
        this.n = n;
        this.lanes = in.tiles().lanes();
        this.v = in.c(lines);
        this.va = in.a(lines);
        this.vb = in.b(lines);
    }

    /** The longest row that stays in registers: what AVX-512 has, or half of it. */
    private static long most(int vectorBits, DType t) {
        return (vectorBits >= 512 ? 14L : 6L) * vectorBits / Types.bits(t);
    }

    /** Whether a row of n elements is one that stays in registers. */
    static boolean fits(DType t, long n, int vectorBits) {
        return 1 <= n && n <= most(vectorBits, t);
    }

    /**
     * Appends what a function with the parameters of {@link VectorProducts} does; n is the length
     * of a row that stays in registers, or 0.
     */
    static void write(Lines lines, Inputs in, long n) {
        RowProduct p = new RowProduct(lines, in, n);
        if (n > 0) {
            p.held();
        } else {
            p.any();
        }
    }

    // ## In registers

    private void held() {
        int width = (int) ((n + lanes - 1) / lanes);
        tile("0", width, n % lanes == 0 ? null : v.below(Long.toString(n % lanes)));
    }

    /** Columns of some vectors each, then of one, then the rest. */
    private void tiles(Line line) {
        String wide = lines.value("udiv i64 ", line.whole(), ", ", Integer.toString(TILE));
        columns("0", wide, TILE, null);
        String from = lines.value("mul nuw nsw i64 ", wide, ", ", Integer.toString(TILE));
        columns(lines.value("mul nuw nsw i64 ", from, ", ", Integer.toString(lanes)),
                lines.value("sub nsw i64 ", line.whole(), ", ", from), 1, null);
        columns(line.end(), line.some(), 1, line.mask());
    }

    private void columns(String from, String count, int width, String mask) {
        String i = lines.fresh();
        lines.loop(i, count, null, () -> tile(lines.value("add nuw nsw i64 ", from, ", ",
                lines.value("mul nuw nsw i64 ", i, ", ", Integer.toString(width * lanes))),
                width, mask));
    }

    /** So many vectors of c, from a column on, the last one under a mask unless it is null. */
    private void tile(String column, int width, String mask) {
        Tile tile = new Tile(vb.address("%b", column), v.address("%c", column), width, mask);
        int steps = Math.max(width > CHAINS ? 1 : 2, CHAINS / width);
        List<String> sums = v.sums(width * steps);
        String whole = lines.value("udiv i64 %k, ", Integer.toString(steps));
        String turn = lines.fresh();
        lines.loop(turn, whole, null, () -> {
            String from = lines.value("mul nuw nsw i64 ", turn, ", ", Integer.toString(steps));
            for (int s = 0; s < steps; s++) {
                term(lines.value("add nuw nsw i64 ", from, ", ", Integer.toString(s)),
                        sums.subList(s * width, (s + 1) * width), tile);
            }
        });
        if (steps > 1) {
            String rest = lines.value("mul nuw nsw i64 ", whole, ", ", Integer.toString(steps));
            String left = lines.fresh();
            lines.loop(left, lines.value("sub nsw i64 %k, ", rest), null, () -> term(
                    lines.value("add nuw nsw i64 ", rest, ", ", left), sums.subList(0, width),
                    tile));
        }
        finish(v.totals(sums, width), tile);
    }

    /** Where columns of B and c begin, and how many vectors they are. */
    private record Tile(String b, String c, int width, String mask) {
        String mask(int vector) {
            return vector == width - 1 ? mask : null;
        }
    }

    /** Row l of B times element l of x. */
    private void term(String l, List<String> sums, Tile tile) {
        String x = v.splat(va.scalar(va.address("%a", lines.value("mul nsw i64 ", l, ", %a.col"))));
        String row = vb.address(tile.b, lines.value("mul nsw i64 ", l, ", %b.row"));
        for (int i = 0; i < sums.size(); i++) {
            v.add(sums.get(i), x, vb.load(vb.address(row, Integer.toString(i * lanes)),
                    tile.mask(i)));
        }
    }

    private String at(String row, int vector) {
        return v.address(row, Integer.toString(vector * lanes));
    }

    private void finish(List<String> totals, Tile tile) {
        String alpha = v.splat("%alpha");
        List<String> results = new ArrayList<>();
        totals.forEach(total -> results.add(v.times(alpha, total)));
        v.unlessZero("%beta", () -> each(results, tile, false),
                () -> each(results, tile, true));
    }

    private void each(List<String> results, Tile tile, boolean reads) {
        List<String> kept = new ArrayList<>();
        String beta = reads ? v.splat("%beta") : null;
        for (int i = 0; i < results.size(); i++) {
            kept.add(reads ? v.plus(results.get(i), v.times(beta,
                    v.load(at(tile.c, i), tile.mask(i)))) : results.get(i));
        }
        for (int i = 0; i < results.size(); i++) {
            v.store(kept.get(i), at(tile.c, i), tile.mask(i));
        }
    }

    // ## Row by row

    /** Any length: short ones in registers, others row by row. */
    private void any() {
        Line line = Line.of(lines, v, "%n");
        String few = lines.value("icmp sle i64 ", line.whole(), ", ", Integer.toString(SHORT));
        String near = lines.freshLabel("short");
        String far = lines.freshLabel("long");
        String after = lines.freshLabel("after");
        lines.add("br i1 ", few, ", label %", near, ", label %", far);
        lines.label(near);
        tiles(line);
        lines.add("br label %", after);
        lines.label(far);
        streamed(line);
        lines.add("br label %", after);
        lines.label(after);
    }

    private void streamed(Line line) {
        v.unlessZero("%beta", () -> line.each((i, m) -> v.store("zeroinitializer",
                v.address("%c", i), m)), () -> line.each(this::scale));
        String from = "0";
        for (int rows : ROWS) {
            from = rows(from, rows, line);
        }
    }

    private void scale(String index, String mask) {
        String address = v.address("%c", index);
        v.store(v.times(v.splat("%beta"), v.load(address, mask)), address, mask);
    }

    /** Adds blocks of so many rows from {@code from} on; returns the first row that is left. */
    private String rows(String from, int rows, Line line) {
        String blocks = lines.value("udiv i64 ", lines.value("sub nsw i64 %k, ", from), ", ",
                Integer.toString(rows));
        String block = lines.fresh();
        lines.loop(block, blocks, null, () -> {
            String first = lines.value("add nuw nsw i64 ", from, ", ",
                    lines.value("mul nuw nsw i64 ", block, ", ", Integer.toString(rows)));
            List<String> xs = new ArrayList<>();
            List<String> starts = new ArrayList<>();
            for (int r = 0; r < rows; r++) {
                String l = lines.value("add nuw nsw i64 ", first, ", ", Integer.toString(r));
                String x = va.scalar(va.address("%a", lines.value("mul nsw i64 ", l, ", %a.col")));
                xs.add(v.splat(lines.value("fmul ", v.element(), " %alpha, ", x)));
                starts.add(vb.address("%b", lines.value("mul nsw i64 ", l, ", %b.row")));
            }
            line.each((i, m) -> add(i, m, xs, starts));
        });
        return lines.value("add nuw nsw i64 ", from, ", ",
                lines.value("mul nuw nsw i64 ", blocks, ", ", Integer.toString(rows)));
    }

    /** Two sums, as one chain would wait for itself. */
    private void add(String i, String mask, List<String> xs, List<String> starts) {
        String address = v.address("%c", i);
        String[] sums = {v.load(address, mask), null};
        for (int r = 0; r < xs.size(); r++) {
            String product = v.times(xs.get(r), vb.load(vb.address(starts.get(r), i), mask));
            sums[r % 2] = sums[r % 2] == null ? product : v.plus(sums[r % 2], product);
        }
        v.store(sums[1] == null ? sums[0] : v.plus(sums[0], sums[1]), address, mask);
    }
}
