package damo.verify;

import damo.program.Access;
import damo.program.Branch;
import damo.program.Kernel;
import damo.program.Loop;
import damo.program.Program;
import damo.program.Size;
import damo.program.Step;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Which temporaries and outputs of a program may be read, or handed out, before every element was
 * written. What is shown to be written whole is a buffer whose first use is a dense store in plain
 * loops, or what another step writes densely.
 */
final class Coverage {
    private final long[] elements;
    private final Ranges ranges;
    private final Stops stops;
    private final boolean[] settled;
    private final boolean[] open;
    private final PerKernel<Written> known;
    /** For each step, its accesses that write all of a buffer before they read any; or null. */
    private final BitSet[] whole;
    private int number;

    private Coverage(Program program, long[] dims, long[] elements) {
        this.elements = elements;
        this.ranges = new Ranges(program, dims);
        this.stops = new Stops(ranges);
        this.whole = new BitSet[program.all().size()];
        int n = program.buffers().size();
        this.settled = new boolean[n];
        this.open = new boolean[n];
        this.known = new PerKernel<>(program);
        for (int id = 0; id < n; id++) {
            Program.Kind kind = program.buffers().get(id).kind();
            settled[id] = kind != Program.Kind.TEMP && kind != Program.Kind.OUTPUT;
        }
    }

    /**
     * That of a program, for dimensions with which it stays inside its buffers, of so many
     * elements. Linear in the program's text.
     */
    static Coverage of(Program program, long[] dims, long[] elements) {
        Coverage c = new Coverage(program, dims, elements);
        c.list(program.steps());
        for (int id = 0; id < c.settled.length; id++) {
            c.read(id);
        }
        return c;
    }

    /** For each buffer, whether it may be seen before it is written whole. */
    boolean[] open() {
        return open;
    }

    /**
     * Whether that access, one of {@link Step#accesses}, of that step is shown to write every
     * element of its buffer before any is read.
     */
    boolean whole(int step, int access) {
        return whole[step] != null && whole[step].get(access);
    }

    private void read(int id) {
        if (id >= 0 && !settled[id]) {
            settled[id] = true;
            open[id] = elements[id] > 0;
        }
    }

    private void written(int id, boolean whole) {
        if (whole) {
            settled[id] = true;
        }
        read(id);
    }

    private void list(List<Step> steps) {
        for (int i = 0; i < steps.size(); i++) {
            Step step = steps.get(i);
            step(number++, step);
            switch (step) {
                case Loop loop -> loop(loop);
                case Branch branch -> cases(branch);
                default -> list(step.inner());
            }
            if (stops.surely(step)) {
                skip(steps.subList(i + 1, steps.size()));
                break;
            }
        }
    }

    /** Passes what does not run, whose sizes may have no values. */
    private void skip(List<Step> steps) {
        number += Step.preorder(steps).size();
    }

    /** What a loop writes is written behind it where it makes a round. */
    private void loop(Loop loop) {
        boolean[] before = settled.clone();
        int mark = ranges.mark();
        Affine extent = ranges.enter(loop);
        if (ranges.max(extent) > 0) {
            list(loop.steps());
        } else {
            skip(loop.steps());
        }
        loop.closing().forEach(a -> read(a.buffer()));
        ranges.release(mark);
        known.forget(loop.var());
        if (loop.unless() >= 0 || ranges.min(extent) < 1) {
            keep(before);
        }
    }

    /** What may be seen unwritten is settled for good; the rest is as it was before. */
    private void keep(boolean[] before) {
        for (int id = 0; id < settled.length; id++) {
            settled[id] &= before[id] || open[id];
        }
    }

    private void cases(Branch branch) {
        boolean[] before = settled.clone();
        boolean[] all = null;
        for (List<Step> steps : branch.cases()) {
            System.arraycopy(before, 0, settled, 0, before.length);
            list(steps);
            for (int id = 0; all != null && id < all.length; id++) {
                settled[id] &= all[id];
            }
            all = settled.clone();
        }
        for (int id = 0; id < settled.length; id++) {
            settled[id] |= open[id];
        }
    }

    private void step(int mine, Step step) {
        List<Access> accesses = step.accesses();
        for (Access a : accesses) {
            if (!a.mode().writes()) {
                read(a.buffer());
            }
        }
        for (int i = 0; i < accesses.size(); i++) {
            Access a = accesses.get(i);
            if (a.mode().writes()) {
                long first = step instanceof Step.RunKernel k ? kernel(k).first[i]
                        : a.mode() == Access.Mode.WRITE ? dense(a.region()) : 0;
                boolean all = a.leading() && first >= elements[a.buffer()];
                written(a.buffer(), all);
                if (all) {
                    whole[mine] = whole[mine] == null ? new BitSet() : whole[mine];
                    whole[mine].set(i);
                }
            }
        }
    }

    private Written kernel(Step.RunKernel step) {
        return known.get(step.number(), () -> new Written(step.kernel(), ranges));
    }

    /** How many elements from 0 on the region has, each of them; 0 when it leaves any out. */
    private long dense(Access.Region region) {
        return value(region.offset()) != 0 ? 0 : dense(region.axes().stream()
                .map(axis -> new long[] {value(axis.extent()), value(axis.stride())}).toList());
    }

    /** The value of a size, -1 when it is known during the call only. */
    private long value(Size size) {
        Affine a = ranges.of(size);
        return a.constant() ? a.lo() : -1;
    }

    /**
     * How many elements from 0 on loops of these extents and strides address, each of them; 0 when
     * they leave any out.
     */
    private static long dense(List<long[]> loops) {
        List<long[]> looping = new ArrayList<>(loops);
        looping.removeIf(loop -> loop[0] == 1);
        looping.sort((x, y) -> Long.compare(x[1], y[1]));
        long next = 1;
        for (long[] loop : looping) {
            if (loop[0] <= 0 || loop[1] != next) {
                return 0;
            }
            next = Math.multiplyExact(next, loop[0]);
        }
        return next;
    }

    /** How much of each parameter a kernel writes before it reads any of it. */
    private static final class Written {
        /** The number of first elements that are written, all of them. */
        final long[] first;
        private final boolean[] early;
        private final Ranges ranges;
        /** The extents of the loops around a statement, by variable. */
        private final Map<Integer, Long> loops = new HashMap<>();

        Written(Kernel kernel, Ranges ranges) {
            this.first = new long[kernel.memories()];
            this.early = new boolean[first.length];
            this.ranges = ranges;
            int mark = ranges.mark();
            for (Kernel.Stmt s : kernel.body()) {
                loads(s);
                try {
                    stores(s, true);
                } catch (ArithmeticException e) {
                    // Sizes in what cannot run have no values, and bounds do not look there.
                    loops.clear();
                }
            }
            ranges.release(mark);
            for (int p = 0; p < first.length; p++) {
                first[p] = early[p] ? 0 : first[p];
            }
        }

        private void loads(Kernel.Stmt s) {
            s.values().forEach(this::loads);
            s.inner().forEach(this::loads);
        }

        private void loads(Kernel.Expr e) {
            if (e instanceof Kernel.Load l) {
                early[l.param()] |= first[l.param()] == 0;
            }
            e.operands().forEach(this::loads);
        }

        private void stores(Kernel.Stmt s, boolean always) {
            switch (s) {
                case Kernel.For f -> loop(f, always);
                case Kernel.If f -> f.body().forEach(inner -> stores(inner, false));
                case Kernel.Index i -> ranges.bind(i.name(), ranges.of(i.extent()));
                case Kernel.Store st -> {
                    Affine a = ranges.of(st.index());
                    if (always && a.lo() == 0 && a.hi() == 0) {
                        first[st.param()] = Math.max(first[st.param()], addressed(a));
                    }
                }
                default -> { }
            }
        }

        private void loop(Kernel.For f, boolean always) {
            Affine extent = ranges.of(f.extent());
            int id = ranges.bind(f.var(), extent).ids()[0];
            loops.put(id, extent.lo());
            f.body().forEach(inner -> stores(inner, always && extent.constant()));
            loops.remove(id);
        }

        /** The elements that the loops around an index address. */
        private long addressed(Affine index) {
            List<long[]> around = new ArrayList<>();
            loops.forEach((id, extent) -> {
                int k = Arrays.binarySearch(index.ids(), id);
                around.add(new long[] {extent, k < 0 ? 0 : index.coefs()[k]});
            });
            // A loop that the index does not mention runs all the same, unless it is empty.
            around.removeIf(loop -> loop[1] == 0 && loop[0] > 0);
            boolean loopsOnly = Arrays.stream(index.ids()).allMatch(loops::containsKey);
            return loopsOnly ? dense(around) : 0;
        }
    }
}
