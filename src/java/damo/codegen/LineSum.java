package damo.codegen;

import damo.program.Kernel;
import damo.program.Size;
import damo.tensor.DType;
import java.util.List;

/**
 * A loop that adds up a long line of floats as they lie, and does nothing else: it waits for
 * memory. The processor looks some lines ahead, which is not enough for one core to have all that
 * memory gives; so the loop asks for what is far ahead. LLVM makes no vectors of a loop that asks,
 * so they are written here.
 */
final class LineSum {
    /** Elements of a round, at every width of vectors. */
    private static final int ROUND = 32;
    private static final int SLOTS = 4;
    /** Bytes between what is added and what is asked for. */
    private static final int AHEAD = 1 << 14;
    /** Elements from which on a line is long. */
    private static final int LONG = 1 << 14;
    private static final int CACHE_LINE = 64;

    private final Lines lines;
    private final ExprWriter exprs;
    private final Kernel.For loop;
    private final Kernel.Acc sum;
    private final Kernel.Load load;
    private final DType type;
    private final int lanes;

    private LineSum(Lines lines, ExprWriter exprs, Kernel.For loop, Kernel.Acc sum,
                    Kernel.Load load, int vectorBits) {
        this.lines = lines;
        this.exprs = exprs;
        this.loop = loop;
        this.sum = sum;
        this.load = load;
        this.type = load.dtype();
        this.lanes = vectorBits / Double.SIZE;
    }

    /** The sum that a loop is; null when it is none, or short. */
    static LineSum of(Lines lines, ExprWriter exprs, List<Kernel.Param> memories, Kernel.For loop,
                      int vectorBits) {
        if (loop.extent() instanceof Size.Int n && n.value() < LONG || loop.body().isEmpty()
                || !(loop.body().getLast() instanceof Kernel.Acc sum) || !sum.op().equals("add")
                || sum.value().dtype() != DType.F64) {
            return null;
        }
        Kernel.Expr term = sum.value() instanceof Kernel.Cast c ? c.value() : sum.value();
        Kernel.Load load = LineCopy.loaded(loop.body(), term);
        return load != null && memories.get(load.param()).dtype() == load.dtype()
                && (load.dtype() == DType.F32 || load.dtype() == DType.F64)
                && LineCopy.along(load.index(), loop.var())
                ? new LineSum(lines, exprs, loop, sum, load, vectorBits) : null;
    }

    /** What is added up. */
    Kernel.Acc sum() {
        return sum;
    }

    /**
     * Appends the sum of the whole rounds of a long line, from {@code from} on: the number of
     * elements, none of a short line, and their sum.
     */
    Part write(String from, String to) {
        String n = lines.value("sub nsw i64 ", to, ", ", from);
        String whole = lines.select(lines.value("icmp sge i64 ", n, ", " + LONG), "i64",
                lines.value("and i64 ", n, ", " + -ROUND), "0");
        exprs.bind(loop.var(), from);
        String base = exprs.address(load.param(), load.index());
        Vectors sums = new Vectors(lines, DType.F64, lanes);
        List<String> slots = sums.sums(SLOTS);
        String round = lines.fresh();
        lines.loop(round, lines.value("udiv i64 ", whole, ", " + ROUND), null,
                Attributes.PLAIN_LOOP, () -> round(sums, slots, base, lines.value(
                        "mul nuw nsw i64 ", round, ", " + ROUND)));
        String all = sums.across(List.of(sums.totals(slots, 1).getFirst()));
        return new Part(whole, lines.value("extractelement <1 x double> ", all, ", i64 0"));
    }

    private void round(Vectors sums, List<String> slots, String base, String start) {
        for (int at = 0; at < ROUND * type.bytes(); at += CACHE_LINE) {
            sums.prefetch(lines.value("getelementptr i8, ptr ", address(base, start, 0), ", i64 "
                    + (AHEAD + at)));
        }
        for (int k = 0; k < ROUND / lanes; k++) {
            String slot = slots.get(k % SLOTS);
            sums.set(slot, sums.plus(sums.sum(slot), term(address(base, start, k * lanes))));
        }
    }

    private String address(String base, String start, int k) {
        return lines.value("getelementptr inbounds ", Types.memory(type), ", ptr ", base, ", i64 ",
                lines.value("add nuw nsw i64 ", start, ", " + k));
    }

    private String term(String address) {
        Vectors elements = new Vectors(lines, type, lanes);
        String x = elements.load(address, null);
        return type == DType.F64 ? x : lines.value("fpext ", elements.type(), " ", x, " to <",
                lanes + " x double>");
    }

    /** How many elements were added, and their sum. */
    record Part(String count, String sum) { }
}
