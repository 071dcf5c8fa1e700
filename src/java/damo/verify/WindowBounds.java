package damo.verify;

import damo.DamoException;
import damo.program.Program;
import damo.program.Size;
import damo.program.Sizes;
import damo.program.Step;
import damo.program.Window;
import java.util.List;
import java.util.Map;

/**
 * Checks that kernels stay inside the buffers and windows that they are given, and windows inside
 * their buffers, whatever round it is.
 */
final class WindowBounds {
    private final Program program;
    private final Ranges ranges;
    private final SizeValues sizes;
    private final long[] elements;
    private final PerKernel<KernelBounds> known;
    /** The latest step of windows whose sizes vary, and what is known of it. */
    private int latest = -1;
    private KernelBounds varying;

    /** With buffers of so many elements. */
    WindowBounds(Program program, Ranges ranges, SizeValues sizes, long[] elements) {
        this.program = program;
        this.ranges = ranges;
        this.sizes = sizes;
        this.elements = elements;
        this.known = new PerKernel<>(program);
    }

    /** Forgets what depends on the number of a round, which is bound anew. */
    void forget(String turn) {
        known.forget(turn);
    }

    /** The work of step number {@code number}, which is safe. Throws kind "out-of-bounds". */
    double kernel(int number, Step.RunKernel step) {
        int id = step.number();
        KernelBounds bounds = known.get(id,
                () -> KernelBounds.analyse(id, step.kernel(), ranges, null));
        KernelBounds.Reach[] reach = bounds.reach();
        for (int i = 0; i < reach.length; i++) {
            Window w = step.args().get(i);
            int arg = i;
            long room = w.whole() ? elements[w.buffer()] : check(w,
                    "step " + number + ", argument " + arg + ", buffer " + w.buffer());
            if (reach[i].max >= room) {
                throw beyond(number, step, i, reach[i], room);
            }
            if (!w.whole() && !constant(w.size()) && !inside(number, step, i)) {
                checkLargest(number, step, i, w, room);
            }
        }
        return bounds.work();
    }

    private boolean constant(Size size) {
        return ranges.of(size).constant();
    }

    /** How many elements a window has at most, all of which lie in its buffer. */
    long check(Window w, String what) {
        long size = sizes.of(w.size(), () -> what + ", the size of a window");
        sizes.of(w.offset(), () -> what + ", the offset of a window");
        try {
            long end = ranges.max(ranges.of(w.offset()).plus(ranges.of(w.size())));
            if (size > 0 && end > elements[w.buffer()]) {
                throw fail(what + ": the window of " + sizes.explain(w.size()) + " elements from "
                        + sizes.explain(w.offset()) + " on may reach to element " + (end - 1)
                        + ", but the buffer has " + elements[w.buffer()] + " elements", what);
            }
        } catch (ArithmeticException e) {
            throw new DamoException("size-overflow", what + ": the end of a window overflows "
                    + "64 bits", Map.of("where", what));
        }
        return size;
    }

    /** Whether argument i of a step stays inside its window when the window's size varies. */
    boolean inside(int number, Step step, int i) {
        if (!(step instanceof Step.RunKernel k) || constant(k.args().get(i).size())) {
            return true;
        }
        if (latest != number) {
            latest = number;
            varying = KernelBounds.analyse(k.number(), k.kernel(), ranges, limits(k.args()));
        }
        return !varying.beyond(i);
    }

    private Affine[] limits(List<Window> args) {
        return args.stream().map(w -> w.whole() ? null : ranges.of(w.size()))
                .toArray(Affine[]::new);
    }

    /** A kernel that is not shown to stay inside stays so near that it is in the buffer. */
    private void checkLargest(int number, Step.RunKernel step, int i, Window w, long room) {
        long last = Math.addExact(ranges.max(ranges.of(w.offset())), room);
        if (last > elements[w.buffer()]) {
            throw fail("step " + number + ", argument " + i + ": kernel " + step.number()
                    + " may leave the window of " + sizes.explain(w.size())
                    + " elements at the end of buffer " + w.buffer(), "step " + number);
        }
    }

    private DamoException beyond(int number, Step.RunKernel step, int i,
            KernelBounds.Reach reach, long room) {
        Window w = step.args().get(i);
        String place = "step " + number + ", "
                + KernelBounds.place(step.number(), step.kernel(), reach.path);
        String message = place + ": index " + Sizes.show(reach.index) + " of parameter " + i
                + " reaches " + reach.max + ", but " + (w.whole() ? "" : "the window of ")
                + "buffer " + w.buffer() + " has " + room + " elements, "
                + sizes.explain(w.whole() ? program.buffers().get(w.buffer()).size() : w.size());
        return new DamoException("out-of-bounds", message, Map.of("where", place, "index",
                reach.max, "buffer", w.buffer(), "elements", room));
    }

    private static DamoException fail(String message, String place) {
        return new DamoException("out-of-bounds", message, Map.of("where", place));
    }
}
