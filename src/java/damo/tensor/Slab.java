package damo.tensor;

/**
 * New tensors for outputs. Small ones live in a piece of memory that they share with their
 * neighbours: it is freed when all of them are unreachable, which costs a scalar far less than a
 * registration with the garbage collector of its own.
 */
public final class Slab {
    /** Outputs of at most so many bytes share memory. */
    private static final long SMALL = 256;
    private static final long BYTES = 4096;
    /** For a function that is called often: a piece costs a microsecond, whatever its size. */
    private static final long MOST_BYTES = 8 * BYTES;
    /** Where native code lets a buffer begin. */
    private static final long ALIGNMENT = 64;

    private Memory memory;
    private long used;
    private long size = BYTES / 2;

    /**
     * A tensor of that dtype and shape, which has so many bytes, with any contents; the shape is
     * never changed, by nobody.
     */
    public Tensor cut(DType dtype, long[] shape, long bytes) {
        if (bytes > SMALL) {
            return Tensor.uninitialized(dtype, shape);
        }
        if (memory == null || used + bytes > size) {
            size = Math.min(MOST_BYTES, 2 * size);
            memory = Memory.allocate(size);
            used = 0;
        }
        Tensor output = new Tensor(memory, memory.address + used, dtype, shape, false);
        used += Math.max(ALIGNMENT, bytes + ALIGNMENT - 1 & -ALIGNMENT);
        return output;
    }
}
