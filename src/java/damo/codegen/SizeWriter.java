package damo.codegen;

import damo.program.Size;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Size and index expressions as i64 arithmetic. The bounds check has shown, before the code runs,
 * that no step overflows and that divisors are at least 1: hence {@code nsw}, and division without
 * guards.
 */
final class SizeWriter {
    /**
     * Sums of more terms that no loop changes are hidden from LLVM behind a {@code freeze}: where
     * it reduces the strength of loops it tries the orders of their terms, whose number explodes.
     */
    private static final int FEW = 6;

    private final Lines lines;
    private final Map<String, String> names;

    /** {@code names} gives the operand of each dimension, loop and index variable in scope. */
    SizeWriter(Lines lines, Map<String, String> names) {
        this.lines = lines;
        this.names = names;
    }

    /** Appends the computation; returns its operand. */
    String write(Size size) {
        return switch (size) {
            case Size.Int i -> Long.toString(i.value());
            case Size.Name n -> names.get(n.name());
            case Size.Call c -> call(c);
        };
    }

    private String call(Size.Call c) {
        if (c.op() == Size.Op.ADD) {
            List<Size> terms = new ArrayList<>();
            collect(c, terms);
            List<Size> fixed = terms.stream().filter(this::fixed).toList();
            if (fixed.size() > FEW) {
                terms.removeAll(fixed);
                return sum(terms, lines.value("freeze i64 ", sum(fixed, null)));
            }
        }
        String x = write(c.x());
        String y = write(c.y());
        return switch (c.op()) {
            case ADD -> lines.value("add nsw i64 ", x, ", ", y);
            case SUB -> lines.value("sub nsw i64 ", x, ", ", y);
            case MUL -> lines.value("mul nsw i64 ", x, ", ", y);
            case QUOT, DIV -> lines.value(natural(c.x()) ? "udiv i64 " : "sdiv i64 ", x, ", ", y);
            case MOD -> natural(c.x()) ? lines.value("urem i64 ", x, ", ", y) : floorMod(x, y);
            case MIN -> lines.call("i64", "llvm.smin.i64", "i64", x, y);
            case MAX -> lines.call("i64", "llvm.smax.i64", "i64", x, y);
        };
    }

    private static void collect(Size size, List<Size> terms) {
        if (size instanceof Size.Call c && c.op() == Size.Op.ADD) {
            collect(c.x(), terms);
            collect(c.y(), terms);
        } else {
            terms.add(size);
        }
    }

    /** In another order than the bounds check went through, hence without {@code nsw}. */
    private String sum(List<Size> terms, String first) {
        String total = first;
        for (Size term : terms) {
            String x = write(term);
            total = total == null ? x : lines.value("add i64 ", x, ", ", total);
        }
        return total;
    }

    /** Whether no loop changes the value: only dimensions occur. */
    private boolean fixed(Size size) {
        return switch (size) {
            case Size.Int i -> true;
            case Size.Name n -> Names.isDimension(names.get(n.name()));
            case Size.Call c -> fixed(c.x()) && fixed(c.y());
        };
    }

    private String floorMod(String x, String y) {
        String r = lines.value("srem i64 ", x, ", ", y);
        String negative = lines.value("icmp slt i64 ", r, ", 0");
        String shifted = lines.value("add nsw i64 ", r, ", ", y);
        return lines.select(negative, "i64", shifted, r);
    }

    /** Whether the value is plainly not negative: names are not, and only a difference can be. */
    private static boolean natural(Size size) {
        return switch (size) {
            case Size.Int i -> i.value() >= 0;
            case Size.Name n -> true;
            case Size.Call c -> c.op() != Size.Op.SUB && natural(c.x()) && natural(c.y());
        };
    }

    /** Appends a size that is used before the loops around it are entered: 0 where it is less. */
    String extent(Size size) {
        String value = ahead(size);
        return size instanceof Size.Call
                ? lines.call("i64", "llvm.smax.i64", "i64", value, "0") : value;
    }

    /**
     * Appends a {@link #total} size that is used before the loops around it are entered. Where
     * these make no round nobody has shown that no step of it overflows: it is some number then.
     */
    String ahead(Size size) {
        String value = write(size);
        return size instanceof Size.Call ? lines.value("freeze i64 ", value) : value;
    }

    /**
     * Whether a size has a value whatever its names are: nothing is divided by what may be 0, of
     * which bounds are silent where the loops around it make no round.
     */
    static boolean total(Size size) {
        return !(size instanceof Size.Call c) || total(c.x()) && total(c.y())
                && switch (c.op()) {
                    case QUOT, DIV, MOD -> positive(c.y());
                    default -> true;
                };
    }

    private static boolean positive(Size size) {
        return size instanceof Size.Int i && i.value() > 0 || size instanceof Size.Call c
                && switch (c.op()) {
                    case MAX -> positive(c.x()) || positive(c.y());
                    case MUL, MIN -> positive(c.x()) && positive(c.y());
                    default -> false;
                };
    }
}
