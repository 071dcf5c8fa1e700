package damo.verify;

import damo.program.Program;
import damo.program.Step;

/** What a program may do that a caller must be ready for: fail, and write state before it fails. */
public final class Effects {
    private Effects() { }

    /**
     * Whether a call may fail after it has written state, so that the state must be saved before.
     * Programs that check their indices first and update last, as most do, need no copy.
     */
    public static boolean failsAfterWrite(Program p) {
        boolean written = false;
        CheckedIndices checked = new CheckedIndices();
        for (Step step : p.all()) {
            written |= StateWrites.writes(p, step);
            if (written && step.fails()
                    && !(step instanceof Step.RunKernel r && !checked.mayFail(r))) {
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
    public static boolean writes(Program p) {
        return StateWrites.first(p) < p.all().size();
    }
}
