package damo.codegen;

import damo.program.Size;
import damo.program.Step;
import damo.tensor.DType;

/**
 * Products of a vector and a matrix, in functions of their own. Their parameters are n, k,
 * alpha, x, the stride of x, B, the stride between rows of B, beta, c and the number of threads:
 * c = alpha x B + beta c, where the rows of B lie along c ({@link RowProduct}) or along x
 * ({@link DotProduct}). They have elements; beta = 0 never reads c.
 *
 * @param dots whether the rows of B lie along x
 * @param n the length of c
 * @param k the length of x
 * @param vector the operand that is a vector
 * @param step its stride
 * @param matrix the other operand
 * @param lead its stride between rows
 */
record VectorProducts(boolean dots, Size n, Size k, Step.Operand vector, Size step,
                      Step.Operand matrix, Size lead) {
    private static final Size ONE = new Size.Int(1);
    /** More terms than these are worth several threads, and c may be too long to stay near. */
    private static final int TERMS = 1 << 18;
    /** Up to so many a call is felt. */
    private static final int FEW_TERMS = 1 << 14;
    /** Instructions of a function, more or less. */
    static final long LENGTH = 150;

    static final String PARAMETERS =
            "i64, i64, {T}, ptr, i64, ptr, i64, {T}, ptr, i64";

    /** The step as such a product; null where it is none. */
    static VectorProducts of(Step.Gemm g) {
        if (g.m().equals(ONE)) {
            return of(g.n(), g.k(), g.a(), g.a().colStride(), g.b(),
                    g.b().colStride(), g.b().rowStride());
        }
        return g.n().equals(ONE) && g.c().rowStride().equals(ONE)
                ? of(g.m(), g.k(), g.b(), g.b().rowStride(), g.a(), g.a().rowStride(),
                        g.a().colStride()) : null;
    }

    /** {@code along} is the stride of B along c, {@code across} that along x. */
    private static VectorProducts of(Size n, Size k, Step.Operand vector, Size step,
                                     Step.Operand matrix, Size along, Size across) {
        if (along.equals(ONE)) {
            return new VectorProducts(false, n, k, vector, step, matrix, across);
        }
        return across.equals(ONE) && step.equals(ONE)
                ? new VectorProducts(true, n, k, vector, step, matrix, along) : null;
    }

    /** The n of a function for that alone; 0 for one that takes any. */
    private long kind(DType t, int vectorBits) {
        boolean own = n instanceof Size.Int i
                && (dots ? i.value() == 1 : RowProduct.fits(t, i.value(), vectorBits));
        return own ? ((Size.Int) n).value() : 0;
    }

    /** The name of the function, without {@code @}; it tells the width of vectors. */
    String name(DType t, int vectorBits) {
        long kind = kind(t, vectorBits);
        return "damo." + (dots ? "dot" : "row") + "." + vectorBits / Types.bits(t) + "x" + t.label()
                + (kind == 0 ? "" : "." + kind);
    }

    /** Whether it is known to have so few terms that a call takes a part of its time. */
    boolean small() {
        return n instanceof Size.Int i && k instanceof Size.Int j && i.value() <= FEW_TERMS
                && j.value() <= FEW_TERMS && i.value() * j.value() <= FEW_TERMS;
    }

    /**
     * The text of the function. What is not small is left to the function {@code wide}, a
     * {@link ShortProduct}.
     */
    String text(String name, DType t, int vectorBits, String wide) {
        Lines lines = new Lines();
        leave(lines, Types.value(t), wide);
        return "define " + whole(lines, name, t, vectorBits) + " #0 {\n" + lines.text() + "}\n";
    }

    /** The same as a part of the functions of a text, which call it for what is small. */
    String part(String name, DType t, int vectorBits) {
        Lines lines = new Lines();
        return "define internal " + whole(lines, name, t, vectorBits) + " #1 {\n" + lines.text()
                + "}\n";
    }

    /** Appends what it does, but for what is large; gives its head. */
    private String whole(Lines lines, String name, DType t, int vectorBits) {
        String type = Types.value(t);
        // A sum of nothing is 0, whatever the factor is.
        lines.add("%some = icmp sgt i64 %k, 0");
        lines.add("%alpha = select i1 %some, ", type, " %factor, ", type, " ", Types.floating(0.0));
        long kind = kind(t, vectorBits);
        if (dots) {
            DotProduct.write(lines, Inputs.same(t, vectorBits), kind == 1);
        } else {
            RowProduct.write(lines, Inputs.same(t, vectorBits), kind);
        }
        lines.add("ret void");
        return "void @" + name + "(i64 %n, i64 %k, " + type + " %factor, "
                + "ptr noalias nocapture readonly %a, i64 %a.col, "
                + "ptr noalias nocapture readonly %b, i64 %b.row, " + type + " %beta, "
                + "ptr noalias nocapture %c, i64 %threads)";
    }

    private void leave(Lines lines, String type, String wide) {
        String few = lines.value("icmp sle i64 ", lines.value("mul i64 %n, %k"), ", ",
                Integer.toString(TERMS));
        lines.add("br i1 ", few, ", label %near, label %wide");
        lines.label("wide");
        lines.add("call void ", wide, "(i64 1, i64 %n, i64 %k, ", type,
                " %factor, ptr %a, i64 %k, i64 %a.col, ptr %b, i64 ",
                dots ? "1, i64 %b.row" : "%b.row, i64 1", ", ", type,
                " %beta, ptr %c, i64 %n, i64 %threads)");
        lines.add("ret void");
        lines.label("near");
    }
}
