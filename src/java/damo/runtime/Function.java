package damo.runtime;

import damo.DamoException;
import damo.codegen.Foreign;
import damo.codegen.Work;
import damo.edn.Nesting;
import damo.jit.NativeCode;
import damo.lib.Threads;
import damo.program.Needs;
import damo.program.Program;
import damo.program.Programs;
import damo.tensor.Tensor;
import java.lang.ref.Cleaner;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A compiled program with its states: tensors, numbers or nested data in, tensors out. May be
 * called from many threads at once. A call that fails leaves every state as it was.
 *
 * <p>Example: {@code Function f = Function.compile(edn, Map.of()); f.call(x)[0].doubleValue();}
 */
public final class Function implements AutoCloseable {
    private static final Cleaner CLEANER = Cleaner.create();

    private final Plan plan;
    private final FramePool frames;
    /** Null while all results are the caller's to close or to drop. */
    private volatile Latest latest;

    private Function(Plan plan) {
        this.plan = plan;
        this.frames = new FramePool(plan);
        // The pool frees the code when its last frame is back, so this is safe during a call.
        CLEANER.register(this, frames::close);
    }

    /**
     * Compiles the program that the EDN text describes; {@code states} has those it mentions, by
     * name.
     *
     * @throws DamoException "bad-edn", "bad-program", "unknown-state", "state-mismatch", "codegen",
     * "too-much-work"
     */
    public static Function compile(String edn, Map<String, State> states) {
        return compile(Programs.read(edn), states, false);
    }

    /**
     * The same for a program that was read, allowing f64 data to be rounded to f32 inputs or not.
     */
    public static Function compile(Program program, Map<String, State> states, boolean downcast) {
        return compile(program, states, downcast, OpKernels.none());
    }

    /**
     * The same with the kernels that the application gives for ops. Throws "unknown-op" or
     * "kernel-mismatch" when the program needs others.
     */
    public static Function compile(Program program, Map<String, State> states, boolean downcast,
                                   OpKernels given) {
        return compile(program, states, downcast, given, false);
    }

    /**
     * The same for a program that this process made from expressions, when {@code vouched}: it may
     * take more work to compile, and is trusted to write all of its outputs and temporaries; those
     * of other programs are cleared where that cannot be shown.
     */
    public static Function compile(Program program, Map<String, State> states, boolean downcast,
                                   OpKernels given, boolean vouched) {
        return compile(program, states, downcast, given, vouched, false);
    }

    /** The same in less time, when {@code quick}, for code that may run longer. */
    public static Function compile(Program program, Map<String, State> states, boolean downcast,
                                   OpKernels given, boolean vouched, boolean quick) {
        return Nesting.within(() -> {
            Work.check(program, vouched ? Work.OWN : Work.FILE);
            Map<String, OpKernel> kernels = given.require(program);
            NativeCode code = NativeCode.compile(program, addresses(program, kernels),
                    quick);
            try {
                return new Function(new Plan(program, code, states, downcast, kernels, vouched));
            } catch (Throwable e) {
                code.close();
                throw e;
            }
        });
    }

    /**
     * Refuses states that a program cannot be compiled with: "unknown-state", "state-mismatch".
     */
    public static void checkStates(Program program, Map<String, State> states) {
        Plan.states(program, states);
    }

    /** The addresses of what the code calls outside itself, by symbol. */
    private static Map<String, Long> addresses(Program program, Map<String, OpKernel> kernels) {
        Map<String, Long> addresses = new HashMap<>();
        if (!Needs.hosts(program).isEmpty()) {
            addresses.put(Foreign.HOST, Upcalls.address());
        }
        kernels.forEach((op, kernel) -> {
            if (kernel instanceof NativeFunction f) {
                addresses.put(Foreign.nativeSymbol(op), f.address());
            }
        });
        return addresses;
    }

    /** The program's name. */
    public String name() {
        return plan.program().name();
    }

    /** The program, with the types of inputs and outputs. */
    public Program program() {
        return plan.program();
    }

    /** The names of the inputs, in the order of arguments. */
    public List<String> inputs() {
        return plan.program().inputs().stream().map(Program.Port::name).toList();
    }

    /** The names of the outputs, in the order of results. */
    public List<String> outputs() {
        return plan.program().outputs().stream().map(Program.Port::name).toList();
    }

    /**
     * Takes the caller's word that no other thread closes an argument during a call, which then is
     * not held open; arguments are checked for the rest. Returns this function.
     */
    public Function trust() {
        plan.trusts = true;
        return this;
    }

    /**
     * Lets calls that begin from now on use at most so many threads, however many the process has
     * ({@link damo.Damo#threads(int)}); results are the same for every number. Returns this
     * function. Throws "bad-threads".
     */
    public Function threads(int most) {
        plan.threads = Threads.check(most);
        return this;
    }

    /**
     * From now on the results of the last {@code calls} calls stay open, of all threads together:
     * those before them are closed when a call ends. Results that are dropped then cost no more
     * than {@link #callInto}; one that is used too late is refused with kind "closed". Returns this
     * function. Throws "bad-data".
     */
    public Function keepResults(int calls) {
        latest = new Latest(calls);
        return this;
    }

    /** The LLVM text that the code was made from, before LLVM's passes. */
    public String ir() {
        return plan.code().ir();
    }

    /**
     * One call with positional arguments; the outputs are new tensors, which the caller owns.
     *
     * @throws DamoException "arity-mismatch", "dtype-mismatch", "shape-mismatch", "ragged",
     * "bad-data" for arguments; "index-out-of-bounds", "requirement-failed" from the program,
     * with the note of the expression in its data; "out-of-bounds", "size-overflow",
     * "out-of-memory" for sizes; "closed"
     */
    public Tensor[] call(Object... args) {
        return run(1, null, args);
    }

    /** The same with arguments by name. Missing and unknown names are an "arity-mismatch". */
    public Tensor[] callNamed(Map<String, ?> args) {
        return run(1, null, Arguments.ordered(plan.program(), args));
    }

    /**
     * One call into those buffers, one for each output: of its dtype and shape, sharing memory with
     * no input and no other output ("aliasing" otherwise). After a failed call they hold anything.
     */
    public Tensor[] callInto(Tensor[] outputs, Object... args) {
        return run(1, outputs, args);
    }

    /** Runs {@code n} times, at least once, inside native code; returns the last outputs. */
    public Tensor[] callN(long n, Object... args) {
        return run(n, null, args);
    }

    /**
     * Runs {@code n} times, into buffers unless {@code outputs} is null; all or no state is kept.
     */
    public Tensor[] run(long n, Tensor[] outputs, Object[] args) {
        if (n < 1) {
            throw new DamoException("bad-data", "expected 1 or more repetitions, got " + n);
        }
        Frame frame = frames.acquire();
        try {
            Tensor[] results = frame.run(n, outputs, args);
            Latest kept = latest;
            if (kept != null && outputs == null) {
                kept.add(results);
            }
            return results;
        } finally {
            frames.release(frame);
        }
    }

    /**
     * Frees code and constants once calls in progress are done; states live on. Twice does nothing.
     */
    @Override
    public void close() {
        frames.close();
    }

    /** The name with the inputs and outputs. */
    @Override
    public String toString() {
        return "#damo/function " + name() + " " + inputs() + " -> " + outputs();
    }
}
