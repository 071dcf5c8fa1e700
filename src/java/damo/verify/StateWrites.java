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

    /** The number of the first step that writes state, or of all steps when none does. */
    public static int first(Program p) {
        List<Step> steps = p.all();
        int number = 0;
        while (number < steps.size() && !writes(p, steps.get(number))) {
            number++;
        }
        return number;
    }
}
