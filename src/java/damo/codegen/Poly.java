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
 * all values of the dimensions. What is no sum of products is a name of its own, of which nothing
 * is known. Immutable; numbers that do not fit, and sums of many products,
 * throw ArithmeticException.
 */
record Poly(Map<List<String>, Long> terms) {
    /** More products are not looked at. */
    private static final int MANY = 100;
    /** Begins the names of what may be negative. */
    private static final String OPAQUE = "?";

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
                default -> new Poly(Map.of(List.of(OPAQUE + c), 1L));
            };
        };
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
        return new Poly(sum);
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

    /** The names that are above 0 where this, a product, is: none when it is a sum. */
    Set<String> factors() {
        return terms.size() == 1 ? Set.copyOf(terms.keySet().iterator().next()) : Set.of();
    }

    /**
     * Whether it is at least {@code least} for all values of its names, none of which is negative,
     * and those in {@code positive} not 0.
     */
    boolean atLeast(long least, Set<String> positive) {
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
