package damo.tensor;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Memory that tensors gave back, kept by size for the next ones: its pages are there already, while
 * the system clears each fresh page, which takes longer than most kernels that write it.
 *
 * <p>Sizes come in classes, eight to each doubling, so that at most an eighth is wasted and unlike
 * shapes share. What is kept is bounded, by {@link Budget#poolMayKeep}; what is beyond goes back to
 * the C library, and so does all of it when nobody took from the pool for a while.
 */
final class Pool {
    /** Eight classes to a doubling: the three bits below the highest one. */
    private static final int STEP_BITS = 3;
    private static final Shelf[] SHELVES = new Shelf[64 << STEP_BITS];
    private static final AtomicLong BYTES = new AtomicLong();
    /** Changes when something is taken; tells {@link #trimIdle} whether the pool is in use. */
    private static volatile long takes;
    private static long takesAtLastLook;

    static {
        for (int i = 0; i < SHELVES.length; i++) {
            SHELVES[i] = new Shelf();
        }
    }

    private Pool() { }

    /** The blocks of one size, the last one given back on top. */
    private static final class Shelf {
        private long[] blocks = new long[4];
        private int count;
        /** Whether somebody asked for this size since the last sweep. */
        private boolean wanted;

        synchronized long take() {
            wanted = true;
            return count == 0 ? 0 : blocks[--count];
        }

        /** All blocks, which leave the shelf, when nobody asked for one since the last sweep. */
        synchronized long[] unwanted() {
            long[] old = wanted ? new long[0] : Arrays.copyOf(blocks, count);
            count -= old.length;
            wanted = false;
            return old;
        }

        synchronized void put(long address) {
            if (count == blocks.length) {
                blocks = Arrays.copyOf(blocks, 2 * count);
            }
            blocks[count++] = address;
        }
    }

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
        long address = shelf(size).take();
        if (address != 0) {
            BYTES.addAndGet(-size);
            takes++;
        }
        return address;
    }

    /**
     * Keeps a block of that size. When enough is kept, sizes out of use give way; if that is not
     * enough, the block is freed.
     */
    static void give(long address, long size) {
        if (!Budget.poolMayKeep(BYTES.addAndGet(size), size)) {
            sweep();
            if (!Budget.poolMayKeep(BYTES.get(), size)) {
                BYTES.addAndGet(-size);
                CLibrary.free(address);
                return;
            }
        }
        shelf(size).put(address);
    }

    /** Bytes kept. */
    static long bytes() {
        return BYTES.get();
    }

    /** Frees all that is kept. */
    static void clear() {
        sweep();
        // What was wanted before is not, after a sweep.
        sweep();
        CLibrary.trim();
    }

    /** Frees the blocks of sizes that nobody asked for since the last time. */
    private static void sweep() {
        for (int i = 0; i < SHELVES.length; i++) {
            // The least size of the class, which is what its blocks have.
            long base = 1L << (i >> STEP_BITS);
            long size = base + (base >> STEP_BITS) * (i & (1 << STEP_BITS) - 1);
            for (long block : SHELVES[i].unwanted()) {
                BYTES.addAndGet(-size);
                CLibrary.free(block);
            }
        }
    }

    /** Frees all when nothing was taken since the last look. */
    static void trimIdle() {
        long now = takes;
        if (now == takesAtLastLook && bytes() > 0) {
            clear();
        }
        takesAtLastLook = now;
    }
}
