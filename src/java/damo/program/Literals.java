package damo.program;

import damo.edn.Edn;
import damo.tensor.DType;
import damo.tensor.ShortFloats;
import java.util.List;

/** Numbers written in a program, as values of a dtype. */
final class Literals {
    private Literals() { }

    /**
     * The number as a float of that dtype, widened to double; refuses what is not a number or
     * overflows to infinity.
     */
    static double floating(DType dtype, Object form, Where where) {
        if (!(form instanceof Number n)) {
            throw where.expected("a number of dtype :" + dtype.label(), form);
        }
        double value = n.doubleValue();
        double rounded = switch (dtype) {
            case F64 -> value;
            case F32 -> (float) value;
            default -> ShortFloats.round(dtype, value);
        };
        if (Double.isInfinite(rounded) && !Double.isInfinite(value)) {
            throw where.bad(Edn.brief(form) + " does not fit :" + dtype.label());
        }
        return rounded;
    }

    /** The integer or boolean as a long (false 0, true 1); refuses what does not fit the dtype. */
    static long integral(DType dtype, Object form, Where where) {
        if (dtype == DType.BOOL) {
            if (form instanceof Boolean b) {
                return b ? 1 : 0;
            }
            throw where.expected("true or false", form);
        }
        if (!(form instanceof Long n)) {
            throw where.expected("an integer of dtype :" + dtype.label(), form);
        }
        boolean fits = switch (dtype) {
            case I32 -> n == (int) (long) n;
            case I16 -> n == (short) (long) n;
            case I8 -> n == (byte) (long) n;
            case U8 -> n == (n & 0xff);
            default -> true;
        };
        if (!fits) {
            throw where.bad(n + " does not fit :" + dtype.label());
        }
        return n;
    }

    /** The literal as an expression; one of f16 or bf16 is a rounded f32. */
    static Kernel.Const constant(DType dtype, Object form, Where where) {
        return new Kernel.Const(dtype.computed(), dtype.floating()
                ? Double.doubleToLongBits(floating(dtype, form, where))
                : integral(dtype, form, where));
    }

    /** The literals as a double[] (floats) or long[] (everything else). */
    static Object array(DType dtype, List<?> forms, Where where) {
        if (dtype.floating()) {
            return forms.stream().mapToDouble(f -> floating(dtype, f, where)).toArray();
        }
        return forms.stream().mapToLong(f -> integral(dtype, f, where)).toArray();
    }
}
