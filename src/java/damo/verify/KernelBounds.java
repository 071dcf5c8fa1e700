package damo.verify;

import damo.DamoException;
import damo.edn.Edn;
import damo.program.Kernel;
import damo.program.Size;
import damo.program.Sizes;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * How far the loads and stores of one kernel reach, for given dimensions. What cannot run (the body
 * of a loop of extent 0, what follows an {@code :index} that always fails) is left out.
 */
final class KernelBounds {
    /** The largest index of one parameter, and where; {@code max} is -1 when nothing is touched. */
    static final class Reach {
        long max = -1;
        Size index;
        int[] path;
    }

    /** Rounds that do nothing are so much work at most: they may take long, or no time. */
    private static final double IDLE = 1e6;

    private final int id;
    private final Kernel kernel;
    private final Ranges ranges;
    private final Reach[] reach;
    /** The sizes of local arrays, by number. */
    private final int[] room;
    /** What indices of each parameter must be less than in every round; null for no such. */
    private final Affine[] limits;
    private final boolean[] beyond;
    /** How many statements the loops run, at most; and how often the one at hand runs. */
    private double work;
    private double around = 1;
    private int[] path = new int[8];
    private int depth;

    private KernelBounds(int id, Kernel kernel, Ranges ranges, Affine[] limits) {
        this.id = id;
        this.limits = limits;
        this.beyond = new boolean[kernel.memories()];
        this.kernel = kernel;
        this.ranges = ranges;
        this.reach = new Reach[kernel.memories()];
        this.room = new int[reach.length];
        Arrays.setAll(reach, p -> new Reach());
    }

    /**
     * The analysis, with the reach of each parameter, and whether some index of it may be as large
     * as its limit, where it has one that is not null. Throws a DamoException of kind
     * "out-of-bounds" for an index or extent that may be negative or a divisor that may be below 1,
     * of kind "size-overflow" for an index that may overflow 64 bits.
     */
    static KernelBounds analyse(int id, Kernel kernel, Ranges ranges, Affine[] limits) {
        int mark = ranges.mark();
        KernelBounds b = new KernelBounds(id, kernel, ranges, limits);
        b.body(kernel.body());
        ranges.release(mark);
        return b;
    }

    /** The reach of each parameter. */
    Reach[] reach() {
        return Arrays.copyOf(reach, kernel.params().size());
    }

    /** Whether an index of that parameter may be as large as its limit. */
    boolean beyond(int param) {
        return beyond[param];
    }

    /** How many statements run, at most. */
    double work() {
        return work;
    }

    /** The kernel and the statement, for messages. */
    static String place(int id, Kernel kernel, int[] path) {
        StringBuilder out = new StringBuilder("kernel ").append(id).append(' ');
        out.append(Edn.write(kernel.name()));
        String gap = ", statement ";
        for (int n : path) {
            out.append(gap).append(n);
            gap = ".";
        }
        return out.toString();
    }

    private void body(List<Kernel.Stmt> body) {
        if (depth == path.length) {
            path = Arrays.copyOf(path, 2 * depth);
        }
        int mine = depth++;
        boolean live = true;
        for (int n = 0; n < body.size() && live; n++) {
            path[mine] = n;
            live = statement(body.get(n));
        }
        depth = mine;
    }

    /** Whether what follows can run. */
    private boolean statement(Kernel.Stmt stmt) {
        work += stmt instanceof Kernel.For ? 0 : around;
        switch (stmt) {
            case Kernel.For f -> {
                // A loop whose extent is negative at run time does not run.
                Affine extent = ranges.counted(f.extent()) ? range(f.extent())
                        : extent(f.extent());
                long most = max(extent, f.extent());
                if (most > 0) {
                    rounds(f, extent, most);
                }
            }
            case Kernel.Index i -> {
                expr(i.value());
                Affine extent = extent(i.extent());
                if (max(extent, i.extent()) <= 0) {
                    return false;
                }
                ranges.bind(i.name(), extent);
            }
            case Kernel.Store s -> {
                expr(s.value());
                access(s.param(), s.index());
            }
            case Kernel.If f -> {
                expr(f.condition());
                body(f.body());
            }
            case Kernel.Sort s -> {
                s.values().forEach(this::expr);
                body(s.inner());
            }
            case Kernel.Let l -> expr(l.value());
            case Kernel.Var v -> expr(v.init());
            case Kernel.Local l -> room[l.param()] = l.size();
            case Kernel.Set s -> expr(s.value());
            case Kernel.Acc a -> expr(a.value());
            case Kernel.Require r -> {
                expr(r.condition());
                r.report().forEach(this::expr);
            }
        }
        return true;
    }

    private void rounds(Kernel.For f, Affine extent, long most) {
        double before = around;
        double until = work;
        around *= most;
        ranges.bind(f.var(), extent);
        body(f.body());
        work = work == until ? until + Math.min(around, IDLE) : work;
        around = before;
    }

    private void expr(Kernel.Expr expr) {
        switch (expr) {
            case Kernel.Load l -> access(l.param(), l.index());
            case Kernel.SizeOf s -> range(s.size());
            case Kernel.Cast c -> expr(c.value());
            case Kernel.Native n -> n.args().forEach(this::expr);
            case Kernel.Apply a -> {
                List<Kernel.Expr> args = a.args();
                for (int i = 0; i < args.size(); i++) {
                    expr(args.get(i));
                }
            }
            case Kernel.Ref r -> { }
            case Kernel.Const c -> { }
        }
    }

    private Affine extent(Size size) {
        Affine extent = range(size);
        long min = min(extent, size);
        if (min < 0) {
            throw fail("out-of-bounds", "extent " + Sizes.show(size) + " may be as small as " + min
                    + "; write [:max 0 …] where an empty range is meant", size);
        }
        return extent;
    }

    private void access(int param, Size index) {
        Affine a = range(index);
        long min = min(a, index);
        if (min < 0) {
            throw fail("out-of-bounds", "index " + Sizes.show(index) + " of parameter " + param
                    + " may be as small as " + min, index);
        }
        long max = max(a, index);
        if (param >= kernel.params().size()) {
            if (max >= room[param]) {
                throw fail("out-of-bounds", "index " + Sizes.show(index) + " reaches " + max
                        + ", but the local array has " + room[param] + " elements", index);
            }
            return;
        }
        if (limits != null && limits[param] != null) {
            beyond[param] |= max(a.minus(limits[param]), index) >= 0;
        }
        Reach r = reach[param];
        if (max > r.max) {
            r.max = max;
            r.index = index;
            r.path = Arrays.copyOf(path, depth);
        }
    }

    private Affine range(Size size) {
        try {
            return ranges.of(size);
        } catch (ArithmeticException e) {
            throw fail(e, size);
        }
    }

    private long min(Affine a, Size size) {
        try {
            return ranges.min(a);
        } catch (ArithmeticException e) {
            throw fail(e, size);
        }
    }

    private long max(Affine a, Size size) {
        try {
            return ranges.max(a);
        } catch (ArithmeticException e) {
            throw fail(e, size);
        }
    }

    private DamoException fail(ArithmeticException e, Size size) {
        if (SizeValues.divides(e)) {
            return fail("out-of-bounds", Sizes.show(size) + ": " + e.getMessage(), size);
        }
        return fail("size-overflow", Sizes.show(size) + ": a step may overflow 64 bits", size);
    }

    private DamoException fail(String kind, String message, Size size) {
        String place = place(id, kernel, Arrays.copyOf(path, depth));
        return new DamoException(kind, place + ": " + message,
                Map.of("where", place, "expression", Sizes.show(size)));
    }
}
