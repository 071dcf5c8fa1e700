package damo.codegen;

import damo.program.Loop;
import damo.program.Size;
import damo.program.Step;
import java.util.Map;

/**
 * Numbers that become the values of dimensions during a call, after a check that they lie in 0 …
 * max, and that no size becomes negative by them.
 */
final class CountWriter {
    private final DimTable table;

    CountWriter(DimTable table) {
        this.table = table;
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
        for (Size size : table.differences(dim)) {
            String v = sizes.write(size);
            lines.stopUnless(lines.value("icmp sge i64 ", v, ", 0"), note, v, most);
        }
    }

    private String address(String dim, Lines lines) {
        return lines.value("getelementptr inbounds i64, ptr %dims, i64 ", table.position(dim));
    }
}
