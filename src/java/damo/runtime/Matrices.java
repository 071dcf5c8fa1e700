package damo.runtime;

import damo.jit.NativeCode;
import damo.program.Program;
import damo.program.Size;
import damo.program.Sizes;
import damo.tensor.DType;
import damo.tensor.Panels;
import damo.verify.Binding;
import damo.verify.CallTable;
import damo.verify.Deferrals;
import damo.verify.Wholes;
import java.util.List;

/**
 * The matrices of a function that may lie in panels, and whether that helps it. A call has a word
 * for each of them in its table, in this order, which tells its products: 1 for panels, 0 for rows.
 */
final class Matrices {
    /** A matrix of fewer bytes is packed in no time where that helps. */
    private static final long LEAST_BYTES = 1 << 14;
    /** Panels may take so many parts of a hundred of what rows take. */
    private static final long MOST_PERCENT = 125;
    /** Products that use an element less often have forms for rows that are as fast or faster. */
    private static final long LEAST_USES = 32;
    /** A matrix of fewer bytes has functions of its own that are as fast. */
    private static final long LEAST_MEETING = 1 << 16;

    private final Program program;
    private final CallTable table;
    private final List<Wholes.Whole> all;
    private final int[] ofState;
    private final int[] deferrals;

    Matrices(Program program) {
        this.program = program;
        this.table = CallTable.of(program);
        this.all = table.matrices();
        this.ofState = program.state().stream().mapToInt(port -> table.matrix(port.buffer()))
                .toArray();
        this.deferrals = program.state().stream().mapToInt(port -> table.deferral(port.buffer()))
                .toArray();
    }

    /** What stands where in a call's table. */
    CallTable table() {
        return table;
    }

    /** How many there are. */
    int size() {
        return all.size();
    }

    /** The position of a state, given its number in the program; -1 when it must lie in rows. */
    int ofState(int state) {
        return ofState[state];
    }

    /** The number of the update of a state that may wait, given its number; -1 for none. */
    int deferral(int state) {
        return deferrals[state];
    }

    /** For each state of the program, whether it may lie in panels. */
    boolean[] states() {
        boolean[] either = new boolean[ofState.length];
        for (int i = 0; i < either.length; i++) {
            either[i] = ofState[i] >= 0;
        }
        return either;
    }

    /** Whether it is a constant. */
    boolean constant(int position) {
        return program.buffers().get(buffer(position)).kind() == Program.Kind.CONST;
    }

    /** Its buffer. */
    int buffer(int position) {
        return all.get(position).buffer();
    }

    /** Its panels for these dimensions. */
    Panels panels(int position, Binding binding) {
        Wholes.Whole m = all.get(position);
        DType t = program.buffers().get(m.buffer()).dtype();
        return new Panels(t, value(m.rows(), binding), value(m.columns(), binding),
                NativeCode.panelWidth(t));
    }

    /** For each of them, whether calls with these dimensions are faster with panels. */
    boolean[] wanted(Binding binding) {
        boolean[] wanted = new boolean[all.size()];
        for (int k = 0; k < wanted.length; k++) {
            long bytes = binding.bytes()[buffer(k)];
            wanted[k] = bytes >= LEAST_BYTES && all.get(k).others().stream()
                    .anyMatch(other -> value(other, binding) >= LEAST_USES)
                    && 100 * panels(k, binding).elements()
                    <= MOST_PERCENT * binding.elements()[buffer(k)];
        }
        return wanted;
    }

    /** For each update that may wait for the next call, whether that helps. */
    boolean[] meets(Binding binding) {
        boolean[] meets = new boolean[table.deferrals().size()];
        for (int k = 0; k < meets.length; k++) {
            Deferrals.Deferral d = table.deferrals().get(k);
            meets[k] = binding.bytes()[d.buffer()] >= LEAST_MEETING
                    && d.vectors().stream().allMatch(size -> value(size, binding) == 1);
        }
        return meets;
    }

    /** How many elements an update that waits takes. */
    long waiting(int deferral, Binding binding) {
        Deferrals.Deferral d = table.deferrals().get(deferral);
        return CallTable.FACTOR + value(d.rows(), binding) + value(d.columns(), binding);
    }

    /** The value of a size; 0 for one that is not known before a call. */
    private long value(Size size, Binding binding) {
        try {
            return Sizes.evaluate(size, name -> {
                int at = program.dims().indexOf(name);
                if (at < 0) {
                    throw new ArithmeticException(name);
                }
                return binding.dims()[at];
            });
        } catch (ArithmeticException e) {
            return 0;
        }
    }
}
