package damo.runtime;

import damo.program.Program;
import damo.tensor.Tensor;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The shapes of the latest calls of a function, of all its threads, with what was found out about
 * them. A call whose shapes are among them looks at nothing but them.
 */
final class BoundShapes {
    /** So many shapes are remembered, */
    private static final int MOST = 8;
    /** but not more buffers than this together: some words are kept for each of them. */
    private static final int MOST_BUFFERS = 1 << 17;

    private final Program program;
    private final State[] states;
    private final Matrices matrices;
    private final boolean vouched;
    private final int most;
    private final AtomicLong clock = new AtomicLong();
    private volatile Bound[] known = {};

    BoundShapes(Program program, State[] states, Matrices matrices, boolean vouched) {
        this.program = program;
        this.states = states;
        this.matrices = matrices;
        this.vouched = vouched;
        this.most = Math.clamp(MOST_BUFFERS / Math.max(1, program.buffers().size()), 1, MOST);
    }

    /**
     * What is known for these arguments and the values of the states at this moment, whose locks
     * the caller holds; {@code last}, which may be null, is what served its last call, and {@code
     * shaped} tells that it is known to be for inputs of these shapes. Throws as
     * {@link damo.verify.Bindings#bind} where such a call is not safe.
     */
    Bound of(Tensor[] inputs, Bound last, boolean shaped) {
        if (last != null && (shaped || last.shaped(inputs)) && last.fits(inputs, states)) {
            return last;
        }
        Bound found = find(inputs);
        if (found == null) {
            found = added(inputs, Bound.of(program, inputs, states, matrices, vouched));
        }
        found.used = clock.incrementAndGet();
        return found;
    }

    /** The bytes of temporaries that the largest of these calls needs. */
    long mostBytes() {
        long bytes = 0;
        for (Bound b : known) {
            bytes = Math.max(bytes, b.binding().arenaBytes());
        }
        return bytes;
    }

    private Bound find(Tensor[] inputs) {
        for (Bound b : known) {
            if (b.shaped(inputs) && b.fits(inputs, states)) {
                return b;
            }
        }
        return null;
    }

    /** Remembers it, in the place of the one that was not asked for for the longest time. */
    private synchronized Bound added(Tensor[] inputs, Bound fresh) {
        Bound other = find(inputs);
        if (other != null) {
            return other;
        }
        Bound[] next = known;
        int place = next.length;
        if (place < most) {
            next = Arrays.copyOf(next, place + 1);
        } else {
            next = next.clone();
            place = 0;
            for (int i = 1; i < next.length; i++) {
                place = next[i].used < next[place].used ? i : place;
            }
        }
        next[place] = fresh;
        known = next;
        return fresh;
    }
}
