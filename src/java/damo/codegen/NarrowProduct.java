package damo.codegen;

import damo.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/**
 * A product C[m n] = alpha A[m k] B[k n] + beta C whose n is a small constant, as one function: the
 * rows of B and C fit one vector value, so C stays in registers while k runs. BLAS is made for wide
 * matrices, and spends more on its call than such a product takes; measurements in
 * docs/decisions/0006-narrow-products.md. A may have any strides, B and C a unit stride along n.
 */
final class NarrowProduct {
    /** Above this many terms a column, BLAS is as fast on one thread and may use more. */
    private static final int TERMS = 1 << 16;

    private final DType t;
    private final int n;
    private final int lanes;
    private final Lines lines = new Lines();

    private NarrowProduct(DType t, int n) {
        this.t = t;
        this.n = n;
        this.lanes = Math.max(2, Integer.highestOneBit(2 * n - 1));
    }

    /** Whether a row of n elements is narrow enough: at most two vectors of that width. */
    static boolean fits(DType t, long n, int vectorBits) {
        return 1 <= n && n <= 2L * vectorBits / Types.bits(t);
    }

    /** The function's name, without {@code @}. */
    static String name(DType t, int n) {
        return "damo.narrow." + t.label() + "." + n;
    }

    /**
     * The text of the function. Its parameters are m, k, alpha, A and its two strides, B and its
     * row stride, beta, C and its row stride. Blocks of {@code rows} rows of C (an even number)
     * are held at a time, then of two, then of one. What is not small is left to the function
     * {@code wide}, whose parameters are those of resources/damo/gemm.ll.
     */
    static String write(DType t, int n, int rows, String wide) {
        NarrowProduct p = new NarrowProduct(t, n);
        p.leave(wide);
        String from = p.rowLoop("0", rows, 1);
        from = p.rowLoop(from, 2, rows / 2);
        p.rowLoop(from, 1, rows);
        p.lines.add("ret void");
        String type = Types.value(t);
        return "define void @" + name(t, n) + "(i64 %m, i64 %k, " + type + " %alpha, "
                + "ptr noalias nocapture readonly %a, i64 %a.row, i64 %a.col, "
                + "ptr noalias nocapture readonly %b, i64 %b.row, " + type + " %beta, "
                + "ptr noalias nocapture %c, i64 %c.row) #0 {\n" + p.lines.text() + "}\n";
    }

    private void leave(String wide) {
        String type = Types.value(t);
        String terms = lines.value("mul i64 %m, %k");
        String few = lines.value("icmp sle i64 ", terms, ", ", Integer.toString(TERMS));
        lines.add("br i1 ", few, ", label %narrow, label %wide");
        lines.label("wide");
        lines.add("call void ", wide, "(i64 %m, i64 ", Integer.toString(n), ", i64 %k, ", type,
                " %alpha, ptr %a, i64 %a.row, i64 %a.col, ptr %b, i64 %b.row, i64 1, ", type,
                " %beta, ptr %c, i64 %c.row, i64 1)");
        lines.add("ret void");
        lines.label("narrow");
    }

    private String vector() {
        return "<" + lanes + " x " + Types.value(t) + ">";
    }

    /**
     * Rows from {@code from} on, in blocks, while whole blocks are left; k in steps of {@code
     * unroll}, each with sums of its own, as one chain of additions would wait for itself. Returns
     * the first row that is left.
     */
    private String rowLoop(String from, int rows, int unroll) {
        String before = lines.currentLabel();
        String test = lines.freshLabel("rows");
        String body = lines.freshLabel("block");
        String done = lines.freshLabel("done");
        String row = lines.fresh();
        String next = lines.fresh();
        lines.add("br label %", test);
        lines.label(body);
        List<String> aRows = new ArrayList<>();
        List<String> cRows = new ArrayList<>();
        for (int r = 0; r < rows; r++) {
            String i = lines.value("add nuw nsw i64 ", row, ", ", Integer.toString(r));
            aRows.add(element("%a", lines.value("mul nsw i64 ", i, ", %a.row")));
            cRows.add(element("%c", lines.value("mul nsw i64 ", i, ", %c.row")));
        }
        List<String> sums = dot(aRows, unroll);
        storeRows(cRows, sums);
        lines.add("br label %", test);
        String latch = lines.currentLabel();
        lines.label(test);
        lines.add(row, " = phi i64 [ ", from, ", %", before, " ], [ ", next, ", %", latch, " ]");
        lines.add(next, " = add nuw nsw i64 ", row, ", ", Integer.toString(rows));
        String whole = lines.value("icmp sle i64 ", next, ", %m");
        lines.add("br i1 ", whole, ", label %", body, ", label %", done);
        lines.label(done);
        return row;
    }

    /** For each row of A, the vector of its products with B, summed over k. */
    private List<String> dot(List<String> aRows, int unroll) {
        List<String> sums = new ArrayList<>();
        for (int i = 0; i < aRows.size() * unroll; i++) {
            sums.add("zeroinitializer");
        }
        String whole = "0";
        if (unroll > 1) {
            whole = lines.value("and i64 %k, -", Integer.toString(unroll));
            sums = termLoop(aRows, sums, "0", whole, unroll);
            sums = totals(sums, aRows.size());
        }
        return termLoop(aRows, sums, whole, "%k", 1);
    }

    /** Adds up the partial sums of each row, pairwise; they lie step by step, {@code rows} each. */
    private List<String> totals(List<String> sums, int rows) {
        if (sums.size() == rows) {
            return sums;
        }
        int half = sums.size() / 2;
        List<String> halves = new ArrayList<>();
        for (int i = 0; i < half; i++) {
            halves.add(lines.value("fadd ", vector(), " ", sums.get(i), ", ", sums.get(half + i)));
        }
        return totals(halves, rows);
    }

    /** Adds the terms {@code from} … {@code to}-1 of k to the sums; returns the new sums. */
    private List<String> termLoop(List<String> aRows, List<String> sums, String from, String to,
                                  int unroll) {
        String before = lines.currentLabel();
        String body = lines.freshLabel("terms");
        String done = lines.freshLabel("summed");
        String l = lines.fresh();
        String next = lines.fresh();
        String some = lines.value("icmp slt i64 ", from, ", ", to);
        lines.add("br i1 ", some, ", label %", body, ", label %", done);
        lines.label(body);
        lines.add(l, " = phi i64 [ ", from, ", %", before, " ], [ ", next, ", %", body, " ]");
        List<String> old = new ArrayList<>();
        List<String> added = new ArrayList<>();
        for (String sum : sums) {
            old.add(lines.fresh());
            added.add(lines.fresh());
            lines.add(old.getLast(), " = phi ", vector(), " [ ", sum, ", %", before, " ], [ ",
                    added.getLast(), ", %", body, " ]");
        }
        for (int u = 0; u < unroll; u++) {
            terms(aRows, lines.value("add nuw nsw i64 ", l, ", ", Integer.toString(u)),
                    old.subList(u * aRows.size(), (u + 1) * aRows.size()),
                    added.subList(u * aRows.size(), (u + 1) * aRows.size()));
        }
        lines.add(next, " = add nuw nsw i64 ", l, ", ", Integer.toString(unroll));
        String more = lines.value("icmp slt i64 ", next, ", ", to);
        lines.add("br i1 ", more, ", label %", body, ", label %", done, Attributes.PLAIN_LOOP);
        lines.label(done);
        List<String> result = new ArrayList<>();
        for (int i = 0; i < sums.size(); i++) {
            result.add(lines.value("phi ", vector(), " [ ", sums.get(i), ", %", before, " ], [ ",
                    added.get(i), ", %", body, " ]"));
        }
        return result;
    }

    /** One row of B times one element of each row of A. */
    private void terms(List<String> aRows, String l, List<String> old, List<String> added) {
        String b = loadRow(element("%b", lines.value("mul nsw i64 ", l, ", %b.row")));
        String column = lines.value("mul nsw i64 ", l, ", %a.col");
        for (int r = 0; r < aRows.size(); r++) {
            String address = element(aRows.get(r), column);
            String x = lines.value("load ", Types.value(t), ", ptr ", address);
            String product = lines.value("fmul contract ", vector(), " ", splat(x), ", ", b);
            lines.add(added.get(r), " = fadd contract ", vector(), " ", old.get(r), ", ", product);
        }
    }

    /**
     * Stores the rows of C. All rows are read before one is written: a read whose vector overlaps a
     * store that is still under way, even in lanes that are masked off, waits for it.
     */
    private void storeRows(List<String> cRows, List<String> sums) {
        String reads = lines.value("fcmp une ", Types.value(t), " %beta, ", Types.floating(0.0));
        String add = lines.freshLabel("add");
        String store = lines.freshLabel("store");
        List<String> scaled = new ArrayList<>();
        for (String sum : sums) {
            scaled.add(lines.value("fmul ", vector(), " ", splat("%alpha"), ", ", sum));
        }
        String before = lines.currentLabel();
        lines.add("br i1 ", reads, ", label %", add, ", label %", store);
        lines.label(add);
        List<String> totals = new ArrayList<>();
        for (int r = 0; r < sums.size(); r++) {
            String kept = lines.value("fmul contract ", vector(), " ", splat("%beta"), ", ",
                    loadRow(cRows.get(r)));
            totals.add(lines.value("fadd contract ", vector(), " ", scaled.get(r), ", ", kept));
        }
        lines.add("br label %", store);
        lines.label(store);
        List<String> results = new ArrayList<>();
        for (int r = 0; r < sums.size(); r++) {
            results.add(lines.value("phi ", vector(), " [ ", scaled.get(r), ", %", before, " ], [ ",
                    totals.get(r), ", %", add, " ]"));
        }
        for (int r = 0; r < sums.size(); r++) {
            lines.add("call void @llvm.masked.store.v", suffix(), ".p0(", vector(), " ",
                    results.get(r), ", ptr ", cRows.get(r), ", i32 ", Integer.toString(t.bytes()),
                    ", ", mask(), ")");
        }
    }

    private String loadRow(String address) {
        return lines.value("call ", vector(), " @llvm.masked.load.v", suffix(), ".p0(ptr ", address,
                ", i32 ", Integer.toString(t.bytes()), ", ", mask(), ", ", vector(),
                " zeroinitializer)");
    }

    private String suffix() {
        return lanes + t.label();
    }

    /** The first n lanes. */
    private String mask() {
        StringBuilder text = new StringBuilder("<" + lanes + " x i1> <");
        for (int i = 0; i < lanes; i++) {
            text.append(i == 0 ? "" : ", ").append("i1 ").append(i < n);
        }
        return text.append('>').toString();
    }

    private String splat(String x) {
        String one = lines.value("insertelement ", vector(), " poison, ", Types.value(t), " ", x,
                ", i64 0");
        return lines.value("shufflevector ", vector(), " ", one, ", ", vector(), " poison, <",
                Integer.toString(lanes), " x i32> zeroinitializer");
    }

    private String element(String base, String offset) {
        return lines.value("getelementptr inbounds ", Types.value(t), ", ptr ", base, ", i64 ",
                offset);
    }
}
