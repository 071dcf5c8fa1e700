package damo.runtime;

import damo.program.Program;
import damo.tensor.Tensor;
import damo.verify.Binding;
import damo.verify.Bindings;
import damo.verify.Coverage;

/**
 * What is known of the calls of a function whose arguments and states have certain shapes: the
 * proof that they stay inside their memory, sizes and layout, what must be cleared. No memory of a
 * call, and nothing of a device; shared by threads.
 */
final class Bound {
    /** For each buffer, whether it may be seen before it is written; empty when nobody asks. */
    final boolean[] open;
    /** When it was last asked for, by the clock of {@link BoundShapes}. */
    long used;
    private final Binding binding;
    private final long[][] shapes;

    private Bound(long[][] shapes, Binding binding, boolean[] open) {
        this.shapes = shapes;
        this.binding = binding;
        this.open = open;
    }

    /** The shapes are those of the inputs, then of the states. Throws as {@link Bindings#bind}. */
    static Bound of(Program program, long[][] shapes, boolean vouched) {
        Binding binding = Bindings.bind(program, Bindings.dimsOf(program, shapes));
        return new Bound(shapes, binding,
                vouched ? new boolean[0] : Coverage.open(program, binding));
    }

    /** Sizes, layout and work. */
    Binding binding() {
        return binding;
    }

    /** Whether it holds for these arguments, and the values of these states at this moment. */
    boolean fits(Tensor[] inputs, State[] states) {
        for (int i = 0; i < inputs.length; i++) {
            if (!inputs[i].hasShape(shapes[i])) {
                return false;
            }
        }
        for (int i = 0; i < states.length; i++) {
            if (!states[i].current().hasShape(shapes[inputs.length + i])) {
                return false;
            }
        }
        return true;
    }
}
