package damo.runtime;

import damo.DamoException;
import damo.tensor.Tensor;
import java.util.Map;

/**
 * The results of the last calls of a function whose user has said how many of them stay open: each
 * call closes those of the call so long ago. Their memory, which is in the processor's caches yet,
 * serves the next call; of results that are dropped only a collection tells, and too late for that.
 */
final class Latest {
    /** No function keeps more. */
    static final int MOST = 1024;

    private final Tensor[][] calls;
    private int next;

    /** Keeps the results of so many calls open. Throws "bad-data". */
    Latest(int number) {
        if (number < 1 || number > MOST) {
            throw new DamoException("bad-data", "the number of calls whose results stay open must"
                    + " be at " + (number < 1 ? "least 1" : "most " + MOST) + ", not " + number,
                    Map.of("given", number));
        }
        this.calls = new Tensor[number][];
    }

    /** Takes the results of a call, and closes those that stay open no longer. */
    void add(Tensor[] results) {
        Tensor[] old;
        synchronized (this) {
            old = calls[next];
            // The caller may do with his array what he likes.
            calls[next] = results.clone();
            next = next + 1 == calls.length ? 0 : next + 1;
        }
        if (old != null) {
            for (Tensor t : old) {
                t.close();
            }
        }
    }
}
