package damo.codegen;

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
 * Which elements of the parameters that a loop of a kernel writes its statements touch: for proofs
 * that rounds of the loop share nothing, whatever the dimensions are.
 */
final class Accesses {
    /** An element that is read or written, under loops and index variables. */
    private record Access(Size index, Set<String> around) { }

    /** What an index is, round by round of the loop in question: factors of variables, and rest. */
    private record Form(Poly low, Poly high, List<Poly> above, Set<String> positive) { }

    /** Elements of a parameter that are touched in more ways are not looked at. */
    private static final int MANY = 64;

    private final Map<Integer, Set<Access>> accesses = new HashMap<>();
    private final Set<Integer> written = new HashSet<>();
    /** Arrays that rounds have for themselves. */
    private final Set<Integer> locals = new HashSet<>();
    /** The extents of loops and index variables, which are 0 … extent-1. */
    private final Map<String, Size> extents = new HashMap<>();

    Accesses(Kernel.For loop) {
        statements(List.of(loop), Set.of());
        accesses.keySet().removeAll(locals);
        written.removeAll(locals);
    }

    private void statements(List<Kernel.Stmt> body, Set<String> around) {
        Set<String> inside = new HashSet<>(around);
        for (Kernel.Stmt s : body) {
            s.values().forEach(e -> loads(e, inside));
            switch (s) {
                case Kernel.For f -> {
                    extents.put(f.var(), f.extent());
                    Set<String> within = new HashSet<>(inside);
                    within.add(f.var());
                    statements(f.body(), within);
                }
                case Kernel.Index i -> {
                    extents.put(i.name(), i.extent());
                    inside.add(i.name());
                }
                case Kernel.Local a -> locals.add(a.param());
                case Kernel.Store store -> {
                    written.add(store.param());
                    add(store.param(), store.index(), inside);
                }
                default -> statements(s.inner(), inside);
            }
        }
    }

    private void loads(Kernel.Expr e, Set<String> around) {
        if (e instanceof Kernel.Load l) {
            add(l.param(), l.index(), around);
        }
        e.operands().forEach(o -> loads(o, around));
    }

    private void add(int param, Size index, Set<String> around) {
        accesses.computeIfAbsent(param, p -> new LinkedHashSet<>())
                .add(new Access(index, Set.copyOf(around)));
    }

    /** The parameters that are written. */
    Set<Integer> written() {
        return written;
    }

    /** Whether all that is touched are the first {@code params} memories, and arrays inside. */
    boolean within(int params) {
        return accesses.keySet().stream().allMatch(p -> p < params);
    }

    /** Whether no two rounds of the loop over that variable touch one element of the parameter. */
    boolean apart(int param, String variable) {
        try {
            Set<Access> all = accesses.get(param);
            return all.size() <= MANY && disjoint(all, variable);
        } catch (ArithmeticException e) {
            return false;
        }
    }

    private boolean disjoint(Set<Access> all, String variable) {
        Poly step = null;
        for (Access a : all) {
            Poly own = linear(a) ? Poly.of(a.index).factor(variable) : null;
            if (own == null || step != null && !step.equals(own)) {
                return false;
            }
            step = own;
        }
        List<Form> forms = new ArrayList<>();
        for (Access a : all) {
            Form form = form(a, variable, step);
            if (form == null || !forms.isEmpty() && !forms.getFirst().above.equals(form.above)) {
                return false;
            }
            forms.add(form);
        }
        Poly common = step;
        return forms.stream().allMatch(a -> forms.stream().allMatch(b -> narrow(a, b, common)));
    }

    /** Whether what one touches in a round lies less than a step from what the other does. */
    private static boolean narrow(Form a, Form b, Poly step) {
        Set<String> positive = new HashSet<>(a.positive);
        positive.addAll(b.positive);
        Poly size = magnitude(step, positive);
        return size != null && size.minus(a.high.minus(b.low)).atLeast(1, positive);
    }

    /** Whether the index is a sum of products of one variable each. */
    private boolean linear(Access a) {
        if (opaque(a.index)) {
            return false;
        }
        return a.around.stream().allMatch(v -> {
            Poly factor = Poly.of(a.index).factor(v);
            return factor != null && !factor.mentions(extents.keySet());
        });
    }

    /** Whether a variable stands in something that is no sum of products. */
    private boolean opaque(Size size) {
        return size instanceof Size.Call c && switch (c.op()) {
            case ADD, SUB, MUL -> opaque(c.x()) || opaque(c.y());
            default -> Poly.names(c).stream().anyMatch(extents::containsKey);
        };
    }

    /**
     * The bounds of the part below the step, and the steps above, each with its extent, from the
     * smallest on: these lie so far apart that what is below never reaches the next. Null when that
     * cannot be shown.
     */
    private Form form(Access a, String variable, Poly step) {
        Set<String> positive = new HashSet<>();
        a.around.forEach(v -> positive.addAll(Poly.of(extents.get(v)).factors()));
        Poly size = magnitude(step, positive);
        Poly low = Poly.of(a.index).without(variable);
        if (size == null) {
            return null;
        }
        Poly high = low;
        Map<Poly, Poly> above = new HashMap<>();
        for (String v : a.around) {
            Poly factor = Poly.of(a.index).factor(v);
            if (v.equals(variable) || factor.zero()) {
                continue;
            }
            Poly much = magnitude(factor, positive);
            Poly last = Poly.of(extents.get(v)).minus(Poly.of(1));
            if (much == null || last.mentions(extents.keySet()) || opaque(extents.get(v))) {
                return null;
            }
            low = low.without(v);
            high = high.without(v);
            if (size.minus(much.times(last)).atLeast(1, positive)) {
                low = much.equals(factor) ? low : low.minus(much.times(last));
                high = much.equals(factor) ? high.plus(much.times(last)) : high;
            } else if (!much.equals(factor) || above.put(much, last) != null) {
                // Of two signs, two elements would lie twice as far apart as one reaches.
                return null;
            }
        }
        List<Poly> order = order(above, size.times(Poly.of(extents.get(variable))), positive);
        return order == null ? null : new Form(low, high, order, positive);
    }

    /** Steps, each with its extent less 1, so that each passes over all that is below it. */
    private static List<Poly> order(Map<Poly, Poly> above, Poly below, Set<String> positive) {
        List<Poly> order = new ArrayList<>();
        Map<Poly, Poly> left = new HashMap<>(above);
        Poly passed = below;
        while (!left.isEmpty()) {
            Poly bound = passed;
            Poly next = left.keySet().stream()
                    .filter(step -> step.minus(bound).atLeast(0, positive)).findFirst()
                    .orElse(null);
            if (next == null) {
                return null;
            }
            Poly last = left.remove(next);
            order.add(next);
            order.add(last);
            passed = passed.plus(next.times(last));
        }
        return order;
    }

    /** The absolute value, where the sign is known and it is not 0; else null. */
    private static Poly magnitude(Poly p, Set<String> positive) {
        Poly negative = p.times(Poly.of(-1));
        return p.atLeast(1, positive) ? p : negative.atLeast(1, positive) ? negative : null;
    }
}
