package damo.program;

import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Which names the sizes and indices of a kernel mention, its own variables too. */
final class Mentions {
    private final Set<String> names = new HashSet<>();

    private Mentions() { }

    /** The names in the sizes and indices of a kernel. */
    static Set<String> of(Kernel kernel) {
        Mentions m = new Mentions();
        m.body(kernel.body());
        return m.names;
    }

    private void body(List<Kernel.Stmt> body) {
        for (Kernel.Stmt stmt : body) {
            switch (stmt) {
                case Kernel.For s -> size(s.extent());
                case Kernel.Index s -> size(s.extent());
                case Kernel.Store s -> size(s.index());
                default -> { }
            }
            stmt.values().forEach(this::expr);
            body(stmt.inner());
        }
    }

    private void expr(Kernel.Expr expr) {
        if (expr instanceof Kernel.Load e) {
            size(e.index());
        } else if (expr instanceof Kernel.SizeOf e) {
            size(e.size());
        }
        expr.operands().forEach(this::expr);
    }

    private void size(Size size) {
        Sizes.names(size, names);
    }
}
