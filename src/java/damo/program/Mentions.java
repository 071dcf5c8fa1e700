package damo.program;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Which dimensions the sizes and indices of a kernel mention. */
final class Mentions {
    private final Set<String> names = new HashSet<>();
    private final Set<String> own = new HashSet<>();

    private Mentions() { }

    /** The names in the sizes and indices of a kernel where they are none of its own variables. */
    static Set<String> of(Kernel kernel) {
        Mentions m = new Mentions();
        m.body(kernel.body());
        return m.names;
    }

    private void body(List<Kernel.Stmt> body) {
        List<String> mine = new ArrayList<>();
        for (Kernel.Stmt stmt : body) {
            stmt.values().forEach(this::expr);
            switch (stmt) {
                case Kernel.For s -> {
                    size(s.extent());
                    own.add(s.var());
                    body(s.body());
                    own.remove(s.var());
                }
                case Kernel.Index s -> {
                    size(s.extent());
                    own.add(s.name());
                    mine.add(s.name());
                }
                case Kernel.Store s -> size(s.index());
                default -> body(stmt.inner());
            }
        }
        own.removeAll(mine);
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
        Set<String> mentioned = new HashSet<>();
        Sizes.names(size, mentioned);
        mentioned.removeAll(own);
        names.addAll(mentioned);
    }
}
