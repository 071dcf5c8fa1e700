package damo.tensor;

import damo.DamoException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.Cleaner;

/**
 * One run of memory outside the Java heap, its owner or its lender, and the count of those who use
 * it right now.
 *
 * <p>Owned memory comes from {@code aligned_alloc}, 64-byte aligned and not cleared; from 1 MiB on
 * it begins at a huge page and the system is asked for such pages, since streaming through the
 * weights of a layer in 4 KiB pages misses the address cache all the time. It is freed once: after
 * {@link #close} and the last {@link #unpin}, or when this object is unreachable. Lent memory
 * belongs to a segment that somebody else made.
 */
final class Memory {
    /** Alignment of owned memory in bytes: a cache line, and the widest vector register. */
    static final long ALIGNMENT = 64;

    /** From here on memory is rounded up to whole huge pages. */
    private static final long LARGE = 1L << 20;
    private static final long HUGE_PAGE = 2L << 20;
    /** Number of the advice on Linux; elsewhere the call is missing or refuses: no harm. */
    private static final int MADV_HUGEPAGE = 14;

    private static final Cleaner CLEANER = Cleaner.create();
    private static final MethodHandle ALLOC = libc("aligned_alloc",
            FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_LONG));
    private static final MethodHandle FREE = libc("free",
            FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG));
    /** Null where the C library has no such function. */
    private static final MethodHandle ADVISE = Linker.nativeLinker().defaultLookup()
            .find("madvise").isEmpty() ? null : libc("madvise",
                    FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG,
                            ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
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

    private final Release release;
    private final Cleaner.Cleanable cleanable;
    /** The number of pins; the sign bit is set when closed. */
    private volatile int use;

    private Memory(long address, long bytes, long reserved, MemorySegment lender) {
        this.address = address;
        this.bytes = bytes;
        this.lender = lender;
        this.release = lender == null ? new Release(address, reserved) : null;
        this.cleanable = lender == null ? CLEANER.register(this, release) : null;
    }

    /** Fresh memory of at least one aligned block; its contents are whatever was there. */
    static Memory allocate(long bytes) {
        if (bytes > Long.MAX_VALUE - HUGE_PAGE) {
            throw Budget.refusal(bytes, "no machine has that much");
        }
        long block = bytes < LARGE ? ALIGNMENT : HUGE_PAGE;
        long rounded = Math.max(block, (bytes + block - 1) & -block);
        Budget.reserve(rounded, bytes);
        long address = alignedAlloc(rounded);
        if (address == 0) {
            Budget.collect(Budget.outstanding() / 2);
            address = alignedAlloc(rounded);
        }
        if (address == 0) {
            Budget.release(rounded, true);
            throw Budget.refusal(bytes, "the operating system refuses it");
        }
        try {
            return new Memory(address, bytes, rounded, null);
        } catch (Throwable e) {
            new Release(address, rounded).run();
            throw e;
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
        if (cleanable != null) {
            release.byHand = true;
            cleanable.clean();
        }
    }

    private static long alignedAlloc(long bytes) {
        try {
            if (bytes < LARGE) {
                return (long) ALLOC.invokeExact(ALIGNMENT, bytes);
            }
            long address = (long) ALLOC.invokeExact(HUGE_PAGE, bytes);
            if (address != 0 && ADVISE != null) {
                int ignored = (int) ADVISE.invokeExact(address, bytes, MADV_HUGEPAGE);
            }
            return address;
        } catch (Throwable e) {
            throw new AssertionError("the C library threw", e);
        }
    }

    @SuppressWarnings("restricted")
    private static MethodHandle libc(String name, FunctionDescriptor type) {
        Linker linker = Linker.nativeLinker();
        MemorySegment function = linker.defaultLookup().find(name).orElseThrow(() ->
                new DamoException(
                "missing-library", "the C library of this system has no function " + name));
        return linker.downcallHandle(function, type);
    }

    /**
     * Gives memory back; knows nothing of the {@link Memory}, so that the cleaner does not keep it
     * alive.
     */
    private static final class Release implements Runnable {
        private final long address;
        private final long bytes;
        private boolean byHand;

        Release(long address, long bytes) {
            this.address = address;
            this.bytes = bytes;
        }

        @Override
        public void run() {
            try {
                FREE.invokeExact(address);
            } catch (Throwable e) {
                throw new AssertionError("free threw", e);
            }
            Budget.release(bytes, byHand);
        }
    }
}
