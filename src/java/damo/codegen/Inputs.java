package damo.codegen;

import damo.tensor.DType;

/**
 * The dtypes that a product of the functions of {@link ShortTiles} has: that of C, in which sums
 * are added up, and those of A and of B in memory.
 *
 * @param tiles the dtype of C, and the width of vectors
 * @param a the dtype of A
 * @param b the dtype of B
 * @param halves whether the machine has instructions for f16
 */
record Inputs(Tiles tiles, DType a, DType b, boolean halves) {
    /** All of one dtype. */
    static Inputs same(DType t, int vectorBits) {
        return new Inputs(new Tiles(t, vectorBits), t, t, true);
    }

    /** Whether all are of one dtype. */
    boolean plain() {
        return a == tiles.t() && b == tiles.t();
    }

    /** The name of a function, without {@code @}; it tells the width of vectors. */
    String name(String what) {
        return tiles.name(what) + (plain() ? "" : "." + a.label() + "x" + b.label()
                + (halves ? "" : ".whole"));
    }

    /** The type of what is computed. */
    String type() {
        return tiles.type();
    }

    /** The values of C. */
    Vectors c(Lines lines) {
        return new Vectors(lines, tiles.t(), tiles.lanes());
    }

    /** The values of A. */
    Vectors a(Lines lines) {
        return new Vectors(lines, a, tiles.lanes(), halves);
    }

    /** The values of B. */
    Vectors b(Lines lines) {
        return new Vectors(lines, b, tiles.lanes(), halves);
    }
}
