package damo.program;

import damo.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A whole compiled function as data, read from EDN and checked; see docs/program.md. Immutable.
 * Made only by {@link Programs#read}, so that every instance has passed the static checks.
 */
public record Program(
        String name,
        List<String> dims,
        List<Counted> counted,
        List<Requirement> requirements,
        List<Buffer> buffers,
        List<Port> inputs,
        List<Port> state,
        List<Port> outputs,
        List<Kernel> kernels,
        List<Step> steps,
        List<Map<String, Object>> notes) {

    /** A dimension that a call counts, in 0 … max, a size of dimensions that are known before. */
    public record Counted(String dim, Size max) { }

    /** {@code small} may not be larger than {@code large}; else the call fails with the note. */
    public record Requirement(Size small, Size large, int note) { }

    /** What a buffer's memory is and who owns it. */
    public enum Kind { INPUT, STATE, OUTPUT, CONST, TEMP }

    /**
     * A run of {@code size} elements; {@code data} holds the values of a {@code CONST} buffer
     * (double[] or long[]), else null.
     */
    public record Buffer(DType dtype, Size size, Kind kind, Object data) { }

    /** An input, a state variable or an output: a name, a type, and the buffer that holds it. */
    public record Port(String name, DType dtype, List<Size> shape, int buffer, boolean written) {
        /** The type as users write it: {@code [:f32 [n 784]]}. */
        public String type() {
            return "[:" + dtype.label() + " [" + shape.stream().map(Sizes::show)
                    .collect(Collectors.joining(" ")) + "]]";
        }
    }

    /** One entry of the sequence that a call runs. */
    public sealed interface Step permits RunKernel, Gemm, Count, RunHost { }

    /** Runs kernel number {@code kernel} on these buffers. */
    public record RunKernel(int kernel, List<Integer> args) implements Step { }

    /** C = alpha A B + beta C, repeated over {@code batch}. */
    public record Gemm(DType dtype, Size m, Size n, Size k, Scale alpha, Scale beta,
                       Operand a, Operand b, Operand c, List<Batch> batch) implements Step {
        /** Every size in it. */
        public List<Size> sizes() {
            List<Size> all = new ArrayList<>(List.of(m, n, k));
            for (Operand o : List.of(a, b, c)) {
                all.addAll(List.of(o.offset, o.rowStride, o.colStride));
            }
            batch.forEach(l -> all.addAll(List.of(l.extent, l.a, l.b, l.c)));
            return all;
        }
    }

    /**
     * Runs the kernel that the application gives for the op {@code op}: reads {@code ins}, writes
     * {@code out}; {@code attrs} is a map of EDN values. Note number {@code note} says what it is.
     */
    public record RunHost(String op, Map<?, ?> attrs, List<HostArg> ins, HostArg out, int note)
            implements Step {
        /** The inputs, then the output. */
        public List<HostArg> all() {
            List<HostArg> all = new ArrayList<>(ins);
            all.add(out);
            return all;
        }
    }

    /** A dense array at the beginning of a buffer, as such a kernel sees it. */
    public record HostArg(int buffer, List<Size> shape) { }

    /** Element 0 of {@code buffer} becomes the value of the counted dimension. */
    public record Count(String dim, int buffer, int note) implements Step { }

    /**
     * A factor: the number {@code value}, or element 0 of {@code buffer} when that is not negative.
     */
    public record Scale(double value, int buffer) { }

    /** A matrix inside a buffer; offset and strides in elements. */
    public record Operand(int buffer, Size offset, Size rowStride, Size colStride) { }

    /** One loop around a matrix product, with the strides of its operands. */
    public record Batch(Size extent, Size a, Size b, Size c) { }
}
