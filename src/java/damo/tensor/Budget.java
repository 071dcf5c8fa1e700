package damo.tensor;

import com.sun.management.OperatingSystemMXBean;
import damo.DamoException;
import java.lang.management.ManagementFactory;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Counts the bytes that tensors hold, and keeps them under a limit: the system property {@code
 * damo.memory} in bytes, or else three quarters of the machine's memory. Memory
 * that was given back is kept for the next tensors: an eighth of that and not more than 640 MB, or
 * as many bytes as the property {@code damo.pool} says, 0 for nothing.
 *
 * <p>The garbage collector sees only the small Java object of a tensor, so a loop that drops large
 * tensors would never wake it. Hence it is woken when so many bytes were allocated, and not closed
 * by hand, since the last time: a quantum, or half of what is held if that is more. A collection of
 * the young objects finds what such a loop drops; one of all objects follows when what is held has
 * grown nevertheless. Both stay in proportion to the time and memory that the loop has used.
 */
final class Budget {
    /** Bytes not closed by hand after which a collection is worth its time, and is asked for, */
    private static final long WORTH = 1L << 25;
    /** and before the first one, which is the dearest, as it touches all of the young space. */
    private static final long FIRST = 1L << 27;
    private static final long QUANTUM = 1L << 29;
    /** The pool keeps so much for a minute that nobody asks in. */
    private static final long MOST_IDLE = 1L << 28;
    /** A collection between these is worth at most one part in so many of the time. */
    private static final int SHARE = 4;
    /** The first ones touch memory of the heap that was never used, which others do not. */
    private static final long MOST_COST = 20_000_000;
    /**
     * Below this sum the limit is not even looked up: reading the machine's memory loads management
     * classes.
     */
    private static final long ALWAYS = 1L << 28;
    /** What the pool may keep without a look at the limit. */
    static final long ALWAYS_KEPT = Math.min(WORTH, Long.getLong("damo.pool", WORTH));
    private static final int ROUNDS = 3;
    /** Of what was allocated since the last collection, one that found so much is done. */
    private static final double MOST = 0.75;

    private static final AtomicLong OUTSTANDING = new AtomicLong();
    private static final AtomicLong PRESSURE = new AtomicLong();
    /** Held by the thread that collects; others go on meanwhile. */
    private static final ReentrantLock COLLECTING = new ReentrantLock();
    /** Bytes held after the last collection, and after the last one of all objects. */
    private static volatile long held;
    private static long heldAfterFull;
    private static volatile long lastEnd = System.nanoTime();
    private static volatile long lastCost;

    private Budget() { }

    /** Loaded only when a sum over {@link #ALWAYS} is asked for. */
    private static final class Limit {
        static final long BYTES = Long.getLong("damo.memory", machine());
        static final long POOL = Long.getLong("damo.pool", BYTES / 8);

        private Limit() { }

        private static long machine() {
            OperatingSystemMXBean system =
                    ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
            return system == null ? Long.MAX_VALUE / 2 : system.getTotalMemorySize() / 4 * 3;
        }
    }

    /** Whether some thread collects at this moment, and takes back what that finds. */
    static boolean collecting() {
        return COLLECTING.isLocked();
    }

    /** Bytes reserved now. */
    static long outstanding() {
        return OUTSTANDING.get();
    }

    /** Bytes that the pool may keep, beside a block of that size. */
    static long poolMost(long block) {
        return Math.min(Limit.POOL, Math.max(QUANTUM + MOST_IDLE / 2, 2 * block));
    }

    /** Bytes that it may keep while nobody asks for memory. */
    static long poolIdle() {
        return Math.min(Limit.POOL, MOST_IDLE);
    }

    /**
     * Counts {@code bytes} as held; refused with kind "out-of-memory" when they cannot fit under
     * the limit. The message speaks of {@code asked}, what they were before rounding.
     */
    static void reserve(long bytes, long asked) {
        long pressure = PRESSURE.addAndGet(bytes);
        if (pressure > WORTH && due(pressure) && COLLECTING.tryLock()) {
            try {
                PRESSURE.set(0);
                collect(pressure);
            } finally {
                COLLECTING.unlock();
            }
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

    /** Frees all that can be freed, when the system has no more memory. */
    static void freeAll() {
        Collector.full();
        Pool.clear();
    }

    /** The exception for a request that cannot be met, naming its size. */
    static DamoException refusal(long bytes, String why) {
        return refusal(bytes, "a tensor", why);
    }

    /** The same for another use. */
    static DamoException refusal(long bytes, String use, String why) {
        return new DamoException("out-of-memory", "cannot have " + amount(bytes) + " for " + use
                + ": " + why + "; close tensors that are no longer needed, or ask for less",
                Map.of("bytes", bytes, "outstanding", outstanding()));
    }

    /** Whether it is time for a collection: memory alone says so, or it costs little by now. */
    private static boolean due(long pressure) {
        long quantum = Math.max(quantum(), held / 2);
        return pressure > quantum || pressure > Math.max(held / 2, lastCost == 0 ? FIRST : WORTH)
                && Collector.generations()
                && System.nanoTime() - lastEnd > SHARE * lastCost;
    }

    private static long quantum() {
        return Collector.generations() ? Math.min(QUANTUM, Limit.BYTES / 8) : 2 * QUANTUM;
    }

    private static void collect(long pressure) {
        long start = System.nanoTime();
        if (Collector.generations()) {
            long goal = outstanding() - (long) (MOST * pressure);
            Collector.young(() -> outstanding() <= goal);
        }
        long now = outstanding();
        heldAfterFull = Math.min(heldAfterFull, now);
        if (!Collector.generations() || now - heldAfterFull > Math.max(quantum(), heldAfterFull)) {
            Collector.full();
            heldAfterFull = outstanding();
        }
        held = outstanding();
        lastEnd = System.nanoTime();
        lastCost = Math.min(lastEnd - start, MOST_COST);
    }

    /** Several rounds, because other threads may take what one round has freed. */
    private static synchronized boolean reserveAfterCollection(long bytes) {
        for (int round = 0; round < ROUNDS; round++) {
            Collector.full();
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
        if (sum > ALWAYS && sum + Pool.bytes() > Limit.BYTES) {
            Pool.clear();
        }
        return true;
    }

    private static String amount(long bytes) {
        return bytes < 1L << 20 ? bytes + " bytes" : bytes + " bytes (" + (bytes >> 20) + " MiB)";
    }
}
