package damo.codegen;

import damo.program.Size;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * An index or a size as a sum of products of names with whole factors, for proofs that hold for
 * all values of the dimensions. A quotient by a number and its rest are names of their own, which
 * make up the dividend; what else is no sum of products is one of which nothing is known.
 * Immutable; numbers that do not fit, and sums of many products, throw ArithmeticException.
 */
record Poly(Map<List<String>, Long> terms) {
    /** More products are not looked at. */
    private static final int MANY = 100;
    /** Begins the names of what may be negative. */
    private static final String OPAQUE = "?";
    /** Begin the names of quotients and rests by a number, which is followed by the dividend. */
    private static final String QUOTIENT = "/";
    private static final String REST = "%";
    private static final String BY = " ";

    /** One number. */
    static Poly of(long value) {
        return value == 0 ? new Poly(Map.of()) : new Poly(Map.of(List.of(), value));
    }

    /** A size or an index. */
    static Poly of(Size size) {
        return switch (size) {
            case Size.Int i -> of(i.value());
            case Size.Name n -> new Poly(Map.of(List.of(n.name()), 1L));
            case Size.Call c -> switch (c.op()) {
                case ADD -> of(c.x()).plus(of(c.y()));
                case SUB -> of(c.x()).minus(of(c.y()));
                case MUL -> of(c.x()).times(of(c.y()));
                case QUOT, MOD -> parts(c);
                default -> opaque(c);
            };
        };
    }

    private static Poly opaque(Size.Call c) {
        return new Poly(Map.of(List.of(OPAQUE + c), 1L));
    }

    /** A quotient or rest of a name by a number: names of their own, not negative. */
    private static Poly parts(Size.Call c) {
        return c.x() instanceof Size.Name x && c.y() instanceof Size.Int d && d.value() > 0
                ? new Poly(Map.of(List.of((c.op() == Size.Op.QUOT ? QUOTIENT : REST) + d.value()
                        + BY + x.name()), 1L)) : opaque(c);
    }

    /** The same with a name less its rest in the place of as many quotients as a number divides. */
    private static Map<List<String>, Long> settled(Map<List<String>, Long> terms) {
        for (Map.Entry<List<String>, Long> term : terms.entrySet()) {
            for (String name : term.getKey()) {
                long d = name.startsWith(QUOTIENT)
                        ? Long.parseLong(name.substring(QUOTIENT.length(), name.indexOf(BY))) : 0;
                if (d > 0 && term.getValue() % d == 0) {
                    return settled(replaced(terms, term.getKey(), name, term.getValue() / d));
                }
            }
        }
        return terms;
    }

    private static Map<List<String>, Long> replaced(Map<List<String>, Long> terms,
                                                    List<String> names, String quotient, long c) {
        Map<List<String>, Long> next = new HashMap<>(terms);
        next.remove(names);
        for (boolean whole : new boolean[] {true, false}) {
            List<String> now = new ArrayList<>(names);
            now.remove(quotient);
            now.add(whole ? quotient.substring(quotient.indexOf(BY) + BY.length())
                    : REST + quotient.substring(QUOTIENT.length()));
            Collections.sort(now);
            next.merge(now, whole ? c : Math.negateExact(c), Math::addExact);
        }
        next.values().removeIf(k -> k == 0);
        return next;
    }

    /** The names in a size. */
    static Set<String> names(Size size) {
        Set<String> names = new TreeSet<>();
        collect(size, names);
        return names;
    }

    private static void collect(Size size, Set<String> names) {
        if (size instanceof Size.Name n) {
            names.add(n.name());
        } else if (size instanceof Size.Call c) {
            collect(c.x(), names);
            collect(c.y(), names);
        }
    }

    Poly plus(Poly y) {
        Map<List<String>, Long> sum = new HashMap<>(terms);
        y.terms.forEach((names, c) -> sum.merge(names, c, Math::addExact));
        sum.values().removeIf(c -> c == 0);
        if (sum.size() > MANY) {
            throw new ArithmeticException("too many products");
        }
        return new Poly(settled(sum));
    }

    Poly minus(Poly y) {
        return plus(y.times(of(-1)));
    }

    Poly times(Poly y) {
        Poly product = of(0);
        for (Map.Entry<List<String>, Long> a : terms.entrySet()) {
            for (Map.Entry<List<String>, Long> b : y.terms.entrySet()) {
                List<String> names = new ArrayList<>(a.getKey());
                names.addAll(b.getKey());
                Collections.sort(names);
                product = product.plus(new Poly(Map.of(names,
                        Math.multiplyExact(a.getValue(), b.getValue()))));
            }
        }
        return product;
    }

    /** Whether it is 0. */
    boolean zero() {
        return terms.isEmpty();
    }

    /** The factor of a name in which this is linear; null when it is not. */
    Poly factor(String name) {
        Map<List<String>, Long> factor = new HashMap<>();
        for (Map.Entry<List<String>, Long> term : terms.entrySet()) {
            List<String> others = new ArrayList<>(term.getKey());
            if (others.remove(name)) {
                if (others.contains(name)) {
                    return null;
                }
                factor.put(others, term.getValue());
            }
        }
        return new Poly(factor);
    }

    /** This without the terms in which the name occurs. */
    Poly without(String name) {
        Map<List<String>, Long> rest = new HashMap<>(terms);
        rest.keySet().removeIf(names -> names.contains(name));
        return new Poly(rest);
    }

    /** Whether one of the names occurs; of what is opaque, only as the whole of it. */
    boolean mentions(Set<String> names) {
        return terms.keySet().stream().anyMatch(t -> t.stream().anyMatch(names::contains));
    }

    /**
     * The names that are above 0 where this, a product, is, with what they are parts of: none when
     * it is a sum.
     */
    Set<String> factors() {
        Set<String> factors = new TreeSet<>();
        if (terms.size() == 1) {
            for (String name : terms.keySet().iterator().next()) {
                factors.add(name);
                if (name.startsWith(QUOTIENT) || name.startsWith(REST)) {
                    factors.add(name.substring(name.indexOf(BY) + BY.length()));
                }
            }
        }
        return factors;
    }

    /**
     * Whether it is at least {@code least} for all values of its names, none of which is negative,
     * and those in {@code positive} not 0.
     */
    boolean atLeast(long least, Set<String> positive) {
        return plainly(least, positive) || restsAtMost().plainly(least, positive);
    }

    /** What is no larger: where rests are taken away, what they are rests of. */
    private Poly restsAtMost() {
        Poly sum = of(0);
        for (Map.Entry<List<String>, Long> term : terms.entrySet()) {
            List<String> names = new ArrayList<>(term.getKey());
            if (term.getValue() < 0) {
                names.replaceAll(n -> n.startsWith(REST) ? n.substring(n.indexOf(BY)
                        + BY.length()) : n);
                Collections.sort(names);
            }
            sum = sum.plus(new Poly(Map.of(names, term.getValue())));
        }
        return sum;
    }

    private boolean plainly(long least, Set<String> positive) {
        Poly shifted = of(0);
        for (Map.Entry<List<String>, Long> term : terms.entrySet()) {
            Poly product = of(term.getValue());
            for (String name : term.getKey()) {
                Poly factor = new Poly(Map.of(List.of(name), 1L));
                product = product.times(positive.contains(name) ? factor.plus(of(1)) : factor);
            }
            shifted = shifted.plus(product);
        }
        return shifted.terms.getOrDefault(List.of(), 0L) >= least
                && shifted.terms.entrySet().stream().allMatch(t -> t.getValue() >= 0
                && t.getKey().stream().noneMatch(n -> n.startsWith(OPAQUE)));
    }
}
