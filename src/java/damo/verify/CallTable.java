package damo.verify;

import damo.program.Program;
import java.util.List;

/**
 * The words that a call's table has behind its dimensions: how matrices lie, and which updates wait
 * for the next of several calls. Positions count from the first dimension.
 *
 * @param dims      how many dimensions there are
 * @param matrices  those that may lie in panels; a word for each is 1 when it does
 * @param deferrals updates that may wait; before their words stands one that is 1 when calls follow
 */
public record CallTable(int dims, List<Wholes.Whole> matrices,
                        List<Deferrals.Deferral> deferrals) {
    /** What waits begins with its factor, which has room for so many elements. */
    public static final int FACTOR = 16;
    private static final int EACH = 3;

    /** That of a program. */
    public static CallTable of(Program p) {
        return new CallTable(p.names().size(), Wholes.of(p), Deferrals.of(p));
    }

    /** The number of the matrix in that buffer; -1 when it never lies in panels. */
    public int matrix(int buffer) {
        for (int k = 0; k < matrices.size(); k++) {
            if (matrices.get(k).buffer() == buffer) {
                return k;
            }
        }
        return -1;
    }

    /** The number of the update of that buffer that may wait; -1 when none may. */
    public int deferral(int buffer) {
        for (int k = 0; k < deferrals.size(); k++) {
            if (deferrals.get(k).buffer() == buffer) {
                return k;
            }
        }
        return -1;
    }

    /** The number of the update that may wait whose product or update that step is; -1 for none. */
    public int deferralAt(int step) {
        for (int k = 0; k < deferrals.size(); k++) {
            if (deferrals.get(k).product() == step || deferrals.get(k).update() == step) {
                return k;
            }
        }
        return -1;
    }

    /** Where the layout of a matrix stands. */
    public int layout(int matrix) {
        return dims + matrix;
    }

    /** Where it stands whether other calls follow this one at once: 1 or 0. */
    public int more() {
        return dims + matrices.size();
    }

    /** Where it stands whether the product and the update are one pass, or may be: 1 or 0. */
    public int meets(int deferral) {
        return more() + 1 + EACH * deferral;
    }

    /** Where it stands whether an update waits: 1 or 0. */
    public int waits(int deferral) {
        return meets(deferral) + 1;
    }

    /** Where the address of memory for what waits stands: the factor, the column, the row. */
    public int spare(int deferral) {
        return waits(deferral) + 1;
    }

    /** How many words there are, with the dimensions. */
    public int size() {
        return deferrals.isEmpty() ? more() : meets(deferrals.size());
    }
}
