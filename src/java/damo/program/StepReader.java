package damo.program;

import damo.Limits;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.BiConsumer;

/**
 * Reads the steps in order, and follows what they write: buffers' kinds, aliasing, and that what is
 * read of a temporary or an output was written by an earlier step.
 */
final class StepReader {
    private static final int MAX_LEVELS = Limits.LEVELS.most();

    private final List<Program.Buffer> buffers;
    private final StepForms forms;
    /** Counted dimensions, in order, that no step has bound yet. */
    private final Deque<String> pending = new ArrayDeque<>();
    /** The number of the step that is read next, and how many are around it. */
    private int number;
    private int depth;
    private final boolean[] writable;
    private final boolean[] defined;

    StepReader(List<Program.Buffer> buffers, List<Kernel> kernels, List<Program.Port> state,
               List<Program.Counted> counted, int notes, BiConsumer<String, Where> dims) {
        this.buffers = buffers;
        this.forms = new StepForms(new StepParts(buffers, dims), kernels, notes, this::inner);
        counted.forEach(c -> pending.add(c.dim()));
        this.writable = new boolean[buffers.size()];
        this.defined = new boolean[buffers.size()];
        for (int id = 0; id < writable.length; id++) {
            Program.Kind kind = buffers.get(id).kind();
            writable[id] = kind == Program.Kind.TEMP || kind == Program.Kind.OUTPUT;
            defined[id] = !writable[id];
        }
        for (Program.Port p : state) {
            writable[p.buffer()] = p.written();
        }
    }

    /** All steps; refuses an output that none of them writes. */
    List<Step> read(List<?> forms) {
        List<Step> steps = list(forms);
        for (int id = 0; id < defined.length; id++) {
            if (!defined[id] && buffers.get(id).kind() == Program.Kind.OUTPUT) {
                throw Where.of("buffer " + id).bad("no step writes this output");
            }
        }
        if (!pending.isEmpty()) {
            throw Where.of("entry of :counted").bad("no :count step binds " + pending);
        }
        return steps;
    }

    private List<Step> list(List<?> forms) {
        List<Step> steps = new ArrayList<>();
        for (Object form : forms) {
            steps.add(admitted(form, Where.of("step " + number++)));
        }
        return List.copyOf(steps);
    }

    private List<Step> inner(List<?> forms, Where where) {
        if (depth == MAX_LEVELS) {
            throw where.bad("more than " + MAX_LEVELS + " levels of steps inside steps");
        }
        depth++;
        List<Step> steps = list(forms);
        depth--;
        return steps;
    }

    private Step admitted(Object form, Where where) {
        Step step = forms.read(form, where);
        if (step instanceof Step.Count c) {
            count(c, where);
        }
        checkAccesses(step.accesses(), where);
        checkCounted(step.mentions(), where);
        for (Access a : step.accesses()) {
            defined[a.buffer()] |= a.mode().writes();
        }
        return step;
    }

    private void count(Step.Count step, Where where) {
        if (!step.dim().equals(pending.peek())) {
            throw where.bad(":dim is " + step.dim() + ", expected " + (pending.isEmpty()
                    ? "no more :count steps" : pending.peek() + ", the next of :counted"));
        }
        pending.remove();
    }

    private void checkAccesses(List<Access> accesses, Where where) {
        for (Access a : accesses) {
            if (a.mode().needs() && !defined[a.buffer()]) {
                throw where.bad(a.title() + " is read before any step has written it");
            }
            if (a.mode().writes()) {
                checkWritable(a, where);
                checkAlone(a, accesses, where);
            }
        }
    }

    private void checkWritable(Access a, Where where) {
        if (!writable[a.buffer()]) {
            String kind = buffers.get(a.buffer()).kind().name().toLowerCase(Locale.ROOT);
            throw where.bad(a.title() + " is written, but it is " + (kind.equals("state")
                    ? "a state without :written true" : "of kind :" + kind));
        }
    }

    /** What a step writes it reads from nowhere else. */
    private static void checkAlone(Access a, List<Access> accesses, Where where) {
        for (Access other : accesses) {
            if (other != a && other.buffer() == a.buffer()) {
                throw where.bad(a.what() + " shares buffer " + a.buffer() + " with "
                        + other.what());
            }
        }
    }

    private void checkCounted(Set<String> mentioned, Where where) {
        for (String dim : pending) {
            if (mentioned.contains(dim)) {
                throw where.bad("mentions the dimension " + dim
                        + ", which a later :count step binds");
            }
        }
    }
}
