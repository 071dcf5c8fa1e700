package damo.codegen;

import damo.program.Program;
import damo.program.Size;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.IntFunction;

/**
 * Count steps of {@code damo_call}: a number that an earlier step stored becomes the value of a
 * dimension, after a check that it lies in 0 … max, and that no size becomes negative by it.
 */
final class CountWriter {
    private final Program program;
    private final Lines lines;
    private final SizeWriter sizes;
    private final Map<String, String> dims;
    private final IntFunction<String> buffers;
    private final Set<String> pending = new HashSet<>();
    private final Set<Size> differences = new LinkedHashSet<>();

    /** Writes to {@code lines}; {@code dims} gets each dimension when it is known. */
    CountWriter(Program program, Lines lines, SizeWriter sizes, Map<String, String> dims,
                IntFunction<String> buffers) {
        this.program = program;
        this.lines = lines;
        this.sizes = sizes;
        this.dims = dims;
        this.buffers = buffers;
        program.counted().forEach(c -> pending.add(c.dim()));
        program.buffers().forEach(b -> keepDifference(b.size()));
        program.outputs().forEach(p -> p.shape().forEach(this::keepDifference));
        for (Program.Step step : program.steps()) {
            if (step instanceof Program.Gemm g) {
                g.sizes().forEach(this::keepDifference);
            }
        }
    }

    /** Only a difference can be negative, and only one of counted dimensions by their doing. */
    private void keepDifference(Size size) {
        if (subtracts(size) && pending.stream().anyMatch(name -> mentions(size, name))) {
            differences.add(size);
        }
    }

    /** Appends the step. */
    void write(Program.Count step) {
        int position = 0;
        while (!program.counted().get(position).dim().equals(step.dim())) {
            position++;
        }
        String max = sizes.write(program.counted().get(position).max());
        String value = lines.value("load i64, ptr ", buffers.apply(step.buffer()));
        String some = lines.value("icmp sge i64 ", value, ", 0");
        String few = lines.value("icmp sle i64 ", value, ", ", max);
        lines.stopUnless(lines.value("and i1 ", some, ", ", few), step.note(), value, max);
        String address = lines.value("getelementptr inbounds i64, ptr %dims, i64 ",
                Integer.toString(program.dims().size() + position));
        lines.add("store i64 ", value, ", ptr ", address);
        dims.put(step.dim(), value);
        pending.remove(step.dim());
        for (Size size : differences) {
            if (mentions(size, step.dim())
                    && pending.stream().noneMatch(name -> mentions(size, name))) {
                String v = sizes.write(size);
                lines.stopUnless(lines.value("icmp sge i64 ", v, ", 0"), step.note(), v, max);
            }
        }
    }

    private static boolean subtracts(Size size) {
        return size instanceof Size.Call c
                && (c.op() == Size.Op.SUB || subtracts(c.x()) || subtracts(c.y()));
    }

    private static boolean mentions(Size size, String name) {
        return switch (size) {
            case Size.Int i -> false;
            case Size.Name n -> n.name().equals(name);
            case Size.Call c -> mentions(c.x(), name) || mentions(c.y(), name);
        };
    }
}
