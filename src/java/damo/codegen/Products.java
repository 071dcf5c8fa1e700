package damo.codegen;

import damo.DamoException;
import damo.program.Size;
import damo.program.Step;
import damo.tensor.DType;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The matrix products that one program asks for: a dispatching function for each dtype, from the
 * template resources/damo/gemm.ll, that picks gemv, ger or gemm of the BLAS by the sizes of the
 * moment; and a function for each narrow product. They are the same in every program, so each is a
 * module of its own, which a process compiles once.
 */
final class Products {
    /** What a branch back carries in a loop that LLVM shall leave as it is. */
    static final String PLAIN_LOOP = ", !llvm.loop !0";

    private static final String TEMPLATE = template();

    private static final String METADATA = """
            !0 = distinct !{!0, !1, !2}
            !1 = !{!"llvm.loop.vectorize.enable", i1 false}
            !2 = !{!"llvm.loop.unroll.disable"}
            """;

    /** Rows of C that a narrow product holds at a time: with their operands they fill registers. */
    private static final int ROWS_WIDE = 8;
    private static final int ROWS = 4;

    private final Outside outside;
    private final int vectorBits;

    /** For a machine with vectors of that width; {@code outside} learns what is asked for. */
    Products(Outside outside, int vectorBits) {
        this.outside = outside;
        this.vectorBits = vectorBits;
    }

    /**
     * The name (with {@code @}) of the function for that dtype, whose parameters the template
     * lists. Throws kind {@code "codegen"} for a dtype that BLAS does not have.
     */
    String require(DType t) {
        if (!t.floating() || t.storage()) {
            throw new DamoException("codegen", "a :gemm step takes :f32 or :f64, not :" + t.label(),
                    Map.of("dtype", t.label()));
        }
        String name = "damo.gemm." + t.label();
        String letter = t == DType.F32 ? "s" : "d";
        share(name, "i64, i64, i64, {T}, ptr, i64, i64, ptr, i64, i64, {T}, ptr, i64", t,
                () -> TEMPLATE.replace("{t}", t.label()).replace("{T}", Types.value(t))
                        .replace("{s}", letter),
                Stream.of("gemv", "ger", "gemm").collect(Collectors.toMap(
                        f -> "cblas_" + letter + f, f -> "blas")));
        return "@" + name;
    }

    /** Whether the step has a function of its own: n is a small constant, B has rows. */
    boolean narrow(Step.Gemm g) {
        return g.dtype().floating() && g.n() instanceof Size.Int n
                && NarrowProduct.fits(g.dtype(), n.value(), vectorBits)
                && g.b().colStride().equals(new Size.Int(1));
    }

    /** The name (with {@code @}) of that function; see {@link NarrowProduct#write}. */
    String requireNarrow(Step.Gemm g) {
        int n = (int) ((Size.Int) g.n()).value();
        int rows = vectorBits >= 512 ? ROWS_WIDE : ROWS;
        String name = NarrowProduct.name(g.dtype(), n);
        share(name, "i64, i64, {T}, ptr, i64, i64, ptr, i64, {T}, ptr, i64", g.dtype(),
                () -> NarrowProduct.write(g.dtype(), n, rows), Map.of());
        return "@" + name;
    }

    private void share(String name, String parameters, DType t, Supplier<String> text,
                       Map<String, String> externals) {
        outside.share(name, "void @" + name + "(" + parameters.replace("{T}", Types.value(t)) + ")",
                () -> new LlvmModule(text.get() + METADATA + Attributes.text(vectorBits),
                        List.of(), externals, Map.of()));
    }

    private static String template() {
        try (InputStream in = Products.class.getResourceAsStream("/damo/gemm.ll")) {
            if (in == null) {
                throw new DamoException("internal", "the resource damo/gemm.ll is missing");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
