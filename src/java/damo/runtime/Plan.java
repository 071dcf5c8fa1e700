package damo.runtime;

import damo.DamoException;
import damo.jit.NativeCode;
import damo.lib.Threads;
import damo.program.Needs;
import damo.program.Program;
import damo.tensor.DType;
import damo.tensor.Panels;
import damo.tensor.Tensor;
import damo.verify.Bindings;
import damo.verify.Effects;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/** All that the calls of one function share and never change: program, code, constants, states. */
final class Plan implements AutoCloseable {
    private final Program program;
    private final NativeCode code;
    private final boolean downcast;
    private final Tensor[] constants;
    private final Map<List<Object>, Tensor> packed = new HashMap<>();
    private final Map<String, OpKernel> kernels;

    /** The addresses of {@code damo_call} and {@code damo_repeat}. */
    final MemorySegment entry;
    final MemorySegment repeat;
    /** The states in the order of the program's state ports, and which of them it writes. */
    final State[] states;
    final boolean[] written;
    final StateLocks locks;
    /** Those of its matrices whose layout is free. */
    final Matrices matrices;
    /** What is known of calls by the shapes of their arguments and states. */
    final BoundShapes shapes;
    /** Whether written states must be saved before one call, or before several. */
    final boolean savesOne;
    final boolean savesMany;
    final Failures failures;
    /** Whether some step runs a kernel of the application. */
    final boolean hosts;
    /** Dtype and buffer of each input port, as arrays for the hot path. */
    final DType[] inputDtypes;
    final int[] inputBuffers;
    final int[] stateBuffers;
    final int[] outputBuffers;
    /** Which outputs have a shape that is known after a call only. */
    final boolean[] countedOutputs;
    /** Whether the caller vouches that nobody closes arguments during a call. */
    volatile boolean trusts;
    /** How many threads a call may use, however many the process has. */
    volatile int threads = Threads.MOST;

    Plan(Program program, NativeCode code, Map<String, State> byName, boolean downcast,
         Map<String, OpKernel> kernels, boolean vouched) {
        this.program = program;
        this.downcast = downcast;
        this.kernels = kernels;
        this.hosts = !Needs.hosts(program).isEmpty();
        this.states = states(program, byName);
        this.code = code;
        this.entry = code.entry();
        this.repeat = code.repeat();
        this.written = new boolean[states.length];
        for (int i = 0; i < written.length; i++) {
            written[i] = program.state().get(i).written();
        }
        this.matrices = new Matrices(program);
        this.locks = new StateLocks(states, written, matrices.states());
        this.shapes = new BoundShapes(program, states, matrices, vouched);
        this.savesOne = Effects.failsAfterWrite(program);
        this.savesMany = Effects.writes(program);
        this.failures = new Failures(program);
        this.inputDtypes = program.inputs().stream().map(Program.Port::dtype).toArray(DType[]::new);
        this.inputBuffers = buffers(program.inputs());
        this.stateBuffers = buffers(program.state());
        this.outputBuffers = buffers(program.outputs());
        this.countedOutputs = new boolean[outputBuffers.length];
        for (int i = 0; i < countedOutputs.length; i++) {
            countedOutputs[i] = Bindings.counted(program, program.outputs().get(i));
        }
        this.constants = constants(program);
    }

    /** The program. */
    Program program() {
        return program;
    }

    /** Its machine code. */
    NativeCode code() {
        return code;
    }

    /** The kernels of the application, by op. */
    Map<String, OpKernel> kernels() {
        return kernels;
    }

    /** Whether f64 data may be rounded to an f32 input. */
    boolean downcast() {
        return downcast;
    }

    /** The values of constant buffers, null for others, by buffer. */
    Tensor constant(int buffer) {
        return constants[buffer];
    }

    /** The panels of a matrix that is a constant, made once. Throws "out-of-memory". */
    synchronized Tensor packed(int position, Panels panels) {
        return packed.computeIfAbsent(List.of(position, panels),
                key -> panels.packed(constants[matrices.buffer(position)]));
    }

    /** Frees machine code and constants; no call may be in progress. */
    @Override
    public void close() {
        code.close();
        Stream.concat(Arrays.stream(constants).filter(t -> t != null), packed.values().stream())
                .forEach(Tensor::close);
    }

    private static int[] buffers(List<Program.Port> ports) {
        return ports.stream().mapToInt(Program.Port::buffer).toArray();
    }

    /** The states of the program in its order; refuses missing ones and other types. */
    static State[] states(Program p, Map<String, State> byName) {
        State[] states = new State[p.state().size()];
        Set<State> seen = new HashSet<>();
        for (int i = 0; i < states.length; i++) {
            Program.Port port = p.state().get(i);
            State state = byName.get(port.name());
            if (state == null) {
                throw refused("unknown-state", p, port, "needs a state named " + port.name()
                        + ", given " + byName.keySet());
            }
            if (state.dtype() != port.dtype() || state.rank() != port.shape().size()) {
                throw refused("state-mismatch", p, port, "needs the state " + port.name()
                        + " as :" + port.dtype().label() + " with " + port.shape().size()
                        + " axes, given :" + state.dtype().label() + " with " + state.rank());
            }
            if (!seen.add(state)) {
                throw refused("state-mismatch", p, port,
                        "was given one state under two names, the second being " + port.name());
            }
            states[i] = state;
        }
        return states;
    }

    private static DamoException refused(String kind, Program p, Program.Port port, String why) {
        return new DamoException(kind, "the program " + p.name() + " " + why,
                Map.of("state", port.name()));
    }

    private static Tensor[] constants(Program p) {
        Tensor[] constants = new Tensor[p.buffers().size()];
        for (int i = 0; i < constants.length; i++) {
            Program.Buffer b = p.buffers().get(i);
            if (b.kind() == Program.Kind.CONST) {
                // The reader checked the range of every value, and doubles are meant to be rounded.
                constants[i] = b.dtype() == DType.BOOL ? Tensor.of(booleans((long[]) b.data()))
                        : Tensor.of(b.data(), b.dtype(), true);
            }
        }
        return constants;
    }

    private static boolean[] booleans(long[] values) {
        boolean[] out = new boolean[values.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = values[i] != 0;
        }
        return out;
    }
}
