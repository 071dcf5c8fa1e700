package damo.jit;

import damo.DamoException;
import damo.Resources;
import damo.codegen.LibraryUse;
import damo.codegen.LibraryUse.Shape;
import damo.edn.Edn;
import damo.lib.Blas;
import damo.lib.Lazy;
import damo.lib.Natives;
import damo.lib.PrivateFolder;
import damo.tensor.DType;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * What computes matrix products in this process, and why: Damo's own code, or for some shapes the
 * library of linear algebra. The system property {@code damo.products} says {@code own}, {@code
 * blas}, or {@code auto}, as it is unless told: what resources/damo/processors.edn has for the
 * processor, else what was measured when the first product of this machine was compiled, which is
 * kept in the cache that {@link Natives} describes, so that results keep their bits.
 *
 * @param library the products that are left to the library
 * @param why how that was decided
 */
public record ProductChoice(LibraryUse library, String why) {
    private static final String PROPERTY = "damo.products";
    private static final String TABLE = "processors.edn";
    private static final String FOLDER = "machine";
    private static final int LARGEST = 1 << 12;
    private static final Lazy<ProductChoice> CHOSEN = new Lazy<>(ProductChoice::choose);

    /** That of this process. Throws "bad-property" when the property says something else. */
    public static ProductChoice get() {
        return CHOSEN.get();
    }

    private static ProductChoice choose() {
        String how = System.getProperty(PROPERTY, "auto");
        return switch (how) {
            case "own" -> new ProductChoice(LibraryUse.NONE, PROPERTY + " says own");
            case "blas" -> new ProductChoice(LibraryUse.ALL, PROPERTY + " says blas");
            case "auto" -> of(Host.get().cpu(), Natives.cache());
            default -> throw new DamoException("bad-property", PROPERTY
                    + " must be own, blas or auto, not " + how, Map.of("given", how));
        };
    }

    /**
     * What is known of a kind of processor; where it is none of the table, what was measured on
     * this machine, in the folder {@code machine} of {@code cache}, measured now if need be.
     */
    public static ProductChoice of(String cpu, Path cache) {
        Object known = Edn.readMap(Resources.text(TABLE)).get(cpu);
        return known instanceof Map<?, ?> row ? new ProductChoice(read(row), "as measured on " + cpu
                + " before: " + row.get(new Edn.Keyword("why"))) : kept(cache, cpu);
    }

    private static ProductChoice kept(Path cache, String cpu) {
        try (PrivateFolder folder = PrivateFolder.open(cache, FOLDER)) {
            String file = "products-" + cpu.replaceAll("[^A-Za-z0-9._-]", "_") + "-"
                    + Blas.get().name() + ".edn";
            byte[] bytes = folder.read(file, LARGEST);
            if (bytes == null) {
                folder.write(file, Edn.write(row(Calibration.run()))
                        .getBytes(StandardCharsets.UTF_8));
                bytes = folder.read(file, LARGEST);
            }
            return new ProductChoice(read(Edn.readMap(new String(bytes, StandardCharsets.UTF_8))),
                    "as measured on this machine, kept in " + cache.resolve(FOLDER).resolve(file));
        } catch (IOException | DamoException e) {
            return new ProductChoice(LibraryUse.NONE, "own products, as nothing can be measured or"
                    + " kept: " + e.getMessage());
        }
    }

    // ## As data

    private static LibraryUse read(Map<?, ?> row) {
        return new LibraryUse(shapes(row, DType.F32), shapes(row, DType.F64));
    }

    private static Set<Shape> shapes(Map<?, ?> row, DType t) {
        Set<Shape> shapes = EnumSet.noneOf(Shape.class);
        for (Shape shape : Shape.values()) {
            if (row.get(new Edn.Keyword(t.label())) instanceof Collection<?> names
                    && names.contains(new Edn.Keyword(label(shape)))) {
                shapes.add(shape);
            }
        }
        return shapes;
    }

    private static Map<Object, Object> row(LibraryUse use) {
        Map<Object, Object> row = new LinkedHashMap<>();
        for (DType t : List.of(DType.F32, DType.F64)) {
            List<Object> names = new ArrayList<>();
            use.of(t).forEach(shape -> names.add(new Edn.Keyword(label(shape))));
            row.put(new Edn.Keyword(t.label()), names);
        }
        return row;
    }

    private static String label(Shape shape) {
        return shape.name().toLowerCase(Locale.ROOT);
    }
}
