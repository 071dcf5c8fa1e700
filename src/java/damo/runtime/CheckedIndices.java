package damo.runtime;

import damo.program.Kernel;
import damo.program.Program;
import damo.program.Size;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Which buffers hold indices that an earlier step has checked. An {@code :index} of such an element
 * against the same extent is there for the bounds of memory; it does not fail. Steps are told in
 * order.
 */
final class CheckedIndices {
    private final Program program;
    private final Map<Integer, Size> extents = new HashMap<>();

    CheckedIndices(Program program) {
        this.program = program;
    }

    /** Whether an {@code :index} of the kernel may fail, given the steps that were told before. */
    boolean mayFail(Program.RunKernel step) {
        List<Kernel.Stmt> body = program.kernels().get(step.kernel()).body();
        return mayFail(body, step, new HashMap<>());
    }

    private boolean mayFail(List<Kernel.Stmt> body, Program.RunKernel step,
                            Map<String, Kernel.Expr> named) {
        for (Kernel.Stmt s : body) {
            boolean fails = switch (s) {
                case Kernel.Let l -> {
                    named.put(l.name(), l.value());
                    yield false;
                }
                case Kernel.Index i -> !checked(i, step, named);
                case Kernel.Require r -> true;
                case Kernel.For f -> mayFail(f.body(), step, named);
                case Kernel.If f -> mayFail(f.body(), step, named);
                default -> false;
            };
            if (fails) {
                return true;
            }
        }
        return false;
    }

    private boolean checked(Kernel.Index i, Program.RunKernel step,
                            Map<String, Kernel.Expr> named) {
        Kernel.Expr value = i.value() instanceof Kernel.Ref r ? named.get(r.name()) : i.value();
        List<Kernel.Param> params = program.kernels().get(step.kernel()).params();
        return value instanceof Kernel.Load l
                && params.get(l.param()).access() == Kernel.Access.IN
                && i.extent().equals(extents.get(step.args().get(l.param())));
    }

    /** Takes in what a step stores. */
    void tell(Program.Step step) {
        switch (step) {
            case Program.RunKernel r -> stored(r);
            case Program.Gemm g -> extents.remove(g.c().buffer());
            case Program.RunHost h -> extents.remove(h.out().buffer());
            case Program.Count c -> { }
        }
    }

    private void stored(Program.RunKernel step) {
        Kernel kernel = program.kernels().get(step.kernel());
        Map<String, Size> indices = new HashMap<>();
        Map<Integer, Size> found = new HashMap<>();
        collect(kernel.body(), indices, found);
        for (int p = 0; p < step.args().size(); p++) {
            if (kernel.params().get(p).access() != Kernel.Access.IN) {
                Size extent = found.get(p);
                if (extent == null) {
                    extents.remove(step.args().get(p));
                } else {
                    extents.put(step.args().get(p), extent);
                }
            }
        }
    }

    /** The extent of the indices that each parameter is given, null for one given anything else. */
    private static void collect(List<Kernel.Stmt> body, Map<String, Size> indices,
                                Map<Integer, Size> found) {
        for (Kernel.Stmt s : body) {
            switch (s) {
                case Kernel.Index i -> indices.put(i.name(), i.extent());
                case Kernel.For f -> collect(f.body(), indices, found);
                case Kernel.If f -> collect(f.body(), indices, found);
                case Kernel.Store st -> {
                    Size extent = st.value() instanceof Kernel.Ref r ? indices.get(r.name()) : null;
                    boolean first = !found.containsKey(st.param());
                    boolean same = first || extent != null && extent.equals(found.get(st.param()));
                    found.put(st.param(), same ? extent : null);
                }
                default -> { }
            }
        }
    }
}
