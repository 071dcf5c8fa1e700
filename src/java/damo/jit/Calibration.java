package damo.jit;

import damo.DamoException;
import damo.codegen.Codegen;
import damo.codegen.LibraryUse;
import damo.codegen.LibraryUse.Shape;
import damo.lib.Blas;
import damo.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Measures which matrix products the library of linear algebra does faster than Damo's own code on
 * this machine: one of each shape and dtype, on one thread, some ten times in turns; the least time
 * of each counts, and the library must be faster by a tenth. It takes some 0.1 s.
 */
final class Calibration {
    private static final int ROUNDS = 12;
    private static final double CLEARLY = 0.9;
    private static final int ROWS = 240;
    private static final int COLUMNS = 512;
    private static final Map<Shape, Integer> TERMS = Map.of(Shape.SHALLOW, 64, Shape.DEEP, 512);
    private static final int LARGEST = 512 * 512;

    private final DType dtype;
    private final MemorySegment a;
    private final MemorySegment b;
    private final MemorySegment c;
    private final MethodHandle own;
    private final MethodHandle library;

    private Calibration(DType dtype, Arena arena) {
        this.dtype = dtype;
        this.a = operand(arena);
        this.b = operand(arena);
        this.c = operand(arena);
        this.own = own(dtype);
        this.library = library(dtype);
    }

    /** The products that are left to the library. Throws what compiling and loading throw. */
    static LibraryUse run() {
        int threads = Blas.get().threads();
        Blas.get().setThreads(1);
        try {
            return new LibraryUse(shapes(DType.F32), shapes(DType.F64));
        } finally {
            Blas.get().setThreads(threads);
        }
    }

    private static Set<Shape> shapes(DType t) {
        Set<Shape> shapes = EnumSet.noneOf(Shape.class);
        try (Arena arena = Arena.ofConfined()) {
            Calibration calibration = new Calibration(t, arena);
            for (Shape shape : Shape.values()) {
                if (calibration.libraryWins(TERMS.get(shape))) {
                    shapes.add(shape);
                }
            }
        }
        return shapes;
    }

    /** A matrix of ones. */
    private MemorySegment operand(Arena arena) {
        MemorySegment memory = arena.allocate((long) LARGEST * dtype.bytes(), 64);
        for (int i = 0; i < LARGEST; i++) {
            if (dtype == DType.F32) {
                memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, 1);
            } else {
                memory.setAtIndex(ValueLayout.JAVA_DOUBLE, i, 1);
            }
        }
        return memory;
    }

    private boolean libraryWins(int k) {
        long ours = Long.MAX_VALUE;
        long theirs = Long.MAX_VALUE;
        for (int i = 0; i < ROUNDS; i++) {
            ours = Math.min(ours, time(own, k));
            theirs = Math.min(theirs, time(library, k));
        }
        return theirs < CLEARLY * ours;
    }

    /** The nanoseconds of C = A B. */
    private long time(MethodHandle product, int k) {
        Object one = dtype == DType.F32 ? (Object) 1f : 1.0;
        Object zero = dtype == DType.F32 ? (Object) 0f : 0.0;
        long before = System.nanoTime();
        try {
            if (product == own) {
                product.invokeWithArguments((long) ROWS, (long) COLUMNS, (long) k, one, a, (long) k,
                        1L, b, (long) COLUMNS, 1L, zero, c, (long) COLUMNS, 1L, 0L,
                        MemorySegment.NULL, MemorySegment.NULL);
            } else {
                product.invokeWithArguments(101, 111, 111, ROWS, COLUMNS, k, one, a, k, b, COLUMNS,
                        zero, c, COLUMNS);
            }
        } catch (Throwable e) {
            throw new DamoException("internal", "cannot measure products: " + e, Map.of(), e);
        }
        return System.nanoTime() - before;
    }

    // ## The functions

    private static MethodHandle own(DType t) {
        int bits = Host.get().vectorBits();
        String name = Codegen.productName(t, bits);
        long address = Linked.shared(name, Codegen.product(t, bits)).address(name);
        MemoryLayout l = ValueLayout.JAVA_LONG;
        MemoryLayout p = ValueLayout.ADDRESS;
        MemoryLayout x = element(t);
        return handle(MemorySegment.ofAddress(address),
                List.of(l, l, l, x, p, l, l, p, l, l, x, p, l, l, l, p, p));
    }

    private static MethodHandle library(DType t) {
        MemoryLayout i = ValueLayout.JAVA_INT;
        MemoryLayout p = ValueLayout.ADDRESS;
        MemoryLayout x = element(t);
        return handle(Blas.get().address(t == DType.F32 ? "cblas_sgemm" : "cblas_dgemm"),
                List.of(i, i, i, i, i, i, x, p, i, p, i, x, p, i));
    }

    private static MemoryLayout element(DType t) {
        return t == DType.F32 ? ValueLayout.JAVA_FLOAT : ValueLayout.JAVA_DOUBLE;
    }

    @SuppressWarnings("restricted")
    private static MethodHandle handle(MemorySegment address, List<MemoryLayout> parameters) {
        return Linker.nativeLinker().downcallHandle(address,
                FunctionDescriptor.ofVoid(parameters.toArray(MemoryLayout[]::new)));
    }
}
