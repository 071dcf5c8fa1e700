package damo.codegen;

import damo.program.Kernel;
import damo.program.Size;
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
     * Names of which one must be above 0 for the loop to do anything, once it is entered; null when
     * it does something anyway, or may for all that can be told.
     */
    static List<String> unless(Kernel.For loop) {
        List<String> names = new ArrayList<>();
        Set<String> own = new HashSet<>(Set.of(loop.var()));
        return idle(loop.body(), own, names) ? names : null;
    }

    /**
     * Whether the statements do nothing when the names are 0, which are added; {@code own} has what
     * is bound inside of the loop.
     */
    private static boolean idle(List<Kernel.Stmt> body, Set<String> own, List<String> names) {
        return body.stream().allMatch(s -> switch (s) {
            case Kernel.For f -> idle(f, own, names);
            case Kernel.Let l -> true;
            case Kernel.Var v -> own.add(v.name());
            case Kernel.Local l -> true;
            // A scalar of the loop's own is gone with each round.
            case Kernel.Set a -> own.contains(a.name());
            case Kernel.Acc a -> own.contains(a.name());
            case Kernel.If f -> idle(f.body(), own, names);
            case Kernel.Store x -> false;
            case Kernel.Sort x -> some(x.count(), own, names);
            case Kernel.Index x -> false;
            case Kernel.Require x -> false;
        });
    }

    private static boolean idle(Kernel.For f, Set<String> own, List<String> names) {
        int before = names.size();
        own.add(f.var());
        if (some(f.extent(), own, names)) {
            return true;
        }
        if (f.extent() instanceof Size.Int i && i.value() == 0 || idle(f.body(), own, names)) {
            return true;
        }
        names.subList(before, names.size()).clear();
        return false;
    }

    /** Whether a size is one of the names, which is added. */
    private static boolean some(Size size, Set<String> own, List<String> names) {
        return size instanceof Size.Name n && !own.contains(n.name()) && names.add(n.name());
    }
}
