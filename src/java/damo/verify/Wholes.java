package damo.verify;

import damo.program.Access;
import damo.program.Program;
import damo.program.Size;
import damo.program.Step;
import damo.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * The matrices of states and constants of which a program's every use is that a product reads or
 * writes them whole: nothing else depends on how they lie in memory.
 */
public final class Wholes {
    private static final Size ZERO = new Size.Int(0);
    private static final Size ONE = new Size.Int(1);

    private Wholes() { }

    /**
     * Such a matrix.
     *
     * @param buffer  its buffer
     * @param rows    how many rows it has
     * @param columns how many columns
     * @param others  for each product that reads it, the extent of the product that it has not: how
     *                often an element is used
     */
    public record Whole(int buffer, Size rows, Size columns, List<Size> others) { }

    /** A use of a buffer as a matrix by rows, or of another kind when rows are null. */
    private record Use(int buffer, Size rows, Size columns, Size other) { }

    /** All of them, in the order of their buffers. */
    public static List<Whole> of(Program p) {
        Map<Integer, List<Use>> uses = new TreeMap<>();
        for (Step step : p.all()) {
            uses(step).filter(use -> kept(p.buffers().get(use.buffer)))
                    .forEach(use -> uses.computeIfAbsent(use.buffer, b -> new ArrayList<>())
                            .add(use));
        }
        return uses.values().stream().filter(all -> whole(p, all)).map(all -> new Whole(
                all.get(0).buffer, all.get(0).rows, all.get(0).columns,
                all.stream().map(Use::other).filter(other -> other != null).toList())).toList();
    }

    /** Whether the buffer holds floats that outlive a call, in a dtype that products have. */
    private static boolean kept(Program.Buffer b) {
        return (b.kind() == Program.Kind.STATE || b.kind() == Program.Kind.CONST)
                && (b.dtype() == DType.F32 || b.dtype() == DType.F64);
    }

    private static Stream<Use> uses(Step step) {
        if (step instanceof Step.Gemm g) {
            return Stream.concat(Stream.of(g.alpha(), g.beta()).filter(s -> s.buffer() >= 0)
                    .map(s -> new Use(s.buffer(), null, null, null)),
                    Stream.of(use(g, g.a(), g.m(), g.k(), g.n(), Step.Batch::a),
                            use(g, g.b(), g.k(), g.n(), g.m(), Step.Batch::b),
                            use(g, g.c(), g.m(), g.n(), null, Step.Batch::c)));
        }
        return Stream.of(step.accesses(), step.closing()).flatMap(List::stream)
                .map(Access::buffer).map(b -> new Use(b, null, null, null));
    }

    private static Use use(Step.Gemm g, Step.Operand o, Size rows, Size columns, Size other,
                           Function<Step.Batch, Size> stride) {
        boolean whole = g.plain() && o.offset().equals(ZERO)
                && g.batch().stream().allMatch(b -> stride.apply(b).equals(ZERO));
        if (whole && o.rowStride().equals(columns) && o.colStride().equals(ONE)) {
            return new Use(o.buffer(), rows, columns, other);
        }
        return whole && other != null && o.colStride().equals(rows) && o.rowStride().equals(ONE)
                ? new Use(o.buffer(), columns, rows, other)
                : new Use(o.buffer(), null, null, null);
    }

    private static boolean whole(Program p, List<Use> uses) {
        Use first = uses.get(0);
        return uses.stream().allMatch(use -> use.rows != null && use.rows.equals(first.rows)
                && use.columns.equals(first.columns)) && has(p, first);
    }

    /** -1 where it does not fit: a step that is not run may tell of any matrix. */
    private static long product(long x, long y) {
        return Math.multiplyHigh(x, y) == 0 ? Math.max(x * y, -1) : -1;
    }

    /** Whether the matrix is all that its buffer holds. */
    private static boolean has(Program p, Use use) {
        Program.Buffer b = p.buffers().get(use.buffer);
        return b.kind() == Program.Kind.CONST
                ? b.size() instanceof Size.Int n && use.rows instanceof Size.Int r
                && use.columns instanceof Size.Int c && product(r.value(), c.value()) == n.value()
                : p.state().stream().anyMatch(port -> port.buffer() == use.buffer
                        && port.shape().equals(List.of(use.rows, use.columns)));
    }
}
