package damo.program;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** What a {@code :call} step gives for the parameters of its routine, by their names. */
public record CallArguments(Map<String, Size> sizes, Map<String, Long> choices,
                            Map<String, Step.Scale> numbers, Map<String, Place> places) {
    /** Where in a buffer something begins, in elements. */
    public record Place(int buffer, Size offset) { }

    /** An expression over the names of sizes, of which the step gives each. */
    public Size size(Size expression) {
        return switch (expression) {
            case Size.Int i -> i;
            case Size.Name n -> sizes.get(n.name());
            case Size.Call c -> new Size.Call(c.op(), size(c.x()), size(c.y()));
        };
    }

    /** Every size that a call works out: those of parameters, and where arrays begin. */
    List<Size> all() {
        return Stream.concat(sizes.values().stream(), places.values().stream().map(Place::offset))
                .toList();
    }

    /** How the routine uses memory. */
    List<Access> accesses(Routine routine) {
        return Stream.concat(routine.params().stream(), Stream.ofNullable(routine.result()))
                .flatMap(p -> switch (p) {
                    case Routine.Array a -> Stream.of(access(a.name(), a.mode(), a.axes()));
                    case Routine.Value v ->
                            Stream.of(access(v.name(), Access.Mode.WRITE, List.of()));
                    case Routine.Param other when numbers.containsKey(other.name()) ->
                            numbers.get(other.name()).access(other.name());
                    default -> Stream.<Access>of();
                }).toList();
    }

    private Access access(String name, Access.Mode mode, List<Access.Axis> axes) {
        Place place = places.get(name);
        return new Access("argument :" + name, place.buffer(), mode,
                new Access.Region(place.offset(), axes.stream().map(axis -> new Access.Axis(
                        size(axis.extent()), size(axis.stride()))).toList()));
    }
}
