package damo.tensor;

import damo.DamoException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** The functions of the C library that memory comes from. */
final class CLibrary {
    /** Alignment of small blocks in bytes: a cache line, and the widest vector register. */
    static final long ALIGNMENT = 64;
    /** From here on memory is made of whole huge pages. */
    static final long HUGE_PAGE = 2L << 20;
    static final long LARGE = HUGE_PAGE;
    /** Number of the advice on Linux; elsewhere the call is missing or refuses: no harm. */
    private static final int MADV_HUGEPAGE = 14;

    private static final MethodHandle ALLOC = handle("aligned_alloc",
            FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_LONG));
    private static final MethodHandle FREE = handle("free",
            FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG));
    /** Null where the C library has no such function, as for the next. */
    private static final MethodHandle ADVISE = optional("madvise",
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
    private static final MethodHandle TRIM = optional("malloc_trim",
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG));

    private CLibrary() { }

    /** Fresh memory, aligned to what the constants above say, or 0. */
    static long alloc(long bytes) {
        return alloc(bytes, bytes < LARGE ? ALIGNMENT : HUGE_PAGE);
    }

    /** The same with that alignment; of huge pages when that is one or more. */
    static long alloc(long bytes, long alignment) {
        try {
            long address = (long) ALLOC.invokeExact(alignment, bytes);
            if (alignment >= HUGE_PAGE && address != 0 && ADVISE != null) {
                int ignored = (int) ADVISE.invokeExact(address, bytes, MADV_HUGEPAGE);
            }
            return address;
        } catch (Throwable e) {
            throw new AssertionError("the C library threw", e);
        }
    }

    /** Gives memory back. */
    static void free(long address) {
        try {
            FREE.invokeExact(address);
        } catch (Throwable e) {
            throw new AssertionError("free threw", e);
        }
    }

    /** Asks the library to give what it holds and does not use back to the system. */
    static void trim() {
        if (TRIM != null) {
            try {
                int ignored = (int) TRIM.invokeExact(0L);
            } catch (Throwable e) {
                throw new AssertionError("malloc_trim threw", e);
            }
        }
    }

    private static MethodHandle optional(String name, FunctionDescriptor type) {
        return Linker.nativeLinker().defaultLookup().find(name).isEmpty() ? null
                : handle(name, type);
    }

    @SuppressWarnings("restricted")
    private static MethodHandle handle(String name, FunctionDescriptor type) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().find(name).orElseThrow(() ->
                new DamoException("missing-library",
                        "the C library of this system has no function " + name)), type);
    }
}
