package damo.codegen;

import damo.program.Kernel;
import damo.tensor.DType;
import java.util.LinkedHashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Scalars that loops make the largest or smallest float of all. What {@code llvm.maximum} says of
 * zeros takes more for each element than all the rest; so the loop finds the extreme whatever the
 * sign of a zero is, and beside it which signs there were, which say it in the end. That holds for
 * scalars that the loop does not look at.
 */
final class Extremes {
    private final Lines lines;
    private final Map<String, Parts> active = new LinkedHashMap<>();

    /** The slots of what is known of the elements so far: a float and an integer. */
    private record Parts(DType t, boolean largest, String number, String signs) { }

    Extremes(Lines lines) {
        this.lines = lines;
    }

    /** The scalars of which a loop finds extremes that is to begin, and their dtypes. */
    Map<String, Kernel.Acc> found(Kernel.For loop) {
        Map<String, Kernel.Acc> found = new LinkedHashMap<>();
        Set<String> others = new HashSet<>();
        collect(loop.body(), found, others);
        found.keySet().removeAll(others);
        found.keySet().removeAll(active.keySet());
        return found;
    }

    private static void collect(List<Kernel.Stmt> body, Map<String, Kernel.Acc> found,
                                Set<String> others) {
        for (Kernel.Stmt s : body) {
            switch (s) {
                case Kernel.Acc a -> {
                    Kernel.Acc other = found.putIfAbsent(a.name(), a);
                    boolean extreme = a.op().equals("maximum") || a.op().equals("minimum");
                    if (!extreme || !a.value().dtype().floating()
                            || other != null && !other.op().equals(a.op())) {
                        others.add(a.name());
                    }
                }
                case Kernel.Var v -> others.add(v.name());
                case Kernel.Set v -> others.add(v.name());
                default -> { }
            }
            s.values().stream().flatMap(Extremes::names).forEach(others::add);
            collect(s.inner(), found, others);
        }
    }

    private static Stream<String> names(Kernel.Expr e) {
        return e instanceof Kernel.Ref r ? Stream.of(r.name())
                : e.operands().stream().flatMap(Extremes::names);
    }

    /** Whether the scalar is one of those of a loop that is being written. */
    boolean has(String name) {
        return active.containsKey(name);
    }

    /** Before the loop: nothing was seen. */
    void begin(String name, Kernel.Acc a) {
        DType t = a.value().dtype();
        boolean largest = a.op().equals("maximum");
        Parts p = new Parts(t, largest, slot(Types.value(t)), slot(bits(t)));
        set(p.number, Types.value(t), Types.floating(largest ? Double.NEGATIVE_INFINITY
                : Double.POSITIVE_INFINITY));
        set(p.signs, bits(t), largest ? "-1" : "0");
        active.put(name, p);
    }

    private static String bits(DType t) {
        return "i" + Types.bits(t);
    }

    private String slot(String type) {
        return lines.slot(lines.fresh(), type);
    }

    private void set(String slot, String type, String value) {
        lines.add("store ", type, " ", value, ", ptr ", slot);
    }

    private String get(String slot, String type) {
        return lines.value("load ", type, ", ptr ", slot);
    }

    /** One more element. */
    void add(String name, String x) {
        Parts p = active.get(name);
        String type = Types.value(p.t);
        String word = lines.value("bitcast ", type, " ", x, " to ", bits(p.t));
        set(p.signs, bits(p.t), lines.value(p.largest ? "and " : "or ", bits(p.t), " ",
                get(p.signs, bits(p.t)), ", ", word));
        set(p.number, type, lines.value("call nsz ", type, " @llvm.",
                p.largest ? "maximum." : "minimum.", Types.suffix(p.t), "(", type, " ",
                get(p.number, type), ", ", type, " ", x, ")"));
    }

    /**
     * Behind the loop: the extreme of its elements. Of zeros the largest is negative when all
     * elements have a sign, the smallest when one has.
     */
    String end(String name) {
        Parts p = active.remove(name);
        String type = Types.value(p.t);
        String number = get(p.number, type);
        String zero = lines.value("fcmp oeq ", type, " ", number, ", ", Types.floating(0.0));
        String negative = lines.value("icmp slt ", bits(p.t), " ", get(p.signs, bits(p.t)), ", 0");
        String signed = lines.select(negative, type, Types.floating(-0.0), Types.floating(0.0));
        return lines.select(zero, type, signed, number);
    }
}
