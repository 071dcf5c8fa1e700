package damo.codegen;

import damo.program.Program;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
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

    /** A list of steps that binds dimensions; those of a loop have a turn. */
    private record Scope(String turn, List<Program.Counted> counted, Set<String> bound) { }

    DimTable(Program program) {
        begin = program.dims();
        program.names().forEach(name -> positions.put(name, positions.size()));
        enter(null, program.counted());
    }

    /** The position of a dimension in the table, as text. */
    String position(String dim) {
        return Integer.toString(positions.get(dim));
    }

    /** A list of steps begins, with the number of the round if it is not null. */
    void enter(String turn, List<Program.Counted> counted) {
        scopes.push(new Scope(turn, counted, new LinkedHashSet<>()));
        if (turn != null) {
            bind(turn);
        }
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
