package damo.runtime;

import damo.DamoException;
import damo.program.Program;
import damo.program.Step;
import damo.tensor.DType;
import damo.tensor.Tensor;
import damo.verify.Binding;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * The host steps of the calls of one frame: tensors around the frame's buffers, the kernel's
 * result, the failure. Used by one thread at a time.
 */
final class HostRun implements Upcalls.Target {
    private final Plan plan;
    private final Program program;
    private final List<Step> steps;
    /** The frame's table: addresses of the buffers, then dimensions. */
    private final MemorySegment words;
    private final Interruption interruption;
    private final HostSizes sizes;
    private Binding binding;
    /** What follows from the dimensions of the step that runs, or ran last; null before. */
    private HostSizes.Known known;
    private final Held held;
    private Upcalls.Target outer;
    private int failedStep;
    private Throwable failure;

    HostRun(Plan plan, MemorySegment words, Interruption interruption) {
        this.interruption = interruption;
        this.plan = plan;
        this.program = plan.program();
        this.steps = program.all();
        this.words = words;
        this.sizes = new HostSizes(program, words);
        this.held = new Held(program.name(), plan.states);
    }

    /** Begins a call on this thread; to be followed by {@link #leave}. */
    void enter(Binding bound) {
        binding = bound;
        failure = null;
        outer = Upcalls.enter(this);
        held.enter();
    }

    /** Ends the call. */
    void leave() {
        held.leave();
        Upcalls.leave(outer);
        outer = null;
    }

    @Override
    public void step(int number) throws Exception {
        Step.RunHost step = (Step.RunHost) steps.get(number);
        known = sizes.now();
        try (Arena arena = Arena.ofConfined()) {
            List<Tensor> inputs = new ArrayList<>(step.ins().size());
            for (Step.HostArg in : step.ins()) {
                MemorySegment data = memory(in, arena).asReadOnly();
                inputs.add(Tensor.wrap(data, dtype(in), known.shape(in)));
            }
            MemorySegment data = memory(step.out(), arena).fill((byte) 0);
            Tensor output = Tensor.wrap(data, dtype(step.out()), known.shape(step.out()));
            HostKernel kernel = (HostKernel) plan.kernels().get(step.op());
            Tensor result = kernel.run(new HostCall(step.op(), known.attributes(step),
                    List.copyOf(inputs), output));
            if (result != null && result != output) {
                take(result, output);
            }
            if (output.dtype() == DType.BOOL) {
                normalise(data);
            }
        } finally {
            // What the kernel waited for may have taken the thread's attention.
            interruption.leave();
            interruption.enter();
        }
    }

    @SuppressWarnings("restricted")
    private MemorySegment memory(Step.HostArg arg, Arena arena) {
        long bytes = dtype(arg).bytes();
        long begin = Math.multiplyExact(bytes, known.offset(arg));
        for (long extent : known.shape(arg)) {
            bytes = Math.multiplyExact(bytes, extent);
        }
        if (bytes < 0 || begin < 0 || bytes > binding.bytes()[arg.buffer()] - begin) {
            throw new DamoException("out-of-bounds", type(arg) + " does not fit into buffer "
                    + arg.buffer() + " of " + binding.bytes()[arg.buffer()] + " bytes");
        }
        long address = words.getAtIndex(ValueLayout.JAVA_LONG, arg.buffer());
        return MemorySegment.ofAddress(address + begin).reinterpret(bytes, arena, null);
    }

    private DType dtype(Step.HostArg arg) {
        return program.buffers().get(arg.buffer()).dtype();
    }

    private static void take(Tensor result, Tensor output) {
        if (result.dtype() != output.dtype() || !result.hasShape(output.shape())) {
            throw new DamoException("host-result", "the kernel gave " + type(result)
                    + ", but the op declares " + type(output),
                    Map.of("expected", type(output), "given", type(result)));
        }
        output.copyFrom(result, false);
    }

    /** Compiled code and files count on 0 and 1. */
    private static void normalise(MemorySegment data) {
        for (long i = 0; i < data.byteSize(); i++) {
            if (data.get(ValueLayout.JAVA_BYTE, i) != 0) {
                data.set(ValueLayout.JAVA_BYTE, i, (byte) 1);
            }
        }
    }

    private static String type(Tensor t) {
        return type(t.dtype(), t.shape());
    }

    private static String type(DType dtype, long[] shape) {
        return "[:" + dtype.label() + " " + Arrays.toString(shape).replace(",", "") + "]";
    }

    private String type(Step.HostArg arg) {
        return known == null ? ":" + dtype(arg).label() : type(dtype(arg), known.shape(arg));
    }

    @Override
    public void failed(int step, Throwable e) {
        failedStep = step;
        failure = e;
    }

    /** The exception for the step that failed in the last call, or null when none did. */
    DamoException failure() {
        if (failure == null) {
            return null;
        }
        Step.RunHost step = (Step.RunHost) steps.get(failedStep);
        List<String> inputs = step.ins().stream().map(this::type).toList();
        Throwable cause = failure;
        failure = null;
        if (cause instanceof InterruptedException) {
            Thread.currentThread().interrupt();
            return Interruption.interrupted(program.name());
        }
        return Failures.host(program, step, inputs, type(step.out()), cause);
    }
}
