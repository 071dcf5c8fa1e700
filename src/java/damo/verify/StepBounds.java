package damo.verify;

import damo.DamoException;
import damo.program.Access;
import damo.program.Branch;
import damo.program.Loop;
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
    private final WindowBounds windows;
    private final Overlaps overlaps;
    private final Stops stops;
    private int number;

    /** With buffers of so many elements. */
    StepBounds(Program program, Ranges ranges, SizeValues sizes, long[] elements) {
        this.program = program;
        this.ranges = ranges;
        this.sizes = sizes;
        this.elements = elements;
        this.windows = new WindowBounds(program, ranges, sizes, elements);
        this.overlaps = new Overlaps(ranges);
        this.stops = new Stops(ranges);
    }

    /**
     * Checks steps, but for those that cannot run; gives the work of them, see {@link Binding}.
     */
    double check(List<Step> steps) {
        double work = 0;
        for (int i = 0; i < steps.size(); i++) {
            int mine = number++;
            work += check(mine, steps.get(i));
            checkApart(mine, steps.get(i));
            if (stops.surely(steps.get(i))) {
                skip(steps.subList(i + 1, steps.size()));
                break;
            }
        }
        return work;
    }

    /**
     * Passes steps that do not run. Native code works their sizes out where a dimension in them is
     * counted, so that these must have values all the same.
     */
    private void skip(List<Step> steps) {
        for (Step step : Step.preorder(steps)) {
            int mine = number++;
            step.sizes().stream().filter(size -> ranges.counted(size) && !ranges.turns(size))
                    .forEach(size -> sizes.of(size, () -> "step " + mine));
        }
    }

    private double check(int mine, Step step) {
        return switch (step) {
            case Step.RunKernel s -> windows.kernel(mine, s);
            case Step.Gemm s -> GemmBounds.check(mine, s, sizes, ranges, elements);
            case Step.Count s -> {
                element(mine, "a :count: the value", s.buffer());
                yield 0;
            }
            case Step.RunHost s -> host(mine, s);
            case Step.Call s -> CallBounds.check(mine, s, sizes, ranges, elements);
            case Step.Block s -> check(s.steps());
            case Loop s -> loop(mine, s);
            case Branch s -> branch(mine, s);
        };
    }

    private void element(int mine, String what, int buffer) {
        if (buffer >= 0 && elements[buffer] < 1) {
            throw new DamoException("out-of-bounds", "step " + mine + ", " + what + " is "
                    + "element 0 of buffer " + buffer + ", which is empty",
                    Map.of("step", mine, "buffer", buffer));
        }
    }

    /** Rounds multiply the work. Where something else may end the loop nobody knows how many. */
    private double loop(int mine, Loop loop) {
        element(mine, "a :loop: :unless", loop.unless());
        element(mine, "a :loop: :until", loop.until());
        if (loop.extent() != null) {
            sizes.of(loop.extent(), () -> "step " + mine + ", a :loop, :extent");
        }
        int mark = ranges.mark();
        long rounds = ranges.max(ranges.enter(loop));
        double work = 0;
        if (rounds > 0) {
            work = rounds * (1 + check(loop.steps()));
        } else {
            skip(loop.steps());
        }
        ranges.release(mark);
        windows.forget(loop.var());
        boolean open = loop.until() >= 0 || loop.unless() >= 0
                || loop.extent() != null && ranges.counted(loop.extent());
        return open && work > Bindings.MOST_WORK && mine < Effects.stoppable(program)
                ? Double.POSITIVE_INFINITY : work;
    }

    private double branch(int mine, Branch branch) {
        element(mine, "a :branch: :test", branch.test());
        double most = 0;
        for (List<Step> steps : branch.cases()) {
            most = Math.max(most, check(steps));
        }
        return 1 + most;
    }

    /**
     * What a host kernel sees of a buffer or a window is all of it; with counted dims, what was
     * counted. How much work it is nobody knows.
     */
    private double host(int mine, Step.RunHost step) {
        for (Step.HostArg arg : step.all()) {
            String what = "step " + mine + ", " + step.op() + ", buffer " + arg.buffer();
            long room = arg.window().whole() ? elements[arg.buffer()]
                    : windows.check(arg.window(), what);
            long[] shape = arg.shape().stream().mapToLong(d -> sizes.of(d, () -> what)).toArray();
            boolean open = arg.shape().stream().anyMatch(s -> ranges.counted(s) || ranges.turns(s));
            if (!open && SizeValues.count(shape, what) != room) {
                throw new DamoException("bad-program", "bad program: " + what + " has "
                        + room + " elements, but the shape " + Arrays.toString(shape));
            }
        }
        return Double.POSITIVE_INFINITY;
    }

    private void checkApart(int mine, Step step) {
        List<Access> accesses = step.accesses();
        for (int i = 0; i < accesses.size(); i++) {
            Access a = accesses.get(i);
            for (int j = i + 1; j < accesses.size(); j++) {
                Access b = accesses.get(j);
                if (a.buffer() == b.buffer() && (a.mode().writes() || b.mode().writes())
                        && !(overlaps.apart(a.region(), b.region())
                        && windows.inside(mine, step, i) && windows.inside(mine, step, j))) {
                    throw new DamoException("out-of-bounds", "step " + mine + ": " + a.what()
                            + " and " + b.what() + " may share elements of buffer " + a.buffer()
                            + ": those from " + Sizes.show(a.region().offset()) + " and from "
                            + Sizes.show(b.region().offset()) + " on",
                            Map.of("step", mine, "buffer", a.buffer()));
                }
            }
        }
    }
}
