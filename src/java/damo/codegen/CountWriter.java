package damo.codegen;

import damo.program.Loop;
import damo.program.Program;
import damo.program.Size;
import damo.program.Sizes;
import damo.program.Step;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/**
 * Numbers that become the values of dimensions during a call, after a check that they lie in 0 …
 * max, and that no size becomes negative by them.
 */
final class CountWriter {
    private final DimTable table;
    private final Set<String> counted = new HashSet<>();
    private final Set<Size> differences = new LinkedHashSet<>();

    /** For all steps of a program. */
    CountWriter(Program program, DimTable table) {
        this.table = table;
        program.counts().forEach(c -> counted.add(c.dim()));
        Set<String> turns = new HashSet<>();
        program.all().stream().map(Step::turn).filter(var -> var != null).forEach(turns::add);
        program.buffers().forEach(b -> keepDifference(b.size(), turns));
        program.outputs().forEach(p -> p.shape().forEach(size -> keepDifference(size, turns)));
        program.all().forEach(step -> step.sizes().forEach(size -> keepDifference(size, turns)));
    }

    /**
     * Only a difference can be negative, and only one of counted dimensions by their doing. Those
     * of rounds are shown not to be before a call.
     */
    private void keepDifference(Size size, Set<String> turns) {
        if (subtracts(size) && mentions(size, counted) && !mentions(size, turns)) {
            differences.add(size);
        }
    }

    private static boolean mentions(Size size, Set<String> names) {
        return names.stream().anyMatch(name -> Sizes.mentions(size, name));
    }

    /** Appends a count step, given the address of its buffer; see {@link #bind}. */
    void write(Step.Count step, Lines lines, SizeWriter sizes, Map<String, String> dims,
               String buffer) {
        String value = lines.value("load i64, ptr ", buffer);
        if (table.counted(step.dim()).same()) {
            // The table has the number of the round before; there is none in the first.
            String old = lines.value("load i64, ptr ", address(step.dim(), lines));
            String first = lines.value("icmp eq i64 ", dims.get(table.turn()), ", 0");
            String same = lines.value("icmp eq i64 ", value, ", ", old);
            lines.stopUnless(lines.value("or i1 ", first, ", ", same), step.note(), value, old);
        }
        bind(step.dim(), value, step.note(), lines, sizes, dims);
    }

    /**
     * Appends what makes {@code value} that of a dimension: fails with the note where it may not
     * be; {@code dims}, which {@code sizes} reads, gets the dimension.
     */
    void bind(String dim, String value, int note, Lines lines, SizeWriter sizes,
              Map<String, String> dims) {
        Size max = table.counted(dim).max();
        String most = max == null ? Long.toString(Loop.MOST_ROUNDS) : sizes.write(max);
        String some = lines.value("icmp sge i64 ", value, ", 0");
        String few = lines.value("icmp sle i64 ", value, ", ", most);
        lines.stopUnless(lines.value("and i1 ", some, ", ", few), note, value, most);
        lines.add("store i64 ", value, ", ptr ", address(dim, lines));
        dims.put(dim, value);
        table.bind(dim);
        Set<String> pending = new HashSet<>(counted);
        pending.removeAll(table.bound());
        for (Size size : differences) {
            if (Sizes.mentions(size, dim) && !mentions(size, pending)) {
                String v = sizes.write(size);
                lines.stopUnless(lines.value("icmp sge i64 ", v, ", 0"), note, v, most);
            }
        }
    }

    private String address(String dim, Lines lines) {
        return lines.value("getelementptr inbounds i64, ptr %dims, i64 ", table.position(dim));
    }

    private static boolean subtracts(Size size) {
        return size instanceof Size.Call c
                && (c.op() == Size.Op.SUB || subtracts(c.x()) || subtracts(c.y()));
    }
}
