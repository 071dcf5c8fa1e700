package damo.codegen;

import damo.program.Kernel;
import damo.program.Size;
import damo.tensor.DType;
import java.util.List;
import java.util.Set;

/**
 * About how many nanoseconds loops of a kernel take on one thread, for the sizes of the moment:
 * what memory and instructions take that LLVM makes vectors of, and those that it does not.
 */
final class LoopCost {
    /** Less is not worth other threads: waking one takes as long. */
    private static final double LEAST = 20_000;
    /** What one part of a loop takes, so that taking it counts for nothing. */
    private static final double PART = 8_000;
    /** No loop has more parts. */
    static final int MOST_PARTS = 256;
    /** Sets both to a number of nanoseconds, for tests. */
    private static final String PROPERTY = "damo.threads.grain";

    private static final double BYTE = 0.01;
    /** One of a line that loops around read again and again: its share of that. */
    private static final double NEAR = 0.25;
    /** A byte of an element apart from the one before. */
    private static final double FAR = 0.1;
    /** An instruction, for each byte of the vector's elements. */
    private static final double LANE = 0.0006;
    private static final double INSTRUCTION = 0.1;
    /** What a sort takes, in walks over its elements. */
    private static final double SORT = 8;
    /** Rounds of a loop whose number the loops around it decide. */
    private static final double SOME = 16;

    private final List<Kernel.Param> params;
    private final Set<String> bound;
    private final Lines lines;
    private final SizeWriter sizes;
    /** Whether there are loops around what is looked at. */
    private boolean nested;

    /** Of the parameters; {@code bound} has the names that are known inside of the loops only. */
    LoopCost(List<Kernel.Param> params, Set<String> bound, Lines lines, SizeWriter sizes) {
        this.params = params;
        this.bound = bound;
        this.lines = lines;
        this.sizes = sizes;
    }

    private static double of(double standard) {
        String told = System.getProperty(PROPERTY);
        return told == null ? standard : Double.parseDouble(told);
    }

    /** The least work, as LLVM has it, that is divided. */
    static String least() {
        return literal(of(LEAST));
    }

    /** The work of a part. */
    static String part() {
        return literal(of(PART));
    }

    /** Whether a loop is never worth other threads, whatever the dimensions are. */
    static boolean small(Kernel.For loop, List<Kernel.Param> params) {
        double total = new LoopCost(params, Set.of(), null, null).fixed(List.of(loop));
        return total < of(LEAST);
    }

    /** Whether the loops of a kernel, all of known extents, are worth other threads. */
    static boolean large(Kernel kernel) {
        double total = new LoopCost(kernel.params(), Set.of(), null, null).fixed(kernel.body());
        return total >= of(LEAST) && total < Double.POSITIVE_INFINITY;
    }

    private double fixed(List<Kernel.Stmt> body) {
        double total = 0;
        for (Kernel.Stmt s : body) {
            double extent = !(s instanceof Kernel.For f) ? 1
                    : f.extent() instanceof Size.Int i ? i.value() : Double.POSITIVE_INFINITY;
            if (extent > 0) {
                total += alone(s, null) + extent * inside(s);
            }
        }
        return total;
    }

    private double inside(Kernel.Stmt s) {
        return s instanceof Kernel.For f && innermost(f) ? round(f) : fixed(s.inner());
    }

    /** Appends the work of statements; a double. */
    String write(List<Kernel.Stmt> body) {
        double fixed = 0;
        String total = null;
        for (Kernel.Stmt s : body) {
            fixed += alone(s, null);
            if (!s.inner().isEmpty()) {
                String own = s instanceof Kernel.For f ? loop(f) : write(s.inner());
                own = s instanceof Kernel.Sort ? lines.value("fmul double ", own, ", ",
                        literal(SORT)) : own;
                total = total == null ? own : lines.value("fadd double ", total, ", ", own);
            }
        }
        return total == null ? literal(fixed)
                : lines.value("fadd double ", total, ", ", literal(fixed));
    }

    private String loop(Kernel.For f) {
        boolean before = nested;
        String inside;
        if (innermost(f)) {
            inside = literal(round(f));
        } else {
            nested = true;
            inside = write(f.body());
            nested = before;
        }
        boolean known = SizeWriter.total(f.extent())
                && Poly.names(f.extent()).stream().noneMatch(bound::contains);
        String rounds = known ? lines.value("sitofp i64 ", sizes.ahead(f.extent()), " to double")
                : literal(SOME);
        return lines.value("fmul double ", rounds, ", ", inside);
    }

    private static boolean innermost(Kernel.For f) {
        return f.body().stream().noneMatch(LoopCost::loops);
    }

    private static boolean loops(Kernel.Stmt s) {
        return s instanceof Kernel.For || s.inner().stream().anyMatch(LoopCost::loops);
    }

    /** A round of an innermost loop. */
    private double round(Kernel.For f) {
        boolean vectors = f.body().stream().noneMatch(s -> s instanceof Kernel.Index
                || s instanceof Kernel.Require || !s.inner().isEmpty());
        return round(f.body(), f.var(), vectors);
    }

    private double round(List<Kernel.Stmt> body, String variable, boolean vectors) {
        double total = 0;
        for (Kernel.Stmt s : body) {
            total += vectors ? alone(s, variable) : Work.alone(s) * INSTRUCTION;
            total += round(s.inner(), variable, vectors);
        }
        return total;
    }

    /** A statement by itself: in vectors along the variable, unless that is null. */
    private double alone(Kernel.Stmt s, String variable) {
        if (variable == null) {
            return Work.alone(s) * INSTRUCTION;
        }
        double total = s instanceof Kernel.Store x
                ? bytes(x.index(), dtype(x.param()), variable) : 0;
        int widest = 1;
        for (Kernel.Expr value : s.values()) {
            total += bytes(value, variable);
            widest = Math.max(widest, value.dtype().bytes());
        }
        return total + Work.alone(s) * LANE * widest;
    }

    private double bytes(Kernel.Expr e, String variable) {
        double total = e instanceof Kernel.Load l
                ? bytes(l.index(), dtype(l.param()), variable) : 0;
        for (Kernel.Expr operand : e.operands()) {
            total += bytes(operand, variable);
        }
        return total;
    }

    /** Local arrays, which are behind the parameters, lie in the nearest cache. */
    private DType dtype(int memory) {
        return memory < params.size() ? params.get(memory).dtype() : DType.U8;
    }

    private double bytes(Size index, DType t, String variable) {
        Set<String> names = Poly.names(index);
        if (!names.contains(variable)) {
            return 0;
        }
        boolean again = nested && names.stream().noneMatch(n -> bound.contains(n)
                && !n.equals(variable));
        try {
            boolean next = Poly.of(1).equals(Poly.of(index).factor(variable));
            return t.bytes() * (next ? BYTE : FAR) * (again ? NEAR : 1);
        } catch (ArithmeticException e) {
            return t.bytes() * FAR;
        }
    }

    private static String literal(double value) {
        return "0x" + String.format("%016X", Double.doubleToRawLongBits(value));
    }
}
