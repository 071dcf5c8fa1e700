package damo.program;

import damo.tensor.DType;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Reads the arguments of a {@code :call} step, by the names of its routine's parameters. */
final class CallReader {
    private final Routine routine;
    private final Fields args;
    private final StepParts parts;
    private final Where where;
    private final Map<String, Size> sizes = new LinkedHashMap<>();
    private final Map<String, Long> choices = new LinkedHashMap<>();
    private final Map<String, Step.Scale> numbers = new LinkedHashMap<>();
    private final Map<String, CallArguments.Place> places = new LinkedHashMap<>();

    CallReader(Routine routine, Object args, StepParts parts, Where where) {
        this.routine = routine;
        this.args = new Fields(args, where, names(routine));
        this.parts = parts;
        this.where = where;
    }

    private static Set<String> names(Routine routine) {
        return params(routine).map(Routine.Param::name).filter(n -> n != null)
                .collect(Collectors.toSet());
    }

    private static Stream<Routine.Param> params(Routine routine) {
        return Stream.concat(routine.params().stream(), Stream.ofNullable(routine.result()));
    }

    /** The step, with that note. */
    Step.Call read(int note) {
        params(routine).forEach(this::argument);
        return new Step.Call(routine, new CallArguments(Collections.unmodifiableMap(sizes),
                Collections.unmodifiableMap(choices), Collections.unmodifiableMap(numbers),
                Collections.unmodifiableMap(places)),
                note);
    }

    private void argument(Routine.Param param) {
        switch (param) {
            case Routine.Dim p -> sizes.put(p.name(), parts.size(args, p.name(), where));
            case Routine.Choice p -> choices.put(p.name(), choice(p));
            case Routine.Number p -> numbers.put(p.name(),
                    parts.scale(args.required(p.name()), p.name(), p.dtype(), where));
            case Routine.Array p -> places.put(p.name(), place(p.name(), p.dtype()));
            case Routine.Value p -> places.put(p.name(), place(p.name(), p.dtype()));
            case Routine.Pointer p -> argument(p.to());
            case Routine.Constant p -> { }
            case Routine.Report p -> { }
        }
    }

    private Long choice(Routine.Choice p) {
        Long number = p.numbers().get(args.keyword(p.name()));
        if (number == null) {
            throw where.expected(":" + p.name() + " to be one of " + p.numbers().keySet().stream()
                    .map(k -> ":" + k).collect(Collectors.joining(" ")),
                    args.required(p.name()));
        }
        return number;
    }

    private CallArguments.Place place(String name, DType dtype) {
        Fields f = new Fields(args.required(name), where, Set.of("buffer", "offset"));
        Object offset = f.optional("offset");
        return new CallArguments.Place(parts.buffer(f, "buffer", ":" + name, dtype, where),
                offset == null ? new Size.Int(0) : parts.size(offset, where));
    }
}
