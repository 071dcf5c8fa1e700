package damo.runtime;

import damo.tensor.Panels;

/**
 * How the memory of a state lies at this moment, rows or panels, and whether it has been asked for
 * otherwise often enough to pay for the change. Guarded by the state's lock, but for the counts,
 * of which those who only read may lose some.
 */
final class Layout {
    /** So many calls that ask for panels save what it costs to go there and back. */
    private static final long PATIENCE = 4;
    private static final long MOST_PATIENCE = 1 << 16;
    /** Panels that served so many times as many calls as were waited for were worth it. */
    private static final long WORTH = 8;

    private Panels panels;
    private long patience = PATIENCE;
    /** Calls in a row that asked for the other layout, and all since the latest change. */
    private long against;
    private long served;

    /** The panels in which it lies; null for rows. */
    Panels panels() {
        return panels;
    }

    /** Counts calls that can do with either layout; {@code wanted} tells whether panels help. */
    void asked(long calls, boolean wanted) {
        served = Math.min(served, Long.MAX_VALUE - calls) + calls;
        if (wanted == (panels != null)) {
            if (against != 0) {
                against = 0;
            }
        } else {
            against = Math.min(against, Long.MAX_VALUE - calls) + calls;
        }
    }

    /** Counts a call that needs rows. */
    void askedRows() {
        if (against != 0) {
            against = 0;
        }
    }

    /** Whether the other layout would pay by now. */
    boolean due() {
        return against >= patience;
    }

    /** It lies in those panels from now on, or in rows where they are null. */
    void changed(Panels to) {
        if (panels != null && to == null) {
            patience = served >= WORTH * patience ? PATIENCE
                    : Math.min(MOST_PATIENCE, 2 * patience);
        }
        panels = to;
        against = 0;
        served = 0;
    }

    /** The change was not possible: it is long until the next attempt. */
    void refused() {
        patience = MOST_PATIENCE;
        against = 0;
    }
}
