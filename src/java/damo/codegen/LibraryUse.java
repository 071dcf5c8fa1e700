package damo.codegen;

import damo.tensor.DType;
import java.util.Set;
import java.util.TreeSet;

/**
 * Which matrix products a BLAS library computes instead of Damo's own code, because it is faster at
 * them on the processor at hand. Products of fewer than {@link #LEAST} rows or columns are never
 * among them.
 *
 * @param f32 the shapes of products of f32
 * @param f64 those of f64
 */
public record LibraryUse(Set<Shape> f32, Set<Shape> f64) {
    /** Rows and columns of the products that have a shape. */
    public static final int LEAST = 48;
    /** The terms of the shortest sums of a product that has a shape. */
    public static final int SHALLOW = 16;
    /** Those of the shortest ones of a deep product. */
    public static final int DEEP = 128;

    /** Shapes of products, by the length of their sums. */
    public enum Shape {
        /** From {@link LibraryUse#SHALLOW} terms on, as in the update of weights. */
        SHALLOW,
        /** From {@link LibraryUse#DEEP} terms on. */
        DEEP
    }

    /** No product. */
    public static final LibraryUse NONE = new LibraryUse(Set.of(), Set.of());
    /** All that have a shape. */
    public static final LibraryUse ALL =
            new LibraryUse(Set.of(Shape.values()), Set.of(Shape.values()));

    /** The shapes of products of a dtype. */
    public Set<Shape> of(DType t) {
        return t == DType.F32 ? f32 : f64;
    }

    /** What distinguishes the names of functions that ask a library; empty where none does. */
    String mark(DType t) {
        StringBuilder text = new StringBuilder();
        new TreeSet<>(of(t)).forEach(shape -> text.append(shape == Shape.DEEP ? ".deep"
                : ".shallow"));
        return text.toString();
    }
}
