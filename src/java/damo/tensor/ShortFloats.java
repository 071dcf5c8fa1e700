package damo.tensor;

/**
 * Floats of 16 bits, f16 and bf16, as the bits of a short. Rounding is to nearest, ties to even, in
 * one step from any double; what is too large becomes infinite, NaN stays NaN, subnormals are kept.
 */
public final class ShortFloats {
    private static final int BF16_SHIFT = 16;
    private static final int QUIET = 0x40;

    private ShortFloats() { }

    /** The bits of the double as that dtype. */
    static short bits(DType dtype, double v) {
        return dtype == DType.F16 ? Float.floatToFloat16(odd(v)) : upperHalf(odd(v));
    }

    /** The value of the bits of that dtype; exact. */
    static float value(DType dtype, short bits) {
        return dtype == DType.F16 ? Float.float16ToFloat(bits)
                : Float.intBitsToFloat(bits << BF16_SHIFT);
    }

    /** The double rounded to a value of that dtype. */
    public static float round(DType dtype, double v) {
        return value(dtype, bits(dtype, v));
    }

    /**
     * The double as a float rounded to odd: one that is not exact ends in a 1 bit, so that rounding
     * it again, to fewer bits, rounds the double.
     */
    private static float odd(double v) {
        float near = (float) v;
        if ((double) near == v || Double.isNaN(v)) {
            return near;
        }
        int bits = Float.floatToRawIntBits(near);
        int towardsZero = Math.abs((double) near) > Math.abs(v) ? bits - 1 : bits;
        return Float.intBitsToFloat(towardsZero | 1);
    }

    private static short upperHalf(float v) {
        int bits = Float.floatToRawIntBits(v);
        if (Float.isNaN(v)) {
            return (short) (bits >>> BF16_SHIFT | QUIET);
        }
        int lastKept = bits >>> BF16_SHIFT & 1;
        return (short) (bits + 0x7fff + lastKept >>> BF16_SHIFT);
    }
}
