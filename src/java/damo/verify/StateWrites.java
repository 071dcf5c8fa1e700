package damo.verify;

import damo.program.Program;
import damo.program.Step;
import java.util.List;

/** Which steps of a program write its state. */
public final class StateWrites {
    private StateWrites() { }

    /** Whether that step writes state, apart from the steps that it holds. */
    public static boolean writes(Program p, Step step) {
        return step.accesses().stream().anyMatch(a -> a.mode().writes()
                && p.buffers().get(a.buffer()).kind() == Program.Kind.STATE);
    }

    /**
     * The number of the first step that writes state, or that is a loop of which a step does: what
     * comes before in its body comes behind as well. The number of steps where none does.
     */
    public static int first(Program p) {
        return first(p, p.steps(), 0);
    }

    private static int first(Program p, List<Step> steps, int number) {
        int next = number;
        for (Step step : steps) {
            int end = next + 1 + Step.preorder(step.inner()).size();
            if (writes(p, step)) {
                return next;
            }
            int found = first(p, step.inner(), next + 1);
            if (found < end) {
                return step.turn() == null ? found : next;
            }
            next = end;
        }
        return next;
    }
}
