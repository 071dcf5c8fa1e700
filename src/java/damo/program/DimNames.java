package damo.program;

import damo.edn.Edn;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The names of a program's dimensions: those known when a call begins, those that steps of whatever
 * list count, and those that are rounds of loops.
 */
record DimNames(Set<String> known, Set<String> counted, Set<String> turns) {
    /** With what forms of steps name, however wrong they are otherwise. */
    static DimNames of(Set<String> known, Set<String> counted, List<?> steps) {
        DimNames names = new DimNames(known, new LinkedHashSet<>(counted), new LinkedHashSet<>());
        names.steps(steps);
        return names;
    }

    private void steps(Object forms) {
        if (forms instanceof List<?> list) {
            list.forEach(this::step);
        }
    }

    private void step(Object form) {
        if (form instanceof Map<?, ?> step) {
            add(turns, get(step, "var"));
            if (get(step, "counted") instanceof List<?> entries) {
                entries.stream().filter(Map.class::isInstance).map(Map.class::cast)
                        .forEach(entry -> add(counted, get(entry, "dim")));
            }
            steps(get(step, "steps"));
            if (get(step, "cases") instanceof List<?> cases) {
                cases.forEach(this::steps);
            }
        }
    }

    private static Object get(Map<?, ?> map, String key) {
        return map.get(new Edn.Keyword(key));
    }

    private static void add(Set<String> names, Object name) {
        if (name instanceof Edn.Symbol s) {
            names.add(s.name());
        }
    }

    /** Whether it is bound during a call. */
    boolean dynamic(String name) {
        return counted.contains(name) || turns.contains(name);
    }

    /** All names. */
    Set<String> all() {
        Set<String> all = new LinkedHashSet<>(known);
        all.addAll(counted);
        all.addAll(turns);
        return all;
    }
}
