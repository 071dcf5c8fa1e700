package damo.runtime;

import damo.DamoException;
import damo.jit.NativeCode;
import damo.tensor.DType;
import damo.tensor.Panels;
import damo.tensor.Tensor;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.StampedLock;

/**
 * A named cell that holds a tensor between calls and may be shared by many functions. Values are
 * copied in and out: nobody outside holds the memory that functions write in place.
 *
 * <p>The dtype and the rank never change; an axis keeps its length unless it was declared free.
 * Example: {@code State w = State.of("w", Tensor.zeros(DType.F32, 784, 10));}
 */
public final class State implements AutoCloseable {
    private static final AtomicLong IDS = new AtomicLong();

    /** The place in the global order in which locks are taken. */
    final long id = IDS.getAndIncrement();
    final StampedLock lock = new StampedLock();

    private final String name;
    private final DType dtype;
    private final long[] declared;
    private final boolean[] free;
    private final Layout layout = new Layout();
    /** The value in rows, or its panels, as the layout says. */
    private Tensor value;
    /** How it lies unless some call needs rows; null for rows. */
    private Panels columns;
    private long across;

    private State(String name, Tensor value, boolean[] free) {
        this.name = name;
        this.dtype = value.dtype();
        this.declared = value.shape();
        this.free = free;
        relaid(value, null);
    }

    /**
     * A state with a copy of that value. {@code free} tells for each axis whether its length may
     * change; without it none may.
     *
     * @throws DamoException "shape-mismatch" when {@code free} has another number of axes
     */
    public static State of(String name, Tensor initial, boolean... free) {
        if (free.length != 0 && free.length != initial.rank()) {
            throw new DamoException("shape-mismatch", "state " + name + " has " + initial.rank()
                    + " axes, got " + free.length + " flags for free axes");
        }
        return owning(name, initial.copy(), free.length == 0 ? new boolean[initial.rank()] : free);
    }

    /**
     * A state that takes that tensor over, which nobody else may use any more; one flag for each
     * axis.
     */
    public static State owning(String name, Tensor value, boolean[] free) {
        return new State(name, value, free.clone());
    }

    /** The name. */
    public String name() {
        return name;
    }

    /** The dtype, for good. */
    public DType dtype() {
        return dtype;
    }

    /** The number of axes, for good. */
    public int rank() {
        return declared.length;
    }

    /** For each axis, whether its length may change. */
    public boolean[] free() {
        return free.clone();
    }

    /** The shape at this moment. */
    public long[] shape() {
        long stamp = read();
        try {
            return currentShape();
        } finally {
            lock.unlockRead(stamp);
        }
    }

    /**
     * How the memory lies at this moment, for those who wonder: "rows", "panels", "lines" for rows
     * that begin at lines of memory, "columns".
     */
    public String layout() {
        long stamp = read();
        try {
            return !inPanels() ? "rows" : switch (layout.panels().kind()) {
                case PANELS -> "panels";
                case ROWS -> "lines";
                case COLUMNS -> "columns";
            };
        } finally {
            lock.unlockRead(stamp);
        }
    }

    /** A copy of the value; waits for calls that write it. Throws "closed". */
    public Tensor value() {
        long stamp = read();
        try {
            return copy();
        } finally {
            lock.unlockRead(stamp);
        }
    }

    /**
     * Replaces the value by a copy of that tensor or nested data; waits for calls that use it.
     *
     * @throws DamoException "dtype-mismatch" unless lossless, "shape-mismatch" when the rank or the
     *     length of an axis that is not free differs; the old value stays then
     */
    public void set(Object data) {
        Tensor fresh = data instanceof Tensor t && t.dtype() == dtype ? t.copy() : Tensor.of(data,
                dtype);
        long stamp = 0;
        Tensor old = fresh;
        try {
            checkShape(fresh.shape());
            stamp = write();
            if (value.isClosed()) {
                throw new DamoException("closed", "state " + name + " was closed");
            }
            old = value;
            relaid(fresh, null);
        } finally {
            if (stamp != 0) {
                lock.unlockWrite(stamp);
            }
            old.close();
        }
    }

    private long read() {
        Held.checkFree(this, name);
        return take(false);
    }

    private long write() {
        Held.checkFree(this, name);
        return take(true);
    }

    /** Takes the lock, waiting as needed. Throws "interrupted", and the thread stays so. */
    long take(boolean writing) {
        long stamp = writing ? lock.tryWriteLock() : lock.tryReadLock();
        try {
            return stamp != 0 ? stamp
                    : writing ? lock.writeLockInterruptibly() : lock.readLockInterruptibly();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new DamoException("interrupted", "the thread was interrupted while it waited for "
                    + "the state " + name, Map.of("state", name));
        }
    }

    private void checkShape(long[] shape) {
        boolean same = shape.length == declared.length;
        for (int axis = 0; same && axis < shape.length; axis++) {
            same = free[axis] || shape[axis] == declared[axis];
        }
        if (!same) {
            throw new DamoException("shape-mismatch", "state " + name + " has the shape "
                    + expected() + ", got " + Arrays.toString(shape),
                    Map.of("state", name, "expected", declared.clone(), "given", shape));
        }
    }

    private String expected() {
        StringBuilder text = new StringBuilder("[");
        for (int axis = 0; axis < declared.length; axis++) {
            text.append(axis == 0 ? "" : ", ").append(free[axis] ? "any" : declared[axis]);
        }
        return text.append(']').toString();
    }

    // ## For those who hold the lock

    /**
     * Takes the lock as {@link #take(boolean)}, for a call that needs rows or not: the memory lies
     * as the call wants it, or as calls before it have asked for. Throws "out-of-memory" too.
     */
    long take(boolean writing, boolean rows) {
        long stamp = take(writing);
        if (rows && columns != null) {
            layout.needRows();
        }
        if (!misplaced(rows)) {
            return stamp;
        }
        if (!writing) {
            long alone = lock.tryConvertToWriteLock(stamp);
            if (alone == 0 && !rows && !turns()) {
                // Nobody waits for others only that calls to come are faster.
                return stamp;
            }
            if (alone == 0) {
                lock.unlockRead(stamp);
                alone = take(true);
            }
            stamp = alone;
        }
        try {
            if (misplaced(rows)) {
                turn(rows);
            }
        } catch (Throwable e) {
            lock.unlockWrite(stamp);
            throw e;
        }
        return writing ? stamp : lock.tryConvertToReadLock(stamp);
    }

    private boolean misplaced(boolean rows) {
        return (rows ? layout.panels() != null : turns() || layout.due()) && !value.isClosed();
    }

    /** Whether the columns of a matrix of few shall be what lies together, from now on. */
    private boolean turns() {
        return columns != null && layout.panels() == null && !layout.rowsNeeded();
    }

    /** Changes the layout; panels are done without where there is no memory for them. */
    private void turn(boolean needed) {
        Panels panels = needed ? null : turns() ? columns : layout.wanted();
        if (layout.panels() != null) {
            Tensor before = value;
            relaid(layout.panels().unpacked(before), null);
            before.close();
        }
        if (panels == null) {
            return;
        }
        Tensor rows = value;
        try {
            relaid(panels.packed(rows), panels);
            rows.close();
        } catch (DamoException e) {
            layout.refused();
        }
    }

    private void relaid(Tensor memory, Panels panels) {
        value = memory;
        layout.changed(panels);
        if (panels == null) {
            across = memory.rank() == 2 ? memory.shape()[1] : 0;
            columns = memory.rank() != 2 || !dtype.floating() || dtype.storage() ? null
                    : Panels.inColumns(dtype, memory.shape()[0], memory.shape()[1],
                            NativeCode.panelWidth(dtype));
        }
    }

    /** Counts calls that can do with any layout, and like that one best, rows where it is null. */
    void asked(long calls, Panels best) {
        layout.asked(calls, best);
    }

    /** Counts a call that needs rows. */
    void askedRows() {
        layout.askedRows();
    }

    /** Whether the memory lies in panels. */
    boolean inPanels() {
        return layout.panels() != null;
    }

    /** How the memory lies; null for rows one behind the other. */
    Panels panels() {
        return layout.panels();
    }

    /** The memory itself: the value in rows, or its panels. */
    Tensor memory() {
        return value;
    }

    /** A copy of the value, in rows. */
    Tensor copy() {
        return inPanels() ? layout.panels().unpacked(value) : value.copy();
    }

    /** The shape of the value. */
    long[] currentShape() {
        return inPanels() ? layout.panels().shape() : value.shape();
    }

    /** How many columns the matrix has that the value is. */
    long columns() {
        return across;
    }

    /** Whether that is the shape of the value; makes no copy. */
    boolean hasShape(long[] shape) {
        Panels panels = layout.panels();
        return panels == null ? value.hasShape(shape)
                : shape.length == 2 && shape[0] == panels.rows() && shape[1] == panels.columns();
    }

    /**
     * Frees the value, after calls that use it; further use throws "closed". Twice does nothing.
     */
    @Override
    public void close() {
        Held.checkFree(this, name);
        long stamp = lock.writeLock();
        try {
            value.close();
        } finally {
            lock.unlockWrite(stamp);
        }
    }

    /** The name, the type and the corner of the values. */
    @Override
    public String toString() {
        long stamp = read();
        try {
            if (!inPanels() || value.isClosed()) {
                return "#damo/state " + name + " " + value;
            }
            try (Tensor rows = copy()) {
                return "#damo/state " + name + " " + rows;
            }
        } finally {
            lock.unlockRead(stamp);
        }
    }
}
