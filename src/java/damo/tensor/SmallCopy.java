package damo.tensor;

/**
 * A copy of one small tensor after the other, at an address that vectors may begin at. It is over
 * when the next one is made, and costs less than to find memory for it.
 */
public final class SmallCopy implements AutoCloseable {
    private static final long MOST_BYTES = 4096;

    private Tensor memory;

    /** Whether the tensor is small enough, and no other's memory. */
    public static boolean fits(Tensor t) {
        return t.byteSize() <= MOST_BYTES && t.lender() == null;
    }

    /** The address of a copy of a tensor that fits and that the caller holds. */
    public long of(Tensor t) {
        if (memory == null) {
            memory = Tensor.uninitialized(DType.U8, MOST_BYTES);
        }
        Memory.copy(t.address(), memory.address(), t.byteSize());
        return memory.address();
    }

    /** Frees the memory. */
    @Override
    public void close() {
        if (memory != null) {
            memory.close();
        }
    }
}
