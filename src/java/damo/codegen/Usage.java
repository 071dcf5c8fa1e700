package damo.codegen;

import damo.program.Kernel;
import damo.program.Size;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * What a kernel's body touches: the dimensions it mentions, how it uses its parameters, failure.
 */
final class Usage {
    private final Set<String> dims = new TreeSet<>();
    private final Set<String> bound = new HashSet<>();
    private final Set<Integer> loaded = new HashSet<>();
    private final Set<Integer> stored = new HashSet<>();
    private final boolean polls;
    private boolean fails;
    private boolean foreign;

    private Usage(boolean polls) {
        this.polls = polls;
    }

    /** The usage of a kernel, which looks in its loops whether it shall stop or does not. */
    static Usage of(Kernel kernel, boolean polls) {
        Usage usage = new Usage(polls);
        usage.statements(kernel.body());
        usage.dims.removeAll(usage.bound);
        return usage;
    }

    /** Dimensions in alphabetic order: the kernel's i64 parameters. */
    Set<String> dims() {
        return dims;
    }

    /** Whether the kernel may stop, with a failure or because it shall. */
    boolean stops() {
        return fails || polls;
    }

    /** Whether it calls functions of the application. */
    boolean foreign() {
        return foreign;
    }

    /** Whether it looks in its loops whether it shall stop. */
    boolean polls() {
        return polls;
    }

    /** The LLVM type of its result. */
    String resultType() {
        return stops() ? "i32" : "void";
    }

    /** The LLVM attribute that says how parameter i is used, with a space behind, or nothing. */
    String access(int i) {
        boolean reads = loaded.contains(i);
        boolean writes = stored.contains(i);
        return reads && writes ? "" : reads ? "readonly " : writes ? "writeonly " : "readnone ";
    }

    private void statements(List<Kernel.Stmt> body) {
        for (Kernel.Stmt statement : body) {
            switch (statement) {
                case Kernel.For s -> {
                    bound.add(s.var());
                    size(s.extent());
                }
                case Kernel.Store s -> {
                    stored.add(s.param());
                    size(s.index());
                }
                case Kernel.Index s -> {
                    fails = true;
                    bound.add(s.name());
                    size(s.extent());
                }
                case Kernel.Require s -> fails = true;
                default -> { }
            }
            statement.values().forEach(this::expr);
            statements(statement.inner());
        }
    }

    private void expr(Kernel.Expr expr) {
        foreign |= expr instanceof Kernel.Native;
        if (expr instanceof Kernel.Load l) {
            loaded.add(l.param());
            size(l.index());
        } else if (expr instanceof Kernel.SizeOf s) {
            size(s.size());
        }
        expr.operands().forEach(this::expr);
    }

    private void size(Size size) {
        switch (size) {
            case Size.Int i -> { }
            case Size.Name n -> dims.add(n.name());
            case Size.Call c -> {
                size(c.x());
                size(c.y());
            }
        }
    }
}
