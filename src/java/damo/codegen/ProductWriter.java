package damo.codegen;

import damo.program.Size;
import damo.program.Step;
import damo.verify.CallTable;
import java.util.List;
import java.util.function.IntFunction;

/**
 * Gemm steps of {@code damo_call}: their sizes, factors and batch loops around one product each.
 */
final class ProductWriter {
    private final Lines lines;
    private final SizeWriter sizes;
    private final IntFunction<String> buffers;
    private final CallTable table;
    private final Products products;

    /**
     * Writes to {@code lines}; {@code buffers} gives the address of each buffer, {@code table} what
     * a call's table tells of matrices.
     */
    ProductWriter(Lines lines, SizeWriter sizes, IntFunction<String> buffers, CallTable table,
                  Products products) {
        this.table = table;
        this.lines = lines;
        this.sizes = sizes;
        this.buffers = buffers;
        this.products = products;
    }

    /** The operands of one step that do not change in its batch loops. */
    record Fixed(int number, Step.Gemm g, String m, String n, String k, String alpha, String beta,
                         String aStrides, String bRow, String bCol, String cRow) { }

    /** Appends the step, which has that number. */
    void write(int number, Step.Gemm g) {
        String type = Types.value(g.dtype());
        Fixed f = new Fixed(number, g, "i64 " + sizes.write(g.m()), "i64 " + sizes.write(g.n()),
                "i64 " + sizes.write(g.k()), type + " " + factor(g, g.alpha()),
                type + " " + factor(g, g.beta()), "i64 " + sizes.write(g.a().rowStride())
                        + ", i64 " + sizes.write(g.a().colStride()),
                "i64 " + sizes.write(g.b().rowStride()), "i64 " + sizes.write(g.b().colStride()),
                "i64 " + sizes.write(g.c().rowStride()));
        String a = sizes.write(g.a().offset());
        String b = sizes.write(g.b().offset());
        String c = sizes.write(g.c().offset());
        if (g.batch().isEmpty() || !g.plain()) {
            batch(f, 0, a, b, c);
        } else {
            // Addresses that are looked up once stand before both ways.
            List.of(g.a(), g.b(), g.c()).forEach(o -> buffers.apply(o.buffer()));
            String many = lines.value("icmp sgt i64 ", lines.threads(), ", 1");
            lines.either(many, () -> side(f, a, b, c), () -> batch(f, 0, a, b, c));
        }
    }

    /** All products of the batch in one call, for several threads. */
    private void side(Fixed f, String a, String b, String c) {
        int words = 4;
        String table = lines.slot(lines.fresh(), "[" + words * f.g.batch().size() + " x i64]");
        int at = 0;
        for (Step.Batch loop : f.g.batch()) {
            for (Size size : List.of(loop.extent(), loop.a(), loop.b(), loop.c())) {
                TileOperand.put(lines, table, at++, "i64", sizes.write(size));
            }
        }
        String panels = panels(f.g);
        lines.when(some(f), () -> lines.add("call void ", products.requireBatch(f.g.dtype()), "(",
                String.join(", ", f.m, f.n, f.k, f.alpha, element(f, f.g.a(), a), f.aStrides,
                        element(f, f.g.b(), b), f.bRow, f.bCol, f.beta, element(f, f.g.c(), c),
                        f.cRow, "i64 " + lines.threads(), "i64 " + (panels == null ? "0" : panels),
                        "i64 " + f.g.batch().size(), "ptr " + table), ")"));
    }

    private String factor(Step.Gemm g, Step.Scale s) {
        return s.buffer() < 0 ? Types.literal(g.dtype(), Double.doubleToRawLongBits(s.value()))
                : lines.value("load ", Types.memory(g.dtype()), ", ptr ",
                        buffers.apply(s.buffer()));
    }

    /** The batch loops from number {@code depth} on, given the offsets of the three matrices. */
    private void batch(Fixed f, int depth, String a, String b, String c) {
        if (depth == f.g.batch().size()) {
            product(f, element(f, f.g.a(), a), element(f, f.g.b(), b), element(f, f.g.c(), c));
            return;
        }
        Step.Batch loop = f.g.batch().get(depth);
        String i = lines.fresh();
        String some = depth == 0 ? some(f) : null;
        lines.loop(i, sizes.write(loop.extent()), some, () -> batch(f, depth + 1,
                advance(a, i, loop.a()), advance(b, i, loop.b()), advance(c, i, loop.c())));
    }

    /** Whether the product has elements. */
    private String some(Fixed f) {
        return lines.value("and i1 ", lines.value("icmp sgt ", f.m, ", 0"), ", ",
                lines.value("icmp sgt ", f.n, ", 0"));
    }

    private String advance(String offset, String i, Size stride) {
        String step = lines.value("mul nsw i64 ", i, ", ", sizes.write(stride));
        return lines.value("add nsw i64 ", offset, ", ", step);
    }

    private String element(Fixed f, Step.Operand o, String offset) {
        String start = buffers.apply(o.buffer());
        return "ptr " + (offset.equals("0") ? start : lines.value("getelementptr inbounds ",
                Types.memory(o.dtype()), ", ptr ", start, ", i64 ", offset));
    }

    /** One product, which may wait for another, or another for it. */
    private void product(Fixed f, String a, String b, String c) {
        int deferral = table.deferralAt(f.number);
        if (deferral < 0) {
            either(f, a, b, c);
        } else {
            new DeferralWriter(lines, sizes, table, deferral, f, products)
                    .write(a, b, c, () -> either(f, a, b, c));
        }
    }

    /** One product, of matrices in rows or in panels. */
    private void either(Fixed f, String a, String b, String c) {
        String panels = panels(f.g);
        if (panels == null) {
            inRows(f, a, b, c);
            return;
        }
        lines.either(lines.value("icmp eq i64 ", panels, ", 0"), () -> inRows(f, a, b, c), () ->
                lines.add("call void ", products.requireProduct(f.g.dtype()), "(", String.join(", ",
                        f.m, f.n, f.k, f.alpha, a, f.aStrides, b, f.bRow, f.bCol, f.beta, c, f.cRow,
                        "i64 " + lines.threads(), "i64 " + panels, "ptr null, ptr null"), ")"));
    }

    /** The bits of operands that lie in panels: 1, 2, 4; null where none ever does. */
    private String panels(Step.Gemm g) {
        String bits = null;
        int bit = 1;
        for (Step.Operand o : List.of(g.a(), g.b(), g.c())) {
            int matrix = table.matrix(o.buffer());
            if (matrix >= 0) {
                String word = lines.value("mul i64 ", lines.loaded("i64", "%dims",
                        Integer.toString(table.layout(matrix))), ", ", Integer.toString(bit));
                bits = bits == null ? word : lines.value("or i64 ", bits, ", ", word);
            }
            bit *= 2;
        }
        return bits;
    }

    private void inRows(Fixed f, String a, String b, String c) {
        VectorProducts p = products.vector(f.g);
        if (p != null) {
            boolean first = p.vector() == f.g.a();
            lines.add("call void ", products.requireVector(p, f.g.dtype()), "(",
                    String.join(", ", first ? f.n : f.m, f.k, f.alpha, first ? a : b,
                            "i64 " + sizes.write(p.step()), first ? b : a,
                            "i64 " + sizes.write(p.lead()), f.beta, c, "i64 " + lines.threads()),
                    ")");
        } else {
            lines.add("call void ", products.require(f.g), "(", String.join(", ", f.m, f.n,
                    f.k, f.alpha, a, f.aStrides, b, f.bRow, f.bCol, f.beta, c, f.cRow,
                    "i64 " + lines.threads()), ")");
        }
    }
}
