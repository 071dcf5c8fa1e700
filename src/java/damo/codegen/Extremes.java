package damo.codegen;

import damo.program.Kernel;
import damo.program.Size;
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
 * scalars that the loop does not look at. Lines whose extent is a dimension may be short and many,
 * and putting the lanes of a vector together takes longest then: so there the loop finds, in f32,
 * the extreme of integers that lie in the order of the floats, NaN beyond all.
 */
final class Extremes {
    private final Lines lines;
    private final Map<String, Parts> active = new LinkedHashMap<>();

    /** The slots of what is known of the elements so far: an extreme, and of floats signs. */
    private record Parts(DType t, boolean largest, boolean keys, String number, String signs) {
        String bits() {
            return "i" + Types.bits(t);
        }

        /** The type of the extreme. */
        String type() {
            return keys ? bits() : Types.value(t);
        }
    }

    /** Of a float with a sign all bits but that one are turned, to and from integers. */
    private static final String TURNED = Integer.toString(Integer.MAX_VALUE);
    /**
     * The quiet NaN and what it is with a sign: more and less than any float, but not the largest
     * and least integer, of which LLVM would take the choice out of the sum, and make no vectors.
     */
    private static final String MORE = Integer.toString(0x7fc00000);
    private static final String LESS = Integer.toString(~0x7fc00000);

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

    /** Before a loop of that extent: nothing was seen. */
    void begin(String name, Kernel.Acc a, Size extent, boolean nested) {
        DType t = a.value().dtype();
        boolean largest = a.op().equals("maximum");
        boolean keys = t == DType.F32 && nested && extent instanceof Size.Name;
        Parts p = new Parts(t, largest, keys, lines.slot(lines.fresh(), keys ? "i32"
                : Types.value(t)), keys ? null : lines.slot(lines.fresh(), "i" + Types.bits(t)));
        String first = Types.floating(largest ? Double.NEGATIVE_INFINITY
                : Double.POSITIVE_INFINITY);
        set(p.number, p.type(), keys ? turned(bits(p, first)) : first);
        if (!keys) {
            set(p.signs, p.bits(), largest ? "-1" : "0");
        }
        active.put(name, p);
    }

    private String bits(Parts p, String x) {
        return lines.value("bitcast ", Types.value(p.t), " ", x, " to ", p.bits());
    }

    private String turned(String bits) {
        String sign = lines.value("ashr i32 ", bits, ", 31");
        return lines.value("xor i32 ", bits, ", ", lines.value("and i32 ", sign, ", ", TURNED));
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
        String old = get(p.number, p.type());
        if (p.keys) {
            String nan = lines.value("fcmp uno float ", x, ", ", x);
            String key = lines.select(nan, "i32", p.largest ? MORE : LESS, turned(bits(p, x)));
            set(p.number, "i32", lines.call("i32", p.largest ? "llvm.smax.i32" : "llvm.smin.i32",
                    "i32", old, key));
            return;
        }
        set(p.signs, p.bits(), lines.value(p.largest ? "and " : "or ", p.bits(), " ",
                get(p.signs, p.bits()), ", ", bits(p, x)));
        // Of the first operand it is looked whether that is NaN: of one that no step waits for.
        set(p.number, p.type(), lines.value("call nsz ", p.type(), " @llvm.",
                p.largest ? "maximum." : "minimum.", Types.suffix(p.t), "(", p.type(), " ",
                x, ", ", p.type(), " ", old, ")"));
    }

    /**
     * Behind the loop: the extreme of its elements. Of zeros the largest is negative when all
     * elements have a sign, the smallest when one has.
     */
    String end(String name) {
        Parts p = active.remove(name);
        String number = get(p.number, p.type());
        if (p.keys) {
            return lines.value("bitcast i32 ", turned(number), " to float");
        }
        String zero = lines.value("fcmp oeq ", p.type(), " ", number, ", ", Types.floating(0.0));
        String negative = lines.value("icmp slt ", p.bits(), " ", get(p.signs, p.bits()), ", 0");
        String signed = lines.select(negative, p.type(), Types.floating(-0.0),
                Types.floating(0.0));
        return lines.select(zero, p.type(), signed, number);
    }
}
