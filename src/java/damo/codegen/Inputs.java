package damo.codegen;

import damo.tensor.DType;
import java.util.Set;

/**
 * The dtypes that a product has: that of C, in which sums are added up, and those of A and of B in
 * memory.
 *
 * @param tiles the dtype of C, and the width of vectors
 * @param a the dtype of A
 * @param b the dtype of B
 * @param halves whether the machine has instructions for f16
 * @param dots whether it has some for pairs of bf16
 */
record Inputs(Tiles tiles, DType a, DType b, boolean halves, boolean dots) {
    /** What fits 16 bits with its sign. */
    private static final boolean X86 = System.getProperty("os.arch").matches("amd64|x86_64");
    private static final Set<DType> SMALL = Set.of(DType.I8, DType.U8, DType.I16);
    /** All of one dtype. */
    static Inputs same(DType t, int vectorBits) {
        return new Inputs(new Tiles(t, vectorBits), t, t, true, false);
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

    /** The same of what the form of tiles decides about. */
    String tileName(String what) {
        return name(what) + (form() == TileForm.BF16_PAIRS ? ".pairs" : "");
    }

    /** How tiles multiply. */
    TileForm form() {
        if (tiles.t().floating()) {
            return dots && a == DType.BF16 && b == DType.BF16 ? TileForm.BF16_PAIRS
                    : TileForm.FLOATS;
        }
        return X86 && tiles.t() == DType.I32 && SMALL.contains(a) && SMALL.contains(b)
                ? TileForm.I16_PAIRS : TileForm.WHOLE;
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
        return new Vectors(lines, a, tiles.t(), tiles.lanes(), halves);
    }

    /** The values of B. */
    Vectors b(Lines lines) {
        return new Vectors(lines, b, tiles.t(), tiles.lanes(), halves);
    }
}
