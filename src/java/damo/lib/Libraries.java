package damo.lib;

import damo.DamoException;
import java.lang.foreign.MemorySegment;
import java.util.Map;

/** Functions of libraries, by the names that programs and applications give these. */
public final class Libraries {
    /** The name of the BLAS in use, which has LAPACK as well. */
    public static final String BLAS = "blas";

    private Libraries() { }

    /**
     * The address of a function of a library: a file or a name for the system's loader such as
     * {@code "libm.so.6"}, {@link #BLAS}, or {@code ""} for the C library. Libraries stay open.
     * Throws "missing-library" when there is no such library or function.
     */
    public static MemorySegment address(String library, String function) {
        return library.equals(BLAS) ? Blas.get().address(function)
                : Natives.named(library).find(function).orElseThrow(() ->
                        new DamoException("missing-library", "the library "
                                + (library.isEmpty() ? "of the C language" : library)
                                + " has no function " + function,
                                Map.of("library", library, "function", function)));
    }
}
