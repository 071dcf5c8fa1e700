package damo.codegen;

/**
 * How tiles multiply: what they find packed, and what they do with a line of B and an element of A.
 * Pairs are two terms side by side in 32 bits, the first of them in the upper half.
 */
enum TileForm {
    /** Floats, multiplied and added with one rounding. */
    FLOATS,
    /** Whole numbers as wide as the sums. */
    WHOLE,
    /**
     * Pairs of bf16 with sums in f32. The instruction takes the upper product first and rounds each
     * sum, so it has the bits of floats, but that it takes subnormal numbers for zeros.
     */
    BF16_PAIRS,
    /** Pairs of 16-bit numbers with sums in i32, exact as these wrap. */
    I16_PAIRS;

    /** Whether terms are packed in pairs. */
    boolean pairs() {
        return this == BF16_PAIRS || this == I16_PAIRS;
    }

    /** How many lines so many terms are, where they are packed; an i64. */
    String lines(Whole w, String terms) {
        return pairs() ? w.parts(terms, 2) : terms;
    }
}
