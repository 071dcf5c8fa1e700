package damo.verify;

import damo.program.Access;
import damo.program.Size;
import java.util.ArrayList;
import java.util.List;

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
                    || rows(x.offset(), within, y.offset(), other);
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

    /** A row number {@code [:mod e L]} of rows of so many elements. */
    private record Row(Affine elements, long rows, Affine number) { }

    private boolean rows(Size x, Affine inX, Size y, Affine inY) {
        Row a = row(x);
        Row b = row(y);
        if (a == null || b == null || a.rows != b.rows || !same(a.elements, b.elements)
                || !within(inX, a.elements) || !within(inY, b.elements)) {
            return false;
        }
        Affine apart = a.number.minus(b.number);
        return apart.constant() && Math.floorMod(apart.lo(), a.rows) != 0;
    }

    private static boolean same(Affine x, Affine y) {
        Affine difference = x.minus(y);
        return difference.constant() && difference.lo() == 0;
    }

    private boolean within(Affine element, Affine elements) {
        return ranges.min(element) >= 0 && ranges.max(element.minus(elements)) < 0;
    }

    /** The offset as that of a row; null when it is none. */
    private Row row(Size offset) {
        List<Size> factors = new ArrayList<>();
        factors(offset, factors);
        List<Size> numbers = factors.stream()
                .filter(f -> f instanceof Size.Call c && c.op() == Size.Op.MOD).toList();
        if (numbers.size() != 1) {
            return null;
        }
        Size.Call number = (Size.Call) numbers.get(0);
        Size elements = factors.stream().filter(f -> f != number)
                .reduce((f, g) -> new Size.Call(Size.Op.MUL, f, g)).orElse(new Size.Int(1));
        Affine rows = ranges.of(number.y());
        return rows.constant() && rows.lo() > 0
                ? new Row(ranges.of(elements), rows.lo(), ranges.of(number.x())) : null;
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
