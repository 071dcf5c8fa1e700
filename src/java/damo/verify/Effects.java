package damo.verify;

import damo.program.Branch;
import damo.program.Loop;
import damo.program.Program;
import damo.program.Sizes;
import damo.program.Step;
import java.util.List;

/** What a program may do that a caller must be ready for: fail, and write state before it fails. */
public final class Effects {
    private final Program program;
    private CheckedIndices checked = new CheckedIndices();
    private boolean written;

    private Effects(Program program) {
        this.program = program;
    }

    /**
     * Whether a call may fail after it has written state, or must be stopped there for it may make
     * rounds for ever, so that the state must be saved before. Programs that check their indices
     * first and update last, as most do, need no copy.
     */
    public static boolean failsAfterWrite(Program p) {
        return new Effects(p).fails(p.steps());
    }

    private boolean fails(List<Step> steps) {
        return steps.stream().anyMatch(this::fails);
    }

    private boolean fails(Step step) {
        written |= StateWrites.writes(program, step);
        if (written && step.fails()
                && !(step instanceof Step.RunKernel r && !checked.mayFail(r))) {
            return true;
        }
        checked.tell(step);
        return switch (step) {
            case Loop loop -> again(loop);
            case Branch branch -> any(branch);
            default -> fails(step.inner());
        };
    }

    /** What comes first in a body comes after the rest of it as well. */
    private boolean again(Loop loop) {
        List<Step> body = Step.preorder(loop.steps());
        written |= body.stream().anyMatch(step -> StateWrites.writes(program, step));
        body.forEach(checked::forget);
        checked.forget(loop);
        if (written && endless(loop)) {
            return true;
        }
        CheckedIndices before = checked.copy();
        if (fails(loop.steps())) {
            return true;
        }
        checked = loop.sure() ? checked : checked.and(before);
        return false;
    }

    /** Whether nothing bounds its rounds but the data. */
    private boolean endless(Loop loop) {
        return loop.extent() == null || program.counts().stream()
                .anyMatch(c -> c.max() == null && Sizes.mentions(loop.extent(), c.dim()));
    }

    private boolean any(Branch branch) {
        CheckedIndices before = checked;
        boolean writtenBefore = written;
        boolean writtenAfter = false;
        CheckedIndices after = null;
        for (List<Step> steps : branch.cases()) {
            checked = before.copy();
            written = writtenBefore;
            if (fails(steps)) {
                return true;
            }
            after = after == null ? checked : after.and(checked);
            writtenAfter |= written;
        }
        checked = after;
        written = writtenAfter;
        return false;
    }

    /** The number of the first step before which a call may no longer be stopped. */
    public static int stoppable(Program p) {
        return failsAfterWrite(p) ? p.all().size() : StateWrites.first(p);
    }

    /**
     * Whether a call writes state, so that it must be saved before many repetitions, between any
     * two of which the call may be interrupted.
     */
    public static boolean writes(Program p) {
        return StateWrites.first(p) < p.all().size();
    }
}
