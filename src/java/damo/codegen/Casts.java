package damo.codegen;

import damo.tensor.DType;

/** Conversions between dtypes, as docs/program.md defines them. */
final class Casts {
    private Casts() { }

    /** The widest integers that an f32 holds exactly, in bits. */
    private static final int EXACT_IN_F32 = 24;

    /** Appends the conversion of operand x, not of f16 or bf16 itself; returns its result. */
    static String write(Lines lines, MathLibrary library, DType from, DType to, String x) {
        return to.storage() ? rounded(lines, library, from, to, x) : write(lines, from, to, x);
    }

    /** The f32 nearest to x among the values of f16 or bf16. */
    private static String rounded(Lines lines, MathLibrary library, DType from, DType to,
                                  String x) {
        DType wide = from.floating() ? from
                : Types.bits(from) <= EXACT_IN_F32 ? DType.F32 : DType.F64;
        String number = write(lines, from, wide, x);
        if (wide == DType.F64) {
            return lines.call("float", library.storage(StorageFloats.near(to)), "double", number);
        }
        String bits = lines.call("i16", library.storage(StorageFloats.store(to)), "float", number);
        return lines.call("float", library.storage(StorageFloats.load(to)), "i16", bits);
    }

    private static String write(Lines lines, DType from, DType to, String x) {
        if (from == to) {
            return x;
        }
        if (to == DType.BOOL) {
            return from.floating()
                    ? lines.value("fcmp une ", Types.value(from), " ", x, ", ", Types.floating(0.0))
                    : lines.value("icmp ne ", Types.value(from), " ", x, ", 0");
        }
        if (from.floating()) {
            return to.floating() ? width(lines, from, to, x) : toInteger(lines, from, to, x);
        }
        if (to.floating()) {
            return convert(lines, Types.unsigned(from) ? "uitofp" : "sitofp", from, to, x);
        }
        return integer(lines, from, to, x);
    }

    private static String width(Lines lines, DType from, DType to, String x) {
        return convert(lines, to == DType.F64 ? "fpext" : "fptrunc", from, to, x);
    }

    /**
     * Saturates, and turns NaN into 0. What lies outside becomes 0 before the machine's conversion,
     * which is undefined there, and the bound behind it; or the bound before it, where that is a
     * float. All by selects, as LLVM has no vectors for its own saturating conversions.
     */
    private static String toInteger(Lines lines, DType from, DType to, String x) {
        int bits = Types.bits(to);
        if (bits < Integer.SIZE) {
            String bounded = bounded(lines, from, to, x);
            return integer(lines, DType.I32, to,
                    convert(lines, "fptosi", from, DType.I32, bounded));
        }
        String type = Types.value(from);
        double beyond = Math.scalb(1.0, bits - 1);
        String size = lines.call(type, "llvm.fabs." + Types.suffix(from), type, x);
        String inside = lines.value("fcmp olt ", type, " ", size, ", ", Types.floating(beyond));
        String safe = lines.select(inside, type, x, Types.floating(0.0));
        String whole = convert(lines, "fptosi", from, to, safe);
        String small = lines.value("fcmp ole ", type, " ", x, ", ", Types.floating(-beyond));
        String large = lines.value("fcmp oge ", type, " ", x, ", ", Types.floating(beyond));
        String least = lines.select(small, Types.value(to), bound(bits, true), whole);
        return lines.select(large, Types.value(to), bound(bits, false), least);
    }

    private static String bound(int bits, boolean least) {
        long lowest = -1L << (bits - 1);
        return Long.toString(least ? lowest : ~lowest);
    }

    /** A float between the bounds of an integer dtype whose bounds are floats; 0 for NaN. */
    private static String bounded(Lines lines, DType from, DType to, String x) {
        String type = Types.value(from);
        int bits = Types.bits(to);
        boolean unsigned = Types.unsigned(to);
        String low = Types.floating(unsigned ? 0 : -(1L << (bits - 1)));
        String high = Types.floating((1L << (unsigned ? bits : bits - 1)) - 1);
        String nan = lines.value("fcmp uno ", type, " ", x, ", ", x);
        String number = lines.select(nan, type, Types.floating(0.0), x);
        String less = lines.value("fcmp olt ", type, " ", number, ", ", high);
        String most = lines.select(less, type, number, high);
        String more = lines.value("fcmp ogt ", type, " ", most, ", ", low);
        return lines.select(more, type, most, low);
    }

    private static String integer(Lines lines, DType from, DType to, String x) {
        if (Types.bits(to) == Types.bits(from)) {
            return x;
        }
        String instruction = Types.bits(to) < Types.bits(from) ? "trunc"
                : Types.unsigned(from) ? "zext" : "sext";
        return convert(lines, instruction, from, to, x);
    }

    private static String convert(Lines lines, String instruction, DType from, DType to, String x) {
        return lines.value(instruction, " ", Types.value(from), " ", x, " to ", Types.value(to));
    }
}
