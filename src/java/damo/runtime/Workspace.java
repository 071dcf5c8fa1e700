package damo.runtime;

import damo.program.FailureRecord;
import damo.program.Program;
import damo.tensor.DType;
import damo.tensor.Slab;
import damo.tensor.Tensor;
import damo.verify.Binding;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The memory of one call at a time: the table that native code reads, which has the addresses of
 * all buffers, the dimensions, what is told of matrices and the failure record, one word each; the
 * arena of temporaries; small outputs. Kept between calls.
 */
final class Workspace implements AutoCloseable {
    /** An arena that is larger than needed by more than this factor is given back. */
    private static final int LARGE = 2;

    private final Plan plan;
    private final Tensor table;
    private final MemorySegment words;
    private final MatrixWords matrices;
    private final int dimsAt;
    private final int failureAt;
    private final Slab slab = new Slab();
    private Tensor arena;
    /** Whose layout and dimensions the table holds. */
    private Bound bound;

    Workspace(Plan plan) {
        this.plan = plan;
        Program program = plan.program();
        this.dimsAt = program.buffers().size();
        this.failureAt = dimsAt + plan.matrices.table().size();
        this.table = Tensor.zeros(DType.I64, failureAt + FailureRecord.WORDS);
        this.words = table.segment();
        this.matrices = new MatrixWords(plan, words);
        for (int b = 0; b < dimsAt; b++) {
            if (plan.constant(b) != null) {
                // The plan keeps constants as long as any frame lives.
                put(b, plan.constant(b).address());
            }
        }
    }

    /** The table of buffers, then dimensions, as {@link HostRun} reads it. */
    MemorySegment words() {
        return words;
    }

    /** The address of the table of buffers. */
    long buffers() {
        return words.address();
    }

    /** The address of the table of dimensions. */
    long dims() {
        return words.address() + 8L * dimsAt;
    }

    /** The address of the failure record. */
    long failure() {
        return words.address() + 8L * failureAt;
    }

    /** A word of the failure record. */
    long failure(int word) {
        return words.getAtIndex(ValueLayout.JAVA_LONG, failureAt + word);
    }

    /** The loops around the failure, the outermost first, each as its step and the round in it. */
    long[][] takeRounds() {
        long[][] rounds = new long[(int) failure(FailureRecord.ROUNDS)][];
        for (int i = 0; i < rounds.length; i++) {
            int at = FailureRecord.ROUNDS + 1 + 2 * (rounds.length - 1 - i);
            rounds[i] = new long[] {failure(at), failure(at + 1)};
        }
        words.setAtIndex(ValueLayout.JAVA_LONG, failureAt + FailureRecord.ROUNDS, 0);
        return rounds;
    }

    /** The word of the failure record that asks a call to stop. */
    MemorySegment stop() {
        return words.asSlice(8L * (failureAt + FailureRecord.STOP), 8);
    }

    /** How many threads the next calls may use. */
    void allow(int threads) {
        words.setAtIndex(ValueLayout.JAVA_LONG, failureAt + FailureRecord.THREADS, threads);
    }

    /** The dimensions as the last call left them, counted ones last. */
    long[] dimValues() {
        long[] dims = new long[plan.program().dims().size() + plan.program().counted().size()];
        for (int d = 0; d < dims.length; d++) {
            dims[d] = words.getAtIndex(ValueLayout.JAVA_LONG, dimsAt + d);
        }
        return dims;
    }

    /** Sets the address of a buffer. */
    void put(int buffer, long address) {
        words.setAtIndex(ValueLayout.JAVA_LONG, buffer, address);
    }

    /** What the table tells of matrices. */
    MatrixWords matrices() {
        return matrices;
    }

    /** Whose shapes the next call has; null before the first. */
    Bound bound() {
        return bound;
    }

    /** Makes ready for a call with those shapes: temporaries and dimensions. */
    void take(Bound next) {
        if (next == bound) {
            return;
        }
        bound = null;
        Binding binding = next.binding();
        reserve(binding.arenaBytes());
        long base = arena.address();
        for (int b = 0; b < dimsAt; b++) {
            if (binding.offsets()[b] >= 0) {
                put(b, base + binding.offsets()[b]);
            }
        }
        for (int d = 0; d < binding.dims().length; d++) {
            words.setAtIndex(ValueLayout.JAVA_LONG, dimsAt + d, binding.dims()[d]);
        }
        matrices.take(next);
        bound = next;
    }

    /** One arena serves all shapes; it is not much larger than the largest of the latest needs. */
    private void reserve(long bytes) {
        if (arena != null && arena.elements() >= bytes
                && arena.elements() / LARGE <= Math.max(bytes, plan.shapes.mostBytes())) {
            return;
        }
        if (arena != null) {
            arena.close();
            arena = null;
        }
        arena = Tensor.uninitialized(DType.U8, bytes);
    }

    /** A new tensor of that dtype and shape, which has so many bytes, for an output. */
    Tensor output(DType dtype, long[] shape, long bytes) {
        return slab.cut(dtype, shape, bytes);
    }

    /**
     * Clears the temporaries and those outputs that a program which nobody vouches for may show
     * before it has written them: their memory held values of others.
     */
    void clear(Tensor[] outputs) {
        Binding binding = bound.binding();
        boolean[] open = binding.open();
        for (int b = 0; b < open.length; b++) {
            if (open[b] && binding.offsets()[b] >= 0) {
                arena.segment().asSlice(binding.offsets()[b], binding.bytes()[b]).fill((byte) 0);
            }
        }
        for (int i = 0; open.length > 0 && i < outputs.length; i++) {
            if (open[plan.outputBuffers[i]]) {
                outputs[i].segment().fill((byte) 0);
            }
        }
    }

    /** Frees the memory; no call may be in progress. */
    @Override
    public void close() {
        table.close();
        matrices.close();
        if (arena != null) {
            arena.close();
        }
    }
}
