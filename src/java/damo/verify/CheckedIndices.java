package damo.verify;

import damo.program.Access;
import damo.program.Kernel;
import damo.program.Size;
import damo.program.Sizes;
import damo.program.Step;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Which buffers hold indices that an earlier step has checked. An {@code :index} of such an element
 * against the same extent is there for the bounds of memory; it does not fail. Steps are told in
 * order.
 */
final class CheckedIndices {
    private final Map<Integer, Size> extents = new HashMap<>();

    /** The same, to be told of other steps. */
    CheckedIndices copy() {
        CheckedIndices same = new CheckedIndices();
        same.extents.putAll(extents);
        return same;
    }

    /** What holds whichever of two ways was taken. */
    CheckedIndices and(CheckedIndices other) {
        CheckedIndices both = copy();
        both.extents.entrySet().retainAll(other.extents.entrySet());
        return both;
    }

    /** Whether an {@code :index} of the kernel may fail, given the steps that were told before. */
    boolean mayFail(Step.RunKernel step) {
        List<Kernel.Stmt> body = step.kernel().body();
        return mayFail(body, step, new HashMap<>());
    }

    private boolean mayFail(List<Kernel.Stmt> body, Step.RunKernel step,
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

    private boolean checked(Kernel.Index i, Step.RunKernel step,
                            Map<String, Kernel.Expr> named) {
        Kernel.Expr value = i.value() instanceof Kernel.Ref r ? named.get(r.name()) : i.value();
        List<Kernel.Param> params = step.kernel().params();
        return value instanceof Kernel.Load l && l.param() < params.size()
                && params.get(l.param()).access() == Kernel.Access.IN
                && i.extent().equals(extents.get(step.args().get(l.param()).buffer()));
    }

    /** Forgets what a step may make untrue: what it stores, and the dimensions that it binds. */
    void forget(Step step) {
        for (Access a : step.accesses()) {
            if (a.mode().writes()) {
                extents.remove(a.buffer());
            }
        }
        extents.values().removeIf(extent -> step.turn() != null
                && Sizes.mentions(extent, step.turn()) || step.counts().stream()
                .anyMatch(c -> Sizes.mentions(extent, c.dim())));
    }

    /** Takes in what a step stores. */
    void tell(Step step) {
        forget(step);
        if (step instanceof Step.RunKernel r) {
            stored(r);
        }
    }

    private void stored(Step.RunKernel step) {
        Map<Integer, Size> found = new HashMap<>();
        collect(step.kernel().body(), new HashMap<>(), found);
        found.forEach((param, extent) -> {
            if (extent != null && param < step.args().size() && step.args().get(param).whole()) {
                extents.put(step.args().get(param).buffer(), extent);
            }
        });
    }

    /** The extent of the indices that each parameter is given, null for one given anything else. */
    private static void collect(List<Kernel.Stmt> body, Map<String, Size> indices,
                                Map<Integer, Size> found) {
        for (Kernel.Stmt s : body) {
            switch (s) {
                case Kernel.Index i -> indices.put(i.name(), i.extent());
                case Kernel.For f -> collect(f.body(), indices, found);
                case Kernel.If f -> collect(f.body(), indices, found);
                case Kernel.Sort so -> collect(so.inner(), indices, found);
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
