package damo.runtime;

import damo.DamoException;
import damo.program.Program;
import damo.tensor.DType;
import damo.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What callers give, as the tensors that native code takes; every refusal names the input. */
final class Arguments {
    /** Native code counts on buffers that begin at a multiple of so many bytes. */
    static final int ALIGNMENT = 64;

    private Arguments() { }

    /** Refuses another number of arguments than the program has inputs. */
    static void checkCount(Program p, int given) {
        if (given != p.inputs().size()) {
            throw new DamoException("arity-mismatch", "in " + p.name() + ": takes "
                    + p.inputs().size() + (p.inputs().size() == 1 ? " argument " : " arguments ")
                    + names(p.inputs()) + ", got " + given,
                    Map.of("expected", p.inputs().size(), "given", given));
        }
    }

    /**
     * The values in the order of the inputs. Missing and unknown names are refused, all at once.
     */
    static Object[] ordered(Program p, Map<String, ?> named) {
        List<String> missing = new ArrayList<>();
        List<String> unknown = new ArrayList<>(named.keySet());
        Object[] args = new Object[p.inputs().size()];
        for (int i = 0; i < args.length; i++) {
            String name = p.inputs().get(i).name();
            args[i] = named.get(name);
            unknown.remove(name);
            if (!named.containsKey(name)) {
                missing.add(name);
            }
        }
        if (!missing.isEmpty() || !unknown.isEmpty()) {
            throw new DamoException("arity-mismatch", "in " + p.name() + ": takes the inputs "
                    + names(p.inputs()) + (missing.isEmpty() ? "" : "; missing: " + missing)
                    + (unknown.isEmpty() ? "" : "; unknown: " + unknown),
                    Map.of("missing", missing, "unknown", unknown));
        }
        return args;
    }

    /**
     * The argument as a tensor of the input's dtype: itself, or a new one that the caller must
     * close.
     */
    static Tensor convert(Program p, int input, Object arg, boolean downcast) {
        Program.Port port = p.inputs().get(input);
        try {
            return arg instanceof Tensor t ? t.convert(port.dtype(), downcast)
                    : Tensor.of(arg, port.dtype(), downcast);
        } catch (DamoException e) {
            Map<String, Object> data = new LinkedHashMap<>(e.data());
            data.put("input", port.name());
            throw new DamoException(e.kind(), "in " + p.name() + ": input " + port.name() + " "
                    + port.type() + ": " + e.what(), data, e);
        }
    }

    /** Refuses buffers that cannot take the outputs: count, dtype, shape, memory. */
    static void checkOutputs(Program p, Tensor[] outs, boolean[] counted, List<long[]> shapes) {
        if (outs.length != p.outputs().size()) {
            throw new DamoException("arity-mismatch", p.name() + " has " + p.outputs().size()
                    + " outputs " + names(p.outputs()) + ", got " + outs.length + " buffers",
                    Map.of("expected", p.outputs().size(), "given", outs.length));
        }
        for (int i = 0; i < outs.length; i++) {
            if (counted[i]) {
                throw new DamoException("shape-mismatch", "the shape of output "
                        + p.outputs().get(i).name() + " is known only after the call, so that it "
                        + "cannot be written into a given buffer; call the function plainly",
                        Map.of("output", p.outputs().get(i).name()));
            }
            checkOutput(p.outputs().get(i), outs[i], shapes.get(i));
        }
    }

    private static void checkOutput(Program.Port port, Tensor out, long[] shape) {
        if (out != null && out.lender() == null && out.dtype() == port.dtype()
                && out.hasShape(shape)) {
            return;
        }
        String expected = "buffer for output " + port.name() + ": expected " + type(port.dtype(),
                shape);
        if (out == null) {
            throw new DamoException("bad-data", expected + ", got nil");
        }
        if (out.dtype() != port.dtype() || !out.hasShape(shape)) {
            throw new DamoException(out.dtype() == port.dtype() ? "shape-mismatch"
                    : "dtype-mismatch",
                    expected + ", got " + type(out.dtype(), out.shape()), Map.of("output",
                            port.name()));
        }
        if (out.lender() != null && out.lender().isReadOnly()) {
            throw new DamoException("bad-data", expected
                    + " that may be written, got read-only memory");
        }
    }

    /** Refuses an output buffer that shares bytes with an input or with another output. */
    static void checkDisjoint(Program p, Tensor[] outs, Tensor[] inputs, long[] outAt,
            long[] inAt) {
        for (int i = 0; i < outs.length; i++) {
            for (int k = 0; k < inputs.length; k++) {
                if (overlap(outAt[i], outs[i], inAt[k], inputs[k])) {
                    throw aliasing(p.outputs().get(i), "input " + p.inputs().get(k).name());
                }
            }
            for (int k = 0; k < i; k++) {
                if (overlap(outAt[i], outs[i], outAt[k], outs[k])) {
                    throw aliasing(p.outputs().get(i), "output " + p.outputs().get(k).name());
                }
            }
        }
    }

    private static boolean overlap(long a, Tensor x, long b, Tensor y) {
        return a < b + y.byteSize() && b < a + x.byteSize();
    }

    private static DamoException aliasing(Program.Port out, String other) {
        return new DamoException("aliasing", "the buffer for output " + out.name()
                + " shares memory with " + other + "; give every output a buffer of its own",
                Map.of("output", out.name(), "other", other));
    }

    private static String type(DType dtype, long[] shape) {
        return "[:" + dtype.label() + " " + java.util.Arrays.toString(shape) + "]";
    }

    private static List<String> names(List<Program.Port> ports) {
        return ports.stream().map(Program.Port::name).toList();
    }
}
