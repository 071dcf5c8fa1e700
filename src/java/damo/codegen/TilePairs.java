package damo.codegen;

import damo.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/**
 * Two terms of an operand side by side in 32 bits, as {@link TileForm} has them, in values of the
 * dtype of C; and the smallest number among those of bf16, for subnormal numbers must not meet an
 * instruction that takes them for zeros. It is told as the bits of its size less 1, so that 0 is
 * the largest.
 */
final class TilePairs {
    /** Two biases of 127, less the least exponent and twice the 7 digits behind the first. */
    private static final int NORMAL = 2 * 127 - 126 + 14;
    private static final int DIGITS = 1 << 7;
    private static final String LEAST = "%least.here";
    private static final int HALF = 16;

    private final Lines lines;
    private final int lanes;
    private final String type;
    private final boolean floats;
    /** Twice as many 16-bit numbers, and as many 32-bit ones. */
    private final Vectors shorts;
    private final Vectors words;

    /** Of an operand that memory holds as that dtype, in a function that is told "ptr %least". */
    TilePairs(Lines lines, Inputs in, DType memory) {
        this.lines = lines;
        this.lanes = in.tiles().lanes();
        this.type = in.c(lines).type();
        this.floats = in.form() == TileForm.BF16_PAIRS;
        this.shorts = new Vectors(lines, memory, DType.I16, 2 * lanes, true);
        this.words = new Vectors(lines, memory, DType.I32, lanes, true);
    }

    /** Appends what must stand before the rest. */
    void begin() {
        if (floats) {
            lines.slot(LEAST, halves());
            lines.add("store ", halves(), " ", all(2 * lanes, "i16 -1"), ", ptr ", LEAST);
        }
    }

    private String halves() {
        return "<" + 2 * lanes + " x i16>";
    }

    private static String all(int count, String x) {
        return "<" + x + (", " + x).repeat(count - 1) + ">";
    }

    /** The mask of so many terms along a line. */
    String below(String count) {
        return shorts.below(count);
    }

    /** The terms from an address on, which lie along the line. */
    String along(String address, String mask) {
        String x = lines.value("bitcast ", halves(), " ", shorts.load(address, mask), " to ",
                words.type());
        return value(lines.value("call ", words.type(), " @llvm.fshl.v", Integer.toString(lanes),
                "i32(", words.type(), " ", x, ", ", words.type(), " ", x, ", ", words.type(), " ",
                all(lanes, "i32 " + HALF), ")"));
    }

    /** Those of adjacent lines; the second, {@code lead} further, is 0 unless the i1 holds. */
    String across(String address, String lead, String second, String mask) {
        String step = new Whole(lines).pick(second, lead, "0");
        String x = words.load(address, mask);
        String y = lines.select(second, words.type(), words.load(words.address(address, step),
                mask), "zeroinitializer");
        String upper = lines.value("shl ", words.type(), " ", x, ", ", all(lanes, "i32 " + HALF));
        String lower = lines.value("and ", words.type(), " ", y, ", ", all(lanes, "i32 65535"));
        return value(lines.value("or ", words.type(), " ", upper, ", ", lower));
    }

    private String value(String x) {
        return floats ? lines.value("bitcast ", words.type(), " ", x, " to ", type) : x;
    }

    /** Stores two terms; the second is 0 unless the i1 holds. */
    void one(String first, String other, String second, String to) {
        String x = lines.value("shl i32 ", words.scalar(first), ", ", Integer.toString(HALF));
        String y = lines.value("and i32 ", words.scalar(other), ", 65535");
        String both = lines.value("or i32 ", x, ", ", lines.select(second, "i32", y, "0"));
        lines.add("store i32 ", both, ", ptr ", to);
        if (floats) {
            String one = lines.value("insertelement ", words.type(), " zeroinitializer, i32 ",
                    both, ", i64 0");
            look(List.of(value(one)));
        }
    }

    /** Looks at values that were packed. */
    void look(List<String> packed) {
        if (!floats) {
            return;
        }
        List<String> left = new ArrayList<>();
        for (String x : packed) {
            String bits = lines.value("bitcast ", type, " ", x, " to ", halves());
            String size = lines.value("and ", halves(), " ", bits, ", ", all(2 * lanes,
                    "i16 32767"));
            left.add(lines.value("add ", halves(), " ", size, ", ", all(2 * lanes, "i16 -1")));
        }
        while (left.size() > 1) {
            left.add(least(left.removeFirst(), left.removeFirst()));
        }
        String now = lines.value("load ", halves(), ", ptr ", LEAST);
        lines.add("store ", halves(), " ", least(now, left.getFirst()), ", ptr ", LEAST);
    }

    private String least(String x, String y) {
        return lines.call(halves(), "llvm.umin.v" + 2 * lanes + "i16", halves(), x, y);
    }

    /** Writes what was seen to {@code %least}, an i64, unless something smaller stands there. */
    void tell() {
        if (floats) {
            String least = lines.value("call i16 @llvm.vector.reduce.umin.v",
                    Integer.toString(2 * lanes), "i16(", halves(), " ", lines.value("load ",
                            halves(), ", ptr ", LEAST), ")");
            String all = lines.value("load i64, ptr %least");
            lines.add("store i64 ", new Whole(lines).least(all, lines.value("zext i16 ", least,
                    " to i64")), ", ptr %least");
        }
    }

    /**
     * Whether no sum of products of numbers of A and B as small as told can be subnormal, nor be
     * made of such: all of them are multiples of the product of their last digits.
     */
    static String normal(Lines lines, String a, String b) {
        Whole w = new Whole(lines);
        String x = exponent(w, a);
        String y = exponent(w, b);
        return w.both(w.both(w.is("sge", x, "1"), w.is("sge", y, "1")),
                w.is("sge", w.plus(x, y), Integer.toString(NORMAL)));
    }

    private static String exponent(Whole w, String least) {
        return w.over(w.plus(least, "1"), Integer.toString(DIGITS));
    }
}
