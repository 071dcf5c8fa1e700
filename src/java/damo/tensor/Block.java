package damo.tensor;

import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;

/**
 * The memory that one {@link Memory} owns, given back once: by hand, or when the owner is
 * unreachable. The collector puts the blocks of such owners into a queue, which every request for
 * memory empties first ({@link #reclaim}), and a thread in the background when there are none.
 */
final class Block extends PhantomReference<Memory> {
    private static final ReferenceQueue<Memory> DROPPED = new ReferenceQueue<>();
    /** Blocks must be reachable to be queued: lists of them, several, as threads seldom meet so. */
    private static final Block[] LISTS = new Block[16];
    private static final long IDLE_MILLIS = 2000;
    private static final long PAUSE_MILLIS = 20;

    static {
        for (int i = 0; i < LISTS.length; i++) {
            LISTS[i] = new Block();
        }
        Thread.ofPlatform().daemon().name("damo-memory").start(Block::watch);
    }

    private final long address;
    private final long size;
    private final Block list;
    private Block before = this;
    private Block after = this;
    private boolean listed;

    /** The head of a list. */
    private Block() {
        super(null, null);
        address = 0;
        size = 0;
        list = this;
    }

    Block(Memory owner, long address, long size) {
        super(owner, DROPPED);
        this.address = address;
        this.size = size;
        this.list = LISTS[(int) Thread.currentThread().threadId() & LISTS.length - 1];
        synchronized (list) {
            before = list;
            after = list.after;
            after.before = this;
            list.after = this;
            listed = true;
        }
    }

    /** Gives the memory back; {@code byHand} when close did it. The second time does nothing. */
    void release(boolean byHand) {
        synchronized (list) {
            if (!listed) {
                return;
            }
            listed = false;
            before.after = after;
            after.before = before;
            before = this;
            after = this;
        }
        clear();
        Budget.release(size, byHand);
        Pool.give(address, size);
    }

    /**
     * Takes back the memory of all owners that the collector has found unreachable so far; whether
     * there were any.
     */
    static boolean reclaim() {
        boolean some = false;
        for (Object b = DROPPED.poll(); b != null; b = DROPPED.poll()) {
            ((Block) b).release(false);
            some = true;
        }
        return some;
    }

    /** Takes back what is dropped while nobody asks for memory, and empties a pool out of use. */
    private static void watch() {
        while (true) {
            try {
                Block b = (Block) DROPPED.remove(IDLE_MILLIS);
                if (b != null) {
                    b.release(false);
                    // Woken for each one it would be in the way of whoever takes them at this time.
                    Thread.sleep(PAUSE_MILLIS);
                    if (!Budget.collecting()) {
                        reclaim();
                    }
                } else {
                    Pool.trimIdle();
                }
            } catch (InterruptedException e) {
                // Nobody has a reason to interrupt this thread; the memory is more important.
                continue;
            }
        }
    }
}
