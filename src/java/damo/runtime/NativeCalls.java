package damo.runtime;

import damo.DamoException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Calls of {@code damo_call} and {@code damo_repeat}: addresses in, status out. Calls that may take
 * long are not "critical" in the linker's sense: the garbage collector must not wait for them.
 */
final class NativeCalls {
    private static final MethodHandle CALL = handle(3, 0);
    private static final MethodHandle TINY = handle(3, 0, Linker.Option.critical(false));
    private static final MethodHandle REPEAT = handle(4, 0);
    private static final Map<Integer, MethodHandle> KEEPING = new ConcurrentHashMap<>();

    private NativeCalls() { }

    /**
     * Runs the function once; returns its status. {@code tiny} tells that it takes nanoseconds,
     * comes not back to Java, and waits for nobody.
     */
    static int call(MemorySegment entry, long buffers, long dims, long failure, boolean tiny) {
        try {
            return tiny ? (int) TINY.invokeExact(entry, buffers, dims, failure)
                    : (int) CALL.invokeExact(entry, buffers, dims, failure);
        } catch (Throwable e) {
            throw rethrown(e);
        }
    }

    /** Runs it n times; returns the status of the first that failed, or 0. */
    static int repeat(MemorySegment repeat, long buffers, long dims, long failure, long n) {
        try {
            return (int) REPEAT.invokeExact(repeat, buffers, dims, failure, n);
        } catch (Throwable e) {
            throw rethrown(e);
        }
    }

    /**
     * The same while those segments are kept open. Java offers one way to keep another's arena
     * open: a segment that is an argument of a native call. So they are passed as arguments that
     * the function does not look at, which every C calling convention in use allows: the caller
     * cleans up.
     */
    static int repeatKeeping(MemorySegment repeat, long buffers, long dims, long failure, long n,
                             MemorySegment[] kept) {
        MethodHandle handle = KEEPING.computeIfAbsent(kept.length,
                k -> handle(4, k).asSpreader(5, MemorySegment[].class, k));
        try {
            return (int) handle.invokeExact(repeat, buffers, dims, failure, n, kept);
        } catch (IllegalStateException | WrongThreadException e) {
            throw new DamoException("closed",
                    "the memory of a wrapped tensor cannot be used: " + e.getMessage(), Map.of(),
                            e);
        } catch (Throwable e) {
            throw rethrown(e);
        }
    }

    @SuppressWarnings("restricted")
    private static MethodHandle handle(int longs, int segments, Linker.Option... options) {
        MemoryLayout[] args = new MemoryLayout[longs + segments];
        Arrays.fill(args, 0, longs, ValueLayout.JAVA_LONG);
        Arrays.fill(args, longs, args.length, ValueLayout.ADDRESS);
        return Linker.nativeLinker().downcallHandle(FunctionDescriptor.of(ValueLayout.JAVA_INT,
                args), options);
    }

    /** What a native call can throw in Java is unchecked: no exception comes out of native code. */
    private static RuntimeException rethrown(Throwable e) {
        if (e instanceof RuntimeException r) {
            return r;
        }
        throw e instanceof Error error ? error : new AssertionError(e);
    }
}
