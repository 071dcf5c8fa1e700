package damo.verify;

import damo.program.Kernel;
import damo.program.Kernel.Apply;
import damo.program.Kernel.Require;
import damo.program.Kernel.SizeOf;
import damo.program.Size;
import damo.program.Step;

/**
 * Which steps stop a call for certain, by what they require of its dimensions: the steps behind
 * them in their list do not run.
 */
final class Stops {
    private final Ranges ranges;

    Stops(Ranges ranges) {
        this.ranges = ranges;
    }

    /** Whether the step stops the call whenever it runs. */
    boolean surely(Step step) {
        return step instanceof Step.RunKernel s
                && s.kernel().body().stream().anyMatch(this::fails);
    }

    private boolean fails(Kernel.Stmt statement) {
        return statement instanceof Require r && r.condition() instanceof Apply a
                && a.op().equals("le") && a.args().get(0) instanceof SizeOf small
                && a.args().get(1) instanceof SizeOf large && less(large.size(), small.size());
    }

    private boolean less(Size x, Size y) {
        try {
            return ranges.max(ranges.of(x)) < ranges.min(ranges.of(y));
        } catch (ArithmeticException e) {
            return false;
        }
    }
}
