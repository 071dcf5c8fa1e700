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
 * zeros and NaN takes more for each element than all the rest, and again where the lanes of a
 * vector are put together; so the loop finds the extreme of integers that lie in the order of the
 * floats, NaN beyond all of them. That holds for scalars that the loop does not look at.
 */
final class Extremes {
    private final Lines lines;
    private final Map<String, Parts> active = new LinkedHashMap<>();

    /** The slot of the extreme so far, an integer. */
    private record Parts(DType t, boolean largest, String number) {
        String type() {
            return "i" + Types.bits(t);
        }

        /** Of a float with a sign all bits but that one are turned, to and from integers. */
        long turned() {
            return (1L << Types.bits(t) - 1) - 1;
        }

        /**
         * What NaN is, more than infinity is, or less: that of the quiet ones, as LLVM would make
         * another choice of the largest integer.
         */
        String beyond() {
            long quiet = t == DType.F32 ? 0x7fc00000L : 0x7ff8000000000000L;
            return Long.toString(largest ? quiet : -quiet - 1);
        }
    }

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
        Parts p = new Parts(t, largest, lines.slot(lines.fresh(), "i" + Types.bits(t)));
        set(p, turned(p, bits(p, Types.floating(largest ? Double.NEGATIVE_INFINITY
                : Double.POSITIVE_INFINITY))));
        active.put(name, p);
    }

    private String bits(Parts p, String x) {
        return lines.value("bitcast ", Types.value(p.t), " ", x, " to ", p.type());
    }

    private String turned(Parts p, String bits) {
        String sign = lines.value("ashr ", p.type(), " ", bits, ", "
                + (Types.bits(p.t) - 1));
        String mask = lines.value("and ", p.type(), " ", sign, ", ", Long.toString(p.turned()));
        return lines.value("xor ", p.type(), " ", bits, ", ", mask);
    }

    private void set(Parts p, String value) {
        lines.add("store ", p.type(), " ", value, ", ptr ", p.number);
    }

    private String get(Parts p) {
        return lines.value("load ", p.type(), ", ptr ", p.number);
    }

    /** One more element. */
    void add(String name, String x) {
        Parts p = active.get(name);
        String nan = lines.value("fcmp uno ", Types.value(p.t), " ", x, ", ", x);
        String number = lines.select(nan, p.type(), p.beyond(), turned(p, bits(p, x)));
        set(p, lines.call(p.type(), "llvm." + (p.largest ? "smax." : "smin.") + p.type(),
                p.type(), get(p), number));
    }

    /** Behind the loop: the extreme of its elements. */
    String end(String name) {
        Parts p = active.remove(name);
        return lines.value("bitcast ", p.type(), " ", turned(p, get(p)), " to ",
                Types.value(p.t));
    }
}
