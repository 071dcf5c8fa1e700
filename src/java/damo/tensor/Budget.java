package damo.tensor;

import com.sun.management.OperatingSystemMXBean;
import damo.DamoException;
import java.lang.management.ManagementFactory;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Counts the bytes that tensors hold, and keeps them under a limit: the system property {@code
 * damo.memory} in bytes, or else three quarters of the machine's memory.
 *
 * <p>The garbage collector sees only the small Java object of a tensor, so a loop that drops large
 * tensors would never wake it. Hence {@code System.gc()} is asked for when the bytes allocated and
 * not closed by hand since the last time pass a quantum, or half of what is outstanding if that is
 * more; the cost stays in proportion to the memory that the loop has touched.
 */
final class Budget {
    private static final long QUANTUM = 1L << 30;
    /**
     * Below this sum the limit is not even looked up: reading the machine's memory loads management
     * classes.
     */
    private static final long ALWAYS = 1L << 28;
    private static final long SOFT_WAIT_NANOS = 20_000_000L;
    private static final long HARD_WAIT_NANOS = 300_000_000L;
    private static final int ROUNDS = 3;

    private static final AtomicLong OUTSTANDING = new AtomicLong();
    private static final AtomicLong PRESSURE = new AtomicLong();

    private Budget() { }

    /** Loaded only when a sum over {@link #ALWAYS} is asked for. */
    private static final class Limit {
        static final long BYTES = Long.getLong("damo.memory", machine());

        private Limit() { }

        private static long machine() {
            OperatingSystemMXBean system =
                    ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
            return system == null ? Long.MAX_VALUE / 2 : system.getTotalMemorySize() / 4 * 3;
        }
    }

    /** Bytes reserved now. */
    static long outstanding() {
        return OUTSTANDING.get();
    }

    /**
     * Counts {@code bytes} as held; refused with kind "out-of-memory" when they cannot fit under
     * the limit. The message speaks of {@code asked}, what they were before rounding.
     */
    static void reserve(long bytes, long asked) {
        long held = OUTSTANDING.get();
        if (PRESSURE.addAndGet(bytes) > Math.max(QUANTUM, held / 2)) {
            PRESSURE.set(0);
            collect(held / 2, SOFT_WAIT_NANOS);
        }
        if (tryReserve(bytes) || bytes <= Limit.BYTES && reserveAfterCollection(bytes)) {
            return;
        }
        throw refusal(asked, "the limit is " + amount(Limit.BYTES)
                + " (system property damo.memory, in bytes) and " + amount(outstanding())
                + " are in use");
    }

    /**
     * Counts bytes as given back; {@code byHand} when {@code close} did it and not the garbage
     * collector.
     */
    static void release(long bytes, boolean byHand) {
        OUTSTANDING.addAndGet(-bytes);
        if (byHand) {
            // What is closed may have been counted before the last collection: no debt, then.
            PRESSURE.getAndUpdate(p -> Math.max(0, p - bytes));
        }
    }

    /**
     * Runs the garbage collector and waits a bounded time until no more than {@code target} bytes
     * are held.
     */
    static void collect(long target) {
        collect(target, HARD_WAIT_NANOS);
    }

    /** The exception for a request that cannot be met, naming its size. */
    static DamoException refusal(long bytes, String why) {
        return new DamoException("out-of-memory", "cannot have " + amount(bytes) + " for a tensor: "
                + why + "; close tensors that are no longer needed, or ask for less",
                Map.of("bytes", bytes, "outstanding", outstanding()));
    }

    /** Several rounds, because other threads may take what one round has freed. */
    private static synchronized boolean reserveAfterCollection(long bytes) {
        for (int round = 0; round < ROUNDS; round++) {
            collect(Limit.BYTES - bytes, HARD_WAIT_NANOS);
            if (tryReserve(bytes)) {
                return true;
            }
        }
        return false;
    }

    private static boolean tryReserve(long bytes) {
        if (bytes > ALWAYS && bytes > Limit.BYTES) {
            return false;
        }
        long sum = OUTSTANDING.addAndGet(bytes);
        if (sum > ALWAYS && sum > Limit.BYTES) {
            OUTSTANDING.addAndGet(-bytes);
            return false;
        }
        return true;
    }

    private static synchronized void collect(long target, long nanos) {
        System.gc();
        long deadline = System.nanoTime() + nanos;
        // The cleaner frees on its own thread, a moment after the collection.
        while (OUTSTANDING.get() > target && System.nanoTime() < deadline) {
            try {
                Thread.sleep(1);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    private static String amount(long bytes) {
        return bytes < 1L << 20 ? bytes + " bytes" : bytes + " bytes (" + (bytes >> 20) + " MiB)";
    }
}
