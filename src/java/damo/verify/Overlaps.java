package damo.verify;

import damo.program.Access;
import damo.program.Size;
import damo.program.Sizes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * Whether two parts of one buffer share no element, whatever round it is: one lies behind the
 * other, or they are different rows of a circular buffer.
 */
final class Overlaps {
    /** Longer sums and products are not looked at: their parts are paired. */
    private static final int MOST_PARTS = 64;
    private static final Size ZERO = new Size.Int(0);
    private static final Size ONE = new Size.Int(1);
    private final Ranges ranges;

    Overlaps(Ranges ranges) {
        this.ranges = ranges;
    }

    /** Whether it is shown that they share none. */
    boolean apart(Access.Region x, Access.Region y) {
        return shown(() -> empty(x) || empty(y)) || shown(() -> behind(x, y))
                || shown(() -> rows(x, y));
    }

    private boolean shown(BooleanSupplier proof) {
        int mark = ranges.mark();
        try {
            return proof.getAsBoolean();
        } catch (ArithmeticException e) {
            return false;
        } finally {
            ranges.release(mark);
        }
    }

    private boolean behind(Access.Region x, Access.Region y) {
        Affine difference = ranges.of(x.offset()).plus(inside(x))
                .minus(ranges.of(y.offset()).plus(inside(y)));
        return ranges.min(difference) > 0 || ranges.max(difference) < 0;
    }

    private boolean empty(Access.Region region) {
        return region.axes().stream().anyMatch(a -> ranges.max(ranges.of(a.extent())) <= 0);
    }

    /** Where the elements are, from the offset on. */
    private Affine inside(Access.Region region) {
        Affine where = Affine.of(0);
        for (Access.Axis axis : region.axes()) {
            where = where.plus(ranges.along(axis));
        }
        return where;
    }

    /**
     * Rows of so many elements, a product of these factors: the region is in row {@code number} of
     * them, or in row {@code [:mod number rows]} where {@code rows} is not 0.
     */
    private record Row(List<Size> factors, Size number, long rows, Size beside) { }

    /** Whether they lie in different rows. */
    private boolean rows(Access.Region x, Access.Region y) {
        for (Row a : rowsOf(x.offset())) {
            for (Row b : rowsOf(y.offset())) {
                if (a.factors.equals(b.factors) && a.rows == b.rows && isRow(x, a) && isRow(y, b)) {
                    Affine apart = ranges.of(a.number).minus(ranges.of(b.number));
                    if (a.rows != 0 ? apart.constant() && Math.floorMod(apart.lo(), a.rows) != 0
                            : ranges.min(apart) > 0 || ranges.max(apart) < 0) {
                        return true;
                    }
                }
            }
        }
        return false;
    }

    /** Whether what lies in a region from its offset on is in one row. */
    private boolean isRow(Access.Region region, Row row) {
        List<Access.Axis> axes = region.axes();
        if (row.beside.equals(ZERO) && axes.size() == 1 && axes.get(0).stride().equals(ONE)
                && factors(axes.get(0).extent()).equals(row.factors)) {
            return true;
        }
        Affine element = ranges.of(row.beside).plus(inside(region));
        return ranges.min(element) >= 0
                && ranges.max(element.minus(ranges.of(product(row.factors)))) < 0;
    }

    /** The offset as those of rows: a term of it is a product of which one factor is the number. */
    private List<Row> rowsOf(Size offset) {
        List<Size> terms = parts(offset, Size.Op.ADD);
        List<Row> rows = new ArrayList<>();
        if (terms.size() > MOST_PARTS) {
            return rows;
        }
        for (Size term : terms) {
            Size beside = terms.stream().filter(t -> t != term)
                    .reduce((t, u) -> new Size.Call(Size.Op.ADD, t, u)).orElse(ZERO);
            List<Size> factors = factors(term);
            if (factors.size() > MOST_PARTS) {
                continue;
            }
            for (Size factor : factors) {
                List<Size> others = new ArrayList<>(factors);
                others.remove(factor);
                Affine length = factor instanceof Size.Call c && c.op() == Size.Op.MOD
                        ? ranges.of(c.y()) : Affine.of(0);
                if (length.constant()) {
                    rows.add(new Row(others, length.lo() > 0 ? ((Size.Call) factor).x() : factor,
                            length.lo(), beside));
                }
            }
            rows.add(new Row(factors, ZERO, 0, beside));
        }
        return rows;
    }

    private static Size product(List<Size> factors) {
        return factors.stream().reduce(ONE, (f, g) -> new Size.Call(Size.Op.MUL, f, g));
    }

    /** The factors of a product, but for ones, in an order of their own. */
    private static List<Size> factors(Size size) {
        return parts(size, Size.Op.MUL).stream().filter(f -> !f.equals(ONE))
                .sorted(Comparator.comparing(Sizes::show)).toList();
    }

    private static List<Size> parts(Size size, Size.Op op) {
        if (size instanceof Size.Call c && c.op() == op) {
            List<Size> parts = new ArrayList<>(parts(c.x(), op));
            parts.addAll(parts(c.y(), op));
            return parts;
        }
        return List.of(size);
    }
}
