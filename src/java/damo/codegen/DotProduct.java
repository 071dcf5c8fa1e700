package damo.codegen;

import damo.tensor.DType;
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

    private final int lanes;
    private final int rows;
    private final int steps;
    private final Lines lines;
    private final Vectors v;
    private final Vectors results;

    private DotProduct(Lines lines, DType t, boolean one, int vectorBits) {
        this.lines = lines;
        this.lanes = vectorBits / Types.bits(t);
        this.rows = one ? 1 : Math.min(ROWS, lanes);
        this.steps = CHAINS / rows;
        this.v = new Vectors(lines, t, lanes);
        this.results = new Vectors(lines, t, rows);
    }

    /**
     * Appends what a function with the parameters of {@link VectorProducts} does; {@code one} tells
     * that n is 1.
     */
    static void write(Lines lines, DType t, boolean one, int vectorBits) {
        new DotProduct(lines, t, one, vectorBits).groups();
    }

    private void groups() {
        String whole = lines.value("udiv i64 %k, ", Integer.toString(lanes));
        String end = lines.value("mul nuw nsw i64 ", whole, ", ", Integer.toString(lanes));
        String left = lines.value("sub nsw i64 %k, ", end);
        String some = lines.value("zext i1 ", lines.value("icmp sgt i64 ", left, ", 0"),
                " to i64");
        String mask = v.below(left);
        String group = lines.fresh();
        String count = lines.value("udiv i64 ", lines.value("add nuw nsw i64 %n, ",
                Integer.toString(rows - 1)), ", ", Integer.toString(rows));
        String last = lines.value("sub nsw i64 %n, 1");
        lines.loop(group, count, null, () -> {
            String first = lines.value("mul nuw nsw i64 ", group, ", ", Integer.toString(rows));
            List<String> starts = starts(first, last);
            List<String> sums = v.sums(rows * steps);
            terms(starts, sums, whole);
            lines.loop(lines.fresh(), some, null,
                    () -> term(starts, end, sums.subList(0, rows), mask));
            finish(sums, first);
        });
    }

    /** Where the rows of a group begin. Behind the last row is the last row again. */
    private List<String> starts(String first, String last) {
        List<String> starts = new ArrayList<>();
        for (int r = 0; r < rows; r++) {
            String row = lines.call("i64", "llvm.smin.i64", "i64", last,
                    lines.value("add nuw nsw i64 ", first, ", ", Integer.toString(r)));
            starts.add(v.address("%b", lines.value("mul nsw i64 ", row, ", %b.lead")));
        }
        return starts;
    }

    private void terms(List<String> starts, List<String> sums, String whole) {
        String blocks = steps == 1 ? whole
                : lines.value("udiv i64 ", whole, ", ", Integer.toString(steps));
        String block = lines.fresh();
        lines.loop(block, blocks, null, () -> {
            String from = lines.value("mul nuw nsw i64 ", block, ", ",
                    Integer.toString(steps * lanes));
            for (int s = 0; s < steps; s++) {
                term(starts, lines.value("add nuw nsw i64 ", from, ", ",
                        Integer.toString(s * lanes)), sums.subList(s * rows, (s + 1) * rows), null);
            }
        });
        if (steps > 1) {
            String from = lines.value("mul nuw nsw i64 ", blocks, ", ", Integer.toString(steps));
            String rest = lines.fresh();
            lines.loop(rest, lines.value("sub nsw i64 ", whole, ", ", from), null, () -> {
                String l = lines.value("add nuw nsw i64 ", from, ", ", rest);
                term(starts, lines.value("mul nuw nsw i64 ", l, ", ", Integer.toString(lanes)),
                        sums.subList(0, rows), null);
            });
        }
    }

    /** The vectors of the rows at an index times that of x. */
    private void term(List<String> starts, String index, List<String> sums, String mask) {
        String x = v.load(v.address("%x", index), mask);
        for (int r = 0; r < rows; r++) {
            v.add(sums.get(r), v.load(v.address(starts.get(r), index), mask), x);
        }
    }

    private void finish(List<String> sums, String first) {
        List<String> totals = new ArrayList<>();
        for (int r = 0; r < rows; r++) {
            List<String> parts = new ArrayList<>();
            for (int s = r; s < sums.size(); s += rows) {
                parts.add(v.sum(sums.get(s)));
            }
            totals.add(v.total(parts));
        }
        String scaled = results.times(results.splat("%alpha"), v.across(totals));
        String mask = rows == 1 ? null
                : results.below(lines.value("sub nsw i64 %n, ", first));
        String c = v.address("%c", first);
        VectorProducts.choose(lines, results, () -> results.store(scaled, c, mask),
                () -> results.store(results.plus(scaled, results.times(results.splat("%beta"),
                        results.load(c, mask))), c, mask));
    }
}
