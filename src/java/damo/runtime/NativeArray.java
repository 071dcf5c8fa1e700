package damo.runtime;

import damo.DamoException;
import damo.tensor.DType;
import damo.tensor.Tensor;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodType;
import java.util.List;
import java.util.Map;

/**
 * A C function of arrays as the kernel of an op, such as {@code double cblas_dasum(int n, double
 * *x, int stride)}. All arrays whose addresses are passed have one number of elements, which is
 * checked: so a function that reads and writes as many as it is told stays inside them.
 */
public final class NativeArray implements HostKernel {
    private final MethodHandle handle;
    private final List<Argument> args;
    private final DType result;
    private final boolean status;

    private NativeArray(MethodHandle handle, List<Argument> args, DType result, boolean status) {
        this.handle = handle;
        this.args = args;
        this.result = result;
        this.status = status;
    }

    /** What is passed in one place of the C function's argument list. */
    public sealed interface Argument { }

    /** The number of elements of the arrays, as I32 or I64. */
    public record Count(DType dtype) implements Argument { }

    /** The address of input number {@code index}, or of the output for -1. */
    public record Pointer(int index, DType dtype) implements Argument { }

    /** A number: itself, or the name of the attribute that holds it. */
    public record Scalar(DType dtype, Object value) implements Argument { }

    /** How the function ends: with nothing, a status that is not 0 on failure, or the value. */
    public enum Gives { NOTHING, STATUS, F64, F32, I64, I32 }

    /**
     * The kernel that calls the function at that address. The caller vouches for address and
     * signature. Throws "bad-signature" when they cannot be right.
     */
    @SuppressWarnings("restricted")
    public static NativeArray of(MemorySegment address, Gives gives, List<Argument> args) {
        boolean writes = args.stream().anyMatch(a -> a instanceof Pointer p && p.index() < 0);
        boolean value = gives != Gives.NOTHING && gives != Gives.STATUS;
        if (writes == value) {
            throw NativeFunction.bad("a native function of arrays gives its value, or writes it to"
                    + " the output, one of both");
        }
        MemoryLayout[] layouts = args.stream().map(NativeArray::layout)
                .toArray(MemoryLayout[]::new);
        DType result = value ? DType.of(gives.name().toLowerCase(java.util.Locale.ROOT)) : null;
        FunctionDescriptor type = gives == Gives.NOTHING ? FunctionDescriptor.ofVoid(layouts)
                : FunctionDescriptor.of(value ? layout(result) : ValueLayout.JAVA_INT, layouts);
        MethodHandle handle = Linker.nativeLinker().downcallHandle(address, type)
                .asSpreader(Object[].class, args.size())
                .asType(MethodType.methodType(Object.class, Object[].class));
        return new NativeArray(handle, List.copyOf(args), result, gives == Gives.STATUS);
    }

    @Override
    public Tensor run(HostCall call) throws Exception {
        long count = count(call);
        Object[] values = new Object[args.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = value(call, args.get(i), count);
        }
        Object given = invoke(values);
        if (status && (int) given != 0) {
            throw new DamoException("native-status", "the native function gave the status "
                    + given, Map.of("status", given));
        }
        if (result != null) {
            keep(call.output(), given);
        }
        return null;
    }

    private Object invoke(Object[] values) throws Exception {
        try {
            return (Object) handle.invokeExact(values);
        } catch (Exception | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private void keep(Tensor output, Object value) {
        if (output.elements() != 1 || output.dtype() != result) {
            throw mismatch("gives one value of :" + result.label() + ", but the output has "
                    + output.elements() + " of :" + output.dtype().label());
        }
        MemorySegment data = output.segment();
        switch (value) {
            case Double d -> data.set(ValueLayout.JAVA_DOUBLE, 0, d);
            case Float f -> data.set(ValueLayout.JAVA_FLOAT, 0, f);
            case Long n -> data.set(ValueLayout.JAVA_LONG, 0, n);
            default -> data.set(ValueLayout.JAVA_INT, 0, (Integer) value);
        }
    }

    /** The one number of elements of all arrays whose addresses are passed. */
    private long count(HostCall call) {
        long count = -1;
        for (Argument arg : args) {
            if (arg instanceof Pointer p) {
                Tensor t = tensor(call, p);
                if (t.dtype() != p.dtype()) {
                    throw mismatch("takes :" + p.dtype().label() + " where the op has :"
                            + t.dtype().label());
                }
                if (count >= 0 && t.elements() != count) {
                    throw mismatch("takes arrays of one number of elements, got " + count + " and "
                            + t.elements());
                }
                count = t.elements();
            }
        }
        return Math.max(count, 0);
    }

    private Tensor tensor(HostCall call, Pointer p) {
        if (p.index() >= call.inputs().size()) {
            throw mismatch("takes input " + p.index() + ", but the op has "
                    + call.inputs().size());
        }
        return p.index() < 0 ? call.output() : call.input(p.index());
    }

    private Object value(HostCall call, Argument arg, long count) {
        return switch (arg) {
            case Pointer p -> tensor(call, p).segment();
            case Count c when c.dtype() == DType.I64 -> count;
            case Count c when count <= Integer.MAX_VALUE -> (int) count;
            case Count c -> throw mismatch("counts with 32 bits, but the arrays have " + count
                    + " elements");
            case Scalar s -> number(s, s.value() instanceof String name
                    ? call.attributes().get(name) : s.value());
        };
    }

    private static Object number(Scalar s, Object value) {
        if (!(value instanceof Number n)) {
            throw mismatch("needs a number for the attribute " + s.value() + ", got " + value);
        }
        return switch (s.dtype()) {
            case F64 -> n.doubleValue();
            case F32 -> n.floatValue();
            case I64 -> n.longValue();
            default -> Math.toIntExact(n.longValue());
        };
    }

    private static DamoException mismatch(String what) {
        return new DamoException("native-mismatch", "the native function " + what);
    }

    private static MemoryLayout layout(Argument arg) {
        return switch (arg) {
            case Pointer p -> ValueLayout.ADDRESS;
            case Count c when c.dtype() == DType.I32 || c.dtype() == DType.I64 ->
                    layout(c.dtype());
            case Count c -> throw NativeFunction.bad("a number of elements is passed as i32 or"
                    + " i64, got " + c.dtype());
            case Scalar s -> layout(s.dtype());
        };
    }

    private static MemoryLayout layout(DType dtype) {
        return switch (dtype) {
            case F64 -> ValueLayout.JAVA_DOUBLE;
            case F32 -> ValueLayout.JAVA_FLOAT;
            case I64 -> ValueLayout.JAVA_LONG;
            case I32 -> ValueLayout.JAVA_INT;
            default -> throw NativeFunction.bad("numbers are passed as f64, f32, i64 or i32, got "
                    + dtype);
        };
    }
}
