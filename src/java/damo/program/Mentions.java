package damo.program;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Which names the sizes and indices of a kernel or a product mention, its own variables too. */
final class Mentions {
    private final Set<String> names = new HashSet<>();

    private Mentions() { }

    /** The names in a size. */
    static Set<String> of(Size size) {
        Mentions m = new Mentions();
        SizeValues.collect(size, m.names);
        return m.names;
    }

    /** The names in the sizes and indices of a kernel. */
    static Set<String> of(Kernel kernel) {
        Mentions m = new Mentions();
        m.body(kernel.body());
        return m.names;
    }

    /** The names in the sizes of a product. */
    static Set<String> of(Program.Gemm gemm) {
        Mentions m = new Mentions();
        gemm.sizes().forEach(m::size);
        return m.names;
    }

    /** The names in the shapes and the attributes of a host step. */
    static Set<String> of(Program.RunHost step) {
        Mentions m = new Mentions();
        step.all().forEach(arg -> arg.shape().forEach(m::size));
        m.values(step.attrs());
        return m.names;
    }

    private void values(Object form) {
        switch (form) {
            case Edn.Symbol s -> names.add(s.name());
            case Map<?, ?> map -> map.values().forEach(this::values);
            case List<?> list -> list.forEach(this::values);
            case null, default -> { }
        }
    }

    private void body(List<Kernel.Stmt> body) {
        for (Kernel.Stmt stmt : body) {
            switch (stmt) {
                case Kernel.For s -> {
                    size(s.extent());
                    body(s.body());
                }
                case Kernel.Index s -> {
                    size(s.extent());
                    expr(s.value());
                }
                case Kernel.Store s -> {
                    size(s.index());
                    expr(s.value());
                }
                case Kernel.If s -> {
                    expr(s.condition());
                    body(s.body());
                }
                case Kernel.Let s -> expr(s.value());
                case Kernel.Var s -> expr(s.init());
                case Kernel.Set s -> expr(s.value());
                case Kernel.Acc s -> expr(s.value());
                case Kernel.Require s -> {
                    expr(s.condition());
                    s.report().forEach(this::expr);
                }
            }
        }
    }

    private void expr(Kernel.Expr expr) {
        switch (expr) {
            case Kernel.Load e -> size(e.index());
            case Kernel.SizeOf e -> size(e.size());
            case Kernel.Cast e -> expr(e.value());
            case Kernel.Native e -> e.args().forEach(this::expr);
            case Kernel.Apply e -> e.args().forEach(this::expr);
            case Kernel.Ref e -> { }
            case Kernel.Const e -> { }
        }
    }

    private void size(Size size) {
        SizeValues.collect(size, names);
    }
}
