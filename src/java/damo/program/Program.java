package damo.program;

import damo.tensor.DType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.StringJoiner;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A whole compiled function as data, read from EDN and checked; see docs/program.md. Immutable.
 * Made only by {@link Programs#read}, so that every instance has passed the static checks.
 */
public record Program(
        String name,
        List<String> dims,
        List<Valued> valued,
        List<Counted> counted,
        List<Requirement> requirements,
        List<Buffer> buffers,
        List<Port> inputs,
        List<Port> state,
        List<Port> outputs,
        List<Kernel> kernels,
        List<Step> steps,
        List<Map<String, Object>> notes) {

    /** A dimension that is the value of an input, an integer, when a call begins. */
    public record Valued(String dim, int input) { }

    /**
     * A dimension that a call counts, in 0 … max, a size of dimensions that are known before; null
     * where no memory depends on it. {@code same} tells that all rounds of a loop must count alike.
     */
    public record Counted(String dim, Size max, boolean same) { }

    /** {@code small} may not be larger than {@code large}; else the call fails with the note. */
    public record Requirement(Size small, Size large, int note) { }

    /** What a buffer's memory is and who owns it. */
    public enum Kind { INPUT, STATE, OUTPUT, CONST, TEMP }

    /**
     * A run of {@code size} elements; {@code data} holds the values of a {@code CONST} buffer
     * (double[] or long[]), else null.
     */
    public record Buffer(DType dtype, Size size, Kind kind, Object data) { }

    /** An input, a state variable or an output: a name, a type, and the buffer that holds it. */
    public record Port(String name, DType dtype, List<Size> shape, int buffer, boolean written) {
        /** The type as users write it: {@code [:f32 [n 784]]}. */
        public String type() {
            return "[:" + dtype.label() + " [" + shape.stream().map(Sizes::show)
                    .collect(Collectors.joining(" ")) + "]]";
        }
    }

    /** All steps, those inside of others too: the position of each is its number. */
    public List<Step> all() {
        return Step.preorder(steps);
    }

    /** The dimensions that calls count, in whatever list of steps, each of them once. */
    public List<Counted> counts() {
        Map<String, Counted> byName = new LinkedHashMap<>();
        counted.forEach(c -> byName.put(c.dim(), c));
        all().forEach(step -> step.counts().forEach(c -> byName.putIfAbsent(c.dim(), c)));
        return List.copyOf(byName.values());
    }

    /**
     * All names of dimensions, in the order of the table that native code reads: those that a call
     * begins with, those that it counts, and the rounds of loops.
     */
    public List<String> names() {
        Set<String> names = new LinkedHashSet<>(dims);
        counts().forEach(c -> names.add(c.dim()));
        all().stream().map(Step::turn).filter(var -> var != null).forEach(names::add);
        return List.copyOf(names);
    }

    /**
     * The steps as lines for people, those inside of others indented, each with the buffers that it
     * uses: {@code "kernel  add-tanh; reads 3 2, writes 4"}.
     */
    public List<String> lines() {
        List<String> lines = new ArrayList<>();
        steps.forEach(step -> lines(step, "", lines));
        return lines;
    }

    private static void lines(Step step, String indent, List<String> lines) {
        StringJoiner uses = new StringJoiner(", ", "; ", "").setEmptyValue("");
        for (Access.Mode mode : Access.Mode.values()) {
            List<String> buffers = Stream.of(step.accesses(), step.closing())
                    .flatMap(List::stream).filter(a -> a.mode() == mode)
                    .map(a -> Integer.toString(a.buffer())).distinct().toList();
            if (!buffers.isEmpty()) {
                uses.add(mode.verb() + " " + String.join(" ", buffers));
            }
        }
        lines.add(indent + step.text() + uses);
        List<List<Step>> lists = step.lists();
        for (int i = 0; i < lists.size(); i++) {
            if (lists.size() > 1) {
                lines.add(indent + "  case " + i);
            }
            String deeper = indent + (lists.size() > 1 ? "    " : "  ");
            lists.get(i).forEach(inner -> lines(inner, deeper, lines));
        }
    }
}
