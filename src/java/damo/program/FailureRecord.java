package damo.program;

import damo.Limits;

/**
 * The words of the failure record of a call, of 64 bits each: note, value and extent of a failure,
 * then those below; docs/program.md, "The native function".
 */
public final class FailureRecord {
    /** Not 0 when the call shall stop. */
    public static final int STOP = 3;
    /** How many rounds of loops are told behind it, as the step and the round of each. */
    public static final int ROUNDS = 4;
    /** How many threads the call may use. */
    public static final int THREADS = ROUNDS + 1 + 2 * Limits.LEVELS.most();
    /** How many words there are. */
    public static final int WORDS = THREADS + 1;

    private FailureRecord() { }
}
