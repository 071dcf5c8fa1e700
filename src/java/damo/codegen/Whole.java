package damo.codegen;

/** Arithmetic on sizes, i64 values that are not negative, in the body of a function. */
final class Whole {
    private final Lines lines;

    /** Written to {@code lines}. */
    Whole(Lines lines) {
        this.lines = lines;
    }

    /** The sum. */
    String plus(String x, String y) {
        return x.equals("0") ? y : y.equals("0") ? x
                : lines.value("add nsw i64 ", x, ", ", y);
    }

    /** The difference. */
    String minus(String x, String y) {
        return y.equals("0") ? x : lines.value("sub nsw i64 ", x, ", ", y);
    }

    /** The product. */
    String times(String x, String y) {
        return x.equals("1") ? y : y.equals("1") ? x
                : lines.value("mul nsw i64 ", x, ", ", y);
    }

    /** The product with a number. */
    String times(String x, long y) {
        return times(x, Long.toString(y));
    }

    /** The quotient, rounded down. */
    String over(String x, String y) {
        return lines.value("udiv i64 ", x, ", ", y);
    }

    /** What the division leaves. */
    String rest(String x, String y) {
        return lines.value("urem i64 ", x, ", ", y);
    }

    /** The quotient, rounded up. */
    String parts(String x, String y) {
        return over(plus(x, minus(y, "1")), y);
    }

    /** The quotient by a number, rounded up. */
    String parts(String x, long y) {
        return over(plus(x, Long.toString(y - 1)), Long.toString(y));
    }

    /** The smaller one. */
    String least(String x, String y) {
        return lines.call("i64", "llvm.smin.i64", "i64", x, y);
    }

    /** The larger one. */
    String most(String x, String y) {
        return lines.call("i64", "llvm.smax.i64", "i64", x, y);
    }

    /** The square root of a quotient, rounded to the nearest. */
    String root(String x, String y) {
        String quotient = lines.value("fdiv double ", lines.value("uitofp i64 ", x, " to double"),
                ", ", lines.value("uitofp i64 ", y, " to double"));
        String root = lines.call("double", "llvm.sqrt.f64", "double", quotient);
        return lines.value("fptoui double ", lines.value("fadd double ", root, ", 0.5"),
                " to i64");
    }

    /** One of two. */
    String pick(String condition, String yes, String no) {
        return lines.select(condition, "i64", yes, no);
    }

    /** Whether they compare so: {@code "eq"}, {@code "slt"} …; an i1. */
    String is(String how, String x, String y) {
        return lines.value("icmp ", how, " i64 ", x, ", ", y);
    }

    /** Whether both hold. */
    String both(String x, String y) {
        return lines.value("and i1 ", x, ", ", y);
    }

    /** Whether one of them holds. */
    String either(String x, String y) {
        return lines.value("or i1 ", x, ", ", y);
    }

    /** 1 where it holds, else 0. */
    String count(String condition) {
        return lines.value("zext i1 ", condition, " to i64");
    }
}
