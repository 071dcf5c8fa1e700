package damo.runtime;

import damo.DamoException;
import damo.program.Program;
import damo.tensor.DType;
import damo.tensor.Tensor;
import damo.verify.Binding;
import damo.verify.Bindings;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What one call needs for itself: the table of addresses, the dimensions, the arena of temporaries.
 * Kept between calls with the last binding, so that a call with the same shapes allocates only its
 * outputs. Used by one thread at a time.
 */
final class Frame implements AutoCloseable {
    private static final int FAILURE_WORDS = 4;
    /** The status of a call that was asked to stop. */
    private static final int INTERRUPTED = 2;
    /** A call of less work than this, under a millisecond, is not worth an interrupt. */
    private static final double SHORT = 1e5;
    private final Plan plan;
    private final Program program;
    /** Addresses of all buffers, the dimensions, the failure record: one word each. */
    private final Tensor table;
    private final MemorySegment words;
    private final int dimsAt;
    private final int failureAt;
    private final long tableAddress;

    private final Tensor[] inputs;
    private final long[] inputAt;
    private final boolean[] converted;
    private final long[] outputAt;
    private final long[][] shapes;
    private final long[] stamps;
    private final Tensor[] saved;
    /** The last word of the failure record is what it sets. */
    private final Interruption interruption;
    /** Null for a program without host steps. */
    private final HostRun hosts;
    private final Clearing clearing;
    private int lenders;
    private int pinnedInputs;
    private int pinnedOutputs;
    private Binding binding;
    private Tensor arena;
    private final Slab slab = new Slab();

    Frame(Plan plan) {
        this.plan = plan;
        this.program = plan.program();
        int buffers = program.buffers().size();
        this.dimsAt = buffers;
        this.failureAt = buffers + program.dims().size()
                + program.counted().size();
        this.table = Tensor.zeros(DType.I64, failureAt + FAILURE_WORDS);
        this.words = table.segment();
        this.tableAddress = words.address();
        this.inputs = new Tensor[program.inputs().size()];
        this.inputAt = new long[inputs.length];
        this.converted = new boolean[inputs.length];
        this.outputAt = new long[program.outputs().size()];
        this.shapes = new long[inputs.length + plan.states.length][];
        this.stamps = new long[plan.states.length];
        this.saved = new Tensor[plan.states.length];
        this.clearing = new Clearing(plan);
        this.interruption = new Interruption(
                words.asSlice(8L * (failureAt + FAILURE_WORDS - 1), 8));
        this.hosts = plan.hosts ? new HostRun(plan, words, interruption) : null;
        for (int b = 0; b < buffers; b++) {
            if (plan.constant(b) != null) {
                // The plan keeps constants as long as any frame lives.
                words.setAtIndex(ValueLayout.JAVA_LONG, b, plan.constant(b).pinAddress());
                plan.constant(b).unpin();
            }
        }
    }

    /**
     * One call, or {@code n} in native code: into the given buffers, or into new tensors when
     * {@code given} is null. Returns the outputs.
     */
    Tensor[] run(long n, Tensor[] given, Object[] args) {
        Arguments.checkCount(program, args.length);
        Interruption.check(program.name());
        Tensor[] outputs = null;
        try {
            pinInputs(args);
            plan.locks.lock(stamps);
            bind();
            outputs = given == null ? allocate() : accept(given);
            execute(n, outputs);
            fit(outputs);
            if (outputs != given && given != null) {
                copyBack(outputs, given);
                return given;
            }
            Tensor[] result = outputs;
            outputs = null;
            return result;
        } finally {
            plan.locks.unlock(stamps);
            release(given);
            if (outputs != null) {
                discard(outputs, given);
            }
        }
    }

    private void pinInputs(Object[] args) {
        for (int i = 0; i < args.length; i++) {
            Tensor t = args[i] instanceof Tensor given && given.dtype() == plan.inputDtypes[i]
                    ? given : Arguments.convert(program, i, args[i], plan.downcast());
            converted[i] = t != args[i];
            long address = t.pinAddress();
            inputs[i] = t;
            pinnedInputs = i + 1;
            // Where the argument lies, copied or not: whether an output may overlap it should not
            // depend on how it happens to be aligned.
            inputAt[i] = address;
            if (address % Arguments.ALIGNMENT != 0) {
                address = align(i, t);
            }
            lenders += inputs[i].lender() == null ? 0 : 1;
            words.setAtIndex(ValueLayout.JAVA_LONG, plan.inputBuffers[i], address);
        }
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

    private void bind() {
        boolean same = binding != null;
        for (int i = 0; i < inputs.length; i++) {
            same = same && inputs[i].hasShape(shapes[i]);
        }
        for (int i = 0; i < plan.states.length; i++) {
            Tensor value = plan.states[i].current();
            same = same && value.hasShape(shapes[inputs.length + i]);
            long address = value.pinAddress();
            value.unpin();
            words.setAtIndex(ValueLayout.JAVA_LONG, program.state().get(i).buffer(), address);
        }
        if (!same) {
            rebind();
        }
    }

    private void rebind() {
        binding = null;
        for (int i = 0; i < inputs.length; i++) {
            shapes[i] = inputs[i].shape();
        }
        for (int i = 0; i < plan.states.length; i++) {
            shapes[inputs.length + i] = plan.states[i].current().shape();
        }
        Binding fresh = Bindings.bind(program, Bindings.dimsOf(program, shapes));
        if (arena == null || arena.elements() < fresh.arenaBytes()) {
            if (arena != null) {
                arena.close();
                arena = null;
            }
            arena = Tensor.uninitialized(DType.U8, fresh.arenaBytes());
        }
        long base = arena.pinAddress();
        arena.unpin();
        for (int b = 0; b < dimsAt; b++) {
            if (fresh.offsets()[b] >= 0) {
                words.setAtIndex(ValueLayout.JAVA_LONG, b, base + fresh.offsets()[b]);
            }
        }
        for (int d = 0; d < fresh.dims().length; d++) {
            words.setAtIndex(ValueLayout.JAVA_LONG, dimsAt + d, fresh.dims()[d]);
        }
        clearing.bind(fresh);
        binding = fresh;
    }

    private Tensor[] allocate() {
        Tensor[] outputs = new Tensor[outputAt.length];
        try {
            for (int i = 0; i < outputs.length; i++) {
                Program.Port port = program.outputs().get(i);
                outputs[i] = slab.cut(port.dtype(), plan.countedOutputs[i]
                        ? new long[] {binding.elements()[port.buffer()]}
                        : binding.outputShapes().get(i), binding.bytes()[port.buffer()]);
                outputAt[i] = outputs[i].pinAddress();
                outputs[i].unpin();
            }
        } catch (Throwable e) {
            discard(outputs, null);
            throw e;
        }
        return outputs;
    }

    /**
     * Checks and pins the caller's buffers; an unaligned one is replaced by a new tensor for the
     * call.
     */
    private Tensor[] accept(Tensor[] given) {
        Arguments.checkOutputs(program, given, plan.countedOutputs, binding.outputShapes());
        for (int i = 0; i < given.length; i++) {
            outputAt[i] = given[i].pinAddress();
            pinnedOutputs = i + 1;
        }
        Arguments.checkDisjoint(program, given, inputs, outputAt, inputAt);
        Tensor[] outputs = given;
        for (int i = 0; i < given.length; i++) {
            if (outputAt[i] % Arguments.ALIGNMENT != 0) {
                outputs = outputs == given ? given.clone() : outputs;
                outputs[i] = given[i].copy();
                outputAt[i] = outputs[i].pinAddress();
                outputs[i].unpin();
            }
            lenders += outputs[i].lender() == null ? 0 : 1;
        }
        return outputs;
    }

    /** Outputs of counted shapes as tensors of the size that they turned out to have. */
    private void fit(Tensor[] outputs) {
        for (int i = 0; i < outputs.length; i++) {
            if (plan.countedOutputs[i]) {
                long[] dims = new long[failureAt - dimsAt];
                for (int d = 0; d < dims.length; d++) {
                    dims[d] = words.getAtIndex(ValueLayout.JAVA_LONG, dimsAt + d);
                }
                long[] shape = Bindings.outputShape(program, i, dims, outputs[i].elements());
                if (!outputs[i].hasShape(shape)) {
                    Tensor whole = outputs[i];
                    outputs[i] = whole.reinterpret(0, whole.dtype(), shape).copy();
                    whole.close();
                }
            }
        }
    }

    private void copyBack(Tensor[] outputs, Tensor[] given) {
        for (int i = 0; i < given.length; i++) {
            if (outputs[i] != given[i]) {
                given[i].copyFrom(outputs[i], false);
                outputs[i].close();
            }
        }
    }

    private void execute(long n, Tensor[] outputs) {
        for (int i = 0; i < outputAt.length; i++) {
            words.setAtIndex(ValueLayout.JAVA_LONG, plan.outputBuffers[i], outputAt[i]);
        }
        clearing.run(arena, outputs);
        boolean saves = n == 1 ? plan.savesOne : plan.savesMany;
        if (saves) {
            save();
        }
        int status = n == 1 && binding.work() < SHORT ? call(n, outputs)
                : callInterruptibly(n, outputs);
        if (status != 0) {
            if (saves) {
                restore();
            }
            throw status == INTERRUPTED ? Interruption.interrupted(program.name()) : failure();
        }
    }

    private int callInterruptibly(long n, Tensor[] outputs) {
        if (hosts != null) {
            hosts.enter(binding);
        }
        interruption.enter();
        try {
            return call(n, outputs);
        } finally {
            interruption.leave();
            if (hosts != null) {
                hosts.leave();
            }
        }
    }

    private int call(long n, Tensor[] outputs) {
        long dims = tableAddress + 8L * dimsAt;
        long failure = tableAddress + 8L * failureAt;
        return lenders > 0
                ? NativeCalls.repeatKeeping(plan.repeat, tableAddress, dims, failure, n,
                        lenders(outputs))
                : n == 1 ? NativeCalls.call(plan.entry, tableAddress, dims, failure)
                : NativeCalls.repeat(plan.repeat, tableAddress, dims, failure, n);
    }

    private DamoException failure() {
        DamoException thrown = hosts == null ? null : hosts.failure();
        if (thrown != null) {
            return thrown;
        }
        long note = words.getAtIndex(ValueLayout.JAVA_LONG, failureAt);
        long value = words.getAtIndex(ValueLayout.JAVA_LONG, failureAt + 1);
        long extent = words.getAtIndex(ValueLayout.JAVA_LONG, failureAt + 2);
        return plan.failures.of(note, value, extent);
    }

    private MemorySegment[] lenders(Tensor[] outputs) {
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

    /** Copies the states that the call writes; done under their locks. */
    private void save() {
        for (int i = 0; i < saved.length; i++) {
            if (plan.written[i]) {
                Tensor value = plan.states[i].current();
                if (saved[i] == null || !saved[i].hasShape(shapes[inputs.length + i])) {
                    saved[i] = value.copy();
                } else {
                    saved[i].copyFrom(value, false);
                }
            }
        }
    }

    private void restore() {
        for (int i = 0; i < saved.length; i++) {
            if (plan.written[i]) {
                plan.states[i].current().copyFrom(saved[i], false);
            }
        }
    }

    /** Ends the call's hold on its tensors, however it went. */
    private void release(Tensor[] given) {
        for (int i = 0; i < pinnedInputs; i++) {
            inputs[i].unpin();
            if (converted[i]) {
                inputs[i].close();
            }
            inputs[i] = null;
        }
        for (int i = 0; i < pinnedOutputs; i++) {
            given[i].unpin();
        }
        pinnedInputs = 0;
        pinnedOutputs = 0;
        lenders = 0;
    }

    private static void discard(Tensor[] outputs, Tensor[] given) {
        for (int i = 0; i < outputs.length; i++) {
            if (outputs[i] != null && (given == null || outputs[i] != given[i])) {
                outputs[i].close();
            }
        }
    }

    /** Frees the frame's memory; it must not be in use. */
    @Override
    public void close() {
        table.close();
        if (arena != null) {
            arena.close();
        }
        for (Tensor t : saved) {
            if (t != null) {
                t.close();
            }
        }
    }
}
