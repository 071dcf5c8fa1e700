package damo.codegen;

import damo.program.Instructions;
import damo.program.Kernel;
import damo.program.Size;
import java.util.List;
import java.util.Set;

/**
 * What is left of a line behind its whole vectors. LLVM makes it element by element, or in shorter
 * vectors: where an element costs some ten instructions and the line is short, that is as long as
 * all the rest, and one more vector under a mask is better.
 */
final class Rest {
    /** Lines of more elements end soon, by comparison. */
    private static final long SHORT = 512;
    private static final Set<String> SLOW = Set.of("div", "sqrt");

    private Rest() { }

    /** Whether the last vector of an innermost loop shall be one under a mask. */
    static boolean masked(Kernel.For loop) {
        return loop.extent() instanceof Size.Int n && n.value() > 1 && n.value() <= SHORT
                && plain(loop.body())
                && loop.body().stream().anyMatch(s -> s.values().stream().anyMatch(Rest::slow));
    }

    /** Whether there is nothing that keeps a loop from vectors. */
    private static boolean plain(List<Kernel.Stmt> body) {
        return body.stream().noneMatch(s -> s instanceof Kernel.For || s instanceof Kernel.Index
                || s instanceof Kernel.Require || s instanceof Kernel.If
                || s instanceof Kernel.Sort);
    }

    private static boolean slow(Kernel.Expr e) {
        boolean own = e instanceof Kernel.Apply a && a.args().getFirst().dtype().floating()
                && (SLOW.contains(a.op()) || Instructions.row(a.op()).math());
        return own || e.operands().stream().anyMatch(Rest::slow);
    }
}
