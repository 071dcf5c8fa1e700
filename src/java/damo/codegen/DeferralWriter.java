package damo.codegen;

import damo.program.Size;
import damo.program.Step;
import damo.verify.CallTable;
import damo.verify.Deferrals.Deferral;

/**
 * Products and updates of which one is done with the other, when several calls follow each other:
 * the update keeps its factors, and the product of the next call is one pass with it. Where nothing
 * waits, both are done by the same function, {@link OnePass}, with the same bits.
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
    private final int k;
    private final String rows;
    private final String columns;

    /** For deferral number {@code k} of the table, and a step that is its update or product. */
    DeferralWriter(Lines lines, SizeWriter sizes, CallTable table, int k, ProductWriter.Fixed f,
                   Products products) {
        this.f = f;
        this.step = f.g();
        this.lines = lines;
        this.sizes = sizes;
        this.table = table;
        this.products = products;
        this.type = Types.value(step.dtype());
        this.k = k;
        this.d = table.deferrals().get(k);
        this.rows = sizes.write(d.rows());
        this.columns = sizes.write(d.columns());
    }

    /**
     * Appends the step by the function for both where that helps, else as {@code plain} does; given
     * its operands.
     */
    void write(String a, String b, String c, Runnable plain) {
        lines.either(word(table.meets(k)), () -> {
            if (f.number() == d.update()) {
                update(a, b, c);
            } else {
                product(a, b, c);
            }
        }, plain);
    }

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

    /** Where the factor, the column and the row of an update wait. */
    private String[] spare() {
        String factor = lines.loaded("ptr", "%dims", Integer.toString(table.spare(k)));
        String column = at(factor, Integer.toString(CallTable.FACTOR));
        return new String[] {factor, column, at(column, rows)};
    }

    private String extent(Size size) {
        return "i64 " + sizes.write(size);
    }

    private void call(String alpha, String a, String aStep, String b, String w, String product) {
        lines.add("call void ", products.requirePass(step.dtype(), d.sums()), "(", String.join(
                ", ", "i64 " + rows, "i64 " + columns, alpha, a, aStep, b, w, product,
                "i64 " + lines.threads()), ")");
    }

    // ## The update

    private void update(String a, String b, String w) {
        String zero = type + " " + Types.floating(0.0);
        lines.either(word(table.more()), () -> keep(a, b), () -> call(f.alpha(), a,
                extent(step.a().rowStride()), b, w, String.join(", ", zero, "ptr null", "i64 0",
                        zero, "ptr null", "i64 0")));
    }

    private void keep(String a, String b) {
        String[] to = spare();
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

    // ## The product

    private void product(String a, String b, String c) {
        String[] from = spare();
        String column = lines.select(word(table.waits(k)), "ptr", from[1], "null");
        String alpha = type + " " + lines.value("load ", type, ", ptr ", from[0]);
        Size apart = d.first() ? step.b().rowStride() : step.a().colStride();
        Size between = d.first() ? step.c().rowStride() : ONE;
        call(alpha, "ptr " + column, "i64 1", "ptr " + from[2], d.first() ? a : b, String.join(", ",
                f.alpha(), d.first() ? b : a, extent(apart), f.beta(), c, extent(between)));
        set(table.waits(k), 0);
    }
}
