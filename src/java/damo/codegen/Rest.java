package damo.codegen;

import damo.program.Instructions;
import damo.program.Kernel;
import damo.program.Size;
import damo.tensor.DType;
import java.util.List;
import java.util.Set;

/**
 * How innermost loops with slow elements are made. What is left of a line behind its whole vectors
 * LLVM makes element by element, or in shorter vectors: where an element costs some ten
 * instructions and the line is short, that is as long as all the rest, and one more vector under a
 * mask is better. And a loop that sums in f64 what it computes in f32 has by itself vectors of as
 * many elements as there are doubles in one, half of what floats could do.
 */
final class Rest {
    /** Lines of more elements end soon, by comparison. */
    private static final long SHORT = 512;
    /** Elements of as many vectors as LLVM computes side by side. */
    static final int ROUND = 64;
    private static final Set<String> SLOW = Set.of("div", "sqrt");

    private Rest() { }

    /** What the branch back of a loop carries, or nothing. */
    static String sort(Kernel.For loop) {
        return sort(loop, masked(loop));
    }

    /** What that of a loop carries which has the last vector of each line alone, or all of it. */
    static String ofEnds(Kernel.For loop) {
        return sort(loop, true);
    }

    /**
     * Whether what is left behind the whole vectors of a loop shall be a loop of its own: where it
     * stands in another one each of many lines has an end, and nobody knows how long they are.
     */
    static boolean apart(Kernel.For loop) {
        return !(loop.extent() instanceof Size.Int n && n.value() <= SHORT) && slow(loop.body())
                && loop.body().stream().noneMatch(s -> s instanceof Kernel.Var
                || s instanceof Kernel.Local);
    }

    private static String sort(Kernel.For loop, boolean masked) {
        return wide(loop) ? masked ? Attributes.WIDE_MASKED_LOOP : Attributes.WIDE_LOOP
                : masked ? Attributes.MASKED_LOOP
                : slow(loop.body()) ? Attributes.PAIRED_LOOP : "";
    }

    /** Whether a loop computes slowly in f32, and adds up in f64. */
    private static boolean wide(Kernel.For loop) {
        return slow(loop.body())
                && loop.body().stream().anyMatch(s -> s instanceof Kernel.Acc a
                && a.value().dtype() == DType.F64)
                && loop.body().stream().flatMap(s -> s.values().stream())
                .noneMatch(Rest::slowInDouble);
    }

    private static boolean slowInDouble(Kernel.Expr e) {
        return e.dtype() == DType.F64 && own(e)
                || e.operands().stream().anyMatch(Rest::slowInDouble);
    }

    /** Whether the last vector of an innermost loop shall be one under a mask. */
    private static boolean masked(Kernel.For loop) {
        return loop.extent() instanceof Size.Int n && n.value() > 1 && n.value() <= SHORT
                && slow(loop.body());
    }

    /** Whether there is nothing that keeps a loop from vectors. */
    private static boolean plain(List<Kernel.Stmt> body) {
        return body.stream().noneMatch(s -> s instanceof Kernel.For || s instanceof Kernel.Index
                || s instanceof Kernel.Require || s instanceof Kernel.If
                || s instanceof Kernel.Sort);
    }

    /** Whether a body is one for vectors, with slow elements. */
    private static boolean slow(List<Kernel.Stmt> body) {
        return plain(body)
                && body.stream().anyMatch(s -> s.values().stream().anyMatch(Rest::slow));
    }

    private static boolean slow(Kernel.Expr e) {
        return own(e) || e.operands().stream().anyMatch(Rest::slow);
    }

    /** Whether an expression is slow by itself. */
    private static boolean own(Kernel.Expr e) {
        return e instanceof Kernel.Apply a && a.args().getFirst().dtype().floating()
                && (SLOW.contains(a.op()) || Instructions.row(a.op()).math());
    }
}
