package damo.codegen;

import java.util.ArrayList;
import java.util.List;

/**
 * A tile of C[m n] = alpha A[m k] B[n k]' + beta C, where rows of A and of B lie along k: some rows
 * of each, whose products are added up along k, a vector at a time, in registers, and then across.
 *
 * @param rows rows of A at a time
 * @param columns rows of B at a time: a power of two, no more than there are lanes
 */
record DotTile(int rows, int columns) {
    /** Vectors of B that are asked for before they are used. */
    private static final int AHEAD = 8;

    /**
     * The parameters of the function. It computes {@code %rows} rows and {@code %columns} columns
     * of C, no more than it holds of each. From a panel of k to the next B has {@code %b.jump} more
     * elements than that panel has columns.
     */
    static final String PARAMETERS = "i64 %rows, i64 %columns, i64 %k, {T} %alpha, "
            + "ptr noalias nocapture readonly %a, i64 %a.row, "
            + "ptr noalias nocapture readonly %b, i64 %b.col, i64 %b.jump, {T} %beta, "
            + "ptr noalias nocapture %c, i64 %c.row";

    /** The function's name, without {@code @}. */
    String name(Inputs in) {
        return in.name("dots" + rows + "x" + columns);
    }

    /** The text of the function. */
    String text(Inputs in) {
        Lines lines = new Lines();
        new Writer(this, lines, in.c(lines), in.a(lines), in.b(lines),
                new Vectors(lines, in.tiles().t(), columns), in.tiles().lanes()).write();
        return "define internal void @" + name(in) + "("
                + PARAMETERS.replace("{T}", in.type()) + ") #0 {\n" + lines.text() + "}\n";
    }

    private record Writer(DotTile tile, Lines lines, Vectors v, Vectors va, Vectors vb,
                          Vectors results, int lanes) {
        void write() {
            List<String> as = starts(va, "%a", "%a.row", "%rows", tile.rows);
            List<String> bs = starts(vb, "%b", "%b.col", "%columns", tile.columns);
            List<String> cs = starts(v, "%c", "%c.row", "%rows", tile.rows);
            Line k = Line.of(lines, v, "%k");
            List<String> sums = v.sums(tile.rows * tile.columns);
            Line.of(lines, v, "%k").each((index, mask) -> term(index, as, bs, mask, sums));
            finish(v.totals(sums, sums.size()), cs);
            lines.add("ret void");
        }

        /** Where rows begin. Behind the last row is the last row again. */
        private List<String> starts(Vectors of, String base, String stride, String count,
                                    int most) {
            String last = lines.value("sub nsw i64 ", count, ", 1");
            List<String> starts = new ArrayList<>();
            for (int r = 0; r < most; r++) {
                String row = lines.call("i64", "llvm.smin.i64", "i64", last, Integer.toString(r));
                starts.add(of.address(base, lines.value("mul nsw i64 ", row, ", ", stride)));
            }
            return starts;
        }

        /** The vectors of all rows at an index of k. */
        private void term(String index, List<String> as, List<String> bs, String mask,
                          List<String> sums) {
            List<String> ys = new ArrayList<>();
            Whole w = new Whole(lines);
            String there = w.plus(index, w.times(w.over(index, Integer.toString(RowTile.STRIP
                    * lanes)), "%b.jump"));
            for (String b : bs) {
                String address = vb.address(b, there);
                ys.add(vb.load(address, mask));
                vb.prefetch(vb.address(address, Integer.toString(AHEAD * lanes)));
            }
            for (int r = 0; r < tile.rows; r++) {
                String x = va.load(va.address(as.get(r), index), mask);
                for (int c = 0; c < tile.columns; c++) {
                    v.add(sums.get(r * tile.columns + c), x, ys.get(c));
                }
            }
        }

        private void finish(List<String> totals, List<String> cs) {
            String mask = tile.columns == 1 ? null : results.below("%columns");
            String alpha = results.splat("%alpha");
            List<String> scaled = new ArrayList<>();
            for (int r = 0; r < tile.rows; r++) {
                scaled.add(results.times(alpha, v.across(totals.subList(r * tile.columns,
                        (r + 1) * tile.columns))));
            }
            results.unlessZero("%beta", () -> each(scaled, cs, mask, null),
                    () -> each(scaled, cs, mask, results.splat("%beta")));
        }

        /** All of C is read before it is written: a row may be there twice. */
        private void each(List<String> scaled, List<String> cs, String mask, String beta) {
            List<String> kept = new ArrayList<>();
            for (int r = 0; r < scaled.size(); r++) {
                kept.add(beta == null ? scaled.get(r) : results.plus(scaled.get(r),
                        results.times(beta, results.load(cs.get(r), mask))));
            }
            for (int r = 0; r < scaled.size(); r++) {
                results.store(kept.get(r), cs.get(r), mask);
            }
        }
    }
}
