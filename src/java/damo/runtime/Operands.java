package damo.runtime;

import damo.program.Program;
import damo.tensor.Tensor;
import damo.verify.Binding;
import damo.verify.Bindings;
import java.lang.foreign.MemorySegment;

/** The tensors of one call at a time: its arguments, pinned for its length, and its results. */
final class Operands {
    private final Plan plan;
    private final Program program;
    private final Workspace work;
    private final Tensor[] inputs;
    private final long[] inputAt;
    private final boolean[] converted;
    private final boolean[] trusted;
    private final long[] outputAt;
    /** The caller's outputs, and those that native code writes, which may be copies of them. */
    private Tensor[] given;
    private Tensor[] outputs;
    private int lenders;
    private int pinnedInputs;
    private int pinnedOutputs;

    Operands(Plan plan, Workspace work) {
        this.plan = plan;
        this.program = plan.program();
        this.work = work;
        this.inputs = new Tensor[program.inputs().size()];
        this.inputAt = new long[inputs.length];
        this.converted = new boolean[inputs.length];
        this.trusted = new boolean[inputs.length];
        this.outputAt = new long[program.outputs().size()];
    }

    /** The arguments, as tensors of the inputs' dtypes. */
    Tensor[] inputs() {
        return inputs;
    }

    /** What native code writes. */
    Tensor[] outputs() {
        return outputs;
    }

    /** Takes the arguments, and puts their addresses into the workspace. */
    void pin(Object[] args) {
        for (int i = 0; i < args.length; i++) {
            Tensor t = args[i] instanceof Tensor tensor && tensor.dtype() == plan.inputDtypes[i]
                    ? tensor : Arguments.convert(program, i, args[i], plan.downcast());
            converted[i] = t != args[i];
            trusted[i] = plan.trusts && trusted(t);
            long address = trusted[i] ? t.address() : t.pinAddress();
            inputs[i] = t;
            pinnedInputs = i + 1;
            // Where the argument lies, copied or not: whether an output may overlap it should not
            // depend on how it happens to be aligned.
            inputAt[i] = address;
            if (address % Arguments.ALIGNMENT != 0) {
                address = align(i, t);
            }
            lenders += inputs[i].lender() == null ? 0 : 1;
            work.put(plan.inputBuffers[i], address);
        }
    }

    /** Whether the tensor may be used as it is by who vouches that nobody closes it meanwhile. */
    private static boolean trusted(Tensor t) {
        return t.lender() == null && t.address() % Arguments.ALIGNMENT == 0;
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
            inputs[i] = null;
        }
        for (int i = 0; i < pinnedOutputs; i++) {
            given[i].unpin();
        }
        for (int i = 0; outputs != null && i < outputs.length; i++) {
            if (outputs[i] != null && (given == null || outputs[i] != given[i])) {
                outputs[i].close();
            }
        }
        pinnedInputs = 0;
        pinnedOutputs = 0;
        lenders = 0;
        given = null;
        outputs = null;
    }
}
