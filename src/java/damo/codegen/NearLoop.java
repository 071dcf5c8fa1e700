package damo.codegen;

import damo.program.Instructions;
import damo.program.Kernel;
import damo.program.Size;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Innermost loops with math functions whose special cases cost as much as all the rest: zero and
 * infinity for a logarithm, huge numbers for a sine. Such a loop runs in blocks. Of each block the
 * arguments are looked at first: where all are near, as the files of resources/damo/math.edn say
 * for each function, the block is computed without special cases, else with them. Either way an
 * element has the same bits.
 */
final class NearLoop {
    /** Rounds of a block: what it loads is still in the near cache when it is computed. */
    static final int BLOCK = 512;
    /** Known to be shorter a loop is not worth three. */
    private static final int SHORT = 64;
    private static final Set<String> SLOW = Set.of("div", "sqrt", "mod");

    private final Kernel.For loop;
    private final Map<String, Kernel.Expr> lets = new HashMap<>();
    private final Set<String> changed = new HashSet<>();
    private final Set<Kernel.Apply> calls = new LinkedHashSet<>();

    private NearLoop(Kernel.For loop) {
        this.loop = loop;
        for (Kernel.Stmt s : loop.body()) {
            switch (s) {
                case Kernel.Let l -> lets.put(l.name(), l.value());
                case Kernel.Acc a -> changed.add(a.name());
                case Kernel.Set v -> changed.add(v.name());
                default -> { }
            }
        }
        loop.body().forEach(s -> s.values().forEach(this::collect));
    }

    /** The blocks of a loop, or {@code null} where it has no such function. */
    static NearLoop of(Kernel.For loop) {
        boolean plain = loop.body().stream().allMatch(s -> s instanceof Kernel.Let
                || s instanceof Kernel.Store || s instanceof Kernel.Acc || s instanceof Kernel.Set);
        if (!plain || loop.extent() instanceof Size.Int n && n.value() < SHORT) {
            return null;
        }
        NearLoop found = new NearLoop(loop);
        return found.calls.isEmpty() ? null : found;
    }

    /** The function of the table that an instruction is, or {@code null}. */
    static String function(Kernel.Apply a) {
        return Instructions.row(a.op()).math() ? a.op()
                : a.op().equals("mod") && a.dtype().floating() ? "float-mod" : null;
    }

    /** The functions that are computed without special cases where all arguments are near. */
    Set<Kernel.Apply> calls() {
        return calls;
    }

    private void collect(Kernel.Expr e) {
        if (e instanceof Kernel.Apply a && function(a) != null
                && MathTable.near(function(a), a.dtype()) != null
                && a.args().stream().allMatch(this::cheap)) {
            calls.add(a);
        }
        e.operands().forEach(this::collect);
    }

    /** Whether a value may be computed once more, before the block is. */
    private boolean cheap(Kernel.Expr e) {
        boolean own = switch (e) {
            case Kernel.Ref r -> !changed.contains(r.name())
                    && (!lets.containsKey(r.name()) || cheap(lets.get(r.name())));
            case Kernel.Load l -> loop.body().stream().noneMatch(s -> s instanceof Kernel.Store t
                    && t.param() == l.param() && !t.index().equals(l.index()));
            case Kernel.Apply a -> !Instructions.row(a.op()).math() && !SLOW.contains(a.op());
            case Kernel.Native n -> false;
            default -> true;
        };
        return own && e.operands().stream().allMatch(this::cheap);
    }

    /** Appends what gives an i1: whether the arguments of a round are not all near. */
    String far(Lines lines, ExprWriter exprs) {
        Set<String> needed = new HashSet<>();
        calls.forEach(a -> a.args().forEach(e -> need(e, needed)));
        for (Kernel.Stmt s : loop.body()) {
            if (s instanceof Kernel.Let l && needed.contains(l.name())) {
                exprs.bind(l);
            }
        }
        List<String> far = new ArrayList<>();
        for (Kernel.Apply a : calls) {
            far.add(lines.value("xor i1 ", exprs.near(a), ", true"));
        }
        return far.stream().reduce((x, y) -> lines.value("or i1 ", x, ", ", y)).orElseThrow();
    }

    private void need(Kernel.Expr e, Set<String> needed) {
        if (e instanceof Kernel.Ref r && lets.containsKey(r.name()) && needed.add(r.name())) {
            need(lets.get(r.name()), needed);
        }
        e.operands().forEach(x -> need(x, needed));
    }
}
