package damo.runtime;

import java.util.Comparator;
import java.util.List;

/** The locks of one function's states, in the global order, each for reading or for writing. */
final class StateLocks {
    private final State[] states;
    private final boolean[] writes;

    /**
     * {@code written[i]} tells whether the function writes {@code states[i]}; all states differ.
     */
    StateLocks(State[] states, boolean[] written) {
        List<Integer> order = java.util.stream.IntStream.range(0, states.length).boxed()
                .sorted(Comparator.comparingLong(i -> states[i].id)).toList();
        this.states = new State[states.length];
        this.writes = new boolean[states.length];
        for (int k = 0; k < states.length; k++) {
            this.states[k] = states[order.get(k)];
            this.writes[k] = written[order.get(k)];
        }
    }

    /**
     * Takes all locks, waiting as needed; {@code stamps} has one entry a state. Throws
     * "state-in-use" in the kernel of an op when a call around it holds one, "interrupted".
     */
    void lock(long[] stamps) {
        HostRun kernel = states.length == 0 ? null : Upcalls.current();
        for (int k = 0; k < states.length; k++) {
            if (kernel != null) {
                kernel.checkFree(states[k]);
            }
            stamps[k] = states[k].take(writes[k]);
        }
    }

    /** Gives back those locks whose stamps are not 0, and clears the stamps. */
    void unlock(long[] stamps) {
        for (int k = states.length - 1; k >= 0; k--) {
            if (stamps[k] != 0) {
                states[k].lock.unlock(stamps[k]);
                stamps[k] = 0;
            }
        }
    }
}
