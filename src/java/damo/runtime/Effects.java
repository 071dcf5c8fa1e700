package damo.runtime;

import damo.program.Kernel;
import damo.program.Program;
import damo.program.StateWrites;
import java.util.List;

/** What a program may do that a caller must be ready for: fail, and write state before it fails. */
final class Effects {
    private Effects() { }

    /**
     * Whether a call may fail after it has written state, so that the state must be saved before.
     * Programs that check their indices first and update last, as most do, need no copy.
     */
    static boolean failsAfterWrite(Program p) {
        boolean written = false;
        CheckedIndices checked = new CheckedIndices(p);
        for (Program.Step step : p.steps()) {
            written |= StateWrites.writes(p, step);
            if (written && fails(p, step)
                    && !(step instanceof Program.RunKernel r && !checked.mayFail(r))) {
                return true;
            }
            checked.tell(step);
        }
        return false;
    }

    /**
     * Whether a call writes state, so that it must be saved before many repetitions, between any
     * two of which the call may be interrupted.
     */
    static boolean writes(Program p) {
        return StateWrites.first(p) < p.steps().size();
    }

    /** For each note, whether a failed {@code :require} refers to it, and not an index. */
    static boolean[] requirements(Program p) {
        boolean[] required = new boolean[p.notes().size()];
        for (Kernel k : p.kernels()) {
            markRequirements(k.body(), required);
        }
        for (Program.Step step : p.steps()) {
            if (step instanceof Program.Count c) {
                required[c.note()] = true;
            }
        }
        return required;
    }

    private static void markRequirements(List<Kernel.Stmt> body, boolean[] required) {
        for (Kernel.Stmt s : body) {
            if (s instanceof Kernel.Require r && r.note() >= 0 && r.note() < required.length) {
                required[r.note()] = true;
            }
            markRequirements(s.inner(), required);
        }
    }

    private static boolean fails(Program p, Program.Step step) {
        return switch (step) {
            case Program.RunKernel r -> fails(kernel(p, r).body());
            case Program.Gemm g -> false;
            case Program.Count c -> true;
            case Program.RunHost h -> true;
        };
    }

    private static boolean fails(List<Kernel.Stmt> body) {
        for (Kernel.Stmt s : body) {
            if (s instanceof Kernel.Require || s instanceof Kernel.Index || fails(s.inner())) {
                return true;
            }
        }
        return false;
    }

    private static Kernel kernel(Program p, Program.RunKernel step) {
        return p.kernels().get(step.kernel());
    }
}
