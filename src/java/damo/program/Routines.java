package damo.program;

import damo.Resources;
import damo.edn.Edn;
import damo.tensor.DType;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The table of routines, resources/damo/calls.edn. Read once; immutable. */
public final class Routines {
    private static final Set<String> KEYS = Set.of("library", "symbol", "params", "result",
            "requires");
    /** What a name with ? stands for, and the dtype :? there. */
    private static final Map<String, DType> LETTERS = Map.of("s", DType.F32, "d", DType.F64);
    private static final String MARK = "?";
    private static final Map<String, Routine> ALL = Collections.unmodifiableMap(load());

    private final String letter;
    private final Where where;

    private Routines(String name, String letter) {
        this.letter = letter;
        this.where = Where.of("calls.edn, " + name);
    }

    /** The routine of that name, or null when there is none. */
    public static Routine of(String name) {
        return ALL.get(name);
    }

    /** All routines by name, in the order of the table; unmodifiable. */
    public static Map<String, Routine> all() {
        return ALL;
    }

    private static Map<String, Routine> load() {
        Map<String, Routine> all = new LinkedHashMap<>();
        Edn.readMap(Resources.text("calls.edn")).forEach((key, value) -> {
            String name = (String) key;
            for (String letter : name.contains(MARK) ? List.of("s", "d") : List.of("")) {
                Routine routine = new Routines(name, letter).routine(name, value);
                all.put(routine.name(), routine);
            }
        });
        return all;
    }

    private Routine routine(String name, Object form) {
        Fields f = new Fields(form, where, KEYS);
        List<Routine.Param> params = new ArrayList<>();
        f.list("params").forEach(p -> params.add(param((List<?>) p)));
        List<Routine.Requirement> requires = new ArrayList<>();
        f.optionalList("requires").forEach(r -> requires.add(new Routine.Requirement(
                size(((List<?>) r).get(0)), size(((List<?>) r).get(1)))));
        List<?> result = f.optionalList("result");
        return new Routine(spelled(name), f.string("library"), spelled(f.string("symbol")),
                List.copyOf(params), result.isEmpty() ? null : param(result),
                List.copyOf(requires));
    }

    private String spelled(String name) {
        return name.replace(MARK, letter);
    }

    private Routine.Param param(List<?> form) {
        String kind = ((Edn.Keyword) form.get(0)).name();
        return switch (kind) {
            case "const" -> new Routine.Constant(dtype(form.get(1)), (Long) form.get(2));
            case "choice" -> new Routine.Choice(name(form), dtype(form.get(2)),
                    numbers((Map<?, ?>) form.get(3)));
            case "size" -> new Routine.Dim(name(form), dtype(form.get(2)));
            case "number" -> new Routine.Number(name(form), dtype(form.get(2)));
            case "array" -> new Routine.Array(name(form), dtype(form.get(2)),
                    mode(((Edn.Keyword) form.get(3)).name()), axes((List<?>) form.get(4)));
            case "pointer" -> new Routine.Pointer(param((List<?>) form.get(1)));
            case "report" -> new Routine.Report(dtype(form.get(1)));
            case "value" -> new Routine.Value(name(form), dtype(form.get(2)));
            default -> throw where.expected("a parameter", form);
        };
    }

    private static String name(List<?> form) {
        return ((Edn.Symbol) form.get(1)).name();
    }

    private DType dtype(Object form) {
        return form instanceof Edn.Keyword k && k.name().equals(MARK) ? LETTERS.get(letter)
                : Fields.dtype(form, where);
    }

    private static Map<String, Long> numbers(Map<?, ?> form) {
        Map<String, Long> numbers = new LinkedHashMap<>();
        form.forEach((key, value) -> numbers.put(((Edn.Keyword) key).name(), (Long) value));
        return Collections.unmodifiableMap(numbers);
    }

    private Access.Mode mode(String name) {
        return switch (name) {
            case "in" -> Access.Mode.READ;
            case "out" -> Access.Mode.WRITE;
            case "inout" -> Access.Mode.UPDATE;
            default -> throw where.bad("no access :" + name);
        };
    }

    private List<Access.Axis> axes(List<?> forms) {
        return forms.stream().map(form -> (List<?>) form)
                .map(axis -> new Access.Axis(size(axis.get(0)), size(axis.get(1)))).toList();
    }

    private Size size(Object form) {
        return Sizes.parse(form, name -> { }, false, where);
    }
}
