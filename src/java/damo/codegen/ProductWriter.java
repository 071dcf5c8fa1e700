package damo.codegen;

import damo.program.Size;
import damo.program.Step;
import damo.verify.CallTable;
import damo.verify.Deferrals;
import java.util.List;
import java.util.function.Function;
import java.util.function.IntFunction;

/**
 * Gemm steps of {@code damo_call}: their sizes, factors and batch loops around one product each.
 */
final class ProductWriter {
    private final Lines lines;
    private final SizeWriter sizes;
    private final IntFunction<String> buffers;
    private final CallTable table;
    private final List<Step> steps;
    private final Products products;

    /**
     * Writes to {@code lines}; {@code buffers} gives the address of each buffer, {@code parts} what
     * a call's table tells of matrices.
     */
    ProductWriter(Lines lines, SizeWriter sizes, IntFunction<String> buffers, CallParts parts,
                  Products products) {
        this.table = parts.words;
        this.steps = parts.steps;
        this.lines = lines;
        this.sizes = sizes;
        this.buffers = buffers;
        this.products = products;
    }

    /** The operands of one step that do not change in its batch loops. */
    record Fixed(int number, Step.Gemm g, String m, String n, String k, String alpha, String beta,
                 Strides a, Strides b, Strides c) { }

    /** How far rows and columns of an operand lie apart, with their types. */
    record Strides(String row, String column) {
        String both() {
            return row + ", " + column;
        }

        Strides turned() {
            return new Strides(column, row);
        }
    }

    private Strides strides(Step.Operand o) {
        return new Strides("i64 " + sizes.write(o.rowStride()), "i64 "
                + sizes.write(o.colStride()));
    }

    /** Appends the step, which has that number. */
    void write(int number, Step.Gemm g) {
        String type = Types.value(g.dtype());
        Fixed f = new Fixed(number, g, "i64 " + sizes.write(g.m()), "i64 " + sizes.write(g.n()),
                "i64 " + sizes.write(g.k()), type + " " + factor(g, g.alpha()),
                type + " " + factor(g, g.beta()), strides(g.a()), strides(g.b()), strides(g.c()));
        String a = sizes.write(g.a().offset());
        String b = sizes.write(g.b().offset());
        String c = sizes.write(g.c().offset());
        if (g.batch().isEmpty() || !g.plain()) {
            batch(f, 0, a, b, c);
        } else {
            // Addresses that are looked up once stand before both ways.
            List.of(g.a(), g.b(), g.c()).forEach(o -> buffers.apply(o.buffer()));
            VectorProducts rows = products.vector(g);
            String alone = alone(f, rows);
            Runnable together = () -> {
                if (rows == null) {
                    side(f, a, b, c);
                } else {
                    rows(f, rows, a, b, c);
                }
            };
            if (alone == null) {
                together.run();
            } else {
                lines.either(alone, () -> batch(f, 0, a, b, c), together);
            }
        }
    }

    /**
     * Whether products of a batch are computed one by one, an i1; null where they never are. The
     * number of threads tells only where either way calls the same function: bits are equal.
     */
    private String alone(Fixed f, VectorProducts rows) {
        String laid = rows == null ? laid(f).turned() : laid(f).other();
        String other = rows == null ? products.asks(lines, f.g.dtype(), f.m, f.n, f.k)
                : lines.value("icmp sle i64 ", lines.threads(), ", 1");
        return laid == null || other == null ? laid == null ? other : laid
                : lines.value("or i1 ", laid, ", ", other);
    }

    /** All products of the batch in one call. */
    private void side(Fixed f, String a, String b, String c) {
        LaidProduct.Now now = laid(f).now();
        Fixed p = now.product();
        together(f, null, List.of(Step.Batch::a, Step.Batch::b, Step.Batch::c), String.join(", ",
                f.m, f.n, f.k, f.alpha, element(f, f.g.a(), a), p.a.both(),
                element(f, f.g.b(), b), p.b.both(), f.beta, element(f, f.g.c(), c), p.c.row,
                "i64 " + lines.threads(), now.panels()));
    }

    /** All products of rows and matrices; a column is turned to a row. */
    private void rows(Fixed f, VectorProducts rows, String a, String b, String c) {
        boolean first = rows.vector() == f.g.a();
        String left = element(f, f.g.a(), a);
        String right = element(f, f.g.b(), b);
        together(f, rows, first ? List.of(Step.Batch::a, Step.Batch::b, Step.Batch::c)
                : List.of(Step.Batch::b, Step.Batch::a, Step.Batch::c), String.join(", ",
                "i64 1", first ? f.n : f.m, f.k, f.alpha, first ? left : right,
                first ? f.a.both() : f.b.turned().both(), first ? right : left,
                first ? f.b.both() : f.a.turned().both(), f.beta, element(f, f.g.c(), c),
                f.c.row, "i64 " + lines.threads(), "i64 0"));
    }

    /** The call, given its arguments but for the loops and what advances by steps in them. */
    private void together(Fixed f, VectorProducts rows, List<Function<Step.Batch, Size>> steps,
                          String arguments) {
        int words = 1 + steps.size();
        String loops = lines.slot(lines.fresh(), "[" + words * f.g.batch().size() + " x i64]");
        int at = 0;
        for (Step.Batch loop : f.g.batch()) {
            TileOperand.put(lines, loops, at++, "i64", sizes.write(loop.extent()));
            for (Function<Step.Batch, Size> step : steps) {
                TileOperand.put(lines, loops, at++, "i64", sizes.write(step.apply(loop)));
            }
        }
        lines.when(some(f), () -> lines.add("call void ", products.requireBatch(f.g.dtype(), rows),
                "(", arguments, ", i64 " + f.g.batch().size(), ", ptr " + loops, ")"));
    }

    private LaidProduct laid(Fixed f) {
        return new LaidProduct(lines, this.table, products, f, this::inRows);
    }

    private String factor(Step.Gemm g, Step.Scale s) {
        return s.buffer() < 0 ? Types.number(g.dtype(), s.value())
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

    /** One product, which may be one with another. */
    private void product(Fixed f, String a, String b, String c) {
        int waits = table.deferralAt(f.number);
        int join = table.joinAt(f.number);
        Runnable plain = () -> laid(f).write(a, b, c);
        Runnable waiting = waits < 0 ? plain : () -> pass(f, table.deferrals().get(waits))
                .waiting(waits, a, b, c, plain);
        if (join < 0) {
            waiting.run();
        } else {
            boolean update = table.joins().get(join).update() == f.number;
            pass(f, table.joins().get(join)).joined(join, update ? waits
                    : table.deferralOf(table.joins().get(join).update()), a, b, c, waiting);
        }
    }

    private DeferralWriter pass(Fixed f, Deferrals.Deferral d) {
        return new DeferralWriter(lines, sizes, table, d, f, products, new Other());
    }

    /** The step that is one with the one that is written. */
    private final class Other implements DeferralWriter.Operands {
        @Override
        public Step.Gemm step(int number) {
            return (Step.Gemm) steps.get(number);
        }

        @Override
        public String address(Step.Operand o) {
            return "ptr " + lines.value("getelementptr inbounds ", Types.memory(o.dtype()),
                    ", ptr ", buffers.apply(o.buffer()), ", i64 ", sizes.write(o.offset()));
        }

        @Override
        public String factor(Step.Gemm g) {
            return Types.value(g.dtype()) + " " + ProductWriter.this.factor(g, g.alpha());
        }
    }

    /** One product of matrices in rows, with the strides that {@code f} has. */
    private void inRows(Fixed f, String a, String b, String c) {
        VectorProducts p = products.vector(f.g);
        if (p != null) {
            boolean first = p.vector() == f.g.a();
            Strides matrix = first ? f.b : f.a;
            lines.add("call void ", products.requireVector(p, f.g.dtype()), "(",
                    String.join(", ", first ? f.n : f.m, f.k, f.alpha, first ? a : b,
                            "i64 " + sizes.write(p.step()), first ? b : a,
                            p.lead() == (first ? f.g.b() : f.g.a()).rowStride() ? matrix.row
                                    : matrix.column, f.beta, c, "i64 " + lines.threads()),
                    ")");
        } else {
            lines.add("call void ", products.require(f.g), "(", String.join(", ", f.m, f.n,
                    f.k, f.alpha, a, f.a.both(), b, f.b.both(), f.beta, c, f.c.row(),
                    "i64 " + lines.threads()), ")");
        }
    }
}
