package damo.runtime;

import damo.jit.NativeCode;
import damo.tensor.DType;
import damo.tensor.Panels;
import damo.tensor.Tensor;
import damo.verify.CallTable;
import damo.verify.Deferrals;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The words of a call's table that tell of its matrices: how they lie, and which updates may wait
 * for the next of several calls; and the memory of updates that wait.
 */
final class MatrixWords implements AutoCloseable {
    private final Plan plan;
    private final Matrices matrices;
    private final CallTable table;
    private final MemorySegment words;
    private final int dimsAt;
    /** Of updates that wait, one for each that may for the shapes of the moment; else null. */
    private final Tensor[] spare;

    /** For the table {@code words}, which begins with the addresses of buffers. */
    MatrixWords(Plan plan, MemorySegment words) {
        this.plan = plan;
        this.matrices = plan.matrices;
        this.table = matrices.table();
        this.words = words;
        this.dimsAt = plan.program().buffers().size();
        this.spare = new Tensor[table.deferrals().size()];
    }

    private void set(int position, long value) {
        words.setAtIndex(ValueLayout.JAVA_LONG, dimsAt + position, value);
    }

    /** Puts constants where they lie for calls with those shapes, and makes room for updates. */
    void take(Bound next) {
        for (int k = 0; k < matrices.size(); k++) {
            if (matrices.constant(k)) {
                constant(k, next);
            }
        }
        for (int k = 0; k < spare.length; k++) {
            long bytes = next.meets[k] ? 8 * matrices.waiting(k, next.binding()) : 0;
            if (spare[k] == null || spare[k].elements() != bytes) {
                free(k);
                spare[k] = Tensor.uninitialized(DType.U8, bytes);
                set(table.spare(k), spare[k].address());
            }
        }
    }

    private void constant(int k, Bound next) {
        int buffer = matrices.buffer(k);
        Panels panels = next.panels[k];
        Tensor t = panels != null ? plan.packed(k, panels) : plan.constant(buffer);
        words.setAtIndex(ValueLayout.JAVA_LONG, buffer, t.address());
        layout(k, panels, next);
    }

    private void layout(int k, Panels panels, Bound bound) {
        set(table.layout(k), panels == null ? CallTable.ROWS : switch (panels.kind()) {
            case ROWS -> CallTable.ROWS;
            case PANELS -> CallTable.PANELS;
            case COLUMNS -> CallTable.COLUMNS;
        });
        set(table.lead(k), panels == null ? matrices.columns(k, bound.binding()) : panels.lead());
    }

    /** Tells {@code n} calls of state number {@code i}, whose lock the caller holds. */
    void state(int i, State state, long n, Bound bound) {
        int matrix = matrices.ofState(i);
        if (matrix < 0) {
            if (!matrices.either(i)) {
                state.askedRows();
            }
        } else {
            state.asked(n, bound.panels[matrix]);
            layout(matrix, state.panels(), bound);
        }
        for (int join : matrices.joins(i)) {
            set(table.joined(join), bound.joins[join]
                    && fits(state, table.joins().get(join)) ? 1 : 0);
        }
        int deferral = matrices.deferral(i);
        if (deferral >= 0) {
            set(table.meets(deferral), bound.meets[deferral]
                    && fits(state, table.deferrals().get(deferral)) ? 1 : 0);
        }
    }

    /**
     * Whether one pass over a matrix that lies like this can do both. Rows that are shorter than
     * vectors would be read while the ones before are on their way to memory.
     */
    private static boolean fits(State state, Deferrals.Deferral d) {
        Panels panels = state.panels();
        boolean rows = panels == null || panels.kind() == Panels.Kind.ROWS;
        return rows ? state.columns() >= NativeCode.panelWidth(state.dtype())
                : panels.kind() == Panels.Kind.COLUMNS && d.turns();
    }

    /** Nothing waits any more, after a call that failed. */
    void settle() {
        for (int k = 0; k < spare.length; k++) {
            set(table.waits(k), 0);
            set(table.more(), 0);
        }
    }

    private void free(int k) {
        if (spare[k] != null) {
            spare[k].close();
            spare[k] = null;
        }
    }

    /** Frees the memory; no call may be in progress. */
    @Override
    public void close() {
        for (int k = 0; k < spare.length; k++) {
            free(k);
        }
    }
}
