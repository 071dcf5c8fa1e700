package damo.codegen;

import damo.DamoException;
import damo.program.Instructions;
import damo.program.Kernel;
import damo.program.Loop;
import damo.program.Program;
import damo.program.Size;
import damo.program.Step;
import damo.tensor.DType;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * How much work a program is for LLVM, so that one from a file cannot keep a processor busy for
 * minutes. The unit is an instruction after math functions are inlined, some 40 µs; LLVM's time
 * for one function grows faster than its length (measured up to 60,000 instructions).
 */
public final class Work {
    /** What a program may take that nobody vouches for, such as one from a file: some 40 s. */
    public static final long FILE = 1L << 20;

    /** What a program may take that this process made itself from expressions. */
    public static final long OWN = 1L << 26;

    /** Instructions of one function that take twice as long each as those of a short one. */
    private static final long LONG = 8000;
    private static final int STEP = 4;
    /** A kernel with arrays on the stack becomes no part of a loop that other kernels are in. */
    private static final int LOCAL = 64;

    private final Map<String, Long> math = new HashMap<>();

    private Work() { }

    /**
     * Refuses a program that takes more than {@code budget}. Throws kind "too-much-work", naming
     * the kernel that takes most.
     */
    public static void check(Program program, long budget) {
        Work work = new Work();
        long total = work.steps(program.steps(), false);
        long most = 0;
        Kernel largest = null;
        for (Kernel kernel : program.kernels()) {
            long own = cost(work.statements(kernel.body()));
            total = sum(total, own);
            if (own > most) {
                most = own;
                largest = kernel;
            }
        }
        if (total > budget) {
            throw new DamoException("too-much-work", "the program " + program.name() + " takes "
                    + total + " units of compilation, of which the kernel "
                    + (largest == null ? "" : largest.name() + " ") + "takes " + most
                    + "; at most " + budget + " are spent on " + (budget == FILE
                    ? "a program that this process did not make" : "one program"),
                    Map.of("work", total, "budget", budget));
        }
    }

    /** Small kernels become parts of the loops in which they stand, each time anew. */
    private long steps(List<Step> steps, boolean inLoop) {
        long n = 0;
        for (Step step : steps) {
            n = sum(n, STEP + (inLoop && step instanceof Step.RunKernel k
                    ? Math.min(LoopFunction.SMALL, statements(k.kernel().body())) : 0));
            n = sum(n, steps(step.inner(), inLoop || step instanceof Loop));
        }
        return n;
    }

    /** The instructions of a kernel. */
    static long length(Kernel kernel) {
        return new Work().statements(kernel.body());
    }

    /** The instructions of a statement, without those of the statements in it. */
    static long alone(Kernel.Stmt s) {
        Work work = new Work();
        return s.values().stream().mapToLong(work::expression).sum() + 1 + own(s);
    }

    /** The time for a function of that length. */
    private static long cost(long length) {
        return sum(length, times(length, length) / LONG);
    }

    private long statements(List<Kernel.Stmt> body) {
        long n = 0;
        for (Kernel.Stmt s : body) {
            n = sum(n, 1 + own(s));
            for (Kernel.Expr value : s.values()) {
                n = sum(n, expression(value));
            }
            n = sum(n, statements(s.inner()));
        }
        return n;
    }

    private static long own(Kernel.Stmt s) {
        return switch (s) {
            case Kernel.For f -> STEP + size(f.extent());
            case Kernel.If f -> STEP;
            case Kernel.Local l -> LOCAL;
            case Kernel.Store st -> size(st.index());
            case Kernel.Index i -> STEP + size(i.extent());
            case Kernel.Require r -> STEP;
            default -> 0;
        };
    }

    private long expression(Kernel.Expr e) {
        long n = switch (e) {
            case Kernel.Load l -> 2 + size(l.index());
            case Kernel.SizeOf s -> size(s.size());
            case Kernel.Cast c -> c.to().storage() ? 2 * STEP : 1;
            case Kernel.Apply a -> math(a);
            default -> 1;
        };
        for (Kernel.Expr operand : e.operands()) {
            n = sum(n, expression(operand));
        }
        return n;
    }

    private long math(Kernel.Apply a) {
        DType t = a.args().get(a.op().equals("select") ? 1 : 0).dtype();
        String key = a.op() + "." + t.label();
        Long known = math.get(key);
        if (known == null) {
            math.put(key, 1L);
            MathTable.Definition d = Instructions.row(a.op()).math()
                    ? MathTable.get(a.op(), t) : null;
            known = d == null ? 1L : expression(d.result());
            for (int i = 0; d != null && i < d.lets().size(); i++) {
                known = sum(known, expression(d.lets().get(i).value()));
            }
            math.put(key, known);
        }
        return known;
    }

    private static long size(Size size) {
        return size instanceof Size.Call c ? 1 + size(c.x()) + size(c.y()) : 0;
    }

    /** Sums and products that stay at the largest number. */
    private static long sum(long x, long y) {
        return x > Long.MAX_VALUE - y ? Long.MAX_VALUE : x + y;
    }

    private static long times(long x, long y) {
        return Math.multiplyHigh(x, y) != 0 || x * y < 0 ? Long.MAX_VALUE : x * y;
    }
}
