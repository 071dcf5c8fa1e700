package damo.codegen;

import damo.tensor.DType;

/**
 * Values of f16 and bf16 as those of f32 that they stand for, exactly, in vectors: for what is
 * written by hand, where {@link StorageFloats} are for kernels.
 */
final class Widening {
    /** What takes an exponent of bias 15 to bias 127. */
    private static final double MOVED = 0x1p112;

    private final Lines lines;
    /** The lanes as a type has them: {@code "<16 x "} and {@code ">"}; nothing for one value. */
    private final String head;
    private final String tail;
    private final int lanes;

    /** For vectors of so many lanes, or for one value where {@code lanes} is 0. */
    Widening(Lines lines, int lanes) {
        this.lines = lines;
        this.lanes = lanes;
        this.head = lanes == 0 ? "" : "<" + lanes + " x ";
        this.tail = lanes == 0 ? "" : ">";
    }

    /** The floats whose bits, an i16 each, are given; {@code halves}: the machine has f16. */
    String floats(DType from, String bits, boolean halves) {
        if (from == DType.F16 && halves) {
            String half = lines.value("bitcast ", type("i16"), " ", bits, " to ", type("half"));
            return lines.value("fpext ", type("half"), " ", half, " to ", type("float"));
        }
        String wide = lines.value("zext ", type("i16"), " ", bits, " to ", type("i32"));
        return from == DType.BF16 ? cast(op("shl", wide, 16)) : half(wide);
    }

    /**
     * A product moves the exponent, of subnormal ones too; infinity and NaN get the largest
     * exponent instead.
     */
    private String half(String wide) {
        String size = op("and", wide, 0x7FFF);
        String moved = op("shl", size, 13);
        String scaled = lines.value("fmul ", type("float"), " ", cast(moved), ", ",
                all("float " + Types.floating(MOVED)));
        String number = lines.value("bitcast ", type("float"), " ", scaled, " to ", type("i32"));
        String special = lines.value("icmp uge ", type("i32"), " ", size, ", ",
                all("i32 " + 0x7C00));
        String found = lines.value("select ", type("i1"), " ", special, ", ", type("i32"), " ",
                op("or", moved, 0x7F800000), ", ", type("i32"), " ", number);
        String sign = op("shl", op("and", wide, 0x8000), 16);
        return cast(lines.value("or ", type("i32"), " ", found, ", ", sign));
    }

    private String type(String element) {
        return head + element + tail;
    }

    private String cast(String bits) {
        return lines.value("bitcast ", type("i32"), " ", bits, " to ", type("float"));
    }

    private String op(String name, String x, int y) {
        return lines.value(name, " ", type("i32"), " ", x, ", ", all("i32 " + y));
    }

    /** A constant in all lanes; the type of a single one stands before it already. */
    private String all(String constant) {
        if (lanes == 0) {
            return constant.substring(constant.indexOf(' ') + 1);
        }
        return "<" + constant + (", " + constant).repeat(lanes - 1) + ">";
    }
}
