package damo.codegen;

import damo.program.Program;
import damo.program.Size;
import damo.program.Sizes;
import damo.program.Step;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/**
 * Count steps of {@code damo_call}: a number that an earlier step stored becomes the value of a
 * dimension, after a check that it lies in 0 … max, and that no size becomes negative by it.
 */
final class CountWriter {
    private final Program program;
    private final Set<String> pending = new HashSet<>();
    private final Set<Size> differences = new LinkedHashSet<>();

    /** For all count steps of a program, in order. */
    CountWriter(Program program) {
        this.program = program;
        program.counted().forEach(c -> pending.add(c.dim()));
        program.buffers().forEach(b -> keepDifference(b.size()));
        program.outputs().forEach(p -> p.shape().forEach(this::keepDifference));
        program.all().forEach(step -> step.sizes().forEach(this::keepDifference));
    }

    /** How many dimensions the steps written so far have counted: the first ones of the program. */
    int counted() {
        return program.counted().size() - pending.size();
    }

    /** Only a difference can be negative, and only one of counted dimensions by their doing. */
    private void keepDifference(Size size) {
        if (subtracts(size) && pending.stream().anyMatch(name -> Sizes.mentions(size, name))) {
            differences.add(size);
        }
    }

    /**
     * Appends the step to {@code lines}, given the address of its buffer; {@code dims}, which
     * {@code sizes} reads, gets the dimension.
     */
    void write(Step.Count step, Lines lines, SizeWriter sizes, Map<String, String> dims,
               String buffer) {
        int position = counted();
        String max = sizes.write(program.counted().get(position).max());
        String value = lines.value("load i64, ptr ", buffer);
        String some = lines.value("icmp sge i64 ", value, ", 0");
        String few = lines.value("icmp sle i64 ", value, ", ", max);
        lines.stopUnless(lines.value("and i1 ", some, ", ", few), step.note(), value, max);
        String address = lines.value("getelementptr inbounds i64, ptr %dims, i64 ",
                Integer.toString(program.dims().size() + position));
        lines.add("store i64 ", value, ", ptr ", address);
        dims.put(step.dim(), value);
        pending.remove(step.dim());
        for (Size size : differences) {
            if (Sizes.mentions(size, step.dim())
                    && pending.stream().noneMatch(name -> Sizes.mentions(size, name))) {
                String v = sizes.write(size);
                lines.stopUnless(lines.value("icmp sge i64 ", v, ", 0"), step.note(), v, max);
            }
        }
    }

    private static boolean subtracts(Size size) {
        return size instanceof Size.Call c
                && (c.op() == Size.Op.SUB || subtracts(c.x()) || subtracts(c.y()));
    }
}
