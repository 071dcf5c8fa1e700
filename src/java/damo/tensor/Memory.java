package damo.tensor;

import damo.DamoException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * One run of memory outside the Java heap, its owner or its lender, and the count of those who use
 * it right now.
 *
 * <p>Owned memory comes from the {@link Pool} or from {@code aligned_alloc}, 64-byte aligned and
 * not cleared; from 1 MiB on the system is asked for huge pages, since
 * streaming through the weights of a layer in 4 KiB pages misses the address cache all the time. It
 * goes back to the pool once: after {@link #close} and the last {@link #unpin}, or when this object
 * is unreachable. Lent memory belongs to a segment that somebody else made.
 */
final class Memory {
    @SuppressWarnings("restricted")
    private static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    private static final VarHandle USE;
    private static final int CLOSED = Integer.MIN_VALUE;

    static {
        try {
            USE = MethodHandles.lookup().findVarHandle(Memory.class, "use", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** First byte. */
    final long address;
    /** Length in bytes. */
    final long bytes;
    /** The segment that lends the memory; null when it is owned. */
    final MemorySegment lender;

    /** What is given back; null when the memory is lent. */
    private final Block block;
    /** The number of pins; the sign bit is set when closed. */
    private volatile int use;

    private Memory(long address, long bytes, long reserved, MemorySegment lender) {
        this.address = address;
        this.bytes = bytes;
        this.lender = lender;
        this.block = lender == null ? new Block(this, address, reserved) : null;
    }

    /** Memory of at least one aligned block; its contents are whatever was there. */
    static Memory allocate(long bytes) {
        if (bytes > Long.MAX_VALUE / 2) {
            throw Budget.refusal(bytes, "no machine has that much");
        }
        long rounded = Pool.rounded(bytes,
                bytes < CLibrary.LARGE ? CLibrary.ALIGNMENT : CLibrary.HUGE_PAGE);
        Budget.reserve(rounded, bytes);
        long address = Pool.take(rounded);
        if (address == 0 && Block.reclaim()) {
            address = Pool.take(rounded);
        }
        if (address == 0) {
            address = fresh(rounded, bytes);
        }
        try {
            return new Memory(address, bytes, rounded, null);
        } catch (Throwable e) {
            Budget.release(rounded, true);
            Pool.give(address, rounded);
            throw e;
        }
    }

    private static long fresh(long rounded, long asked) {
        long address = Pool.fresh(rounded);
        if (address == 0) {
            Budget.freeAll();
            address = Pool.fresh(rounded);
        }
        if (address == 0) {
            Budget.release(rounded, true);
            throw Budget.refusal(asked, "the operating system refuses it");
        }
        return address;
    }

    /** Copies bytes between memories that somebody holds, by their addresses. */
    static void copy(long from, long to, long bytes) {
        if (bytes == Long.BYTES) {
            ALL.set(ValueLayout.JAVA_LONG_UNALIGNED, to,
                    ALL.get(ValueLayout.JAVA_LONG_UNALIGNED, from));
        } else {
            MemorySegment.copy(ALL, from, ALL, to, bytes);
        }
    }

    /** Memory that lives as long as that native segment does. */
    static Memory lent(MemorySegment segment) {
        return new Memory(segment.address(), segment.byteSize(), 0, segment);
    }

    /**
     * All of it as a segment, for use between {@link #pin} and {@link #unpin} only: owned memory is
     * not checked again.
     */
    @SuppressWarnings("restricted")
    MemorySegment segment() {
        return lender != null ? lender : MemorySegment.ofAddress(address).reinterpret(bytes);
    }

    /**
     * Keeps the memory from being freed until {@link #unpin}; refused with kind "closed" after
     * {@link #close}.
     */
    void pin() {
        while (true) {
            int now = use;
            if (now < 0) {
                throw closed();
            }
            if (lender != null) {
                Wrapped.checkOpen(lender);
            }
            if (USE.compareAndSet(this, now, now + 1)) {
                return;
            }
        }
    }

    /**
     * Ends one {@link #pin}; frees the memory when it was closed meanwhile and this was the last
     * one.
     */
    void unpin() {
        while (true) {
            int now = use;
            if ((now & ~CLOSED) == 0) {
                throw new IllegalStateException("unpin without pin");
            }
            if (USE.compareAndSet(this, now, now - 1)) {
                if (now - 1 == CLOSED) {
                    free();
                }
                return;
            }
        }
    }

    /**
     * Ends the use of the memory: at once, or when the last pin is gone. Closing twice does
     * nothing.
     */
    void close() {
        int before = (int) USE.getAndBitwiseOr(this, CLOSED);
        if (before == 0) {
            free();
        }
    }

    /** Whether {@link #close} was called. */
    boolean isClosed() {
        return use < 0;
    }

    /** The exception for use after close. */
    static DamoException closed() {
        return new DamoException("closed", "the tensor was closed, so its elements are gone; "
                + "copy a tensor that must outlive its owner");
    }

    private void free() {
        if (block != null) {
            block.release(true);
        }
    }
}
