package damo.codegen;

import damo.DamoException;
import damo.Resources;
import damo.program.Size;
import damo.program.Step;
import damo.tensor.DType;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * The matrix products that one program asks for: a function for each dtype, resources/damo/gemm.ll,
 * that decides by the sizes of the moment what computes them, and some for a vector and a matrix.
 * They are the same in every program, so each is a module of its own, which a process compiles
 * once.
 */
final class Products {
    private static final String TEMPLATE = Resources.text("gemm.ll");

    private final Outside outside;
    private final Target target;
    private final int vectorBits;
    private final LibraryUse library;
    private final Parts parts;

    /** A text whose functions may become parts of the one that calls them. */
    interface Parts {
        /** Whether it takes one of so many instructions, and then has it. */
        boolean take(String name, long length, Supplier<String> text);
    }

    private Products(Outside outside, Target target, LibraryUse library, Parts parts) {
        this.outside = outside;
        this.target = target;
        this.vectorBits = target.vectorBits();
        this.library = library;
        this.parts = parts;
    }

    /**
     * For that machine, and products that are left to a library; {@code outside} learns what is
     * asked for.
     */
    Products(Outside outside, Target target, LibraryUse library) {
        this(outside, target, library, (name, length, text) -> false);
    }

    /** The same for another text, of which {@code other} learns what is asked for. */
    Products in(Outside other, Parts text) {
        return new Products(other, target, library, text);
    }

    /**
     * The name (with {@code @}) of the function for that dtype, whose parameters the template
     * lists. Throws kind {@code "codegen"} for a dtype that BLAS does not have.
     */
    String require(DType t) {
        if (!t.floating() || t.storage()) {
            throw new DamoException("codegen", "BLAS has :f32 and :f64, not :" + t.label(),
                    Map.of("dtype", t.label()));
        }
        String name = gemmName(t);
        share(name, "i64, i64, i64, {T}, ptr, i64, i64, ptr, i64, i64, {T}, ptr, i64, i64", t,
                called -> gemm(t, called));
        return "@" + name;
    }

    /** The same for a step, whose sizes and operands may tell more. */
    String require(Step.Gemm g) {
        DType t = g.dtype();
        if (!g.plain()) {
            return gemm(new Inputs(new Tiles(t, vectorBits), g.a().dtype(), g.b().dtype(),
                    target.halves(), target.dots()), "mixed");
        }
        if (!t.floating()) {
            return gemm(Inputs.same(t, vectorBits), "gemm");
        }
        return !t.storage() && ShortProduct.fits(g, new Tiles(t, vectorBits))
                ? ShortProduct.require(outside, t, vectorBits) : require(t);
    }

    /** The name (with {@code @}) of the function for dtypes that no library has. */
    private String gemm(Inputs in, String what) {
        String name = in.tileName(what);
        share(name, ShortProduct.TYPES, in.tiles().t(), called -> {
            String product = TiledProduct.name(in);
            called.share(product, "void @" + product + "(" + TiledProduct.PARAMETERS.replace("{T}",
                    in.type()) + ")", () -> TiledProduct.module(in));
            return TEMPLATE.replace("{gemm}", name).replace("{product}", product)
                    .replace("{library}", "").replace("{T}", in.type());
        });
        return "@" + name;
    }

    private String gemm(DType t, Outside called) {
        boolean asks = !library.of(t).isEmpty();
        return TEMPLATE.replace("{gemm}", gemmName(t)).replace("{product}",
                new Products(called, target, library).requireProduct(t).substring(1))
                .replace("{library}", asks ? LibraryProduct.attempt(t, library) : "")
                .replace("{T}", Types.value(t)) + (asks ? LibraryProduct.text(t, called) : "");
    }

    /**
     * The name (with {@code @}) of the function that also takes matrices in panels, of
     * docs/decisions/0043-products-and-threads.md.
     */
    String requireProduct(DType t) {
        Inputs in = Inputs.same(t, vectorBits);
        String name = TiledProduct.name(in);
        outside.share(name, "void @" + name + "(" + TiledProduct.PARAMETERS.replace("{T}",
                Types.value(t)) + ")", () -> TiledProduct.module(in));
        return "@" + name;
    }

    /**
     * Appends whether a library is asked for a product of those sizes, an i1; null where none is.
     * Sizes come with their types.
     */
    String asks(Lines lines, DType t, String m, String n, String k) {
        return !t.floating() || library.of(t).isEmpty() ? null
                : LibraryProduct.asked(lines, library.of(t), m.substring(4), n.substring(4),
                        k.substring(4));
    }

    /**
     * The name (with {@code @}) of the function for many matrices, see {@link BatchProduct}; of
     * rows and matrices unless {@code rows} is null.
     */
    String requireBatch(DType t, VectorProducts rows) {
        return BatchProduct.require(outside, t, vectorBits, rows);
    }

    /** The name (with {@code @}) of the function {@link OnePass}. */
    String requirePass(DType t, boolean sums) {
        String name = OnePass.name(t, vectorBits, sums);
        outside.share(name, "void @" + name + "(" + OnePass.PARAMETERS.replace("{T}",
                Types.value(t)) + ")", () -> OnePass.module(t, vectorBits, sums));
        return "@" + name;
    }

    private String gemmName(DType t) {
        return new Tiles(t, vectorBits).name("gemm") + library.mark(t);
    }

    /** The step as a product of a vector and a matrix; null where it is none. */
    VectorProducts vector(Step.Gemm g) {
        return g.dtype().floating() && g.plain() ? VectorProducts.of(g) : null;
    }

    /** The name (with {@code @}) of the function for it. */
    String requireVector(VectorProducts p, DType t) {
        String name = p.name(t, vectorBits);
        String part = name + ".part";
        if (p.small() && parts.take("@" + part, VectorProducts.LENGTH,
                () -> p.part(part, t, vectorBits))) {
            return "@" + part;
        }
        share(name, VectorProducts.PARAMETERS, t, called -> p.text(name, t, vectorBits,
                ShortProduct.require(called, t, vectorBits)));
        return "@" + name;
    }

    /** {@code text} gives a function's text, and tells what the function calls. */
    private void share(String name, String parameters, DType t, Function<Outside, String> text) {
        outside.share(name, "void @" + name + "(" + parameters.replace("{T}", Types.value(t)) + ")",
                () -> {
                    Outside called = new Outside();
                    String whole = text.apply(called) + called.declarations()
                            + Attributes.text(vectorBits);
                    return new LlvmModule(List.of(new LlvmModule.Text(whole,
                            LlvmModule.Kind.LOOPS)),
                            called.externals(), called.shared());
                });
    }
}
