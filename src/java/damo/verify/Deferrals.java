package damo.verify;

import damo.program.Program;
import damo.program.Size;
import damo.program.Step;
import damo.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/**
 * Updates of states that can wait for the next of several calls: a call begins its work on a matrix
 * W[R N] with a product of a vector, and ends it with W += alpha a b. Of two calls one after the
 * other, the update of the first and the product of the second can be one pass over W.
 */
public final class Deferrals {
    private static final Size ZERO = new Size.Int(0);
    private static final Size ONE = new Size.Int(1);

    private Deferrals() { }

    /**
     * Such an update.
     *
     * @param product the number of the step that is the product
     * @param update  the number of the step that is the update
     * @param buffer  the buffer of W
     * @param vectors the extents that must be 1 at a call: the product's, and the update's
     * @param rows    R
     * @param columns N
     * @param first   whether W is operand :a of the product
     * @param sums    whether the product sums over the rows of W, else over its columns
     * @param turns   whether all vectors lie so that W may be transposed
     */
    public record Deferral(int product, int update, int buffer, List<Size> vectors, Size rows,
                           Size columns, boolean first, boolean sums, boolean turns) {
        /** Whether a step of this one is another one of that: a pass is over one matrix. */
        boolean meets(Deferral other) {
            return other.product == product || other.product == update
                    || other.update == product;
        }
    }

    /** All of them, in the order of the states. */
    public static List<Deferral> of(Program p) {
        List<Deferral> found = new ArrayList<>();
        for (Program.Port port : p.state()) {
            if (kept(port)) {
                find(p, port, found);
            }
        }
        return List.copyOf(found);
    }

    /**
     * Products that such an update follows at once: both can be one pass over W within a call. The
     * update is as good as done with the product, whose result it does not use.
     */
    public static List<Deferral> joins(Program p) {
        List<Deferral> found = new ArrayList<>();
        List<Step> steps = p.steps();
        int number = 0;
        for (int i = 0; i + 1 < steps.size(); i++) {
            if (steps.get(i) instanceof Step.Gemm product
                    && steps.get(i + 1) instanceof Step.Gemm update && apart(product, update)) {
                int at = number;
                p.state().stream().filter(Deferrals::kept).map(w -> of(p, at, at + 1, w))
                        .filter(d -> d != null && found.stream().noneMatch(d::meets))
                        .forEach(found::add);
            }
            number += Step.preorder(List.of(steps.get(i))).size();
        }
        return List.copyOf(found);
    }

    /** Whether nothing that the second reads is what the first writes, but for its own C. */
    private static boolean apart(Step.Gemm product, Step.Gemm update) {
        int c = product.c().buffer();
        return c != update.a().buffer() && c != update.b().buffer() && c != update.c().buffer()
                && c != update.alpha().buffer();
    }

    private static boolean kept(Program.Port port) {
        return port.written() && port.shape().size() == 2
                && (port.dtype() == DType.F32 || port.dtype() == DType.F64);
    }

    /** What those steps are for that state; null where they are nothing of the kind. */
    private static Deferral of(Program p, int first, int last, Program.Port port) {
        List<Step> all = p.all();
        if (all.get(first) instanceof Step.Gemm product
                && all.get(last) instanceof Step.Gemm update && updates(update, port)
                && product.plain() && update.plain() && product.dtype().floating()) {
            Deferral d = of(first, product, last, update, port);
            return d == null || d.vectors.stream().anyMatch(Deferrals::never) ? null : d;
        }
        return null;
    }

    private static void find(Program p, Program.Port port, List<Deferral> found) {
        int number = 0;
        int first = -1;
        int last = -1;
        for (Step step : p.steps()) {
            List<Step> those = Step.preorder(List.of(step));
            if (those.stream().anyMatch(s -> touches(s, port.buffer()))) {
                first = first < 0 ? number : first;
                last = number;
            }
            number += those.size();
        }
        Deferral d = first >= 0 && last > first ? of(p, first, last, port) : null;
        if (d != null && found.stream().noneMatch(d::meets)) {
            found.add(d);
        }
    }

    private static boolean touches(Step step, int buffer) {
        return step.accesses().stream().anyMatch(a -> a.buffer() == buffer)
                || step.closing().stream().anyMatch(a -> a.buffer() == buffer);
    }

    /** Whether it is W += alpha a b, for a column a and a row b. */
    private static boolean updates(Step.Gemm g, Program.Port w) {
        return g.c().buffer() == w.buffer() && g.batch().isEmpty() && g.beta().buffer() < 0
                && g.beta().value() == 1 && whole(g.c(), g.m(), g.n(), w)
                && g.b().colStride().equals(ONE) && uses(g, w.buffer()) == 1;
    }

    private static Deferral of(int product, Step.Gemm g, int update, Step.Gemm u,
                               Program.Port w) {
        if (!g.batch().isEmpty() || uses(g, w.buffer()) != 1 || g.c().buffer() == w.buffer()) {
            return null;
        }
        boolean first = g.a().buffer() == w.buffer();
        Step.Operand o = first ? g.a() : g.b();
        Size one = first ? g.n() : g.m();
        Size free = first ? g.m() : g.n();
        boolean straight = first ? whole(o, free, g.k(), w) : whole(o, g.k(), free, w);
        boolean turned = first ? whole(turned(o), g.k(), free, w) : whole(turned(o), free, g.k(),
                w);
        boolean sums = first != straight;
        boolean x = (first ? g.b().rowStride() : g.a().colStride()).equals(ONE);
        boolean y = !first || g.c().rowStride().equals(ONE) || g.c().rowStride().equals(g.n());
        return !straight && !turned || !(sums ? y : x) ? null : new Deferral(product, update,
                w.buffer(), List.of(one, u.k()), w.shape().get(0), w.shape().get(1), first, sums,
                x && y && u.a().rowStride().equals(ONE));
    }

    private static Step.Operand turned(Step.Operand o) {
        return new Step.Operand(o.dtype(), o.buffer(), o.offset(), o.colStride(), o.rowStride());
    }

    private static boolean whole(Step.Operand o, Size rows, Size columns, Program.Port w) {
        return o.offset().equals(ZERO) && List.of(rows, columns).equals(w.shape())
                && o.rowStride().equals(columns) && o.colStride().equals(ONE);
    }

    private static long uses(Step.Gemm g, int buffer) {
        return g.accesses().stream().filter(a -> a.buffer() == buffer).count();
    }

    private static boolean never(Size vector) {
        return vector instanceof Size.Int i && i.value() != 1;
    }
}
