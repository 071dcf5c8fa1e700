package damo.codegen;

import damo.Resources;
import damo.tensor.DType;
import java.util.Set;

/**
 * The function by which a product is left to a library, from resources/damo/library.ll.
 */
final class LibraryProduct {
    private static final String TEMPLATE = Resources.text("library.ll");
    private static final String ARGUMENTS = "i64 %m, i64 %n, i64 %k, {T} %alpha, ptr %a, "
            + "i64 %a.row, i64 %a.col, ptr %b, i64 %b.row, i64 %b.col, {T} %beta, ptr %c, "
            + "i64 %c.row";

    private LibraryProduct() { }

    /** The text of the function; {@code called} learns what it calls. */
    static String text(DType t, Outside called) {
        String letter = t == DType.F32 ? "s" : "d";
        called.call("blas", "cblas_" + letter + "gemm");
        return TEMPLATE.replace("{library}", name(t)).replace("{s}", letter)
                .replace("{T}", Types.value(t));
    }

    private static String name(DType t) {
        return "damo.library." + t.label();
    }

    /** Appends whether the product has one of the shapes, an i1. */
    static String asked(Lines lines, Set<LibraryUse.Shape> use, String m, String n, String k) {
        Whole w = new Whole(lines);
        String large = w.both(w.is("sge", m, Integer.toString(LibraryUse.LEAST)),
                w.is("sge", n, Integer.toString(LibraryUse.LEAST)));
        boolean shallow = use.contains(LibraryUse.Shape.SHALLOW);
        String terms = w.is("sge", k, Integer.toString(shallow ? LibraryUse.SHALLOW
                : LibraryUse.DEEP));
        String shape = use.contains(LibraryUse.Shape.DEEP) ? terms : w.both(terms,
                w.is("slt", k, Integer.toString(LibraryUse.DEEP)));
        return w.both(large, shape);
    }

    /** What a product's function begins with: products of those shapes end there if they can. */
    static String attempt(DType t, LibraryUse use) {
        Lines lines = new Lines();
        lines.when(asked(lines, use.of(t), "%m", "%n", "%k"), () -> {
            String done = lines.value("call i1 @", name(t), "(", ARGUMENTS.replace("{T}",
                    Types.value(t)), ")");
            String end = lines.freshLabel("done");
            String other = lines.freshLabel("other");
            lines.add("br i1 ", done, ", label %", end, ", label %", other);
            lines.label(end);
            lines.add("ret void");
            lines.label(other);
        });
        return lines.text();
    }
}
