package damo.codegen;

import damo.tensor.DType;

/**
 * Division of integers, towards the lower number, and what it leaves: in vectors, which have no
 * instruction for it, by products with the reciprocal as a float. Where the divisor is the same in
 * all rounds of a loop, LLVM computes the reciprocal before it.
 *
 * <p>Of up to 32 bits a float holds the integers with bits to spare: the quotient of x + 1/2 goes
 * down to that of x, and is farther from whole numbers than all roundings. Of 64 bits the
 * reciprocal is made larger by more than all roundings together, so that the product cut to an
 * integer is never too small; it is too large only where the exact quotient lies nearer to the next
 * integer than that, which what is left tells by its sign: as for quotients that are cut where they
 * should go down. A first product gives a quotient that leaves less than the divisor and 2^14
 * together, a second one the rest.
 */
final class Division {
    private final Lines lines;
    private final DType t;
    private final String type;
    /** The float dtype that has the integers, or, of 64 bits, nearly. */
    private final DType f;
    private final String x;

    private Division(Lines lines, DType t, String x) {
        this.lines = lines;
        this.t = t;
        this.type = Types.value(t);
        this.f = Types.bits(t) < Integer.SIZE ? DType.F32 : DType.F64;
        this.x = x;
    }

    /** Appends {@code div} or {@code mod} of integers, 0 by zero; returns the result. */
    static String write(Lines lines, String op, DType t, String x, String y) {
        boolean quotient = op.equals("div");
        Division division = new Division(lines, t, x);
        Long known = known(y);
        if (known != null && known > 0 && Long.bitCount(known) == 1) {
            return division.power(quotient, known);
        }
        return known != null && t == DType.I32 && known > 1 ? division.constant(quotient, y)
                : Types.bits(t) < Long.SIZE ? division.narrow(quotient, y)
                : division.wide(quotient, y);
    }

    private static Long known(String y) {
        return y.matches("-?\\d+") ? Long.parseLong(y) : null;
    }

    /** By a power of two. */
    private String power(boolean quotient, long y) {
        return quotient ? lines.value(Types.unsigned(t) ? "lshr " : "ashr ", type, " ", x, ", ",
                Integer.toString(Long.numberOfTrailingZeros(y)))
                : lines.value("and ", type, " ", x, ", ", Long.toString(y - 1));
    }

    /** By a number above 1 that LLVM knows: it has vectors of 32 bits for that. */
    private String constant(boolean quotient, String y) {
        String rest = lines.value("srem ", type, " ", x, ", ", y);
        String below = lines.value("icmp slt ", type, " ", rest, ", 0");
        String q = lines.value("sdiv ", type, " ", x, ", ", y);
        return quotient ? lines.value("sub ", type, " ", q, ", ", lines.value("zext i1 ", below,
                " to ", type)) : lines.select(below, type, lines.value("add ", type, " ", rest,
                ", ", y), rest);
    }

    /** By any number; by 0 and -1, where the quotient may have no float, it is -x or 0. */
    private String narrow(boolean quotient, String y) {
        String plain = Types.unsigned(t) ? lines.value("icmp eq ", type, " ", y, ", 0")
                : lines.value("icmp ult ", type, " ", lines.value("add ", type, " ", y, ", 1"),
                        ", 2");
        String by = lines.select(plain, type, "1", y);
        String inverse = lines.value("fdiv ", Types.value(f), " ", Types.floating(1), ", ",
                floating(by));
        String half = lines.value("fmul ", Types.value(f), " ", intrinsic("fabs", inverse), ", ",
                Types.floating(0.5));
        String down = intrinsic("floor", intrinsic("fma", floating(x), inverse, half));
        String whole = lines.value("fptosi ", Types.value(f), " ", down, " to i32");
        String q = t == DType.I32 ? whole : lines.value("trunc i32 ", whole, " to ", type);
        return quotient ? lines.select(plain, type, lines.value("and ", type, " ", minus("0", x),
                ", ", y), q) : lines.select(plain, type, "0", minus(x, product(q, by)));
    }

    private String intrinsic(String name, String... operands) {
        return lines.call(Types.value(f), "llvm." + name + "." + Types.suffix(f), Types.value(f),
                operands);
    }

    /** By any number of 64 bits; by 0, 1 and -1 it is x times that, and nothing is left. */
    private String wide(boolean quotient, String y) {
        String near = lines.value("add ", type, " ", y, ", 1");
        String plain = lines.value("icmp ult ", type, " ", near, ", 3");
        String by = lines.select(plain, type, "2", y);
        String inverse = lines.value("fdiv double ", Types.floating(1 + 0x1p-50), ", ",
                floating(by));
        String first = times(x, inverse);
        String left = minus(x, product(first, by));
        String second = times(left, inverse);
        String rest = minus(left, product(second, by));
        String signs = lines.value("xor ", type, " ", rest, ", ", by);
        String differ = lines.value("icmp slt ", type, " ", signs, ", 0");
        String some = lines.value("icmp ne ", type, " ", rest, ", 0");
        String down = lines.value("and i1 ", differ, ", ", some);
        if (!quotient) {
            String moved = lines.value("add ", type, " ", rest, ", ", by);
            return lines.select(plain, type, "0", lines.select(down, type, moved, rest));
        }
        String q = lines.value("add ", type, " ", first, ", ", second);
        return lines.select(plain, type, product(x, y),
                lines.select(down, type, minus(q, "1"), q));
    }

    private String floating(String n) {
        return lines.value(Types.unsigned(t) ? "uitofp " : "sitofp ", type, " ", n, " to ",
                Types.value(f));
    }

    /** The integer towards zero from a product; the quotient by 2 or more is one. */
    private String times(String n, String inverse) {
        String product = lines.value("fmul double ", floating(n), ", ", inverse);
        return lines.value("fptosi double ", product, " to ", type);
    }

    private String product(String a, String b) {
        return lines.value("mul ", type, " ", a, ", ", b);
    }

    private String minus(String a, String b) {
        return lines.value("sub ", type, " ", a, ", ", b);
    }
}
