package damo.codegen;

/** The attributes of generated functions, by groups that all modules end with. */
public final class Attributes {
    private Attributes() { }

    /**
     * The largest frame of a generated function, in bytes. Functions of steps have far smaller
     * ones, for they hold at most 64 steps each: so a call, which is some of them deep and ends in
     * a kernel, takes less than 256 KiB of the stack besides what the libraries need.
     */
    public static final int STACK = 1 << 16;

    /**
     * #0: kernels and parts of long calls, which stay apart so that each is compiled alone. #1:
     * math functions, inlined. #2: others. A frame larger than {@link #STACK} bytes is refused.
     */
    static String text(int vectorBits) {
        String width = "\"prefer-vector-width\"=\"" + vectorBits + "\" \"warn-stack-size\"=\""
                + STACK + "\"";
        return "\nattributes #0 = { noinline nounwind " + width + " }\n"
                + "attributes #1 = { alwaysinline nounwind " + width + " }\n"
                + "attributes #2 = { nounwind " + width + " }\n";
    }
}
