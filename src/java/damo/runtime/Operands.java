package damo.runtime;

import damo.program.Program;
import damo.tensor.SmallCopy;
import damo.tensor.Tensor;
import damo.verify.Binding;
import damo.verify.Bindings;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.stream.Stream;

/** The tensors of one call: its arguments, pinned for its length, and its results. */
final class Operands {
    private final Room room;
    private final Plan plan;
    private final Program program;
    private final Workspace work;
    private final Object[] arguments;
    private final Tensor[] inputs;
    private final long[] inputAt;
    private final boolean[] converted;
    private final boolean[] trusted;
    private final long[] outputAt;

    /**
     * What the operands of one call after the other use. It has no references to them: for the
     * collector one that is written into what is old costs as much as a lock.
     */
    static final class Room implements AutoCloseable {
        private final Plan plan;
        private final Workspace work;
        private final long[] inputAt;
        private final boolean[] converted;
        private final boolean[] trusted;
        private final long[] outputAt;
        private final SmallCopy[] copies;

        Room(Plan plan, Workspace work) {
            this.plan = plan;
            this.work = work;
            this.inputAt = new long[plan.inputBuffers.length];
            this.converted = new boolean[inputAt.length];
            this.trusted = new boolean[inputAt.length];
            this.outputAt = new long[plan.outputBuffers.length];
            this.copies = new SmallCopy[inputAt.length];
            Arrays.setAll(copies, i -> new SmallCopy());
        }

        /** Frees that memory; no call may be in progress. */
        @Override
        public void close() {
            Stream.of(copies).forEach(SmallCopy::close);
        }
    }

    /** The caller's outputs, and those that native code writes, which may be copies of them. */
    private Tensor[] given;
    private Tensor[] outputs;
    private int lenders;
    private int pinnedInputs;
    private int pinnedOutputs;

    /** Takes the arguments, as many as there are inputs. */
    Operands(Room room, Object[] args) {
        this.room = room;
        this.plan = room.plan;
        this.program = plan.program();
        this.work = room.work;
        this.inputs = new Tensor[args.length];
        this.arguments = args.clone();
        this.inputAt = room.inputAt;
        this.converted = room.converted;
        this.trusted = room.trusted;
        this.outputAt = room.outputAt;
    }

    /** The arguments, as tensors of the inputs' dtypes. */
    Tensor[] inputs() {
        return inputs;
    }

    /** What native code writes. */
    Tensor[] outputs() {
        return outputs;
    }

    /** Whether {@code last}, which may be null, is for arguments of such shapes. */
    boolean shaped(Bound last) {
        return last != null && last.shaped(arguments);
    }

    /** Holds what was taken, and puts the addresses into the workspace. */
    void pin() {
        for (int i = 0; i < arguments.length; i++) {
            Object arg = arguments[i];
            Tensor t = arg instanceof Tensor tensor && tensor.dtype() == plan.inputDtypes[i]
                    ? tensor : Arguments.convert(program, i, arg, plan.downcast());
            converted[i] = t != arg;
            trusted[i] = plan.trusts && trusted(t);
            long address = trusted[i] ? t.address() : t.pinAddress();
            inputs[i] = t;
            pinnedInputs = i + 1;
            // Where the argument lies, copied or not: whether an output may overlap it should not
            // depend on how it happens to be aligned.
            inputAt[i] = address;
            if (address % Arguments.ALIGNMENT != 0) {
                address = aligned(i, t);
            }
            lenders += inputs[i].lender() == null ? 0 : 1;
            work.put(plan.inputBuffers[i], address);
        }
    }

    /** Whether the tensor may be used as it is by who vouches that nobody closes it meanwhile. */
    private static boolean trusted(Tensor t) {
        return t.lender() == null && t.address() % Arguments.ALIGNMENT == 0;
    }

    /**
     * The address of an aligned copy of a view or a wrapped tensor that begins anywhere. Small ones
     * are copied to where the call before had its own.
     */
    private long aligned(int i, Tensor t) {
        return SmallCopy.fits(t) ? room.copies[i].of(t) : align(i, t);
    }

    /** Takes an aligned copy in place of a view or a wrapped tensor that begins anywhere. */
    private long align(int i, Tensor t) {
        Tensor copy = t.copy();
        long address = copy.pinAddress();
        t.unpin();
        inputs[i] = copy;
        if (converted[i]) {
            t.close();
        }
        converted[i] = true;
        return address;
    }

    /** Takes the caller's tensors for outputs, or makes new ones when there are none. */
    void prepare(Tensor[] buffers, Binding binding) {
        given = buffers;
        if (given == null) {
            allocate(binding);
        } else {
            accept(binding);
        }
        for (int i = 0; i < outputAt.length; i++) {
            work.put(plan.outputBuffers[i], outputAt[i]);
        }
    }

    private void allocate(Binding binding) {
        outputs = new Tensor[outputAt.length];
        for (int i = 0; i < outputs.length; i++) {
            Program.Port port = program.outputs().get(i);
            outputs[i] = work.output(port.dtype(), plan.countedOutputs[i]
                    ? new long[] {binding.elements()[port.buffer()]}
                    : binding.outputShapes().get(i), binding.bytes()[port.buffer()]);
            outputAt[i] = outputs[i].address();
        }
    }

    /**
     * Checks and pins the caller's buffers; an unaligned one is replaced by a new tensor for the
     * call.
     */
    private void accept(Binding binding) {
        Arguments.checkOutputs(program, given, plan.countedOutputs, binding.outputShapes());
        for (int i = 0; i < given.length; i++) {
            outputAt[i] = given[i].pinAddress();
            pinnedOutputs = i + 1;
        }
        Arguments.checkDisjoint(program, given, inputs, outputAt, inputAt);
        outputs = given.clone();
        for (int i = 0; i < given.length; i++) {
            if (outputAt[i] % Arguments.ALIGNMENT != 0) {
                outputs[i] = given[i].copy();
                outputAt[i] = outputs[i].address();
            }
            lenders += outputs[i].lender() == null ? 0 : 1;
        }
    }

    /** The memory of others that must stay open during the call. */
    MemorySegment[] lenders() {
        MemorySegment[] kept = new MemorySegment[lenders];
        int k = 0;
        for (Tensor[] tensors : new Tensor[][] {inputs, outputs}) {
            for (Tensor t : tensors) {
                if (t.lender() != null) {
                    kept[k++] = t.lender();
                }
            }
        }
        return kept;
    }

    /** Whether some memory is lent. */
    boolean lent() {
        return lenders > 0;
    }

    /** Ends a call that went well; returns its results. */
    Tensor[] results() {
        for (int i = 0; i < outputs.length; i++) {
            if (plan.countedOutputs[i]) {
                fit(i);
            }
        }
        if (given == null) {
            Tensor[] made = outputs;
            outputs = null;
            return made;
        }
        for (int i = 0; i < given.length; i++) {
            if (outputs[i] != given[i]) {
                given[i].copyFrom(outputs[i], false);
            }
        }
        return given;
    }

    /** An output of a counted shape as a tensor of the size that it turned out to have. */
    private void fit(int i) {
        long[] shape = Bindings.outputShape(program, i, work.dimValues(), outputs[i].elements());
        if (!outputs[i].hasShape(shape)) {
            Tensor whole = outputs[i];
            outputs[i] = whole.reinterpret(0, whole.dtype(), shape).copy();
            whole.close();
        }
    }

    /** Ends the call's hold on its tensors, however it went. */
    void release() {
        for (int i = 0; i < pinnedInputs; i++) {
            if (!trusted[i]) {
                inputs[i].unpin();
            }
            if (converted[i]) {
                inputs[i].close();
            }
        }
        for (int i = 0; i < pinnedOutputs; i++) {
            given[i].unpin();
        }
        for (int i = 0; outputs != null && i < outputs.length; i++) {
            if (outputs[i] != null && (given == null || outputs[i] != given[i])) {
                outputs[i].close();
            }
        }
    }
}
