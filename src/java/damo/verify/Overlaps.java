package damo.verify;

import damo.program.Access;
import damo.program.Size;
import damo.program.Sizes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Predicate;

/**
 * Whether two parts of one buffer share no element, whatever round it is: one lies behind the
 * other, or they are different rows of a circular buffer.
 */
final class Overlaps {
    private final Ranges ranges;

    Overlaps(Ranges ranges) {
        this.ranges = ranges;
    }

    /** Whether it is shown that they share none. */
    boolean apart(Access.Region x, Access.Region y) {
        int mark = ranges.mark();
        try {
            if (empty(x) || empty(y)) {
                return true;
            }
            Affine within = inside(x);
            Affine other = inside(y);
            Affine difference = ranges.of(x.offset()).plus(within)
                    .minus(ranges.of(y.offset()).plus(other));
            return ranges.min(difference) > 0 || ranges.max(difference) < 0
                    || rows(x, within, y, other);
        } catch (ArithmeticException e) {
            return false;
        } finally {
            ranges.release(mark);
        }
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

    /** A row number {@code [:mod e L]} of rows of so many elements, a product. */
    private record Row(List<Size> factors, Affine elements, long rows, Affine number) { }

    private boolean rows(Access.Region x, Affine inX, Access.Region y, Affine inY) {
        Row a = row(x.offset());
        Row b = row(y.offset());
        if (a == null || b == null || a.rows != b.rows
                || !a.factors.equals(b.factors) && !same(a.elements, b.elements)
                || !isRow(x, inX, a) || !isRow(y, inY, b)) {
            return false;
        }
        Affine apart = a.number.minus(b.number);
        return apart.constant() && Math.floorMod(apart.lo(), a.rows) != 0;
    }

    private static boolean same(Affine x, Affine y) {
        Affine difference = x.minus(y);
        return difference.constant() && difference.lo() == 0;
    }

    /** Whether what lies in a region from its offset on is no more than a row. */
    private boolean isRow(Access.Region region, Affine element, Row row) {
        List<Access.Axis> axes = region.axes();
        if (axes.size() == 1 && axes.get(0).stride().equals(new Size.Int(1))
                && factors(axes.get(0).extent(), f -> true).equals(row.factors)) {
            return true;
        }
        return ranges.min(element) >= 0 && ranges.max(element.minus(row.elements)) < 0;
    }

    /** The offset as that of a row; null when it is none. */
    private Row row(Size offset) {
        List<Size> numbers = factors(offset, Overlaps::number);
        if (numbers.size() != 1) {
            return null;
        }
        Size.Call number = (Size.Call) numbers.get(0);
        List<Size> factors = factors(offset, f -> !number(f));
        Size elements = factors.stream().reduce(new Size.Int(1),
                (f, g) -> new Size.Call(Size.Op.MUL, f, g));
        Affine rows = ranges.of(number.y());
        return rows.constant() && rows.lo() > 0
                ? new Row(factors, ranges.of(elements), rows.lo(), ranges.of(number.x())) : null;
    }

    private static boolean number(Size factor) {
        return factor instanceof Size.Call c && c.op() == Size.Op.MOD;
    }

    /** Those factors of a product, but for ones, in an order of their own. */
    private static List<Size> factors(Size size, Predicate<Size> which) {
        List<Size> factors = new ArrayList<>();
        factors(size, factors);
        return factors.stream().filter(which).filter(f -> !f.equals(new Size.Int(1)))
                .sorted(Comparator.comparing(Sizes::show)).toList();
    }

    private static void factors(Size size, List<Size> factors) {
        if (size instanceof Size.Call c && c.op() == Size.Op.MUL) {
            factors(c.x(), factors);
            factors(c.y(), factors);
        } else {
            factors.add(size);
        }
    }
}
