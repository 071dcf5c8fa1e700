package damo.runtime;

import damo.DamoException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;

/**
 * The frames of a function that are not in use, and the lifetime of its machine code: each frame
 * counts as one user of the code, and so does the function until it is closed; the last one frees
 * it.
 */
final class FramePool implements AutoCloseable {
    /** What a place holds: no frame, one that waits, one that is in use. */
    private static final int EMPTY = 0;
    private static final int IDLE = 1;
    private static final int BUSY = 2;

    private final Plan plan;
    private final Frame[] frames =
            new Frame[Math.max(8, 2 * Runtime.getRuntime().availableProcessors())];
    // Frames stay in their places: for the collector a reference that is written costs as much as
    // a lock.
    private final AtomicIntegerArray places = new AtomicIntegerArray(frames.length);
    private final AtomicInteger users = new AtomicInteger(1);
    private volatile boolean closed;

    FramePool(Plan plan) {
        this.plan = plan;
    }

    /** A frame for one call, to be given to {@link #release}. Throws "closed". */
    Frame acquire() {
        if (closed) {
            throw closed();
        }
        for (int i = 0; i < frames.length; i++) {
            if (places.get(i) == IDLE && places.compareAndSet(i, IDLE, BUSY)) {
                return frames[i];
            }
        }
        if (users.getAndUpdate(n -> n == 0 ? 0 : n + 1) == 0) {
            throw closed();
        }
        try {
            return new Frame(plan);
        } catch (Throwable e) {
            drop();
            throw e;
        }
    }

    /** Takes a frame back; frees it when the pool is full or closed. */
    void release(Frame frame) {
        if (frame.place < 0 && !placed(frame)) {
            frame.close();
            drop();
            return;
        }
        places.set(frame.place, IDLE);
        if (closed) {
            drain();
        }
    }

    private boolean placed(Frame frame) {
        for (int i = 0; i < frames.length; i++) {
            if (places.get(i) == EMPTY && places.compareAndSet(i, EMPTY, BUSY)) {
                frames[i] = frame;
                frame.place = i;
                return true;
            }
        }
        return false;
    }

    /** Ends the use of the function: calls in progress finish, new ones are refused. */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            drain();
            drop();
        }
    }

    private void drain() {
        for (int i = 0; i < frames.length; i++) {
            if (places.compareAndSet(i, IDLE, BUSY)) {
                Frame frame = frames[i];
                frames[i] = null;
                places.set(i, EMPTY);
                frame.close();
                drop();
            }
        }
    }

    private void drop() {
        if (users.decrementAndGet() == 0) {
            plan.close();
        }
    }

    private DamoException closed() {
        return new DamoException("closed", "the function " + plan.program().name() + " was closed");
    }
}
