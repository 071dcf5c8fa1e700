package damo.jit;

import damo.codegen.Parallel;
import damo.lib.Lazy;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The threads that share the loops of all calls in this process: as many as the largest number that
 * a call has asked for, without the one that calls. They are daemons named damo-worker-1 and so on,
 * live in machine code, and sleep when there is nothing to do. docs/decisions/0047-one-pool.md.
 */
public final class Pool {
    private static final long STACK = 1 << 21;
    private static final MemorySegment MEMORY =
            Arena.global().allocate(Parallel.BYTES, Parallel.ALIGNMENT);
    private static final Lazy<MethodHandle> WORK = new Lazy<>(Pool::work);
    private static volatile int workers;

    private Pool() { }

    /** The address of the memory that {@link Parallel#POOL} names. */
    static long address() {
        return MEMORY.address();
    }

    /** How many threads there are by now. */
    public static int workers() {
        return workers;
    }

    /** Sees to it that a call can have so many threads, the one that calls among them. */
    public static void need(int threads) {
        if (threads - 1 > workers) {
            start(threads - 1);
        }
    }

    private static synchronized void start(int count) {
        while (workers < count) {
            MethodHandle work = WORK.get();
            Thread.ofPlatform().daemon().name("damo-worker-" + (workers + 1)).stackSize(STACK)
                    .start(() -> enter(work));
            workers++;
        }
    }

    private static void enter(MethodHandle work) {
        try {
            work.invokeExact();
        } catch (Throwable e) {
            throw new AssertionError("a thread of the pool came back", e);
        }
    }

    @SuppressWarnings("restricted")
    private static MethodHandle work() {
        long address = Linked.shared(Parallel.NAME, Parallel.module(Host.get().vectorBits()))
                .address(Parallel.WORK);
        return Linker.nativeLinker().downcallHandle(MemorySegment.ofAddress(address),
                FunctionDescriptor.ofVoid());
    }
}
