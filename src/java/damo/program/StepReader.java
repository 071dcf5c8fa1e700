package damo.program;

import damo.Limits;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * Reads the steps in order, and follows which dimensions are known where: those that count steps
 * bind, and the rounds of loops, in the list of steps that has them.
 */
final class StepReader implements StepForms.Lists {
    private static final int MAX_LEVELS = Limits.LEVELS.most();

    private final DimNames names;
    private final StepForms forms;
    private final Deque<Scope> scopes = new ArrayDeque<>();
    /** The counted dimensions and the rounds that are known to the step at hand. */
    private final Set<String> known = new HashSet<>();
    /** What the lists so far say of each counted dimension: they all say the same. */
    private final Map<String, Program.Counted> counted = new HashMap<>();
    /** The number of the step that is read next, and how many are around it. */
    private int number;
    private int depth;

    /** A list of steps that binds dimensions: those that none of its steps has bound yet. */
    private record Scope(Deque<String> pending, boolean all, Set<String> bound) { }

    StepReader(List<Program.Buffer> buffers, List<Kernel> kernels, DimNames names, int notes) {
        this.names = names;
        this.forms = new StepForms(new StepParts(buffers, this::checkMax, this::checkKnown),
                kernels, notes, this);
    }

    /** All steps, of which some bind these dimensions; to be followed by {@link #end}. */
    List<Step> read(List<?> steps, List<Program.Counted> counts) {
        open(null, counts, true, Where.of("entry of :counted"));
        return list(steps);
    }

    /** Refuses steps of which none binds a dimension that is counted. */
    void end() {
        close(Where.of("entry of :counted"));
    }

    private List<Step> list(List<?> steps) {
        List<Step> all = new ArrayList<>();
        for (Object form : steps) {
            all.add(admitted(form, Where.of("step " + number++)));
        }
        return List.copyOf(all);
    }

    @Override
    public List<Step> within(List<?> steps, Where where) {
        if (depth == MAX_LEVELS) {
            throw where.bad("more than " + MAX_LEVELS + " levels of steps inside steps");
        }
        depth++;
        List<Step> all = list(steps);
        depth--;
        return all;
    }

    @Override
    public List<Step> apart(List<?> steps, String turn, List<Program.Counted> counts, boolean all,
                            Where where) {
        open(turn, counts, all, where);
        List<Step> inner = within(steps, where);
        close(where);
        return inner;
    }

    private void open(String turn, List<Program.Counted> counts, boolean all, Where where) {
        Scope scope = new Scope(new ArrayDeque<>(), all, new HashSet<>());
        if (turn != null) {
            if (names.known().contains(turn) || names.counted().contains(turn)
                    || !known.add(turn)) {
                throw where.bad("the dimension " + turn + " of the rounds is another one already");
            }
            scope.bound.add(turn);
        }
        for (Program.Counted c : counts) {
            Program.Counted other = counted.putIfAbsent(c.dim(), c);
            if (names.known().contains(c.dim()) || names.turns().contains(c.dim())
                    || known.contains(c.dim())) {
                throw where.bad("the dimension " + c.dim() + " is listed already");
            }
            if (other != null && !Objects.equals(other.max(), c.max())) {
                throw where.bad("the dimension " + c.dim() + " has another :max in another list");
            }
            scope.pending.add(c.dim());
        }
        scopes.push(scope);
    }

    private void close(Where where) {
        Scope scope = scopes.pop();
        if (scope.all && !scope.pending.isEmpty()) {
            throw where.bad("no :count step binds " + scope.pending);
        }
        known.removeAll(scope.bound);
    }

    private Step admitted(Object form, Where where) {
        Step step = forms.read(form, where);
        if (step instanceof Step.Count c) {
            bind(c.dim(), "no more :count steps", where);
        } else if (step instanceof Loop l && l.count() != null) {
            bind(l.count(), "no :count", where);
        }
        step.mentions().forEach(name -> {
            if (names.dynamic(name)) {
                checkKnown(name, where);
            }
        });
        return step;
    }

    /** The next dimension of the list is bound; a list that binds some of them may skip others. */
    private void bind(String dim, String none, Where where) {
        Scope scope = scopes.peek();
        while (!scope.all && !scope.pending.isEmpty() && !scope.pending.peek().equals(dim)) {
            scope.pending.remove();
        }
        if (!dim.equals(scope.pending.peek())) {
            throw where.bad(":dim is " + dim + ", expected " + (scope.pending.isEmpty() ? none
                    : scope.pending.peek() + ", the next of :counted"));
        }
        scope.pending.remove();
        if (!known.add(dim)) {
            throw where.bad("the dimension " + dim + " is bound already");
        }
        scope.bound.add(dim);
    }

    /** A maximum is known for whatever round. */
    private void checkMax(String name, Where where) {
        checkKnown(name, where);
        if (names.turns().contains(name)) {
            throw where.bad("a :max does not depend on the round, found " + name);
        }
    }

    private void checkKnown(String name, Where where) {
        if (names.known().contains(name) || known.contains(name)) {
            return;
        }
        if (!names.dynamic(name)) {
            throw where.bad("unknown dimension " + name + "; :dims has " + names.known());
        }
        boolean later = scopes.stream().anyMatch(s -> s.pending.contains(name));
        throw where.bad("mentions the dimension " + name + ", which " + (later
                ? "a later :count step binds" : "is known in other lists of steps only"));
    }
}
