package damo.codegen;

import damo.program.Kernel;
import damo.program.Size;
import java.util.List;
import java.util.Map;
import java.util.HashMap;

/**
 * Parameters that each round of a loop writes from the beginning on before it reads them: a row
 * that a softmax keeps, for instance. Rounds share nothing by them if each has memory of its own.
 */
final class RowScratch {
    private final int param;
    private final Map<String, Size> extents = new HashMap<>();
    /** How many elements the round writes first; null before. */
    private Size written;
    private boolean fits = true;

    private RowScratch(int param) {
        this.param = param;
    }

    /** How many elements a round of the loop writes; null when the parameter is no scratch. */
    static Size extent(Kernel.For loop, int param) {
        RowScratch scratch = new RowScratch(param);
        for (Kernel.Stmt s : loop.body()) {
            if (scratch.written == null && s instanceof Kernel.For f && scratch.fills(f)) {
                scratch.written = f.extent();
                scratch.extents.put(f.var(), f.extent());
            }
            if (scratch.written == null && s instanceof Kernel.Sort x && x.room() == param) {
                scratch.written = x.count();
            }
            scratch.look(List.of(s));
        }
        return scratch.fits ? scratch.written : null;
    }

    /** Whether a loop stores an element a round, the first one first, and reads none. */
    private boolean fills(Kernel.For f) {
        return f.body().stream().anyMatch(s -> s instanceof Kernel.Store x && x.param() == param
                && x.index().equals(new Size.Name(f.var()))) && !loads(f.body());
    }

    private boolean loads(List<Kernel.Stmt> body) {
        return body.stream().anyMatch(s -> s.values().stream().anyMatch(this::loads)
                || loads(s.inner()));
    }

    private boolean loads(Kernel.Expr e) {
        return e instanceof Kernel.Load l && l.param() == param
                || e.operands().stream().anyMatch(this::loads);
    }

    /** Sees that all elements that are touched are among those that were written first. */
    private void look(List<Kernel.Stmt> body) {
        for (Kernel.Stmt s : body) {
            if (s instanceof Kernel.For f) {
                extents.put(f.var(), f.extent());
            }
            if (s instanceof Kernel.Store x && x.param() == param) {
                inside(x.index());
            }
            s.values().forEach(this::look);
            look(s.inner());
        }
    }

    private void look(Kernel.Expr e) {
        if (e instanceof Kernel.Load l && l.param() == param) {
            inside(l.index());
        }
        e.operands().forEach(this::look);
    }

    private void inside(Size index) {
        fits &= written != null && index instanceof Size.Name n
                && written.equals(extents.get(n.name()));
    }
}
