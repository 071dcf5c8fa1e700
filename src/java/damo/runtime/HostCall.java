package damo.runtime;

import damo.tensor.Tensor;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One call of a {@link HostKernel}: attributes, inputs, output. The tensors may be used by the
 * calling thread, until the kernel returns; later use is an exception of kind "closed". The inputs
 * are read-only.
 */
public final class HostCall {
    private final String op;
    private final Map<String, Object> attributes;
    private final List<Tensor> inputs;
    private final Tensor output;

    HostCall(String op, Map<String, Object> attributes, List<Tensor> inputs, Tensor output) {
        this.op = op;
        this.attributes = attributes;
        this.inputs = inputs;
        this.output = output;
    }

    /** A call outside compiled functions, for trying a kernel; the tensors are the caller's. */
    public static HostCall of(String op, Map<String, Object> attributes, List<Tensor> inputs,
                              Tensor output) {
        return new HostCall(op, Collections.unmodifiableMap(new LinkedHashMap<>(attributes)),
                List.copyOf(inputs), output);
    }

    /** The name of the op. */
    public String op() {
        return op;
    }

    /**
     * The attributes by name without colon: EDN values as {@link damo.edn.Edn} reads them, with
     * dimensions replaced by their lengths. The same object for calls with the same dimensions.
     */
    public Map<String, Object> attributes() {
        return attributes;
    }

    /** The inputs in order; unmodifiable. */
    public List<Tensor> inputs() {
        return inputs;
    }

    /** Input number i. */
    public Tensor input(int i) {
        return inputs.get(i);
    }

    /** Where the result goes: zeros of the declared dtype and shape. */
    public Tensor output() {
        return output;
    }
}
