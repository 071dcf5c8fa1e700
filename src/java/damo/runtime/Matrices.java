package damo.runtime;

import damo.jit.NativeCode;
import damo.program.Access;
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
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The matrices of a function that may lie in panels, and whether that helps it. A call has a word
 * for each of them in its table, in this order, which tells its products: 1 for panels, 0 for rows.
 */
final class Matrices {
    /** A matrix of fewer bytes is packed in no time where that helps. */
    private static final long LEAST_BYTES = 1 << 14;
    /** One of fewer bytes lies near enough, wherever its rows begin. */
    private static final long LEAST_IN_LINES = 1 << 16;
    /** Panels may take so many parts of a hundred of what rows take. */
    private static final long MOST_PERCENT = 125;
    /** Products that use an element less often have forms for rows that are as fast or faster. */
    private static final long LEAST_USES = 32;
    /** A matrix of fewer bytes has functions of its own that are as fast. */
    private static final long LEAST_MEETING = 1 << 12;

    private final Program program;
    private final CallTable table;
    private final List<Wholes.Whole> all;
    private final int[] ofState;
    private final boolean[] either;
    private final int[] deferrals;
    private final int[][] joins;

    Matrices(Program program) {
        this.program = program;
        this.table = CallTable.of(program);
        this.all = table.matrices();
        this.ofState = program.state().stream().mapToInt(port -> table.matrix(port.buffer()))
                .toArray();
        Set<Integer> used = program.all().stream().flatMap(step -> Stream.of(step.accesses(),
                step.closing())).flatMap(List::stream).map(Access::buffer)
                .collect(Collectors.toSet());
        this.either = new boolean[ofState.length];
        for (int i = 0; i < either.length; i++) {
            either[i] = ofState[i] >= 0 || !used.contains(program.state().get(i).buffer());
        }
        this.deferrals = program.state().stream().mapToInt(port -> table.deferral(port.buffer()))
                .toArray();
        this.joins = program.state().stream().map(port -> IntStream.range(0, table.joins().size())
                .filter(k -> table.joins().get(k).buffer() == port.buffer()).toArray())
                .toArray(int[][]::new);
    }

    /** The numbers of the updates of a state that may be done with the product before. */
    int[] joins(int state) {
        return joins[state];
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

    /** For each state of the program, whether it may lie in any layout. */
    boolean[] states() {
        return either.clone();
    }

    /** Whether a state may lie in any layout: products use it whole, or nobody uses it. */
    boolean either(int state) {
        return either[state];
    }

    /** Whether it is a constant. */
    boolean constant(int position) {
        return program.buffers().get(buffer(position)).kind() == Program.Kind.CONST;
    }

    /** Its buffer. */
    int buffer(int position) {
        return all.get(position).buffer();
    }

    /** How many columns one has; as {@link Panels#lead} where it lies in rows. */
    long columns(int position, Binding binding) {
        return value(all.get(position).columns(), binding);
    }

    /** For each of them, how it lies best for calls with these dimensions; null for rows. */
    Panels[] wanted(Binding binding) {
        Panels[] wanted = new Panels[all.size()];
        for (int k = 0; k < wanted.length; k++) {
            wanted[k] = wanted(k, binding);
        }
        return wanted;
    }

    private Panels wanted(int k, Binding binding) {
        DType t = program.buffers().get(buffer(k)).dtype();
        long rows = value(all.get(k).rows(), binding);
        long columns = columns(k, binding);
        Panels few = Panels.inColumns(t, rows, columns, NativeCode.panelWidth(t));
        if (few != null) {
            return few;
        }
        long bytes = binding.bytes()[buffer(k)];
        boolean often = bytes >= LEAST_BYTES && all.get(k).others().stream()
                .anyMatch(other -> value(other, binding) >= LEAST_USES);
        Panels panels = new Panels(t, rows, columns, NativeCode.panelWidth(t));
        if (often && 100 * panels.elements() <= MOST_PERCENT * binding.elements()[buffer(k)]) {
            return panels;
        }
        return bytes >= LEAST_IN_LINES ? Panels.inLines(t, rows, columns) : null;
    }

    /** For each update that may wait for the next call, whether that helps. */
    boolean[] meets(Binding binding) {
        return meet(table.deferrals(), binding);
    }

    /** For each update that may be done with the product before, whether that helps. */
    boolean[] joins(Binding binding) {
        return meet(table.joins(), binding);
    }

    private boolean[] meet(List<Deferrals.Deferral> all, Binding binding) {
        boolean[] meets = new boolean[all.size()];
        for (int k = 0; k < meets.length; k++) {
            Deferrals.Deferral d = all.get(k);
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
