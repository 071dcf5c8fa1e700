package damo.tensor;

import java.util.Locale;

/**
 * The element types of tensors. {@code BOOL} is one byte, 0 or 1; {@code U8} counts from 0 to 255.
 * {@code F16} (IEEE's half: 11 significant bits, up to 65504) and {@code BF16} (the upper half of
 * an f32: 8 significant bits, its range) are there to save memory: values are computed as f32.
 */
public enum DType {
    F64(8, true), F32(4, true), F16(2, true), BF16(2, true), I64(8, false), I32(4, false),
            I16(2, false), I8(1, false), U8(1, false), BOOL(1, false);

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

    /** Whether this is one of {@code F64}, {@code F32}, {@code F16} and {@code BF16}. */
    public boolean floating() {
        return floating;
    }

    /** Whether values have this dtype in memory only: {@code F16} or {@code BF16}. */
    public boolean storage() {
        return this == F16 || this == BF16;
    }

    /** The dtype of a value that was loaded from memory of this one: f32 for f16 and bf16. */
    public DType computed() {
        return storage() ? F32 : this;
    }

    /** Whether every value of {@code from}, a float as this one, is a value of this one. */
    public boolean holds(DType from) {
        return from == this || from.bytes < bytes && (from != F16 || this != BF16);
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
