package damo.tensor;

import java.util.Locale;

/**
 * The element types of tensors. {@code BOOL} is one byte, 0 or 1; {@code U8} counts from 0 to 255.
 */
public enum DType {
    F64(8, true), F32(4, true), I64(8, false), I32(4, false), I8(1, false), U8(1, false),
            BOOL(1, false);

    private final int bytes;
    private final boolean floating;

    DType(int bytes, boolean floating) {
        this.bytes = bytes;
        this.floating = floating;
    }

    /** Size of one element in bytes. */
    public int bytes() {
        return bytes;
    }

    /** Whether this is {@code F64} or {@code F32}. */
    public boolean floating() {
        return floating;
    }

    /** The name in programs, without the colon: {@code "f32"}. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The dtype of that label; {@code null} when there is none. */
    public static DType of(String label) {
        for (DType d : values()) {
            if (d.label().equals(label)) {
                return d;
            }
        }
        return null;
    }
}
