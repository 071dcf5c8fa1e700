package damo.codegen;

import damo.tensor.DType;

/**
 * LLVM functions between memory of f16 and bf16 and the f32 that values are computed in. Written
 * with integers where the machine has no instructions, so that no call into a runtime library
 * arises; without branches, so that loops around them are vectorised. Rounding is to nearest, ties
 * to even; what is too large becomes infinite, NaN stays NaN, subnormals are exact.
 */
final class StorageFloats {
    /**
     * The double nearest to a double among those of fewer bits, as a float. Adding 1.5 times as
     * much as makes the last place of the sum that of the result rounds; what is added has the
     * exponent of x, at least that of the least normal number, plus a number.
     */
    private static final String NEAR = """
            define internal float @damo.NAME.near(double %x) #1 {
            entry:
              %b = bitcast double %x to i64
              %e = and i64 %b, 9218868437227405312
              %more = call i64 @llvm.smax.i64(i64 %e, i64 LEAST)
              %exponent = call i64 @llvm.smin.i64(i64 %more, i64 MOST)
              %bits = add i64 %exponent, STEP
              %step = bitcast i64 %bits to double
              %moved = fadd double %x, %step
              %back = fsub double %moved, %step
              %signed = call double @llvm.copysign.f64(double %back, double %x)
              %float = fptrunc double %signed to float
              ret float %float
            }
            """;

    private static final String F16_LOAD = """
            define internal float @damo.f16.load(i16 %x) #1 {
            entry:
              %half = bitcast i16 %x to half
              %float = fpext half %half to float
              ret float %float
            }
            """;

    private static final String F16_STORE = """
            define internal i16 @damo.f16.store(float %x) #1 {
            entry:
              %half = fptrunc float %x to half
              %bits = bitcast half %half to i16
              ret i16 %bits
            }
            """;

    /** The exponent is moved from bias 15 to 127; a subnormal is its integer times 2^-24. */
    private static final String F16_LOAD_PORTABLE = """
            define internal float @damo.f16.load(i16 %x) #1 {
            entry:
              %h = zext i16 %x to i32
              %s = and i32 %h, 32768
              %sign = shl i32 %s, 16
              %a = and i32 %h, 32767
              %moved = shl i32 %a, 13
              %normal = add i32 %moved, 939524096
              %special = add i32 %moved, 1879048192
              %count = uitofp i32 %a to float
              %small = fmul float %count, 0x3E70000000000000
              %small.bits = bitcast float %small to i32
              %is.special = icmp uge i32 %a, 31744
              %is.small = icmp ult i32 %a, 1024
              %finite = select i1 %is.small, i32 %small.bits, i32 %normal
              %size = select i1 %is.special, i32 %special, i32 %finite
              %bits = or i32 %size, %sign
              %float = bitcast i32 %bits to float
              ret float %float
            }
            """;

    /**
     * Normal: half of the last place is added, less one unless the last kept bit is odd, and the
     * exponent moved; overflow stops at infinity. Below 2^-14: adding 0.5, whose last place is
     * 2^-24, rounds to the integer that the bits are.
     */
    private static final String F16_STORE_PORTABLE = """
            define internal i16 @damo.f16.store(float %x) #1 {
            entry:
              %b = bitcast float %x to i32
              %high = lshr i32 %b, 16
              %sign = and i32 %high, 32768
              %a = and i32 %b, 2147483647
              %kept = lshr i32 %a, 13
              %last = and i32 %kept, 1
              %half = add i32 %a, 4095
              %rounded = add i32 %half, %last
              %cut = lshr i32 %rounded, 13
              %moved = sub i32 %cut, 114688
              %normal = call i32 @llvm.umin.i32(i32 %moved, i32 31744)
              %size = bitcast i32 %a to float
              %shifted = fadd float %size, 0x3FE0000000000000
              %shifted.bits = bitcast float %shifted to i32
              %small = sub i32 %shifted.bits, 1056964608
              %payload = and i32 %kept, 1023
              %nan = or i32 %payload, 32256
              %is.nan = icmp ugt i32 %a, 2139095040
              %is.small = icmp ult i32 %a, 947912704
              %number = select i1 %is.small, i32 %small, i32 %normal
              %result = select i1 %is.nan, i32 %nan, i32 %number
              %signed = or i32 %result, %sign
              %bits = trunc i32 %signed to i16
              ret i16 %bits
            }
            """;

    private static final String BF16_LOAD = """
            define internal float @damo.bf16.load(i16 %x) #1 {
            entry:
              %wide = zext i16 %x to i32
              %bits = shl i32 %wide, 16
              %float = bitcast i32 %bits to float
              ret float %float
            }
            """;

    /** The processors' own instruction for this flushes subnormals, so it is not used. */
    private static final String BF16_STORE = """
            define internal i16 @damo.bf16.store(float %x) #1 {
            entry:
              %b = bitcast float %x to i32
              %kept = lshr i32 %b, 16
              %last = and i32 %kept, 1
              %half = add i32 %b, 32767
              %rounded = add i32 %half, %last
              %number = lshr i32 %rounded, 16
              %nan = or i32 %kept, 64
              %is.nan = fcmp uno float %x, 0.0
              %result = select i1 %is.nan, i32 %nan, i32 %number
              %bits = trunc i32 %result to i16
              ret i16 %bits
            }
            """;

    private static final String BF16_CUT = """
            define internal i16 @damo.bf16.cut(float %x) #1 {
            entry:
              %b = bitcast float %x to i32
              %kept = lshr i32 %b, 16
              %bits = trunc i32 %kept to i16
              ret i16 %bits
            }
            """;

    private StorageFloats() { }

    /** The name (without {@code @}) of the function from the bits in memory to a float. */
    static String load(DType t) {
        return "damo." + t.label() + ".load";
    }

    /** The name (without {@code @}) of the function from a float to the bits in memory. */
    static String store(DType t) {
        return "damo." + t.label() + ".store";
    }

    /** The name (without {@code @}) of the function to the bits of a float that is of the dtype. */
    static String cut(DType t) {
        return t == DType.BF16 ? "damo.bf16.cut" : store(t);
    }

    /** The name (without {@code @}) of the function from a double to the nearest one, a float. */
    static String near(DType t) {
        return "damo." + t.label() + ".near";
    }

    /** That function for floats of so many bits whose least normal one is a power of 2. */
    private static String near(DType t, int precision, int least) {
        long up = Double.PRECISION - precision;
        long step = up << 52 | 1L << 51;
        return NEAR.replace("NAME", t.label())
                .replace("LEAST", Long.toString((long) (least + Double.MAX_EXPONENT) << 52))
                .replace("MOST", Long.toString((2L * Double.MAX_EXPONENT - up) << 52))
                .replace("STEP", Long.toString(step));
    }

    /** The function of that name; {@code halves}: with the machine's instructions for f16. */
    static String text(String name, boolean halves) {
        return switch (name) {
            case "damo.f16.near" -> near(DType.F16, 11, -14);
            case "damo.bf16.near" -> near(DType.BF16, 8, -126);
            case "damo.f16.load" -> halves ? F16_LOAD : F16_LOAD_PORTABLE;
            case "damo.f16.store" -> halves ? F16_STORE : F16_STORE_PORTABLE;
            case "damo.bf16.load" -> BF16_LOAD;
            case "damo.bf16.store" -> BF16_STORE;
            case "damo.bf16.cut" -> BF16_CUT;
            default -> throw new IllegalArgumentException("no function " + name);
        };
    }
}
