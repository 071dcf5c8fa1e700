package damo.runtime;

import damo.DamoException;
import damo.program.Program;
import damo.program.Programs;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Named programs and the states that they share by name: what a model file holds. Programs are
 * compiled when they are first asked for. Thread-safe.
 *
 * <p>Example: {@code try (Model m = Model.load(path)) { m.function("predict").call(image); }}
 */
public final class Model implements AutoCloseable {
    private final Map<String, String> programs;
    private final Map<String, Program> checked = new LinkedHashMap<>();
    private final Map<String, State> states;
    private final Map<String, String> info;
    private final Set<String> downcast;
    private final boolean ownsStates;
    private final Map<String, Function> functions = new LinkedHashMap<>();
    private final OpKernels kernels;
    private boolean closed;

    private Model(Map<String, String> programs, Map<String, State> states, Map<String, String> info,
                  Set<String> downcast, boolean ownsStates, OpKernels kernels) {
        this.kernels = kernels;
        this.programs = Collections.unmodifiableMap(new LinkedHashMap<>(programs));
        this.states = Collections.unmodifiableMap(new LinkedHashMap<>(states));
        this.info = Map.copyOf(info);
        this.downcast = Set.copyOf(downcast);
        this.ownsStates = ownsStates;
        if (new HashSet<>(this.states.values()).size() != this.states.size()) {
            throw new DamoException("state-mismatch", "a model was given one state under two "
                    + "names; its states are " + this.states.keySet());
        }
        this.programs.forEach((name, text) -> checked.put(name, Programs.read(text)));
        checked.values().forEach(p -> Function.checkStates(p, this.states));
    }

    /**
     * A model of programs (EDN texts by function name) and states by name, with EDN text of the
     * caller's own for some functions, kept as it is. The states stay the caller's.
     *
     * @throws DamoException "bad-edn", "bad-program", "unknown-state" or "state-mismatch" when a
     * program is wrong or mentions a state that is missing or of another type
     */
    public static Model of(Map<String, String> programs, Map<String, State> states,
                           Map<String, String> info) {
        return new Model(programs, states, info, Set.of(), false, OpKernels.none());
    }

    /** The same, with the names of those functions that round f64 data to their f32 inputs. */
    public static Model of(Map<String, String> programs, Map<String, State> states,
                           Map<String, String> info, Set<String> downcast) {
        return new Model(programs, states, info, downcast, false, OpKernels.none());
    }

    static Model owning(Map<String, String> programs, Map<String, State> states,
                        Map<String, String> info, Set<String> downcast, OpKernels kernels) {
        return new Model(programs, states, info, downcast, true, kernels);
    }

    /**
     * The model in that file. Throws "cannot-read", "bad-file" saying what is wrong with it, or
     * what {@link #of} throws.
     */
    public static Model load(Path path) {
        return load(path, OpKernels.none());
    }

    /**
     * The same for a model whose programs use ops of the application's own: {@code kernels} has, by
     * name, a {@link damo.runtime.HostKernel} or {@link damo.runtime.NativeFunction} for each.
     */
    public static Model load(Path path, Map<String, ? extends OpKernel> kernels) {
        return load(path, OpKernels.of(kernels));
    }

    /**
     * The same with the kernels of ops that its programs need beyond themselves. Throws
     * "unknown-op" or "kernel-mismatch", naming the op, unless all are there and fit.
     */
    public static Model load(Path path, OpKernels kernels) {
        Model model = ModelReader.read(path, kernels);
        try {
            model.checked.values().forEach(kernels::require);
            return model;
        } catch (Throwable e) {
            model.close();
            throw e;
        }
    }

    /**
     * Writes programs and the present values of the states as one file, atomically: after a
     * failure, "cannot-write", an older file of that name is as it was.
     */
    public void save(Path path) {
        ModelWriter.write(path, this);
    }

    /** The names of the functions, in the order of the file. */
    public List<String> names() {
        return List.copyOf(programs.keySet());
    }

    /** The EDN text of each program, by name. */
    public Map<String, String> programs() {
        return programs;
    }

    /** The states by name. */
    public Map<String, State> states() {
        return states;
    }

    /** The text that was saved with that function, or null. */
    public String info(String name) {
        return info.get(name);
    }

    /** Whether that function rounds f64 data to its f32 inputs. */
    public boolean downcasts(String name) {
        return downcast.contains(name);
    }

    /** The state of that name. Throws "unknown-state". */
    public State state(String name) {
        State state = states.get(name);
        if (state == null) {
            throw new DamoException("unknown-state", "the model has no state " + name + "; it has "
                    + states.keySet(), Map.of("state", name));
        }
        return state;
    }

    /**
     * The function of that name, compiled at the first request (tens of milliseconds); it belongs
     * to the model. Throws "unknown-function", "closed", or as {@link Function#compile}.
     */
    public synchronized Function function(String name) {
        if (closed) {
            throw new DamoException("closed", "the model was closed");
        }
        Program program = checked.get(name);
        if (program == null) {
            throw new DamoException("unknown-function", "the model has no function " + name
                    + "; it has "
                    + programs.keySet(), Map.of("function", name));
        }
        return functions.computeIfAbsent(name,
                n -> Function.compile(program, states, downcasts(n), kernels));
    }

    /** Frees the functions, and the states of a model that was loaded. Twice does nothing. */
    @Override
    public synchronized void close() {
        closed = true;
        functions.values().forEach(Function::close);
        if (ownsStates) {
            states.values().forEach(State::close);
        }
    }

    /** The names of functions and states. */
    @Override
    public String toString() {
        return "#damo/model functions " + programs.keySet() + ", states " + states.keySet();
    }
}
