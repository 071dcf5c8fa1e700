package damo.runtime;

import damo.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/** The locks of one function's states, in the global order, each for reading or for writing. */
final class StateLocks {
    private final State[] states;
    private final boolean[] writes;
    private final boolean[] rows;

    /**
     * {@code written[i]} tells whether the function writes {@code states[i]}, {@code either[i]}
     * whether it can do with any layout of its memory; all states differ.
     */
    StateLocks(State[] states, boolean[] written, boolean[] either) {
        List<Integer> order = java.util.stream.IntStream.range(0, states.length).boxed()
                .sorted(Comparator.comparingLong(i -> states[i].id)).toList();
        this.states = new State[states.length];
        this.writes = new boolean[states.length];
        this.rows = new boolean[states.length];
        for (int k = 0; k < states.length; k++) {
            this.states[k] = states[order.get(k)];
            this.writes[k] = written[order.get(k)];
            this.rows[k] = !either[order.get(k)];
        }
    }

    /**
     * Takes all locks, waiting as needed; {@code stamps} has one entry a state. Throws
     * "state-in-use" in the kernel of an op when a call around it holds one, "interrupted",
     * "out-of-memory" where a state has to be laid out anew.
     */
    void lock(long[] stamps) {
        boolean inside = Held.some();
        for (int k = 0; k < states.length; k++) {
            if (inside) {
                Held.checkFree(states[k], states[k].name());
            }
            stamps[k] = states[k].take(writes[k], rows[k]);
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

    /** Copies of the values of these different states at one moment. Throws "interrupted". */
    static List<Tensor> copies(List<State> states) {
        boolean[] either = new boolean[states.size()];
        Arrays.fill(either, true);
        StateLocks locks = new StateLocks(states.toArray(new State[0]),
                new boolean[states.size()], either);
        long[] stamps = new long[states.size()];
        List<Tensor> values = new ArrayList<>();
        try {
            locks.lock(stamps);
            states.forEach(s -> values.add(s.copy()));
            return values;
        } catch (Throwable e) {
            values.forEach(Tensor::close);
            throw e;
        } finally {
            locks.unlock(stamps);
        }
    }
}
