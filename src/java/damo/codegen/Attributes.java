package damo.codegen;

/** The attributes of generated functions and loops, by groups that all modules end with. */
public final class Attributes {
    private Attributes() { }

    /** What a branch back carries in a loop that LLVM shall leave as it is. */
    static final String PLAIN_LOOP = ", !llvm.loop !0";

    /** What it carries in a loop whose last vector is not full, as its rest costs much alone. */
    static final String MASKED_LOOP = ", !llvm.loop !3";

    /** What it carries in a loop with as many elements in a round as a vector of floats has. */
    static final String WIDE_LOOP = ", !llvm.loop !5";

    /** What it carries in a loop that is both. */
    static final String WIDE_MASKED_LOOP = ", !llvm.loop !7";

    /** What it carries in a loop that has two of the widest vectors a round, as each waits long. */
    static final String PAIRED_LOOP = ", !llvm.loop !8";

    private static final String LOOPS = """
            !0 = distinct !{!0, !1, !2}
            !1 = !{!"llvm.loop.vectorize.enable", i1 false}
            !2 = !{!"llvm.loop.unroll.disable"}
            """;

    /** Masks are cheap from AVX-512 on. */
    static final int MASKS = 512;

    /**
     * The largest frame of a generated function, in bytes. Functions of steps have far smaller
     * ones, for they hold at most 64 steps each: so a call, which is some of them deep and ends in
     * a kernel, takes less than 256 KiB of the stack besides what the libraries need.
     */
    public static final int STACK = 1 << 16;

    /**
     * #0: kernels and parts of long calls, which stay apart so that each is compiled alone. #1:
     * math functions, inlined. #2: others. A frame larger than {@link #STACK} bytes is refused.
     * Loops have what the constants name.
     */
    static String text(int vectorBits) {
        String width = "\"prefer-vector-width\"=\"" + vectorBits + "\" \"warn-stack-size\"=\""
                + STACK + "\"";
        return "\nattributes #0 = { noinline nounwind " + width + " }\n"
                + "attributes #1 = { alwaysinline nounwind " + width + " }\n"
                + "attributes #2 = { nounwind " + width + " }\n" + LOOPS
                + "!4 = !{!\"llvm.loop.vectorize.predicate.enable\", i1 true}\n"
                + "!5 = distinct !{!5, !6}\n"
                + "!6 = !{!\"llvm.loop.vectorize.width\", i32 " + vectorBits / Float.SIZE + "}\n"
                + (vectorBits < MASKS ? "!3 = distinct !{!3}\n!7 = distinct !{!7, !6}\n"
                + "!8 = distinct !{!8}\n"
                : "!3 = distinct !{!3, !4}\n!7 = distinct !{!7, !4, !6}\n"
                + "!8 = distinct !{!8, !9}\n"
                + "!9 = !{!\"llvm.loop.interleave.count\", i32 2}\n");
    }
}
