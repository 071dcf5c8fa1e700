package damo.runtime;

import damo.program.Program;
import damo.tensor.KnownShapes;
import damo.tensor.Panels;
import damo.tensor.Tensor;
import damo.verify.Binding;
import damo.verify.Bindings;
import java.util.Arrays;

/**
 * What is known of the calls of a function whose arguments and states have certain shapes, and
 * whose inputs that are dimensions have certain values: the
 * proof that they stay inside their memory, sizes and layout, what must be cleared. No memory of a
 * call, and nothing of a device; shared by threads.
 */
final class Bound {
    /** For each matrix that may lie in panels, how it lies best; null for rows. */
    final Panels[] panels;
    /** For each update that may wait for the next call, whether that helps these calls. */
    final boolean[] meets;
    /** For each update that may be done with the product before, whether that helps. */
    final boolean[] joins;
    /** When it was last asked for, by the clock of {@link BoundShapes}. */
    long used;
    private final Binding binding;
    private final long[][] shapes;
    /** The inputs whose values are dimensions, and the values. */
    private final int[] valued;
    private final long[] values;

    private Bound(long[][] shapes, int[] valued, long[] values, Binding binding,
                  Matrices matrices) {
        this.shapes = shapes;
        this.valued = valued;
        this.values = values;
        this.binding = binding;
        this.panels = matrices.wanted(binding);
        this.meets = matrices.meets(binding);
        this.joins = matrices.joins(binding);
    }

    /**
     * For these arguments and the values of these states at this moment. Throws as {@link
     * Bindings#bind} and {@link Bindings#dimsOf}.
     */
    static Bound of(Program program, Tensor[] inputs, State[] states, Matrices matrices,
                    boolean vouched) {
        long[][] shapes = new long[inputs.length + states.length][];
        for (int i = 0; i < inputs.length; i++) {
            shapes[i] = KnownShapes.of(inputs[i].shape());
        }
        for (int i = 0; i < states.length; i++) {
            shapes[inputs.length + i] = KnownShapes.of(states[i].currentShape());
        }
        int[] valued = program.valued().stream().mapToInt(Program.Valued::input).toArray();
        long[] values = Arrays.stream(valued).mapToLong(i -> inputs[i].rank() == 0
                ? inputs[i].longValue() : 0).toArray();
        return new Bound(shapes, valued, values, Bindings.bind(program,
                Bindings.dimsOf(program, shapes, values), vouched), matrices);
    }

    /** Sizes, layout and work. */
    Binding binding() {
        return binding;
    }

    /** Whether it is for arguments of these shapes, which all are tensors. */
    boolean shaped(Object[] args) {
        boolean all = true;
        for (int i = 0; i < args.length; i++) {
            all &= args[i] instanceof Tensor t && t.hasShape(shapes[i]);
        }
        return all;
    }

    /**
     * Whether it holds for these arguments, of such shapes, and the values of these states at this
     * moment.
     */
    boolean fits(Tensor[] inputs, State[] states) {
        for (int i = 0; i < states.length; i++) {
            if (!states[i].hasShape(shapes[inputs.length + i])) {
                return false;
            }
        }
        for (int v = 0; v < valued.length; v++) {
            if (inputs[valued[v]].longValue() != values[v]) {
                return false;
            }
        }
        return true;
    }
}
