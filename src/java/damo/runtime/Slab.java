package damo.runtime;

import damo.tensor.DType;
import damo.tensor.Tensor;

/**
 * New tensors for outputs. Small ones live in a piece of memory that they share with their
 * neighbours: it is freed when all of them are unreachable, which costs a scalar far less than a
 * registration with the garbage collector of its own.
 */
final class Slab {
    /** Outputs of at most so many bytes share memory. */
    private static final long SMALL = 256;
    private static final long BYTES = 4096;

    private Tensor memory;
    private long used;

    /** A tensor of that dtype and shape, which has so many bytes, with any contents. */
    Tensor cut(DType dtype, long[] shape, long bytes) {
        if (bytes > SMALL) {
            return Tensor.uninitialized(dtype, shape);
        }
        if (memory == null || used + bytes > BYTES) {
            memory = Tensor.uninitialized(DType.U8, BYTES);
            used = 0;
        }
        Tensor output = memory.reinterpret(used, dtype, shape);
        used += Math.max(Arguments.ALIGNMENT, bytes
                + Arguments.ALIGNMENT - 1 & -Arguments.ALIGNMENT);
        return output;
    }
}
