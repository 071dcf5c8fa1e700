package damo.codegen;

import damo.Resources;
import java.util.List;
import java.util.Map;

/**
 * The pool of threads of a process as machine code: {@code void @damo.parallel(ptr body, ptr
 * context, i64 chunks, i64 threads)}, which runs the chunks of a loop, and {@code void
 * @damo.work()}, in which the pool's threads live. docs/decisions/0047-one-pool.md.
 */
public final class Parallel {
    /** The name of the function that runs the chunks of a loop. */
    public static final String NAME = "damo.parallel";
    /** The name of the function in which a thread of the pool lives; it does not return. */
    public static final String WORK = "damo.work";
    /** The symbol of the pool's memory, which the library {@link #PROCESS} has. */
    public static final String POOL = "damo.pool";
    /** The bytes of this memory, which is aligned to {@link #ALIGNMENT} and zeros at first. */
    public static final long BYTES = 512 + 64 * 4224;
    /** Two cache lines, which some processors load together. */
    public static final long ALIGNMENT = 128;
    /** What stands for a library where this process itself has what is asked for. */
    public static final String PROCESS = "process";

    private static final String LIBC = "libc.so.6";
    private static final String TEMPLATE = Resources.text("pool.ll");
    /** Nanoseconds that a thread without work looks for some before it sleeps. */
    private static final String SPIN = "50000";
    /** Nanoseconds of work that are worth waking a thread, which takes 7000 of its caller's. */
    private static final String WORTH = "50000";
    /**
     * What a caller waits longer than some chunks take before it takes this for a stall: a thread
     * that has no processor waits for some milliseconds, one that has to fetch lines of memory does
     * not.
     */
    private static final String SLACK = "100000";
    /** For how long a caller waits awake at most. */
    private static final String AWAKE = "200000";
    /** For how long calls do with fewer threads after a stall at most. */
    private static final String PENALTY = "100000000";
    /** Pauses between two looks. */
    private static final String PAUSES = "8";

    private Parallel() { }

    /** The name (with {@code @}) of the function, which {@code outside} learns of. */
    static String require(Outside outside, int vectorBits) {
        outside.share(NAME, "void @" + NAME + "(ptr, ptr, i64, i64)", () -> module(vectorBits));
        return "@" + NAME;
    }

    /** The module that defines both functions; all programs of a process share it. */
    public static LlvmModule module(int vectorBits) {
        boolean arm = System.getProperty("os.arch").matches("aarch64|arm64");
        String text = TEMPLATE.replace("{spin}", SPIN).replace("{pauses}", PAUSES)
                .replace("{worth}", WORTH).replace("{slack}", SLACK).replace("{awake}", AWAKE)
                .replace("{penalty}", PENALTY).replace("{bytes}", Long.toString(BYTES))
                .replace("{futex}", arm ? "98" : "202")
                .replace("{scheduler}", arm ? "119" : "144")
                .replace("{pause}", arm ? "llvm.aarch64.hint" : "llvm.x86.sse2.pause")
                .replace("{pause.type}", arm ? "i32" : "")
                .replace("{pause.operand}", arm ? "i32 1" : "");
        return new LlvmModule(List.of(new LlvmModule.Text(text + Attributes.text(vectorBits),
                LlvmModule.Kind.LOOPS)), Map.of("syscall", LIBC, "clock_gettime", LIBC, POOL,
                PROCESS), Map.of());
    }
}
