package damo.program;

import damo.tensor.DType;
import java.util.List;
import java.util.Map;

/**
 * A function of a library that programs may call, as resources/damo/calls.edn describes it.
 *
 * @param name     how programs call it
 * @param library  where it is: {@code "blas"}
 * @param symbol   its name there
 * @param params   what it takes, in order
 * @param result   what it gives, a {@link Report} or a {@link Value}; null for nothing
 * @param requires what must not be larger than what, over the names of its sizes
 */
public record Routine(String name, String library, String symbol, List<Param> params, Param result,
                      List<Requirement> requires) {
    /** {@code small} may not be larger than {@code large}. */
    public record Requirement(Size small, Size large) { }

    /** A parameter, or the result. */
    public sealed interface Param {
        /** The dtype of its number, or of the elements of its array. */
        DType dtype();

        /** What a step names to give a value for it; null when a step gives none. */
        default String name() {
            return null;
        }
    }

    /** Always that number. */
    public record Constant(DType dtype, long value) implements Param { }

    /** A number that a step chooses by a keyword. */
    public record Choice(String name, DType dtype, Map<String, Long> numbers) implements Param { }

    /** A size that a step gives. */
    public record Dim(String name, DType dtype) implements Param { }

    /** A number, or element 0 of a buffer. */
    public record Number(String name, DType dtype) implements Param { }

    /** Elements of a buffer: axes over the names of sizes, from an offset that a step gives. */
    public record Array(String name, DType dtype, Access.Mode mode, List<Access.Axis> axes)
            implements Param { }

    /** The address of another parameter's value, which is not an array. */
    public record Pointer(Param to) implements Param {
        @Override
        public DType dtype() {
            return to.dtype();
        }

        @Override
        public String name() {
            return to.name();
        }
    }

    /** Where the routine says how it went: 0, or a number that tells what went wrong. */
    public record Report(DType dtype) implements Param { }

    /** A number that the routine gives, which becomes an element of a buffer. */
    public record Value(String name, DType dtype) implements Param { }

    /** Whether it reports failures. */
    public boolean reports() {
        return result instanceof Report || params.stream().anyMatch(Report.class::isInstance);
    }
}
