package damo.codegen;

import damo.DamoException;
import damo.tensor.DType;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The matrix products of one module: one dispatching function a dtype, from the template
 * resources/damo/gemm.ll, that picks gemv, ger or gemm of the BLAS by the sizes of the moment.
 */
final class Products {
    private static final String TEMPLATE = template();

    /** What the template's loops refer to. */
    private static final String METADATA = """
            !0 = distinct !{!0, !1, !2}
            !1 = !{!"llvm.loop.vectorize.enable", i1 false}
            !2 = !{!"llvm.loop.unroll.disable"}
            """;

    private final Set<DType> dtypes = EnumSet.noneOf(DType.class);

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

    /** The functions asked for so far, and the declarations of what they call. */
    String text() {
        StringBuilder text = new StringBuilder();
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
