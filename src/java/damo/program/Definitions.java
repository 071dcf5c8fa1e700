package damo.program;

import java.util.BitSet;
import java.util.List;
import java.util.Locale;

/**
 * Follows what steps write, in order: the kinds of buffers, what shares memory, and that what is
 * read of a temporary or an output was written by an earlier step. A body of a loop starts from
 * what holds before the loop; what it writes counts as written behind it. Of cases, what all of
 * them write does.
 */
final class Definitions {
    private final List<Program.Buffer> buffers;
    private final BitSet writable = new BitSet();
    private BitSet defined = new BitSet();
    private int number;

    private Definitions(List<Program.Buffer> buffers, List<Program.Port> state) {
        this.buffers = buffers;
        for (int id = 0; id < buffers.size(); id++) {
            Program.Kind kind = buffers.get(id).kind();
            boolean own = kind == Program.Kind.TEMP || kind == Program.Kind.OUTPUT;
            writable.set(id, own);
            defined.set(id, !own);
        }
        for (Program.Port p : state) {
            writable.set(p.buffer(), p.written());
        }
    }

    /** Checks all steps of a program; refuses an output that none of them writes. */
    static void check(List<Step> steps, List<Program.Buffer> buffers, List<Program.Port> state) {
        Definitions d = new Definitions(buffers, state);
        d.list(steps);
        for (int id = 0; id < buffers.size(); id++) {
            if (!d.defined.get(id) && buffers.get(id).kind() == Program.Kind.OUTPUT) {
                throw Where.of("buffer " + id).bad("no step writes this output");
            }
        }
    }

    private void list(List<Step> steps) {
        steps.forEach(this::step);
    }

    private void step(Step step) {
        Where where = Where.of("step " + number++);
        check(step.accesses(), where);
        for (Access a : step.accesses()) {
            if (a.mode().writes()) {
                defined.set(a.buffer());
            }
        }
        if (step instanceof Branch b) {
            cases(b);
        } else {
            step.lists().forEach(this::list);
        }
        check(step.closing(), where);
    }

    private void cases(Branch branch) {
        BitSet before = defined;
        BitSet after = null;
        for (List<Step> steps : branch.cases()) {
            defined = (BitSet) before.clone();
            list(steps);
            if (after == null) {
                after = defined;
            } else {
                after.and(defined);
            }
        }
        defined = after;
    }

    private void check(List<Access> accesses, Where where) {
        for (Access a : accesses) {
            if (a.mode().needs() && !defined.get(a.buffer())) {
                throw where.bad(a.title() + " is read before any step has written it");
            }
            if (a.mode().writes()) {
                checkWritable(a, where);
                checkAlone(a, accesses, where);
            }
        }
    }

    private void checkWritable(Access a, Where where) {
        if (!writable.get(a.buffer())) {
            String kind = buffers.get(a.buffer()).kind().name().toLowerCase(Locale.ROOT);
            throw where.bad(a.title() + " is written, but it is " + (kind.equals("state")
                    ? "a state without :written true" : "of kind :" + kind));
        }
    }

    /**
     * What a step writes it reads from nowhere else. Parts of one buffer that begin at different
     * places are looked at when dimensions are bound.
     */
    private static void checkAlone(Access a, List<Access> accesses, Where where) {
        for (Access other : accesses) {
            if (other != a && other.buffer() == a.buffer() && (a.region() == null
                    || other.region() == null
                    || a.region().offset().equals(other.region().offset()))) {
                throw where.bad(a.what() + " shares buffer " + a.buffer() + " with "
                        + other.what());
            }
        }
    }
}
