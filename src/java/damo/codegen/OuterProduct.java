package damo.codegen;

/**
 * The product C[m n] = alpha a[m] b[n] + beta C of a column and a row: C is written once, line by
 * line.
 */
final class OuterProduct {
    private final Lines lines;
    private final Vectors v;
    private final Vectors va;
    private final Vectors vb;

    private OuterProduct(Lines lines, Inputs in) {
        this.lines = lines;
        this.v = in.c(lines);
        this.va = in.a(lines);
        this.vb = in.b(lines);
    }

    /** Appends what a function with the parameters of a {@link RowTile} does where k is 1. */
    static void write(Lines lines, Inputs in) {
        OuterProduct p = new OuterProduct(lines, in);
        Line line = Line.of(lines, p.v, "%n");
        p.v.unlessZero("%beta", () -> p.rows(line, null),
                () -> p.rows(line, p.v.splat("%beta")));
    }

    /** All rows; {@code beta} is null where C is not read. */
    private void rows(Line line, String beta) {
        String row = lines.fresh();
        lines.loop(row, "%rows", null, () -> {
            String a = va.scalar(va.address("%a", lines.value("mul nsw i64 ", row, ", %a.row")));
            String x = v.splat(lines.value("fmul ", v.element(), " %alpha, ", a));
            String c = v.address("%c", lines.value("mul nsw i64 ", row, ", %c.row"));
            line.each((index, mask) -> part(index, mask, x, c, beta));
        });
    }

    private void part(String index, String mask, String x, String row, String beta) {
        String c = v.address(row, index);
        String product = v.times(x, vb.load(vb.address("%b", index), mask));
        v.store(beta == null ? product : v.plus(v.times(beta, v.load(c, mask)), product), c, mask);
    }
}
