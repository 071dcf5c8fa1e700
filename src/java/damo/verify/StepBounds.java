package damo.verify;

import damo.DamoException;
import damo.program.Program;
import damo.program.Sizes;
import damo.program.Step;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** Checks that every step of a program stays inside its buffers, for given dimensions. */
final class StepBounds {
    private final Program program;
    private final Ranges ranges;
    private final SizeValues sizes;
    private final long[] elements;
    private final KernelBounds[] known;

    /** With buffers of so many elements. */
    StepBounds(Program program, Ranges ranges, SizeValues sizes, long[] elements) {
        this.program = program;
        this.ranges = ranges;
        this.sizes = sizes;
        this.elements = elements;
        this.known = new KernelBounds[program.kernels().size()];
    }

    /** Checks all steps; gives the work of them, see {@link Binding}. */
    double check() {
        List<Step> steps = program.all();
        double work = 0;
        for (int number = 0; number < steps.size(); number++) {
            work += check(number, steps.get(number));
        }
        return work;
    }

    private double check(int number, Step step) {
        return switch (step) {
            case Step.RunKernel s -> kernel(number, s);
            case Step.Gemm s -> GemmBounds.check(number, s, sizes, ranges, elements);
            case Step.Count s -> count(number, s);
            case Step.RunHost s -> host(number, s);
            case Step.Call s -> CallBounds.check(number, s, sizes, ranges, elements);
            case Step.Block s -> 0;
        };
    }

    private double count(int number, Step.Count step) {
        if (elements[step.buffer()] < 1) {
            throw new DamoException("out-of-bounds", "step " + number + ", a :count: the value is "
                    + "element 0 of buffer " + step.buffer() + ", which is empty",
                    Map.of("step", number, "buffer", step.buffer()));
        }
        return 0;
    }

    /**
     * What a host kernel sees of a buffer is all of it; with counted dims, what was counted. How
     * much work it is nobody knows.
     */
    private double host(int number, Step.RunHost step) {
        for (Step.HostArg arg : step.all()) {
            String what = "step " + number + ", " + step.op() + ", buffer " + arg.buffer();
            long[] shape = arg.shape().stream().mapToLong(d -> sizes.of(d, () -> what)).toArray();
            boolean open = arg.shape().stream().anyMatch(ranges::counted);
            if (!open && SizeValues.count(shape, what) != elements[arg.buffer()]) {
                throw new DamoException("bad-program", "bad program: " + what + " has "
                        + elements[arg.buffer()] + " elements, but the shape "
                        + Arrays.toString(shape));
            }
        }
        return Double.POSITIVE_INFINITY;
    }

    private double kernel(int number, Step.RunKernel step) {
        int id = step.number();
        if (known[id] == null) {
            known[id] = KernelBounds.analyse(id, step.kernel(), ranges);
        }
        KernelBounds.Reach[] reach = known[id].reach();
        for (int i = 0; i < reach.length; i++) {
            if (reach[i].max >= elements[step.args().get(i)]) {
                throw beyond(number, step, i, reach[i]);
            }
        }
        return known[id].work();
    }

    private DamoException beyond(int number, Step.RunKernel step, int i,
            KernelBounds.Reach reach) {
        int buffer = step.args().get(i);
        String place = "step " + number + ", "
                + KernelBounds.place(step.number(), step.kernel(), reach.path);
        String message = place + ": index " + Sizes.show(reach.index) + " of parameter " + i
                + " reaches " + reach.max + ", but buffer " + buffer + " has " + elements[buffer]
                + " elements, " + sizes.explain(program.buffers().get(buffer).size());
        return new DamoException("out-of-bounds", message, Map.of("where", place, "index",
                reach.max, "buffer", buffer, "elements", elements[buffer]));
    }
}
