package damo.codegen;

import damo.DamoException;
import damo.tensor.DType;
import java.util.List;
import java.util.Map;

/**
 * The primitive rows of the scalar instruction table as LLVM instructions: one method a family.
 * What has no case here is refused before LLVM sees it, as LLVM ends the process on what a target
 * lacks.
 */
final class Arithmetic {
    private Arithmetic() { }

    /**
     * Appends the instruction on operands {@code x} of dtype {@code t} (for {@code select}, the
     * dtype of the two choices) and returns its result. {@code flags} are fast-math flags, each
     * followed by a space; they are used on float addition and multiplication only.
     */
    static String write(Lines lines, String op, DType t, List<String> x, String flags) {
        String result = switch (op) {
            case "select" -> lines.select(x.get(0), Types.value(t), x.get(1), x.get(2));
            case "eq", "ne", "lt", "le", "gt", "ge" -> compare(lines, op, t, x.get(0), x.get(1));
            case "and", "or", "xor" -> binary(lines, op, t, x);
            case "not" -> lines.value("xor ", Types.value(t), " ", x.get(0), ", ",
                    t == DType.BOOL ? "true" : "-1");
            default -> t.floating() ? floating(lines, op, t, x, flags) : integer(lines, op, t, x);
        };
        if (result == null) {
            throw new DamoException("codegen", "no machine code for :" + op + " on :" + t.label(),
                    Map.of("instruction", op, "dtype", t.label()));
        }
        return result;
    }

    private static String binary(Lines lines, String instruction, DType t, List<String> x) {
        return lines.value(instruction, " ", Types.value(t), " ", x.get(0), ", ", x.get(1));
    }

    private static String compare(Lines lines, String op, DType t, String x, String y) {
        String relation = op;
        if (t.floating()) {
            relation = (op.equals("ne") ? "u" : "o") + op;
        } else if (!op.equals("eq") && !op.equals("ne")) {
            relation = (Types.unsigned(t) ? "u" : "s") + op;
        }
        return lines.value(t.floating() ? "fcmp " : "icmp ", relation, " ", Types.value(t), " ", x,
                ", ", y);
    }

    private static String floating(Lines lines, String op, DType t, List<String> x, String flags) {
        String type = Types.value(t);
        String a = x.get(0);
        return switch (op) {
            case "add", "sub", "mul" -> binary(lines, "f" + op + (flags.isEmpty() ? "" : " ")
                    + flags.strip(), t, x);
            case "div" -> binary(lines, "fdiv", t, x);
            case "mod" -> floatMod(lines, t, a, x.get(1));
            case "neg" -> lines.value("fneg ", type, " ", a);
            case "abs" -> intrinsic(lines, "fabs", t, x);
            case "rint" -> intrinsic(lines, "roundeven", t, x);
            case "fma", "sqrt", "floor", "ceil", "trunc", "copysign", "maximum", "minimum" ->
                    intrinsic(lines, op, t, x);
            case "isnan" -> lines.value("fcmp uno ", type, " ", a, ", ", Types.floating(0.0));
            case "isinf" -> lines.value("fcmp oeq ", type, " ", intrinsic(lines, "fabs", t, x),
                    ", ", Types.floating(Double.POSITIVE_INFINITY));
            case "bits" -> lines.value("bitcast ", type, " ", a, " to i",
                    Integer.toString(Types.bits(t)));
            default -> null;
        };
    }

    private static String intrinsic(Lines lines, String name, DType t, List<String> x) {
        return lines.call(Types.value(t), "llvm." + name + "." + Types.suffix(t), Types.value(t),
                x.toArray(String[]::new));
    }

    /** fmod moved into the divisor's sign; a zero result takes that sign too, as in NumPy. */
    private static String floatMod(Lines lines, DType t, String x, String y) {
        String type = Types.value(t);
        String zero = Types.floating(0.0);
        String r = lines.value("frem ", type, " ", x, ", ", y);
        String rNegative = lines.value("fcmp olt ", type, " ", r, ", ", zero);
        String yNegative = lines.value("fcmp olt ", type, " ", y, ", ", zero);
        String differ = lines.value("xor i1 ", rNegative, ", ", yNegative);
        String moved = lines.value("fadd ", type, " ", r, ", ", y);
        String nonzero = lines.select(differ, type, moved, r);
        String isZero = lines.value("fcmp oeq ", type, " ", r, ", ", zero);
        String signedZero = intrinsic(lines, "copysign", t, List.of(zero, y));
        return lines.select(isZero, type, signedZero, nonzero);
    }

    private static String integer(Lines lines, String op, DType t, List<String> x) {
        String type = Types.value(t);
        return switch (op) {
            case "add", "sub", "mul" -> t == DType.BOOL ? null : binary(lines, op, t, x);
            case "neg" -> t == DType.BOOL ? null : lines.value("sub ", type, " 0, ", x.get(0));
            case "abs" -> t == DType.U8 ? x.get(0)
                    : lines.value("call ", type, " @llvm.abs.", type, "(", type, " ", x.get(0),
                            ", i1 false)");
            case "div", "mod" -> t == DType.BOOL ? null
                    : Division.write(lines, op, t, x.get(0), x.get(1));
            case "maximum", "minimum" -> lines.call(type, "llvm." + (Types.unsigned(t) ? "u" : "s")
                    + op.substring(0, 3) + "." + type, type, x.get(0), x.get(1));
            case "shl" -> shift(lines, "shl", t, x.get(0), x.get(1));
            case "shr" -> shift(lines, Types.unsigned(t) ? "lshr" : "ashr", t, x.get(0), x.get(1));
            case "float" -> switch (t) {
                case I32 -> lines.value("bitcast i32 ", x.get(0), " to float");
                case I64 -> lines.value("bitcast i64 ", x.get(0), " to double");
                default -> null;
            };
            default -> null;
        };
    }

    /**
     * A count outside 0 … width-1 gives 0; the machine's shift is undefined there, but not chosen.
     */
    private static String shift(Lines lines, String op, DType t, String x, String count) {
        String type = Types.value(t);
        String fits = lines.value("icmp ult ", type, " ", count, ", ",
                Integer.toString(Types.bits(t)));
        String shifted = lines.value(op, " ", type, " ", x, ", ", count);
        return lines.select(fits, type, shifted, "0");
    }
}
