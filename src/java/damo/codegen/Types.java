package damo.codegen;

import damo.tensor.DType;
import java.util.HexFormat;

/** Damo's dtypes and literals in LLVM's notation. */
final class Types {
    private Types() { }

    /** The type of a value in a register: {@code bool} is {@code i1}; f16 and bf16 have none. */
    static String value(DType t) {
        return switch (t) {
            case F64 -> "double";
            case F32 -> "float";
            case I64 -> "i64";
            case I32 -> "i32";
            case I16 -> "i16";
            case I8, U8 -> "i8";
            case BOOL -> "i1";
            case F16, BF16 -> throw new IllegalArgumentException("in memory only: " + t);
        };
    }

    /** The type of an element in memory: {@code bool} is a byte, f16 and bf16 are their bits. */
    static String memory(DType t) {
        return t == DType.BOOL ? "i8" : t.storage() ? "i16" : value(t);
    }

    /** The suffix of overloaded intrinsics: {@code "f32"} or {@code "i8"}. */
    static String suffix(DType t) {
        return t.floating() ? t.label() : value(t);
    }

    /** Width of a value in bits. */
    static int bits(DType t) {
        return t == DType.BOOL ? 1 : 8 * t.bytes();
    }

    /** Whether values are ordered and divided as unsigned numbers. */
    static boolean unsigned(DType t) {
        return t == DType.U8 || t == DType.BOOL;
    }

    /** A literal; {@code bits} as in {@link damo.program.Kernel.Const}. */
    static String literal(DType t, long bits) {
        return switch (t) {
            case F64 -> floating(Double.longBitsToDouble(bits));
            case F32 -> floating((float) Double.longBitsToDouble(bits));
            case BOOL -> bits != 0 ? "true" : "false";
            default -> Long.toString(bits);
        };
    }

    /** A number, whole where the dtype is one of whole numbers. */
    static String number(DType t, double x) {
        return t.floating() ? literal(t, Double.doubleToRawLongBits(x)) : Long.toString((long) x);
    }

    /** LLVM writes floats of either width by the bits of the double. */
    static String floating(double x) {
        return "0x" + HexFormat.of().toHexDigits(Double.doubleToLongBits(x));
    }
}
