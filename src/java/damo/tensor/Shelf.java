package damo.tensor;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;

/**
 * The blocks of one size that the {@link Pool} keeps, the last one given back on top.
 *
 * <p>Small blocks that many are asked for are cut from chunks of huge pages: the system gives and
 * clears one of these in a small part of the time that it takes for as much in small pages, one
 * fault each. A chunk goes back when all of its blocks are here.
 */
final class Shelf {
    /** Blocks below {@link CLibrary#LARGE} come from chunks of so many bytes, which begin there. */
    static final long CHUNK = 2 * CLibrary.HUGE_PAGE;
    /** So many bytes of smaller blocks come from the C library one by one, before chunks do. */
    private static final long SINGLY = 1L << 20;

    private final long size;
    private final Set<Long> chunks = new HashSet<>();
    private long[] blocks = new long[4];
    private int count;
    /** Bytes that were asked of the C library one by one, since nothing was kept. */
    private long singly;
    /** How many blocks the last {@link #release} could not free. */
    private int stuck;
    /** Of the pool's clock, when something was last asked for. */
    private volatile long used;

    Shelf(long size) {
        this.size = size;
    }

    /** The time of the last request. */
    long used() {
        return used;
    }

    /** A block, or 0 when none is kept. */
    synchronized long take(long now) {
        used = now;
        return count == 0 ? 0 : blocks[--count];
    }

    /** Keeps a block. */
    synchronized void put(long address) {
        if (count == blocks.length) {
            blocks = Arrays.copyOf(blocks, 2 * count);
        }
        blocks[count++] = address;
    }

    /**
     * {a block from the system or 0, bytes that are kept more than before}: fresh memory.
     */
    synchronized long[] fresh() {
        if (size < CLibrary.LARGE && Math.max(singly, size) >= SINGLY) {
            long chunk = CLibrary.alloc(CHUNK, CHUNK);
            if (chunk != 0) {
                chunks.add(chunk);
                long end = CHUNK / size * size;
                for (long at = end - size; at > 0; at -= size) {
                    put(chunk + at);
                }
                return new long[] {chunk, end - size};
            }
        }
        singly += size;
        return new long[] {CLibrary.alloc(size), 0};
    }

    /**
     * Gives at least so many bytes back to the C library, as far as there are, those first that lie
     * here for the longest time; returns how many. Blocks of chunks that are in use stay.
     */
    synchronized long release(long bytes) {
        if (count == 0 || count == stuck) {
            return 0;
        }
        long wanted = (bytes + size - 1) / size;
        int kept = chunks.isEmpty() ? releaseSingly(wanted) : releaseChunks(wanted);
        long freed = (count - kept) * size;
        count = kept;
        stuck = freed < bytes ? kept : 0;
        singly = kept == 0 && chunks.isEmpty() ? 0 : singly;
        return freed;
    }

    private int releaseSingly(long wanted) {
        int gone = (int) Math.min(wanted, count);
        for (int i = 0; i < gone; i++) {
            CLibrary.free(blocks[i]);
        }
        System.arraycopy(blocks, gone, blocks, 0, count - gone);
        return count - gone;
    }

    /** By address, so that the blocks of a chunk come one after the other. */
    private int releaseChunks(long wanted) {
        Arrays.sort(blocks, 0, count);
        int kept = 0;
        int end;
        for (int i = 0; i < count; i = end) {
            long chunk = blocks[i] & -CHUNK;
            boolean cut = chunks.contains(chunk);
            end = i + 1;
            while (cut && end < count && (blocks[end] & -CHUNK) == chunk) {
                end++;
            }
            boolean whole = !cut || end - i == CHUNK / size;
            if (whole && i - kept < wanted) {
                CLibrary.free(cut ? chunk : blocks[i]);
                chunks.remove(chunk);
            } else {
                System.arraycopy(blocks, i, blocks, kept, end - i);
                kept += end - i;
            }
        }
        return kept;
    }
}
