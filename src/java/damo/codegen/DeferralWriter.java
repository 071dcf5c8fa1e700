package damo.codegen;

import damo.program.Size;
import damo.program.Step;
import damo.verify.CallTable;
import damo.verify.Deferrals.Deferral;

/**
 * Products of a vector and updates by two of them that are one pass over a matrix, {@link OnePass}:
 * the update keeps its factors when calls follow each other, and the product of the next call is
 * one pass with it; or it is done with the product right before it. Where they are not together
 * both are done by the same function, with the same bits.
 */
final class DeferralWriter {
    private static final Size ONE = new Size.Int(1);

    private final Lines lines;
    private final SizeWriter sizes;
    private final CallTable table;
    private final Products products;
    private final ProductWriter.Fixed f;
    private final Step.Gemm step;
    private final String type;
    private final Deferral d;
    private final String rows;
    private final String columns;
    private final Operands operands;

    /** Gives the addresses of the operands of another product step, with their types. */
    interface Operands {
        /** The product step of that number. */
        Step.Gemm step(int number);

        /** The address of one of its operands. */
        String address(Step.Operand o);

        /** The factor of that step. */
        String factor(Step.Gemm g);
    }

    /** For a pass that the table has, and a step that is its update or product. */
    DeferralWriter(Lines lines, SizeWriter sizes, CallTable table, Deferral d,
                   ProductWriter.Fixed f, Products products, Operands operands) {
        this.f = f;
        this.step = f.g();
        this.lines = lines;
        this.sizes = sizes;
        this.table = table;
        this.products = products;
        this.operands = operands;
        this.type = Types.value(step.dtype());
        this.d = d;
        this.rows = sizes.write(d.rows());
        this.columns = sizes.write(d.columns());
    }

    /** An update: alpha, its column and its row, and the strides of both; with their types. */
    private record Update(String alpha, String a, String aStep, String b, String bStep) { }

    private String word(int position) {
        return lines.value("icmp ne i64 ", lines.loaded("i64", "%dims",
                Integer.toString(position)), ", 0");
    }

    private void set(int position, int value) {
        lines.add("store i64 ", Integer.toString(value), ", ptr ", lines.value(
                "getelementptr inbounds i64, ptr %dims, i64 ", Integer.toString(position)));
    }

    private String at(String start, String index) {
        return lines.value("getelementptr inbounds ", type, ", ptr ", start, ", i64 ", index);
    }

    private String extent(Size size) {
        return "i64 " + sizes.write(size);
    }

    private String pick(String condition, String yes, String no) {
        return yes.equals(no) ? yes : yes.substring(0, yes.indexOf(' ') + 1) + lines.value(
                "select i1 ", condition, ", ", yes, ", ", no);
    }

    private String none() {
        return type + " " + Types.floating(0.0);
    }

    /**
     * Appends the pass; the product's factor, vectors and strides. Where the columns of W lie
     * together it is one over the transposed matrix.
     */
    private void pass(Update u, String w, String product, boolean before) {
        String first = ", i64 " + (before ? 1 : 0) + ", i64 " + lines.threads() + ")";
        int matrix = table.matrix(d.buffer());
        if (matrix < 0) {
            lines.add("call void ", products.requirePass(step.dtype(), d.sums()), "(i64 ", rows,
                    ", i64 ", columns, ", ", u.alpha, ", ", u.a, ", ", u.aStep, ", ", u.b, ", ", w,
                    ", i64 ", columns, ", ", product, first);
            return;
        }
        String turned = lines.value("icmp eq i64 ", lines.loaded("i64", "%dims",
                Integer.toString(table.layout(matrix))), ", ", Integer.toString(CallTable.COLUMNS));
        String function = pick(turned, "ptr " + products.requirePass(step.dtype(), !d.sums()),
                "ptr " + products.requirePass(step.dtype(), d.sums()));
        lines.add("call void ", function.substring("ptr ".length()), "(", String.join(", ",
                pick(turned, "i64 " + columns, "i64 " + rows),
                pick(turned, "i64 " + rows, "i64 " + columns), u.alpha, pick(turned, u.b, u.a),
                pick(turned, u.bStep, u.aStep), pick(turned, u.a, u.b), w, "i64 " + lines.loaded(
                        "i64", "%dims", Integer.toString(table.lead(matrix))), product), first);
    }

    private String multiplied(String a, String b, String c) {
        Size apart = d.first() ? step.b().rowStride() : step.a().colStride();
        Size between = d.first() ? step.c().rowStride() : ONE;
        return String.join(", ", f.alpha(), d.first() ? b : a, extent(apart), f.beta(), c,
                extent(between));
    }

    // ## An update that waits

    /**
     * Appends the step, of number {@code k} of the updates that may wait, by the function for both
     * where that helps, else as {@code plain} does; given its operands.
     */
    void waiting(int k, String a, String b, String c, Runnable plain) {
        lines.either(word(table.meets(k)), () -> {
            if (f.number() == d.update()) {
                lines.either(word(table.more()), () -> keep(k, a, b),
                        () -> pass(here(a, b), c, nothing(), false));
            } else {
                product(k, a, b, c);
            }
        }, plain);
    }

    private Update here(String a, String b) {
        return new Update(f.alpha(), a, extent(step.a().rowStride()), b, "i64 1");
    }

    private String nothing() {
        return String.join(", ", none(), "ptr null", "i64 0", none(), "ptr null", "i64 0");
    }

    /** Where the factor, the column and the row of an update wait. */
    private String[] spare(int k) {
        String factor = lines.loaded("ptr", "%dims", Integer.toString(table.spare(k)));
        String column = at(factor, Integer.toString(CallTable.FACTOR));
        return new String[] {factor, column, at(column, rows)};
    }

    private void keep(int k, String a, String b) {
        String[] to = spare(k);
        lines.add("store ", f.alpha(), ", ptr ", to[0]);
        copy(a, step.a().rowStride(), rows, to[1]);
        copy(b, ONE, columns, to[2]);
        set(table.waits(k), 1);
    }

    private void copy(String from, Size stride, String count, String to) {
        if (stride.equals(ONE)) {
            String bytes = lines.value("mul nuw nsw i64 ", count, ", ",
                    Integer.toString(step.dtype().bytes()));
            lines.add("call void @llvm.memcpy.p0.p0.i64(ptr ", to, ", ", from, ", i64 ", bytes,
                    ", i1 false)");
            return;
        }
        String apart = sizes.write(stride);
        String i = lines.fresh();
        lines.loop(i, count, null, () -> {
            String element = at(from.substring("ptr ".length()), lines.value("mul nsw i64 ", i,
                    ", ", apart));
            lines.add("store ", type, " ", lines.value("load ", type, ", ptr ", element), ", ptr ",
                    at(to, i));
        });
    }

    private void product(int k, String a, String b, String c) {
        String[] from = spare(k);
        String waits = word(table.waits(k));
        String alpha = type + " " + lines.value("load ", type, ", ptr ", from[0]);
        Update u = new Update(alpha, "ptr " + from[1], "i64 1", "ptr " + from[2], "i64 1");
        pass(only(waits, u), d.first() ? a : b, multiplied(a, b, c), false);
        set(table.waits(k), 0);
    }

    /** The update where the i1 holds, else none: both of its vectors are null then. */
    private Update only(String condition, Update u) {
        return new Update(u.alpha, pick(condition, u.a, "ptr null"), u.aStep,
                pick(condition, u.b, "ptr null"), u.bStep);
    }

    // ## An update that is done with the product before

    /**
     * Appends the step, of number {@code join} of those products and updates; {@code waits} is the
     * number of the update among those that may wait, or -1.
     */
    void joined(int join, int waits, String a, String b, String c, Runnable plain) {
        lines.either(word(table.joined(join)), () -> {
            String later = waits < 0 ? null : lines.value("and i1 ", word(table.meets(waits)),
                    ", ", word(table.more()));
            if (f.number() == d.product()) {
                Update u = next();
                pass(later == null ? u : only(lines.value("xor i1 ", later, ", true"), u),
                        d.first() ? a : b, multiplied(a, b, c), true);
            } else if (later != null) {
                lines.when(later, () -> keep(waits, a, b));
            }
        }, plain);
    }

    /** The update that the next step is. */
    private Update next() {
        Step.Gemm g = operands.step(d.update());
        return new Update(operands.factor(g), operands.address(g.a()), extent(g.a().rowStride()),
                operands.address(g.b()), "i64 1");
    }
}
