package damo.codegen;

import damo.program.Kernel;
import damo.program.Size;
import damo.tensor.DType;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A loop of a kernel whose rounds may run side by side, as its statements prove: of the loops from
 * {@code nest} down that hold nothing but each other, {@code outer} run in each part, then rounds
 * of the next {@code count} together are divided into parts. {@code sums} are scalars around the
 * loop to which rounds only add; {@code scratch} parameters of which each round writes all that it
 * reads, with the extent of what it writes; {@code free} are values around the loop that it reads.
 */
record ParallelLoop(List<Kernel.For> nest, int outer, int count, Map<String, Kernel.Acc> sums,
                    Map<Integer, Size> scratch, Map<String, DType> free) {
    /** Parts of sums lie on the stack, 2 KiB for each sum. */
    private static final int MOST_SUMS = 4;

    /** Those of the loops of a kernel that may be long. */
    static Map<Kernel.For, ParallelLoop> of(Kernel kernel) {
        Map<Kernel.For, ParallelLoop> loops = new IdentityHashMap<>();
        for (Kernel.Stmt s : kernel.body()) {
            if (s instanceof Kernel.For f && !LoopCost.small(f, kernel.params())) {
                ParallelLoop loop = of(f, kernel.params().size());
                if (loop != null) {
                    loops.put(f, loop);
                }
            }
        }
        return loops;
    }

    /** The loops whose rounds are divided, the outermost first. */
    List<Kernel.For> divided() {
        return nest.subList(outer, outer + count);
    }

    /** What a round of the divided loops does. */
    List<Kernel.Stmt> body() {
        return nest.get(outer + count - 1).body();
    }

    /** The loop as one of these; null where that cannot be shown. */
    private static ParallelLoop of(Kernel.For loop, int params) {
        List<Kernel.For> nest = new ArrayList<>(List.of(loop));
        while (nest.getLast().body().size() == 1
                && nest.getLast().body().getFirst() instanceof Kernel.For f) {
            nest.add(f);
        }
        Names names = new Names(loop);
        Accesses accesses = new Accesses(loop);
        if (names.foreign || !names.set.isEmpty() || !accesses.within(params)
                || names.sums.size() > MOST_SUMS) {
            return null;
        }
        for (int k = 0; k < nest.size() && (k == 0 || names.sums.isEmpty()); k++) {
            Map<Integer, Size> scratch = unshared(accesses, nest.get(k), names, k == 0);
            if (scratch != null && plain(nest.get(k).extent(), names)) {
                int count = scratch.isEmpty() && names.sums.isEmpty()
                        ? more(accesses, nest, k, names) : 1;
                return new ParallelLoop(nest, k, count, names.sums, scratch, names.free());
            }
        }
        return null;
    }

    /** Whether it is known before the kernel's loops are entered how many rounds there are. */
    private static boolean plain(Size extent, Names names) {
        return SizeWriter.total(extent)
                && Poly.names(extent).stream().noneMatch(names.bound::contains);
    }

    /** How many loops from number k on have rounds that share nothing, but for the innermost. */
    private static int more(Accesses accesses, List<Kernel.For> nest, int k, Names names) {
        int count = 1;
        while (k + count < nest.size() - 1 && plain(nest.get(k + count).extent(), names)
                && apart(accesses, nest.get(k + count))) {
            count++;
        }
        return count;
    }

    private static boolean apart(Accesses accesses, Kernel.For f) {
        return accesses.written().stream().allMatch(p -> accesses.apart(p, f.var()));
    }

    /** The parameters that are scratch where all others are apart; null when some is neither. */
    private static Map<Integer, Size> unshared(Accesses accesses, Kernel.For f, Names names,
                                               boolean outermost) {
        Map<Integer, Size> scratch = new LinkedHashMap<>();
        for (int p : accesses.written()) {
            if (!accesses.apart(p, f.var())) {
                Size extent = outermost ? RowScratch.extent(f, p) : null;
                if (extent == null || !plain(extent, names)) {
                    return null;
                }
                scratch.put(p, extent);
            }
        }
        return scratch;
    }

    /** The names of a loop: those that it binds, reads from around, adds to and sets. */
    private static final class Names {
        final Set<String> bound = new HashSet<>();
        final Map<String, DType> read = new LinkedHashMap<>();
        final Map<String, Kernel.Acc> sums = new LinkedHashMap<>();
        final Set<String> set = new HashSet<>();
        boolean foreign;

        Names(Kernel.For loop) {
            statements(List.of(loop));
            sums.keySet().removeAll(bound);
            set.removeAll(bound);
            // What is read besides, or added to in two ways, is no sum.
            for (String name : sums.keySet()) {
                if (read.containsKey(name)) {
                    set.add(name);
                }
            }
        }

        Map<String, DType> free() {
            Map<String, DType> free = new LinkedHashMap<>(read);
            free.keySet().removeAll(bound);
            return free;
        }

        private void statements(List<Kernel.Stmt> body) {
            for (Kernel.Stmt s : body) {
                switch (s) {
                    case Kernel.For f -> bound.add(f.var());
                    case Kernel.Let l -> bound.add(l.name());
                    case Kernel.Var v -> bound.add(v.name());
                    case Kernel.Index i -> bound.add(i.name());
                    case Kernel.Set a -> set.add(a.name());
                    case Kernel.Acc a -> {
                        Kernel.Acc before = sums.putIfAbsent(a.name(), a);
                        if (before != null && !before.op().equals(a.op())) {
                            set.add(a.name());
                        }
                    }
                    default -> { }
                }
                s.values().forEach(this::expr);
                sizes(s);
                statements(s.inner());
            }
        }

        /** Variables of indices around the loop are read as any value is. */
        private void sizes(Kernel.Stmt s) {
            switch (s) {
                case Kernel.For f -> size(f.extent());
                case Kernel.Store x -> size(x.index());
                case Kernel.Index i -> size(i.extent());
                default -> { }
            }
        }

        private void size(Size size) {
            Poly.names(size).forEach(name -> read.putIfAbsent(name, null));
        }

        private void expr(Kernel.Expr e) {
            switch (e) {
                case Kernel.Ref r -> read.put(r.name(), r.dtype());
                case Kernel.Load l -> size(l.index());
                case Kernel.SizeOf s -> size(s.size());
                case Kernel.Native n -> foreign = true;
                default -> { }
            }
            e.operands().forEach(this::expr);
        }
    }
}
