package damo.runtime;

import damo.lib.Lazy;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/**
 * The one way from compiled code back to Java: the C function {@code int damo_host(int step)}. It
 * serves all functions; which call it belongs to is known by the thread. Nothing that Java throws
 * passes it: an exception in native code would end the process.
 */
final class Upcalls {
    /** Calls in a row that {@link #probe} makes: some tens of kilobytes of stack. */
    private static final int PROBES = 1000;
    /** A step that no program has, for the call that prepares the stub. */
    private static final int NO_STEP = -1;

    private static final ThreadLocal<Target> CURRENT = new ThreadLocal<>();
    private static final Lazy<MemorySegment> STUB = new Lazy<>(Upcalls::stub);

    private Upcalls() { }

    /** A call whose steps are run. */
    interface Target {
        /** Runs the kernel of a step. */
        void step(int number) throws Exception;

        /** Remembers what it threw; allocates nothing, for memory or stack may be used up. */
        void failed(int step, Throwable e);
    }

    /** The address of {@code damo_host}; lives as long as the process. */
    static long address() {
        return STUB.get().address();
    }

    /**
     * Makes a call the innermost one of this thread; returns the one before. Throws
     * StackOverflowError when so little stack is left that the way back could lack it.
     */
    static Target enter(Target run) {
        probe(PROBES, 0);
        Target before = CURRENT.get();
        CURRENT.set(run);
        return before;
    }

    /** Ends the innermost call of this thread. */
    static void leave(Target before) {
        CURRENT.set(before);
    }

    /**
     * Uses stack as native code and the way back will: when it is short, the error is thrown here
     * and not between native code and {@link #run}'s try.
     */
    private static long probe(int depth, long sum) {
        return depth == 0 ? sum : 1 + probe(depth - 1, sum + depth);
    }

    /** What {@code damo_host} does: status 0, or 1 when the step failed. */
    private static int run(int step) {
        Target run = null;
        try {
            if (step == NO_STEP) {
                return 0;
            }
            run = CURRENT.get();
            run.step(step);
            return 0;
        } catch (Throwable e) {
            if (run != null) {
                run.failed(step, e);
            }
            return 1;
        }
    }

    @SuppressWarnings("restricted")
    private static MemorySegment stub() {
        FunctionDescriptor type =
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT);
        try {
            MethodHandle target = MethodHandles.lookup().findStatic(Upcalls.class, "run",
                    MethodType.methodType(int.class, int.class));
            MemorySegment stub = Linker.nativeLinker().upcallStub(target, type, Arena.global());
            // The first call links what lies between native code and run, outside its try.
            int ignored = (int) Linker.nativeLinker().downcallHandle(stub, type)
                    .invokeExact(NO_STEP);
            return stub;
        } catch (Throwable e) {
            throw new AssertionError("cannot make the way back from native code", e);
        }
    }
}
