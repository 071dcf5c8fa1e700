package damo.edn;

import damo.DamoException;
import java.util.function.Supplier;

/**
 * Work that descends into nested data. The nesting is bounded ({@link Edn#MAX_DEPTH}) so that it
 * fits an ordinary stack; a thread with a small one gets an exception, as for other bad input.
 */
public final class Nesting {
    private Nesting() { }

    /** What the work returns. Throws kind "stack-too-small" when this thread's stack ends first. */
    public static <T> T within(Supplier<T> work) {
        try {
            return work.get();
        } catch (StackOverflowError e) {
            throw new DamoException("stack-too-small", "the data is nested deeper than the stack of"
                    + " the thread " + Thread.currentThread().getName() + " allows");
        }
    }
}
