package damo.tensor;

import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * Makes the garbage collector find tensors that were dropped.
 *
 * <p>{@code System.gc()} looks at the whole heap, tens of milliseconds in a small program and
 * seconds in one with much data, and what was dropped lately is young. So a generational collector
 * is made to look at the young ones alone, in the one way there is: by filling the space that new
 * objects have. That costs some milliseconds, whatever the heap holds.
 */
final class Collector {
    /** The collectors that look at the young generation when its space is full. */
    private static final Set<String> GENERATIONAL =
            Set.of("G1 Young Generation", "Copy", "PS Scavenge");
    private static final int PIECE = 1 << 18;
    /** More than young generations have, in pieces; then the whole heap is looked at instead. */
    private static final int PIECES = (1 << 30) / PIECE;
    private static final long WAIT_MILLIS = 50;
    private static final long QUIET_NANOS = 500_000L;
    private static final long BATCH_NANOS = 50_000L;

    /** What fills the space; a field, so that the compiler does not leave the allocation out. */
    @SuppressWarnings("unused")
    private static volatile byte[] filling;

    private Collector() { }

    /** Looked up when first needed: it loads management classes. */
    private static final class Kind {
        static final boolean GENERATIONS = ManagementFactory.getGarbageCollectorMXBeans().stream()
                .map(GarbageCollectorMXBean::getName).anyMatch(GENERATIONAL::contains);

        private Kind() { }
    }

    /** Whether {@link #young} is much cheaper than {@link #full}. */
    static boolean generations() {
        return Kind.GENERATIONS;
    }

    /**
     * Has young objects looked at, and takes back the memory of those that were dropped, until that
     * is enough: what comes later is taken back by those who ask for memory.
     */
    static void young(BooleanSupplier enough) {
        takeBack(enough, witness -> {
            try {
                for (int i = 0; i < PIECES && !witness.refersTo(null); i++) {
                    filling = new byte[PIECE];
                }
            } catch (OutOfMemoryError e) {
                // The heap is full to the brim: then the collector has just looked at all of it.
                filling = null;
            }
            filling = null;
        });
    }

    /** Has the whole heap looked at, and takes back the memory of tensors that were dropped. */
    static void full() {
        takeBack(() -> false, witness -> System.gc());
    }

    /**
     * The JVM hands out what a collection found on a thread of its own, in any order: waits for an
     * object that was dropped just before, and then until nothing more has come for a while.
     */
    private static void takeBack(BooleanSupplier enough,
                                 Consumer<Reference<Object>> collection) {
        ReferenceQueue<Object> found = new ReferenceQueue<>();
        Reference<Object> witness = new WeakReference<>(new Object(), found);
        collection.accept(witness);
        try {
            found.remove(WAIT_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        long last = System.nanoTime();
        while (!enough.getAsBoolean() && System.nanoTime() - last < QUIET_NANOS) {
            if (Block.reclaim()) {
                last = System.nanoTime();
            }
            // One by one, the JVM's thread and this one would stand in each other's way.
            LockSupport.parkNanos(BATCH_NANOS);
        }
        Reference.reachabilityFence(witness);
    }
}
