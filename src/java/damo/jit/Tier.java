package damo.jit;

import damo.codegen.LlvmModule;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/** How much LLVM does for a text; docs/decisions/0030 has what it takes, and what it gives. */
enum Tier {
    /** What loops are worth: passes, and code that is selected and scheduled with care. */
    LOOPS(Tier.PASSES, 2),
    /** The same passes; instructions one by one. */
    QUICK_LOOPS(Tier.PASSES, 0),
    /** No passes; code that is selected and scheduled with care. */
    FINISHED("", 2),
    /** Instructions one by one as they stand. */
    STEPS("", 0);

    /** What such loops gain from, of O2: the same machine code for them, but for details, in half
     * the time. Math functions are inlined, then each kernel is simplified, vectorised, cleaned.
     * instcombine by itself ends the process where it finds more to do in a second round. */
    private static final String PASSES = "always-inline,globaldce,function<eager-inv>("
            + "sroa<modify-cfg>,early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>,"
            + "loop-mssa(loop-rotate,licm),loop(loop-idiom,indvars,loop-deletion),gvn,"
            + "loop-vectorize,instcombine<no-verify-fixpoint>,simplifycfg,loop-mssa(licm))";

    /** Target machines that no thread uses: making one takes as long as a small kernel. */
    private final Queue<Long> machines = new ConcurrentLinkedQueue<>();
    private final String passes;
    private final int level;

    Tier(String passes, int level) {
        this.passes = passes;
        this.level = level;
    }

    /** LLVM's passes over the text, none for the empty string. */
    String passes() {
        return passes;
    }

    /** That of a text. */
    static Tier of(LlvmModule.Text text) {
        return switch (text.kind()) {
            case LOOPS -> LOOPS;
            case QUICK_LOOPS -> QUICK_LOOPS;
            case FINISHED -> FINISHED;
            case STEPS -> STEPS;
        };
    }

    /** All that says what becomes of a text, but for the machine. */
    String options() {
        return level + " " + passes + (this == LOOPS ? "" : " or " + LOOPS.options());
    }

    /** A target machine, for one thread until it gives it back. */
    long take() {
        Long machine = machines.poll();
        return machine != null ? machine : Host.get().machine(level);
    }

    /** Gives a target machine back. */
    void giveBack(long machine) {
        machines.add(machine);
    }
}
