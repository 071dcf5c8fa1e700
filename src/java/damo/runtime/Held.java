package damo.runtime;

import damo.DamoException;
import java.util.Map;

/**
 * The states that a call holds while kernels of ops run in it. On its thread nobody else may use
 * them: it would wait for itself for ever.
 */
final class Held {
    private static final ThreadLocal<Held> INNERMOST = new ThreadLocal<>();

    private final String function;
    private final Object[] states;
    private Held outer;

    /** Those states, of the function of that name. */
    Held(String function, Object[] states) {
        this.function = function;
        this.states = states;
    }

    /** The call begins on this thread; to be followed by {@link #leave}. */
    void enter() {
        outer = INNERMOST.get();
        INNERMOST.set(this);
    }

    /** It ends. */
    void leave() {
        INNERMOST.set(outer);
        outer = null;
    }

    /** Whether a call around this one, on this thread, may hold states. */
    static boolean some() {
        return INNERMOST.get() != null;
    }

    /** Throws "state-in-use" when a call around this one, on this thread, holds the state. */
    static void checkFree(Object state, String name) {
        for (Held held = INNERMOST.get(); held != null; held = held.outer) {
            for (Object other : held.states) {
                if (other == state) {
                    throw new DamoException("state-in-use", "the kernel of an op used the state "
                            + name + " of the function " + held.function
                            + " that is calling it; give the op the value as an argument",
                            Map.of("state", name, "function", held.function));
                }
            }
        }
    }
}
