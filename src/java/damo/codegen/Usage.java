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
    private boolean fails;

    private Usage() { }

    /** The usage of a kernel. */
    static Usage of(Kernel kernel) {
        Usage usage = new Usage();
        usage.statements(kernel.body());
        usage.dims.removeAll(usage.bound);
        return usage;
    }

    /** Dimensions in alphabetic order: the kernel's i64 parameters. */
    Set<String> dims() {
        return dims;
    }

    /** Whether the kernel may stop with a failure. */
    boolean fails() {
        return fails;
    }

    /** The LLVM type of its result. */
    String resultType() {
        return fails ? "i32" : "void";
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
                    statements(s.body());
                }
                case Kernel.Let s -> expr(s.value());
                case Kernel.Var s -> expr(s.init());
                case Kernel.Set s -> expr(s.value());
                case Kernel.Acc s -> expr(s.value());
                case Kernel.Store s -> {
                    stored.add(s.param());
                    size(s.index());
                    expr(s.value());
                }
                case Kernel.Index s -> {
                    fails = true;
                    bound.add(s.name());
                    size(s.extent());
                    expr(s.value());
                }
                case Kernel.Require s -> {
                    fails = true;
                    expr(s.condition());
                    s.report().forEach(this::expr);
                }
                case Kernel.If s -> {
                    expr(s.condition());
                    statements(s.body());
                }
            }
        }
    }

    private void expr(Kernel.Expr expr) {
        switch (expr) {
            case Kernel.Ref r -> { }
            case Kernel.Const c -> { }
            case Kernel.Load l -> {
                loaded.add(l.param());
                size(l.index());
            }
            case Kernel.SizeOf s -> size(s.size());
            case Kernel.Cast c -> expr(c.value());
            case Kernel.Native n -> n.args().forEach(this::expr);
            case Kernel.Apply a -> a.args().forEach(this::expr);
        }
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
