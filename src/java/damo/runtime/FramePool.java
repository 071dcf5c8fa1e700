package damo.runtime;

import damo.DamoException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * The frames of a function that are not in use, and the lifetime of its machine code: each frame
 * counts as one user of the code, and so does the function until it is closed; the last one frees
 * it.
 */
final class FramePool implements AutoCloseable {
    private final Plan plan;
    private final AtomicReferenceArray<Frame> idle =
            new AtomicReferenceArray<>(Math.max(8, 2 * Runtime.getRuntime().availableProcessors()));
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
        for (int i = 0; i < idle.length(); i++) {
            Frame frame = idle.get(i);
            if (frame != null && idle.compareAndSet(i, frame, null)) {
                return frame;
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
        for (int i = 0; i < idle.length(); i++) {
            if (idle.get(i) == null && idle.compareAndSet(i, null, frame)) {
                if (closed) {
                    drain();
                }
                return;
            }
        }
        frame.close();
        drop();
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
        for (int i = 0; i < idle.length(); i++) {
            Frame frame = idle.getAndSet(i, null);
            if (frame != null) {
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
