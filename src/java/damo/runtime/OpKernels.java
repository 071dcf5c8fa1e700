package damo.runtime;

import damo.DamoException;
import damo.program.Needs;
import damo.program.Notes;
import damo.program.Program;
import damo.program.Step;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The kernels that an application gives, by the name of their op. Programs and files say only
 * names: they can call nothing that is not found here.
 */
@FunctionalInterface
public interface OpKernels {
    /** The kernel of that op, or null when there is none. */
    OpKernel find(String op);

    /** No kernels. */
    static OpKernels none() {
        return op -> null;
    }

    /** Those of a map. */
    static OpKernels of(Map<String, ? extends OpKernel> kernels) {
        Map<String, OpKernel> copy = Map.copyOf(kernels);
        return copy::get;
    }

    /**
     * The kernels that a program needs, by op. Throws "unknown-op" for one that is missing,
     * "kernel-mismatch" for one of another sort or signature than the program was compiled for.
     */
    default Map<String, OpKernel> require(Program p) {
        Map<String, OpKernel> found = new LinkedHashMap<>();
        for (Step.RunHost step : Needs.hosts(p)) {
            OpKernel kernel = found(p, step.op(), Notes.place(p.notes().get(step.note())));
            if (!(kernel instanceof HostKernel)) {
                throw mismatch(p, step.op(), "whole arrays", "a native function of scalars");
            }
            found.put(step.op(), kernel);
        }
        Needs.natives(p).forEach((op, call) -> {
            OpKernel kernel = found(p, op, "");
            String expected = Needs.signature(call);
            if (!(kernel instanceof NativeFunction f)) {
                throw mismatch(p, op, "native scalars, " + expected, "one of whole arrays");
            }
            if (!f.signature().equals(expected)) {
                throw mismatch(p, op, "native scalars, " + expected, "of " + f.signature());
            }
            found.put(op, kernel);
        });
        return found;
    }

    private OpKernel found(Program p, String op, String place) {
        OpKernel kernel = find(op);
        if (kernel == null) {
            throw new DamoException("unknown-op", "the program " + p.name() + " needs the op " + op
                    + ", which is not part of the program" + place
                    + "\n  try: in Clojure, define it with defop before the program is loaded;"
                    + " in Java, pass its kernel: Model.load(path, Map.of(\"" + op
                    + "\", kernel))", Map.of("op", op, "function", p.name()));
        }
        return kernel;
    }

    private static DamoException mismatch(Program p, String op, String expected, String given) {
        return new DamoException("kernel-mismatch", "the program " + p.name()
                + " needs a kernel of " + expected + " for the op " + op + ", given " + given
                + "; compile the program again with the present definition of the op",
                Map.of("op", op, "function", p.name(), "expected", expected, "given", given));
    }
}
