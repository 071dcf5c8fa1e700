package damo.codegen;

import damo.DamoException;
import damo.program.Program;
import damo.program.Size;
import damo.tensor.DType;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The matrix products of one module: one dispatching function a dtype, from the template
 * resources/damo/gemm.ll, that picks gemv, ger or gemm of the BLAS by the sizes of the moment; and
 * one function for each narrow product.
 */
final class Products {
    private static final String TEMPLATE = template();

    /** What a branch back carries in a loop that LLVM shall leave as it is. */
    static final String PLAIN_LOOP = ", !llvm.loop !0";

    private static final String METADATA = """
            !0 = distinct !{!0, !1, !2}
            !1 = !{!"llvm.loop.vectorize.enable", i1 false}
            !2 = !{!"llvm.loop.unroll.disable"}
            """;

    /** Rows of C that a narrow product holds at a time: with their operands they fill registers. */
    private static final int ROWS_WIDE = 8;
    private static final int ROWS = 4;

    private final Set<DType> dtypes = EnumSet.noneOf(DType.class);
    private final Map<String, String> narrow = new LinkedHashMap<>();
    private final int vectorBits;

    /** For a machine with vectors of that width. */
    Products(int vectorBits) {
        this.vectorBits = vectorBits;
    }

    /**
     * The name (with {@code @}) of the function for that dtype, whose parameters the template
     * lists. Throws kind {@code "codegen"} for a dtype that BLAS does not have.
     */
    String require(DType t) {
        if (!t.floating()) {
            throw new DamoException("codegen", "a :gemm step takes :f32 or :f64, not :" + t.label(),
                    Map.of("dtype", t.label()));
        }
        dtypes.add(t);
        return "@damo.gemm." + t.label();
    }

    /** Whether the step has a function of its own: n is a small constant, B has rows. */
    boolean narrow(Program.Gemm g) {
        return g.dtype().floating() && g.n() instanceof Size.Int n
                && NarrowProduct.fits(g.dtype(), n.value(), vectorBits)
                && g.b().colStride().equals(new Size.Int(1));
    }

    /** The name (with {@code @}) of that function; see {@link NarrowProduct#write}. */
    String requireNarrow(Program.Gemm g) {
        int n = (int) ((Size.Int) g.n()).value();
        int rows = vectorBits >= 512 ? ROWS_WIDE : ROWS;
        String name = NarrowProduct.name(g.dtype(), n);
        narrow.computeIfAbsent(name, key -> NarrowProduct.write(g.dtype(), n, rows));
        return name;
    }

    /** The functions asked for so far, and the declarations of what they call. */
    String text() {
        StringBuilder text = new StringBuilder(String.join("\n", narrow.values()));
        for (DType t : dtypes) {
            text.append(TEMPLATE.replace("{t}", t.label()).replace("{T}", Types.value(t))
                    .replace("{s}", letter(t)));
        }
        return dtypes.isEmpty() ? "" : text.append(METADATA).toString();
    }

    /** The library functions that the text declares. */
    List<String> externals() {
        List<String> names = new ArrayList<>();
        for (DType t : dtypes) {
            for (String function : List.of("gemv", "ger", "gemm")) {
                names.add("cblas_" + letter(t) + function);
            }
        }
        return names;
    }

    private static String letter(DType t) {
        return t == DType.F32 ? "s" : "d";
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
