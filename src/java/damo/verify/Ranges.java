package damo.verify;

import damo.program.Access;
import damo.program.Loop;
import damo.program.Program;
import damo.program.Size;
import damo.program.Sizes;
import damo.program.Step;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * What values an index can take: interval analysis, exact for affine expressions over the loops
 * around them.
 *
 * <p>A variable v has 0 ≤ v ≤ upper(v), where upper is itself affine in the variables bound before
 * it. The largest value of {@code c·v + rest} is therefore that of {@code c·upper(v) + rest} for c
 * > 0, and that of {@code rest} otherwise; eliminating the innermost variable first makes {@code
 * i*500+j}, {@code n-1-i} and triangular loops tight. Not for sharing between threads.
 */
final class Ranges implements SizeValues.Counts {
    /** Of so many pairs of variables a product is looked at term by term. */
    private static final int MOST_PAIRS = 16;

    private final Map<String, Affine> names = new HashMap<>();
    private Affine[] upper = new Affine[16];
    /** The name of each variable, and what that meant before. */
    private String[] bound = new String[16];
    private Affine[] before = new Affine[16];
    private int variables;
    private final Set<String> countedNames = new HashSet<>();
    private final Set<String> turns = new HashSet<>();
    private final Map<Size, Symbol> symbols = new HashMap<>();

    /** What stands for an expression of counted dimensions that is not affine, and its variable. */
    private record Symbol(int variable, Affine value) { }

    /**
     * With these values of the program's dimensions; counted ones lie anywhere in 0 … max, in
     * whatever list of steps.
     */
    Ranges(Program p, long[] values) {
        for (int d = 0; d < values.length; d++) {
            names.put(p.dims().get(d), Affine.of(values[d]));
        }
        SizeValues sizes = new SizeValues(p.dims(), values, this);
        for (Program.Counted c : p.counts()) {
            if (c.max() != null) {
                sizes.of(c.max(), () -> "the largest value of the dimension " + c.dim());
            }
            Affine max = c.max() == null ? Affine.of(Loop.MOST_ROUNDS) : of(c.max());
            bind(c.dim(), max.plus(Affine.of(1)));
            countedNames.add(c.dim());
        }
        p.all().stream().map(Step::turn).filter(var -> var != null).forEach(turns::add);
    }

    /** Binds the number of the round of a loop until {@link #release}; gives the rounds. */
    Affine enter(Loop loop) {
        Affine rounds = loop.extent() == null ? Affine.of(Loop.MOST_ROUNDS) : of(loop.extent());
        bind(loop.var(), rounds);
        return rounds;
    }

    /** How many variables are bound at this moment, for {@link #release}. */
    int mark() {
        return variables;
    }

    /** Forgets the variables that were bound since; their names mean what they meant before. */
    void release(int mark) {
        while (variables > mark) {
            variables--;
            names.put(bound[variables], before[variables]);
        }
        symbols.values().removeIf(symbol -> symbol.variable >= mark);
    }

    @Override
    public long largest(Size size) {
        return max(of(size));
    }

    @Override
    public boolean counted(Size size) {
        return switch (size) {
            case Size.Int i -> false;
            case Size.Name n -> countedNames.contains(n.name());
            case Size.Call c -> counted(c.x()) || counted(c.y());
        };
    }

    @Override
    public boolean turns(Size size) {
        return !turns.isEmpty() && switch (size) {
            case Size.Int i -> false;
            case Size.Name n -> turns.contains(n.name());
            case Size.Call c -> turns(c.x()) || turns(c.y());
        };
    }

    @Override
    public long smallest(Size size) {
        return min(of(size));
    }

    /** Binds a variable that runs over 0 … extent-1, and returns it. */
    Affine bind(String name, Affine extent) {
        if (variables == upper.length) {
            upper = Arrays.copyOf(upper, 2 * variables);
            bound = Arrays.copyOf(bound, 2 * variables);
            before = Arrays.copyOf(before, 2 * variables);
        }
        bound[variables] = name;
        upper[variables] = extent.minus(Affine.of(1));
        Affine variable = Affine.variable(variables++, Math.max(1, extent.size()));
        before[variables - 1] = names.put(name, variable);
        return variable;
    }

    /**
     * The values of an expression; ArithmeticException when a step may overflow, a divisor may be
     * below 1 or a quotient of numbers that must come out even does not.
     */
    Affine of(Size size) {
        return switch (size) {
            case Size.Int i -> Affine.of(i.value());
            case Size.Name n -> names.get(n.name());
            case Size.Call c -> {
                Affine value = apply(c.op(), of(c.x()), of(c.y()));
                yield value.flat() && !value.constant() && fixed(c) ? symbol(c, value) : value;
            }
        };
    }

    /** Whether it has one value wherever it stands, though that is not known. */
    private boolean fixed(Size size) {
        return switch (size) {
            case Size.Int i -> true;
            case Size.Name n -> countedNames.contains(n.name()) || names.get(n.name()).constant();
            case Size.Call c -> fixed(c.x()) && fixed(c.y());
        };
    }

    /** The same for equal expressions, so that their difference is 0; their steps are in bounds. */
    private Affine symbol(Size.Call size, Affine interval) {
        Symbol known = symbols.get(size);
        if (known == null) {
            Affine variable = bind("", Affine.of(interval.hi()).minus(Affine.of(interval.lo()))
                    .plus(Affine.of(1)));
            known = new Symbol(variables - 1, variable.plus(Affine.of(interval.lo())));
            symbols.put(size, known);
        }
        return known.value;
    }

    /** The largest value. */
    long max(Affine a) {
        Affine x = a;
        while (!x.flat()) {
            int k = x.ids().length - 1;
            long c = x.coefs()[k];
            Affine bound = upper[x.ids()[k]];
            x = x.withoutLast();
            if (c > 0) {
                x = x.plus(bound.times(c));
            }
        }
        return x.hi();
    }

    /** The smallest value. */
    long min(Affine a) {
        Affine x = a;
        while (!x.flat()) {
            int k = x.ids().length - 1;
            long c = x.coefs()[k];
            Affine bound = upper[x.ids()[k]];
            x = x.withoutLast();
            if (c < 0) {
                x = x.plus(bound.times(c));
            }
        }
        return x.lo();
    }

    /**
     * The smallest and the largest element that a region reaches, if no axis is empty; throws as
     * {@link #of}.
     */
    long[] reach(Access.Region region) {
        int mark = mark();
        Affine where = of(region.offset());
        for (Access.Axis axis : region.axes()) {
            where = where.plus(along(axis));
        }
        long[] reach = {min(where), max(where)};
        release(mark);
        return reach;
    }

    /** Where the elements of an axis are, of a variable that is bound for it. */
    Affine along(Access.Axis axis) {
        return product(bind("", of(axis.extent())), of(axis.stride()));
    }

    private Affine apply(Size.Op op, Affine x, Affine y) {
        if (x.constant() && y.constant()) {
            return Affine.of(Sizes.apply(op, x.lo(), y.lo()));
        }
        return switch (op) {
            case ADD -> x.plus(y);
            case SUB -> x.minus(y);
            case MUL -> product(x, y);
            case QUOT, DIV -> quotient(x, y);
            case MOD -> remainder(x, y);
            case MIN -> smaller(x, y);
            case MAX -> larger(x, y);
        };
    }

    private Affine product(Affine x, Affine y) {
        if (y.constant() || x.constant()) {
            return y.constant() ? x.times(y.lo()) : y.times(x.lo());
        }
        long a = min(x);
        long b = max(x);
        long c = min(y);
        long d = max(y);
        Affine hull = hull(Math.multiplyExact(a, c), Math.multiplyExact(a, d),
                Math.multiplyExact(b, c), Math.multiplyExact(b, d), Math.max(x.size(), y.size()));
        Affine exact = x.lo() == x.hi() && y.lo() == y.hi()
                && x.ids().length * y.ids().length <= MOST_PAIRS ? multiplied(x, y) : null;
        return exact == null || min(exact) < hull.lo() || max(exact) > hull.hi() ? hull
                : new Affine(exact.lo(), exact.hi(), exact.ids(), exact.coefs(), hull.size());
    }

    /** The product term by term; null where a part of it does not fit. */
    private Affine multiplied(Affine x, Affine y) {
        int mark = mark();
        try {
            Affine sum = x.times(y.lo()).plus(y.times(x.lo()))
                    .minus(Affine.of(Math.multiplyExact(x.lo(), y.lo())));
            for (int i = 0; i < x.ids().length; i++) {
                for (int j = 0; j < y.ids().length; j++) {
                    sum = sum.plus(pair(x.ids()[i], y.ids()[j])
                            .times(Math.multiplyExact(x.coefs()[i], y.coefs()[j])));
                }
            }
            max(sum);
            min(sum);
            return sum;
        } catch (ArithmeticException e) {
            release(mark);
            return null;
        }
    }

    /**
     * The product of two variables: a variable itself, the same whenever it is asked for, at most
     * the older one times the largest value of the younger one. So rows of a counted extent are
     * told apart.
     */
    private Affine pair(int v, int w) {
        // No symbol has a blank in it.
        String name = Math.min(v, w) + " " + Math.max(v, w);
        Affine known = names.get(name);
        if (known != null) {
            return known;
        }
        long most = max(upper[Math.max(v, w)]);
        if (most < 0) {
            throw new ArithmeticException("an empty range");
        }
        Affine older = Affine.variable(Math.min(v, w), Math.max(1,
                upper[Math.min(v, w)].size()));
        return bind(name, older.times(most).plus(Affine.of(1)));
    }

    private static Affine hull(long a, long b, long c, long d, long size) {
        long lo = Math.min(Math.min(a, b), Math.min(c, d));
        long hi = Math.max(Math.max(a, b), Math.max(c, d));
        return Affine.interval(lo, hi, Math.max(size, Affine.largest(lo, hi)));
    }

    private Affine quotient(Affine x, Affine y) {
        long d = divisor(y);
        Affine exact = y.constant() ? x.dividedBy(d) : null;
        if (exact != null) {
            return exact;
        }
        long a = min(x);
        long b = max(x);
        long e = max(y);
        return hull(a / d, a / e, b / d, b / e, x.size());
    }

    private Affine remainder(Affine x, Affine y) {
        long d = divisor(y);
        long a = min(x);
        long b = max(x);
        if (y.constant() && Math.floorDiv(a, d) == Math.floorDiv(b, d)) {
            return x.minus(Affine.of(a - Math.floorMod(a, d)));
        }
        return a >= 0 && b < d ? x : Affine.interval(0, Math.subtractExact(max(y), 1),
                Math.max(x.size(), y.size()));
    }

    private long divisor(Affine y) {
        long d = min(y);
        if (d < 1) {
            throw new ArithmeticException("divisor as small as " + d
                    + ", which must be at least 1");
        }
        return d;
    }

    private Affine smaller(Affine x, Affine y) {
        long a = max(x);
        long c = min(y);
        if (a <= c) {
            return x;
        }
        long b = min(x);
        long d = max(y);
        long size = Math.max(x.size(), y.size());
        return d <= b ? y : Affine.interval(Math.min(b, c), Math.min(a, d), size);
    }

    private Affine larger(Affine x, Affine y) {
        long a = min(x);
        long d = max(y);
        if (a >= d) {
            return x;
        }
        long b = max(x);
        long c = min(y);
        long size = Math.max(x.size(), y.size());
        return c >= b ? y : Affine.interval(Math.max(a, c), Math.max(b, d), size);
    }
}
