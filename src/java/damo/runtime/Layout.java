package damo.runtime;

import damo.tensor.Panels;
import java.util.Objects;

/**
 * How the memory of a state lies at this moment, rows or panels, and whether it has been asked for
 * otherwise often enough to pay for the change. Guarded by the state's lock, but for the counts,
 * of which those who only read may lose some.
 *
 * <p>Sums of products by a matrix that lies in columns have other last bits than by one in rows. So
 * it does not depend on counts: it lies in columns from the first call on until one needs rows, and
 * never again.
 */
final class Layout {
    /** So many calls that ask for panels save what it costs to go there and back. */
    private static final long PATIENCE = 4;
    private static final long MOST_PATIENCE = 1 << 16;
    /** Panels that served so many times as many calls as were waited for were worth it. */
    private static final long WORTH = 8;

    private Panels panels;
    private Panels wanted;
    private boolean rowsNeeded;
    private long patience = PATIENCE;
    /** Calls in a row that asked for the other layout, and all since the latest change. */
    private long against;
    private long served;

    /** The panels in which it lies; null for rows. */
    Panels panels() {
        return panels;
    }

    /** Counts calls that can do with any layout, and like that one best, rows where it is null. */
    void asked(long calls, Panels best) {
        served = Math.min(served, Long.MAX_VALUE - calls) + calls;
        if (best == panels || best != null && (best.equals(panels) || columns(best))) {
            if (against != 0) {
                against = 0;
            }
        } else {
            long before = Objects.equals(best, wanted) ? against : 0;
            against = Math.min(before, Long.MAX_VALUE - calls) + calls;
            wanted = best;
        }
    }

    private static boolean columns(Panels p) {
        return p.kind() == Panels.Kind.COLUMNS;
    }

    /** Counts a call that needs rows. */
    void askedRows() {
        if (against != 0) {
            against = 0;
        }
    }

    /** Whether another layout would pay by now. */
    boolean due() {
        return against >= patience;
    }

    /** The layout that is due. */
    Panels wanted() {
        return wanted;
    }

    /** A call needs rows: what might lie in columns does so no more. */
    void needRows() {
        rowsNeeded = true;
    }

    /** Whether some call needed rows. */
    boolean rowsNeeded() {
        return rowsNeeded;
    }

    /** It lies in those panels from now on, or in rows where they are null. */
    void changed(Panels to) {
        if (panels != null && !columns(panels) && (to == null || !columns(to))) {
            patience = served >= WORTH * patience ? PATIENCE
                    : Math.min(MOST_PATIENCE, 2 * patience);
        }
        panels = to;
        wanted = null;
        against = 0;
        served = 0;
    }

    /** The change was not possible: it is long until the next attempt. */
    void refused() {
        rowsNeeded = true;
        patience = MOST_PATIENCE;
        against = 0;
    }
}
