package damo.verify;

import damo.DamoException;
import damo.program.Access;
import damo.program.Routine;
import damo.program.Size;
import damo.program.Sizes;
import damo.program.Step;
import damo.tensor.DType;
import java.util.Map;

/**
 * Checks that a routine stays inside its buffers, for given dimensions: the sizes that it is told
 * fit their integers and each other, and the arrays that it makes of them fit their memory.
 */
final class CallBounds {
    /** An array of s elements costs some s to this power: n² elements of a matrix, n³. */
    private static final double WORK = 1.5;

    private final String title;
    private final Step.Call call;
    private final SizeValues sizes;
    private final Ranges ranges;
    private final long[] elements;

    private CallBounds(int step, Step.Call call, SizeValues sizes, Ranges ranges,
                       long[] elements) {
        this.title = "step " + step + ", " + call.routine().name();
        this.call = call;
        this.sizes = sizes;
        this.ranges = ranges;
        this.elements = elements;
    }

    /**
     * Roughly the work of step number {@code step}, which is safe. Throws a DamoException of kind
     * "out-of-bounds", "bad-size" or "size-overflow".
     */
    static double check(int step, Step.Call call, SizeValues sizes, Ranges ranges,
            long[] elements) {
        return new CallBounds(step, call, sizes, ranges, elements).check();
    }

    private double check() {
        for (Routine.Param p : call.routine().params()) {
            if ((p instanceof Routine.Pointer q ? q.to() : p) instanceof Routine.Dim d) {
                dim(d);
            }
        }
        call.routine().requires().forEach(this::require);
        double touched = 0;
        for (Access a : call.accesses()) {
            touched += reach(a);
        }
        return Math.pow(touched, WORK);
    }

    private void dim(Routine.Dim d) {
        long value = size(call.args().sizes().get(d.name()), ":" + d.name());
        if (d.dtype() == DType.I32 && value > Integer.MAX_VALUE) {
            throw fail("size-overflow", ":" + d.name() + " is " + value
                    + ", more than the 32 bits that the routine takes it in");
        }
    }

    private void require(Routine.Requirement r) {
        Size small = call.args().size(r.small());
        Size large = call.args().size(r.large());
        if (!small.equals(large) && least(large, small) < 0) {
            throw fail("out-of-bounds", "requires " + Sizes.show(r.small()) + " ≤ "
                    + Sizes.show(r.large()) + ", given " + sizes.explain(small) + " and "
                    + sizes.explain(large));
        }
    }

    /** The least that a difference can be. */
    private long least(Size x, Size y) {
        try {
            return ranges.min(ranges.of(x).minus(ranges.of(y)));
        } catch (ArithmeticException e) {
            throw overflow("its requirements");
        }
    }

    /** How many elements the routine reaches over, at most. */
    private double reach(Access a) {
        size(a.region().offset(), a.what());
        boolean empty = false;
        for (Access.Axis axis : a.region().axes()) {
            size(axis.stride(), a.what());
            empty |= size(axis.extent(), a.what()) == 0;
        }
        if (empty) {
            return 0;
        }
        try {
            long[] reach = ranges.reach(a.region());
            if (reach[0] < 0 || reach[1] >= elements[a.buffer()]) {
                throw fail("out-of-bounds", a.what() + " reaches element "
                        + (reach[0] < 0 ? reach[0] : reach[1]) + ", but buffer " + a.buffer()
                        + " has " + elements[a.buffer()]);
            }
            return (double) reach[1] - reach[0] + 1;
        } catch (ArithmeticException e) {
            throw overflow(a.what());
        }
    }

    private long size(Size size, String what) {
        return sizes.of(size, () -> title + ", " + what);
    }

    private DamoException overflow(String what) {
        return fail("size-overflow", what + ": a size overflows 64 bits");
    }

    private DamoException fail(String kind, String message) {
        return new DamoException(kind, title + ": " + message, Map.of("where", title));
    }
}
