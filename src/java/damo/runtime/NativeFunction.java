package damo.runtime;

import damo.DamoException;
import damo.lib.Libraries;
import damo.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Set;

/**
 * A C function of scalars, such as {@code double cbrt(double)}, that compiled loops call for each
 * element without coming back to Java. It must be safe to call from any thread, with any values.
 */
public final class NativeFunction implements OpKernel {
    private static final Set<DType> TAKEN = Set.of(DType.F64, DType.F32, DType.I64, DType.I32);

    private final MemorySegment address;
    private final String signature;

    private NativeFunction(MemorySegment address, String signature) {
        this.address = address;
        this.signature = signature;
    }

    /**
     * The function at that address, which gives {@code result} for arguments of these dtypes: f64,
     * f32, i64 or i32. The caller vouches for address and signature. Throws "bad-signature".
     */
    public static NativeFunction of(MemorySegment address, DType result, DType... args) {
        if (address.equals(MemorySegment.NULL) || !address.isNative()) {
            throw bad("the address of a function is not null and outside the Java heap");
        }
        if (args.length == 0 || !TAKEN.contains(result) || !TAKEN.containsAll(List.of(args))) {
            throw bad("a native function of scalars takes one or more of f64 f32 i64 i32 and gives"
                    + " one of them, got " + List.of(args) + " -> " + result);
        }
        String taken = String.join(", ", List.of(args).stream().map(DType::label).toList());
        return new NativeFunction(address, taken + " -> " + result.label());
    }

    /**
     * The address of a function of a library: a file or a name for the system's loader such as
     * {@code "libm.so.6"}, {@code "blas"} for the BLAS in use, or {@code ""} for the C library.
     * Libraries stay open. Throws "missing-library" when there is no such library or function.
     */
    public static MemorySegment symbol(String library, String function) {
        return Libraries.address(library, function);
    }

    static DamoException bad(String message) {
        return new DamoException("bad-signature", message);
    }

    /** The dtypes of arguments and result: {@code "f64, f64 -> f64"}. */
    public String signature() {
        return signature;
    }

    /** Its address; the segment's arena must stay open as long as programs call it. */
    long address() {
        if (!address.scope().isAlive()) {
            throw new DamoException("closed", "the arena of a native function was closed");
        }
        return address.address();
    }
}
