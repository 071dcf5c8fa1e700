package damo.codegen;

import java.util.ArrayList;
import java.util.List;

/**
 * The product c[n] = alpha B[n k] x[k] + beta c of a matrix that lies by rows and a vector, as one
 * function: some rows at a time, whose sums are added up together.
 */
final class DotProduct {
    private static final int ROWS = 8;
    /** Sums that are under way at once, so that none waits for the one before. */
    private static final int CHAINS = 8;

    private final int rows;
    private final int steps;
    private final Lines lines;
    private final Vectors v;
    private final Vectors va;
    private final Vectors vb;
    private final Vectors results;

    private DotProduct(Lines lines, Inputs in, boolean one) {
        this.lines = lines;
        this.rows = one ? 1 : Math.min(ROWS, in.tiles().lanes());
        this.steps = CHAINS / rows;
        this.v = in.c(lines);
        this.va = in.a(lines);
        this.vb = in.b(lines);
        this.results = new Vectors(lines, in.tiles().t(), rows);
    }

    /**
     * Appends what a function with the parameters of {@link VectorProducts} does; {@code one} tells
     * that n is 1.
     */
    static void write(Lines lines, Inputs in, boolean one) {
        new DotProduct(lines, in, one).groups();
    }

    private void groups() {
        Line line = Line.of(lines, v, "%k");
        String group = lines.fresh();
        String count = lines.value("udiv i64 ", lines.value("add nuw nsw i64 %n, ",
                Integer.toString(rows - 1)), ", ", Integer.toString(rows));
        String last = lines.value("sub nsw i64 %n, 1");
        lines.loop(group, count, null, () -> {
            String first = lines.value("mul nuw nsw i64 ", group, ", ", Integer.toString(rows));
            List<String> starts = starts(first, last);
            List<String> sums = v.sums(rows * steps);
            line.each(steps, (index, step, mask) -> term(starts, index, sums.subList(step * rows,
                    (step + 1) * rows), mask));
            finish(sums, first);
        });
    }

    /** Where the rows of a group begin. Behind the last row is the last row again. */
    private List<String> starts(String first, String last) {
        List<String> starts = new ArrayList<>();
        for (int r = 0; r < rows; r++) {
            String row = lines.call("i64", "llvm.smin.i64", "i64", last,
                    lines.value("add nuw nsw i64 ", first, ", ", Integer.toString(r)));
            starts.add(vb.address("%b", lines.value("mul nsw i64 ", row, ", %b.row")));
        }
        return starts;
    }

    /** The vectors of the rows at an index times that of x. */
    private void term(List<String> starts, String index, List<String> sums, String mask) {
        String x = va.load(va.address("%a", index), mask);
        for (int r = 0; r < rows; r++) {
            v.add(sums.get(r), vb.load(vb.address(starts.get(r), index), mask), x);
        }
    }

    private void finish(List<String> sums, String first) {
        String scaled = results.times(results.splat("%alpha"), v.across(v.totals(sums, rows)));
        String mask = rows == 1 ? null
                : results.below(lines.value("sub nsw i64 %n, ", first));
        String c = v.address("%c", first);
        results.unlessZero("%beta", () -> results.store(scaled, c, mask),
                () -> results.store(results.plus(scaled, results.times(results.splat("%beta"),
                        results.load(c, mask))), c, mask));
    }
}
