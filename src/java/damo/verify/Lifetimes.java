package damo.verify;

import damo.program.Access;
import damo.program.Branch;
import damo.program.Loop;
import damo.program.Program;
import damo.program.Step;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/**
 * From which step to which a buffer must keep what it holds: from the first that mentions it to the
 * last. What a loop's body may read as an earlier round left it, and what is mentioned in the body
 * and outside of it, lives over the whole loop.
 */
public final class Lifetimes {
    private final int[] first;
    private final int[] last;
    private final List<Body> bodies = new ArrayList<>();
    private final Writes writes;
    private int number;

    /** Which accesses write all of a buffer before they read any of it. */
    interface Writes {
        /** Whether access number {@code i} of that step does, which is one that writes. */
        boolean whole(int step, int i);
    }

    private Lifetimes(int buffers, Writes writes) {
        this.writes = writes;
        first = new int[buffers];
        last = new int[buffers];
        Arrays.fill(first, Integer.MAX_VALUE);
        Arrays.fill(last, -1);
    }

    /**
     * Those of a program's buffers, at least: where a step writes from the beginning of a buffer
     * on, what loops read behind it is taken for what it wrote.
     */
    public static Lifetimes of(Program p) {
        return of(p, (step, i) -> true);
    }

    /** Those of a program's buffers, where that tells which accesses write all of one. */
    static Lifetimes of(Program p, Writes writes) {
        Lifetimes l = new Lifetimes(p.buffers().size(), writes);
        l.list(p.steps(), null);
        // Inner bodies stand before those around them.
        l.bodies.forEach(l::extend);
        return l;
    }

    /** The number of the first step that needs the buffer; larger than any for none. */
    public int first(int buffer) {
        return first[buffer];
    }

    /** The number of the last such step, -1 for none. */
    public int last(int buffer) {
        return last[buffer];
    }

    /** What a round of a loop does, as far as its steps were walked. */
    private static final class Body {
        final int from;
        int to;
        final BitSet mentioned = new BitSet();
        /** Written whole since the round began, on every way. */
        BitSet written = new BitSet();
        /** May be read as it was when the round began. */
        final BitSet kept = new BitSet();
        int[] buffers;
        boolean[] carried;

        Body(int from) {
            this.from = from;
        }

        void use(Access a, boolean whole) {
            mentioned.set(a.buffer());
            if (!whole && !written.get(a.buffer())) {
                kept.set(a.buffer());
            }
        }

        /** Ends it at that step: what it found in few words, for there may be many. */
        void end(int step) {
            to = step;
            buffers = mentioned.stream().toArray();
            carried = new boolean[buffers.length];
            for (int i = 0; i < buffers.length; i++) {
                carried[i] = kept.get(buffers[i]);
            }
        }
    }

    private boolean overwrites(int step, int i, Access a) {
        return a.mode() == Access.Mode.WRITE && a.leading() && writes.whole(step, i);
    }

    private void list(List<Step> steps, Body around) {
        for (Step step : steps) {
            int mine = number++;
            use(mine, step.accesses(), around);
            switch (step) {
                case Loop loop -> loop(mine, loop, around);
                case Branch branch when around != null -> branch(branch, around);
                default -> step.lists().forEach(inner -> list(inner, around));
            }
        }
    }

    private void use(int step, List<Access> accesses, Body around) {
        for (Access a : accesses) {
            first[a.buffer()] = Math.min(first[a.buffer()], step);
            last[a.buffer()] = Math.max(last[a.buffer()], step);
        }
        if (around != null) {
            BitSet written = new BitSet();
            for (int i = 0; i < accesses.size(); i++) {
                Access a = accesses.get(i);
                boolean whole = overwrites(step, i, a);
                around.use(a, whole);
                written.set(a.buffer(), whole || written.get(a.buffer()));
            }
            around.written.or(written);
        }
    }

    private void loop(int mine, Loop loop, Body around) {
        Body body = new Body(mine);
        list(loop.steps(), body);
        use(number - 1, loop.closing(), body);
        // The round that follows may be held off by what this one leaves.
        loop.closing().forEach(a -> body.kept.set(a.buffer()));
        if (around != null) {
            around.mentioned.or(body.mentioned);
            BitSet kept = (BitSet) body.kept.clone();
            kept.andNot(around.written);
            around.kept.or(kept);
        }
        body.end(number - 1);
        bodies.add(body);
        body.mentioned.clear();
        body.kept.clear();
        body.written = null;
    }

    private void branch(Branch branch, Body around) {
        BitSet before = around.written;
        BitSet after = null;
        for (List<Step> steps : branch.cases()) {
            around.written = (BitSet) before.clone();
            list(steps, around);
            if (after == null) {
                after = around.written;
            } else {
                after.and(around.written);
            }
        }
        around.written = after;
    }

    private void extend(Body body) {
        for (int i = 0; i < body.buffers.length; i++) {
            int id = body.buffers[i];
            if (body.carried[i] || first[id] <= body.from || last[id] > body.to) {
                first[id] = Math.min(first[id], body.from);
                last[id] = Math.max(last[id], body.to);
            }
        }
    }
}
