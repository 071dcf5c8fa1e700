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
        String single = wide == DType.F32 ? number
                : lines.call("float", library.storage(StorageFloats.ODD), "double", number);
        String bits = lines.call("i16", library.storage(StorageFloats.store(to)), "float", single);
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

    /** Saturates, and turns NaN into 0; the plain instructions would be undefined there. */
    private static String toInteger(Lines lines, DType from, DType to, String x) {
        String name = "llvm." + (to == DType.U8 ? "fptoui" : "fptosi") + ".sat." + Types.suffix(to)
                + "." + Types.suffix(from);
        return lines.call(Types.value(to), name, Types.value(from), x);
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
