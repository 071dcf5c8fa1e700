package damo.codegen;

import damo.program.Kernel;
import damo.program.Size;
import damo.program.Sizes;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Loops around nothing: where every loop inside has an extent of 0, a loop of 10^18 rounds does
 * nothing, and should not take a lifetime for it.
 */
final class Idle {
    private Idle() { }

    /**
     * Sizes of which one must be above 0 for the loop to do anything, once it is entered; null when
     * it does something anyway, or may for all that can be told. They are known outside of it.
     */
    static List<Size> unless(Kernel.For loop) {
        List<Size> sizes = new ArrayList<>();
        Set<String> own = new HashSet<>(Set.of(loop.var()));
        return idle(loop.body(), own, sizes) ? sizes : null;
    }

    /**
     * Whether the statements do nothing when the sizes are 0, which are added; {@code own} has what
     * is bound inside of the loop.
     */
    private static boolean idle(List<Kernel.Stmt> body, Set<String> own, List<Size> sizes) {
        return body.stream().allMatch(s -> switch (s) {
            case Kernel.For f -> idle(f, own, sizes);
            case Kernel.Let l -> true;
            case Kernel.Var v -> own.add(v.name());
            // A scalar or an array of the loop's own is gone with each round.
            case Kernel.Local l -> own.add(array(l.param()));
            case Kernel.Set a -> own.contains(a.name());
            case Kernel.Acc a -> own.contains(a.name());
            case Kernel.If f -> idle(f.body(), own, sizes);
            case Kernel.Store x -> own.contains(array(x.param()));
            case Kernel.Sort x -> some(x.count(), own, sizes);
            case Kernel.Index x -> false;
            case Kernel.Require x -> false;
        });
    }

    /** What an array is called among names, which no name is. */
    private static String array(int param) {
        return "%" + param;
    }

    private static boolean idle(Kernel.For f, Set<String> own, List<Size> sizes) {
        int before = sizes.size();
        own.add(f.var());
        if (some(f.extent(), own, sizes)) {
            return true;
        }
        if (f.extent() instanceof Size.Int i && i.value() == 0 || idle(f.body(), own, sizes)) {
            return true;
        }
        sizes.subList(before, sizes.size()).clear();
        return false;
    }

    /** Whether a size, which is added, may be 0 and has a value outside of the loop. */
    private static boolean some(Size size, Set<String> own, List<Size> sizes) {
        Set<String> names = new HashSet<>();
        Sizes.names(size, names);
        return !names.isEmpty() && names.stream().noneMatch(own::contains)
                && SizeWriter.total(size) && sizes.add(size);
    }
}
