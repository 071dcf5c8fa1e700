package damo.codegen;

import damo.program.Size;
import damo.program.Step;
import damo.tensor.DType;

/**
 * The product C[m n] = alpha a[m] b[n] + beta C of a column and a row, as one function: C is
 * written once, line by line. Its parameters are m, n, alpha, a, its stride, b, beta, C and the
 * stride between rows of C. It has elements; beta = 0 never reads C.
 */
final class OuterProduct {
    static final String PARAMETERS = "i64, i64, {T}, ptr, i64, ptr, {T}, ptr, i64";

    private final Lines lines = new Lines();
    private final Vectors v;

    private OuterProduct(DType t, int vectorBits) {
        this.v = new Vectors(lines, t, vectorBits / Types.bits(t));
    }

    /** Whether the step is such a product, whatever the dimensions are. */
    static boolean fits(Step.Gemm g) {
        Size one = new Size.Int(1);
        return g.k().equals(one) && g.b().colStride().equals(one);
    }

    /** The name of the function, without {@code @}; it tells the width of vectors. */
    static String name(DType t, int vectorBits) {
        return "damo.outer." + vectorBits / Types.bits(t) + "x" + t.label();
    }

    /** The text of the function. */
    static String text(DType t, int vectorBits) {
        OuterProduct p = new OuterProduct(t, vectorBits);
        p.write();
        String type = Types.value(t);
        return "define void @" + name(t, vectorBits) + "(i64 %m, i64 %n, " + type + " %alpha, "
                + "ptr noalias nocapture readonly %a, i64 %a.row, "
                + "ptr noalias nocapture readonly %b, " + type + " %beta, "
                + "ptr noalias nocapture %c, i64 %c.row) #0 {\n" + p.lines.text() + "}\n";
    }

    private void write() {
        Line line = Line.of(lines, v, "%n");
        v.unlessZero("%beta", () -> rows(line, null), () -> rows(line, v.splat("%beta")));
        lines.add("ret void");
    }

    /** All rows; {@code beta} is null where C is not read. */
    private void rows(Line line, String beta) {
        String row = lines.fresh();
        lines.loop(row, "%m", null, () -> {
            String a = v.scalar(v.address("%a", lines.value("mul nsw i64 ", row, ", %a.row")));
            String x = v.splat(lines.value("fmul ", v.element(), " %alpha, ", a));
            String c = v.address("%c", lines.value("mul nsw i64 ", row, ", %c.row"));
            line.each((index, mask) -> part(index, mask, x, c, beta));
        });
    }

    private void part(String index, String mask, String x, String row, String beta) {
        String c = v.address(row, index);
        String product = v.times(x, v.load(v.address("%b", index), mask));
        v.store(beta == null ? product : v.plus(v.times(beta, v.load(c, mask)), product), c, mask);
    }
}
