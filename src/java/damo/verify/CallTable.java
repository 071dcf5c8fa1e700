package damo.verify;

import damo.program.Program;
import java.util.List;

/**
 * The words that a call's table has behind its dimensions: how matrices lie, and which updates wait
 * for the next of several calls. Positions count from the first dimension.
 *
 * @param dims      how many dimensions there are
 * @param matrices  those that may lie otherwise than in rows; two words for each tell how it does
 * @param deferrals updates that may wait; before their words stands one that is 1 when calls follow
 * @param joins     updates that may be done with the product before; a word for each tells whether
 */
public record CallTable(int dims, List<Wholes.Whole> matrices,
                        List<Deferrals.Deferral> deferrals,
                        List<Deferrals.Deferral> joins) {
    /** What waits begins with its factor, which has room for so many elements. */
    public static final int FACTOR = 16;
    /** Layouts: rows, panels, columns. */
    public static final int ROWS = 0;
    public static final int PANELS = 1;
    public static final int COLUMNS = 2;
    private static final int EACH = 3;
    private static final int MATRIX = 2;

    /** That of a program. */
    public static CallTable of(Program p) {
        List<Deferrals.Deferral> deferrals = Deferrals.of(p);
        return new CallTable(p.names().size(), Wholes.of(p), deferrals, Deferrals.joins(p).stream()
                .filter(j -> deferrals.stream().noneMatch(j::meets))
                .toList());
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

    /** The number of the update that may wait that is that step; -1 for none. */
    public int deferralOf(int update) {
        int k = deferralAt(update);
        return k >= 0 && deferrals.get(k).update() == update ? k : -1;
    }

    /** The number of the update that is done with that product, or is that step; -1 for none. */
    public int joinAt(int step) {
        for (int k = 0; k < joins.size(); k++) {
            if (joins.get(k).product() == step || joins.get(k).update() == step) {
                return k;
            }
        }
        return -1;
    }

    /** Whether that step may have been done with the one before. */
    public boolean done(int step) {
        return joins.stream().anyMatch(j -> j.update() == step);
    }

    /** Where it stands whether an update is done with the product before it: 1 or 0. */
    public int joined(int join) {
        return more() + 1 + EACH * deferrals.size() + join;
    }

    /** Where the layout of a matrix stands, of those above. */
    public int layout(int matrix) {
        return dims + MATRIX * matrix;
    }

    /** Where it stands how far rows lie apart, or columns where these are what lies together. */
    public int lead(int matrix) {
        return layout(matrix) + 1;
    }

    /** Where it stands whether other calls follow this one at once: 1 or 0. */
    public int more() {
        return dims + MATRIX * matrices.size();
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
        return deferrals.isEmpty() && joins.isEmpty() ? more() : joined(joins.size());
    }
}
