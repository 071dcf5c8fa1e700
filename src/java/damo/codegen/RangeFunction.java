package damo.codegen;

import damo.program.Kernel;
import damo.tensor.DType;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * The range form of a loop: a function that has what the kernel has, what the loop reads from
 * around it, and the rounds of the divided loops, counted together, that it makes. What it adds up
 * it leaves in memory.
 */
final class RangeFunction {
    private final ParallelLoop loop;
    private final Kernel kernel;
    private final Usage usage;
    private final String name;
    private final Lines lines;
    private final KernelWriter writer;
    private final ExprWriter exprs;

    /** Of that name, with {@code @}; {@code writers} write statements of the kernel. */
    RangeFunction(ParallelLoop loop, Kernel kernel, Usage usage, String name,
                  Function<Lines, KernelWriter> writers) {
        this.loop = loop;
        this.kernel = kernel;
        this.usage = usage;
        this.name = name;
        this.lines = new Lines("%asked");
        this.writer = writers.apply(lines);
        this.exprs = writer.exprs();
    }

    String name() {
        return name;
    }

    /** What the loop reads from around it, but for dimensions; an index variable has no dtype. */
    static Map<String, DType> free(ParallelLoop loop, Usage usage) {
        Map<String, DType> free = new LinkedHashMap<>(loop.free());
        free.keySet().removeAll(usage.dims());
        return free;
    }

    /** The names that are bound inside of the loop. */
    Set<String> bound() {
        Set<String> bound = new HashSet<>();
        bound(List.of(loop.nest().getFirst()), bound);
        return bound;
    }

    private static void bound(List<Kernel.Stmt> body, Set<String> bound) {
        for (Kernel.Stmt s : body) {
            switch (s) {
                case Kernel.For f -> bound.add(f.var());
                case Kernel.Index i -> bound.add(i.name());
                default -> { }
            }
            bound(s.inner(), bound);
        }
    }

    /** The definition. */
    String text() {
        List<String> more = new ArrayList<>();
        free(loop, usage).forEach((n, t) -> {
            more.add((t == null ? "i64" : Types.value(t)) + " " + Names.local("o", n));
            exprs.bind(n, Names.local("o", n));
        });
        loop.sums().forEach((n, acc) -> {
            exprs.bindSlot(n, lines.slot(Names.local("v", n), type(acc)));
            lines.add("store ", type(acc), " ", identity(acc), ", ptr ", exprs.slot(n));
        });
        around(0);
        int i = 0;
        for (Map.Entry<String, Kernel.Acc> sum : loop.sums().entrySet()) {
            String type = type(sum.getValue());
            RangeContext.put(lines, "%partials", i++, type, lines.value("load ", type, ", ptr ",
                    exprs.slot(sum.getKey())));
        }
        lines.add(usage.stops() ? "ret i32 0" : "ret void");
        String parameters = KernelWriter.parameters(usage, kernel.params().size(),
                String.join(", ", more)) + (usage.stops() ? ", ptr nocapture %asked" : "")
                + ", i64 %from, i64 %to" + (loop.sums().isEmpty() ? ""
                : ", ptr noalias nocapture %partials");
        return "\ndefine internal " + usage.resultType() + " " + name + "(" + parameters
                + ") #0 {\n" + lines.text() + "}\n";
    }

    private static String type(Kernel.Acc acc) {
        return Types.value(acc.value().dtype());
    }

    /** What changes nothing when it is added. */
    private static String identity(Kernel.Acc acc) {
        DType t = acc.value().dtype();
        boolean real = t.floating();
        return switch (acc.op()) {
            case "add" -> Types.literal(t, real ? Double.doubleToRawLongBits(-0.0) : 0);
            case "mul" -> Types.literal(t, real ? Double.doubleToRawLongBits(1.0) : 1);
            case "maximum" -> Types.literal(t, real
                    ? Double.doubleToRawLongBits(Double.NEGATIVE_INFINITY)
                    : Types.unsigned(t) ? 0 : least(t));
            case "minimum" -> Types.literal(t, real
                    ? Double.doubleToRawLongBits(Double.POSITIVE_INFINITY)
                    : Types.unsigned(t) ? -1 : -1 - least(t));
            case "and" -> Types.literal(t, 1);
            default -> Types.literal(t, 0);
        };
    }

    /** The least number of a dtype that has signs. */
    private static long least(DType t) {
        return -1L << Types.bits(t) - 1;
    }

    /** Appends the loops of the nest from number k on that every part makes, then the rounds. */
    private void around(int k) {
        Kernel.For f = loop.nest().get(k);
        if (k < loop.outer()) {
            writer.plainLoop(f, "0", exprs.size(f.extent()), () -> around(k + 1));
        } else if (loop.count() == 1) {
            writer.loop(f, "%from", "%to");
        } else {
            divided(f);
        }
    }

    /**
     * Appends the rounds of several divided loops: of the innermost one those that lie between the
     * first and the last, in each round of the others.
     */
    private void divided(Kernel.For f) {
        Kernel.For last = loop.divided().getLast();
        String extent = exprs.size(last.extent());
        String some = bound("smax", extent, "1");
        String first = lines.value("udiv i64 %from, ", some);
        String end = lines.value("udiv i64 ", lines.value("add i64 %to, ", lines.value(
                "sub i64 ", some, ", 1")), ", ", some);
        String round = lines.fresh();
        lines.loop(round, first, end, writer.worthwhile(f), "", () -> {
            writer.poll(f);
            rounds(round);
            String start = lines.value("mul i64 ", round, ", ", extent);
            writer.loop(last, bound("smax", lines.value("sub i64 %from, ", start), "0"),
                    bound("smin", lines.value("sub i64 %to, ", start), extent));
        });
    }

    private String bound(String which, String x, String y) {
        return lines.call("i64", "llvm." + which + ".i64", "i64", x, y);
    }

    /** Binds the variables of the divided loops but the innermost, of which this is the round. */
    private void rounds(String round) {
        List<Kernel.For> divided = loop.divided();
        String left = round;
        for (int k = divided.size() - 2; k > 0; k--) {
            String extent = exprs.size(divided.get(k).extent());
            exprs.bind(divided.get(k).var(), lines.value("urem i64 ", left, ", ", extent));
            left = lines.value("udiv i64 ", left, ", ", extent);
        }
        exprs.bind(divided.getFirst().var(), left);
    }
}
