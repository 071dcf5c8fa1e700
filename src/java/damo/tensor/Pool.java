package damo.tensor;

import java.util.Arrays;
import java.util.Comparator;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Memory that tensors gave back, kept by size for the next ones: its pages are there already, while
 * the system clears each fresh page, which takes longer than most kernels that write it.
 *
 * <p>Sizes come in classes, eight to each doubling, so that at most an eighth is wasted and unlike
 * shapes share. What is kept is bounded by {@link Budget#poolMost}; what is beyond goes back to the
 * C library, the sizes first that nobody asked for for the longest time. So does what exceeds
 * {@link Budget#poolIdle} when nobody took from the pool for a while, and all of it later.
 */
final class Pool {
    /** Eight classes to a doubling: the three bits below the highest one. */
    private static final int STEP_BITS = 3;
    private static final Shelf[] SHELVES = new Shelf[62 << STEP_BITS];
    private static final AtomicLong BYTES = new AtomicLong();
    /** So many looks without a request, and nothing is kept any more. */
    private static final int IDLE_LOOKS = 30;
    /** Beyond its bound the pool gives back this part of it more, not to be there again at once. */
    private static final int SLACK = 8;
    /** The clock of requests; tells {@link #trimIdle} whether the pool is in use. */
    private static volatile long takes;
    private static long takesAtLastLook;
    private static int idleLooks;
    /** What was kept when no more could be given back. */
    private static volatile long futile;

    static {
        for (int i = 0; i < SHELVES.length; i++) {
            long base = 1L << (i >> STEP_BITS);
            SHELVES[i] = new Shelf(base + (base >> STEP_BITS) * (i & (1 << STEP_BITS) - 1));
        }
    }

    private Pool() { }

    /** The smallest size of a class that holds so many bytes, of at least {@code block} bytes. */
    static long rounded(long bytes, long block) {
        long least = Math.max(bytes, block);
        long step = Math.max(block, Long.highestOneBit(least) >> STEP_BITS);
        return (least + step - 1) / step * step;
    }

    private static Shelf shelf(long size) {
        int exponent = 63 - Long.numberOfLeadingZeros(size);
        return SHELVES[(exponent << STEP_BITS)
                + (int) (size >> exponent - STEP_BITS & (1 << STEP_BITS) - 1)];
    }

    /** The address of a block of that size, which is one of a class, or 0 when none is kept. */
    static long take(long size) {
        long address = shelf(size).take(takes++);
        if (address != 0) {
            BYTES.addAndGet(-size);
        }
        return address;
    }

    /** A block of that size from the system, or 0. */
    static long fresh(long size) {
        long[] made = shelf(size).fresh();
        BYTES.addAndGet(made[1]);
        return made[0];
    }

    /** Keeps a block of that size; when more is kept than should be, others go, or this one. */
    static void give(long address, long size) {
        shelf(size).put(address);
        long kept = BYTES.addAndGet(size);
        if (kept > Budget.ALWAYS_KEPT) {
            long most = Budget.poolMost(size);
            if (kept > most && kept > futile) {
                shrink(most - most / SLACK);
                // What is left beyond lies in chunks that are in use: not looked at each time.
                futile = BYTES.get() > most ? BYTES.get() + most / SLACK : 0;
            }
        }
    }

    /** Bytes kept. */
    static long bytes() {
        return BYTES.get();
    }

    /** Frees all that is kept. */
    static void clear() {
        shrink(0);
        CLibrary.trim();
    }

    /** Frees what exceeds so many bytes, the sizes first that were not asked for for longest. */
    private static synchronized void shrink(long most) {
        Shelf[] oldest = SHELVES.clone();
        Arrays.sort(oldest, Comparator.comparingLong(Shelf::used));
        for (Shelf shelf : oldest) {
            long excess = BYTES.get() - most;
            if (excess <= 0) {
                return;
            }
            BYTES.addAndGet(-shelf.release(excess));
        }
    }

    /** Frees much when nothing was taken since the last look, and all after several such looks. */
    static void trimIdle() {
        long now = takes;
        idleLooks = now == takesAtLastLook ? idleLooks + 1 : 0;
        takesAtLastLook = now;
        if (idleLooks == IDLE_LOOKS) {
            clear();
        } else if (idleLooks == 1 && bytes() > Budget.poolIdle()) {
            shrink(Budget.poolIdle());
            CLibrary.trim();
        }
    }
}
