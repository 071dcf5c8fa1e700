package damo.codegen;

import damo.tensor.DType;

/**
 * The parameters of products by tiles: a tile is a part of C that stays in registers while k runs,
 * some rows of two vectors each; at the right edge, where one vector is enough, of one. A block is
 * as much of A and B as lies packed at a time. docs/decisions/0044-products-by-tiles.md.
 *
 * @param t the dtype
 * @param bits the width of vectors
 */
record Tiles(DType t, int bits) {
    /** Vectors of a tile. */
    static final int WIDE = 2;
    /** Rows of A that lie packed at a time. */
    private static final int BLOCK_ROWS = 240;
    private static final int ROWS_WIDE = 12;
    private static final int ROWS = 6;
    private static final int WIDEST = 512;

    /** Up to so many terms of a sum are one block. */
    static final int TERMS = 512;
    /** More are blocks of about so many. */
    static final int BLOCK_TERMS = 384;

    /** Elements of a vector. */
    int lanes() {
        return bits / Types.bits(t);
    }

    /** Columns of a tile, and of a panel. */
    int columns() {
        return WIDE * lanes();
    }

    /**
     * Rows of a tile at most: with them and their operands the registers are full. They are no more
     * than columns, as a line of either is packed in the same way.
     */
    int rows() {
        return Math.min(columns(), bits >= WIDEST ? ROWS_WIDE : ROWS);
    }

    /** Tiles whose rows of A lie packed at a time, at most. */
    int blockTiles() {
        return BLOCK_ROWS / rows();
    }

    /** The name of a function, without {@code @}; it tells the width of vectors. */
    String name(String what) {
        return "damo." + what + "." + lanes() + "x" + t.label();
    }

    /** The type of an element. */
    String type() {
        return Types.value(t);
    }

    /** A literal of it. */
    String number(double x) {
        return Types.number(t, x);
    }
}
