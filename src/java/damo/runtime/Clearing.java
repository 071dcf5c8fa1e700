package damo.runtime;

import damo.tensor.Tensor;
import damo.verify.Binding;
import damo.verify.Coverage;

/**
 * Clears, before a call of a program that nobody vouches for, the temporaries and outputs that it
 * may show before it has written them: their memory held values of others.
 */
final class Clearing {
    private final Plan plan;
    private Binding binding;
    private boolean[] open;

    Clearing(Plan plan) {
        this.plan = plan;
    }

    /** Looks at the program with other dimensions. */
    void bind(Binding fresh) {
        binding = fresh;
        open = plan.vouched ? new boolean[0] : Coverage.open(plan.program(), fresh);
    }

    /** Clears what must be cleared for a call with these temporaries and outputs. */
    void run(Tensor arena, Tensor[] outputs) {
        for (int b = 0; b < open.length; b++) {
            if (open[b] && binding.offsets()[b] >= 0) {
                arena.segment().asSlice(binding.offsets()[b], binding.bytes()[b]).fill((byte) 0);
            }
        }
        for (int i = 0; open.length > 0 && i < outputs.length; i++) {
            if (open[plan.outputBuffers[i]]) {
                outputs[i].segment().fill((byte) 0);
            }
        }
    }
}
