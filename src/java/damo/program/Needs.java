package damo.program;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a program needs that it does not hold: ops whose kernels the application gives. */
public final class Needs {
    private final Map<String, Kernel.Native> natives = new LinkedHashMap<>();
    private final Where where;

    private Needs(Where where) {
        this.where = where;
    }

    /** The steps that host kernels run, in order. */
    public static List<Step.RunHost> hosts(Program p) {
        return p.all().stream().filter(Step.RunHost.class::isInstance)
                .map(Step.RunHost.class::cast).toList();
    }

    /**
     * A call of each native function that kernels call, by op. Throws "bad-program" when two calls
     * of one op have different dtypes.
     */
    public static Map<String, Kernel.Native> natives(Program p) {
        Needs found = new Needs(Where.of("a :native expression"));
        p.kernels().forEach(k -> found.statements(k.body()));
        return found.natives;
    }

    private void statements(List<Kernel.Stmt> body) {
        for (Kernel.Stmt statement : body) {
            statement.values().forEach(this::expr);
            statements(statement.inner());
        }
    }

    private void expr(Kernel.Expr expr) {
        if (expr instanceof Kernel.Native n) {
            Kernel.Native other = natives.putIfAbsent(n.op(), n);
            if (other != null && !signature(other).equals(signature(n))) {
                throw where.bad("the op " + n.op() + " is called as " + signature(other)
                        + " and as " + signature(n));
            }
        }
        expr.operands().forEach(this::expr);
    }

    /** The dtypes of a call as text: {@code "f64, f64 -> f64"}. */
    public static String signature(Kernel.Native n) {
        return String.join(", ", n.args().stream().map(a -> a.dtype().label()).toList()) + " -> "
                + n.dtype().label();
    }
}
