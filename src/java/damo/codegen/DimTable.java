package damo.codegen;

import damo.program.Program;
import damo.program.Size;
import damo.program.Sizes;
import damo.program.Step;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Where the dimensions of a call stand in memory, and which of those that steps bind are bound at
 * the step that is written at the moment.
 */
final class DimTable {
    private final List<String> begin;
    private final Map<String, Integer> positions = new HashMap<>();
    private final Deque<Scope> scopes = new ArrayDeque<>();
    private final Program program;
    private final Set<String> allCounted = new HashSet<>();
    private final Set<String> turns = new HashSet<>();

    /** A list of steps that binds dimensions; those of a loop have a turn. */
    private record Scope(String turn, List<Program.Counted> counted, Set<String> bound,
                         Set<Size> differences) { }

    DimTable(Program program) {
        begin = program.dims();
        program.names().forEach(name -> positions.put(name, positions.size()));
        this.program = program;
        program.counts().forEach(c -> allCounted.add(c.dim()));
        program.all().stream().map(Step::turn).filter(var -> var != null).forEach(turns::add);
        enter(null, program.counted(), program.steps());
        program.buffers().forEach(b -> keep(b.size(), scopes.peek().differences));
        program.outputs().forEach(p -> p.shape().forEach(
                size -> keep(size, scopes.peek().differences)));
    }

    /**
     * Only a difference can be negative, and only one of counted dimensions by their doing. Those
     * of rounds are shown not to be before a call.
     */
    private void keep(Size size, Set<Size> differences) {
        if (subtracts(size) && mentions(size, allCounted) && !mentions(size, turns)) {
            differences.add(size);
        }
    }

    private static boolean subtracts(Size size) {
        return size instanceof Size.Call c
                && (c.op() == Size.Op.SUB || subtracts(c.x()) || subtracts(c.y()));
    }

    private static boolean mentions(Size size, Set<String> names) {
        return switch (size) {
            case Size.Int i -> false;
            case Size.Name n -> names.contains(n.name());
            case Size.Call c -> mentions(c.x(), names) || mentions(c.y(), names);
        };
    }

    /** The position of a dimension in the table, as text. */
    String position(String dim) {
        return Integer.toString(positions.get(dim));
    }

    /** A list of steps begins, with the number of the round if it is not null. */
    void enter(String turn, List<Program.Counted> counted, List<Step> steps) {
        Set<Size> differences = new LinkedHashSet<>();
        for (Step step : counted.isEmpty() ? List.<Step>of() : Step.preorder(steps)) {
            step.sizes().forEach(size -> keep(size, differences));
            step.accesses().forEach(a ->
                    keep(program.buffers().get(a.buffer()).size(), differences));
        }
        scopes.push(new Scope(turn, counted, new LinkedHashSet<>(), differences));
        if (turn != null) {
            bind(turn);
        }
    }

    /**
     * The sizes of the list at hand that become known, and might be negative, when that dimension
     * is bound, the last one.
     */
    List<Size> differences(String dim) {
        Set<String> pending = new HashSet<>(allCounted);
        pending.removeAll(bound());
        return scopes.peek().differences.stream()
                .filter(size -> Sizes.mentions(size, dim) && !mentions(size, pending)).toList();
    }

    /** It ends. */
    void leave() {
        scopes.pop();
    }

    /** The dimension has a value in the table from here on. */
    void bind(String dim) {
        scopes.peek().bound.add(dim);
    }

    /** All dimensions that have a value, those with which a call begins first. */
    List<String> bound() {
        List<String> all = new ArrayList<>(begin);
        scopes.descendingIterator().forEachRemaining(scope -> all.addAll(scope.bound));
        return all;
    }

    /** What the list of the step at hand says of a dimension that it counts. */
    Program.Counted counted(String dim) {
        return scopes.peek().counted.stream().filter(c -> c.dim().equals(dim)).findFirst()
                .orElseThrow();
    }

    /** The number of the round of the list of the step at hand; null outside of loops. */
    String turn() {
        return scopes.peek().turn;
    }
}
