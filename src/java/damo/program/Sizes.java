package damo.program;

import damo.Limits;
import damo.edn.Edn;
import java.util.List;
import java.util.Set;
import java.util.function.ToLongFunction;

/**
 * Size and index expressions: reading them, evaluating them exactly, and showing them in messages.
 */
public final class Sizes {
    private static final int MAX_PARTS = Limits.PARTS.most();

    private Sizes() { }

    /**
     * The value of the size, in whatever it counts (mostly elements), where {@code names} gives the
     * value of each name. Throws ArithmeticException when a step overflows 64 bits, a divisor is
     * below 1 or a {@code :/} leaves a remainder: the caller knows what to name.
     */
    public static long evaluate(Size size, ToLongFunction<String> names) {
        return switch (size) {
            case Size.Int i -> i.value();
            case Size.Name n -> names.applyAsLong(n.name());
            case Size.Call c -> apply(c.op(), evaluate(c.x(), names), evaluate(c.y(), names));
        };
    }

    /** The operation on two numbers, exactly; ArithmeticException as {@link #evaluate}. */
    public static long apply(Size.Op op, long x, long y) {
        return switch (op) {
            case ADD -> Math.addExact(x, y);
            case SUB -> Math.subtractExact(x, y);
            case MUL -> Math.multiplyExact(x, y);
            case QUOT -> x / divisor(y);
            case DIV -> even(x, divisor(y));
            case MOD -> Math.floorMod(x, divisor(y));
            case MIN -> Math.min(x, y);
            case MAX -> Math.max(x, y);
        };
    }

    private static long even(long x, long y) {
        if (x % y != 0) {
            throw new ArithmeticException("remainder " + x % y + " of " + x + " by " + y);
        }
        return x / y;
    }

    private static long divisor(long y) {
        if (y < 1) {
            throw new ArithmeticException("divisor " + y + ", which must be at least 1");
        }
        return y;
    }

    /** Adds the names in an expression. */
    public static void names(Size size, Set<String> names) {
        switch (size) {
            case Size.Int i -> { }
            case Size.Name n -> names.add(n.name());
            case Size.Call c -> {
                names(c.x(), names);
                names(c.y(), names);
            }
        }
    }

    /** Whether the name stands in an expression. */
    public static boolean mentions(Size size, String name) {
        return switch (size) {
            case Size.Int i -> false;
            case Size.Name n -> n.name().equals(name);
            case Size.Call c -> mentions(c.x(), name) || mentions(c.y(), name);
        };
    }

    /** The expression as it stands in a program: {@code "[:+ [:* i 500] j]"}. */
    public static String show(Size size) {
        return switch (size) {
            case Size.Int i -> Long.toString(i.value());
            case Size.Name n -> n.name();
            case Size.Call c -> "[" + symbol(c.op()) + " " + show(c.x()) + " " + show(c.y()) + "]";
        };
    }

    private static String symbol(Size.Op op) {
        return switch (op) {
            case ADD -> ":+";
            case SUB -> ":-";
            case MUL -> ":*";
            case QUOT -> ":quot";
            case DIV -> ":/";
            case MOD -> ":mod";
            case MIN -> ":min";
            case MAX -> ":max";
        };
    }

    /**
     * Says whether a name may stand in an expression, by throwing with the reason when it may not.
     */
    @FunctionalInterface
    interface Scope {
        void check(String name);
    }

    /**
     * The expression that the EDN value stands for, which messages call an index when
     * {@code index}. Throws through {@code where}.
     */
    static Size parse(Object form, Scope scope, boolean index, Where where) {
        return new Parser(scope, index, where).parse(form);
    }

    /** One reading: counts the operations. */
    private static final class Parser {
        private final Scope scope;
        private final boolean index;
        private final Where where;
        private int parts;

        Parser(Scope scope, boolean index, Where where) {
            this.scope = scope;
            this.index = index;
            this.where = where;
        }

        Size parse(Object form) {
            if (++parts > MAX_PARTS) {
                throw where.bad("a size expression of more than " + MAX_PARTS + " parts");
            }
            return switch (form) {
                case Long n when n >= 0 -> new Size.Int(n);
                case Edn.Symbol s -> name(s.name());
                case List<?> list when !list.isEmpty() && list.get(0) instanceof Edn.Keyword k ->
                        call(k.name(), list);
                case null, default -> throw where.expected((index
                        ? "an index (a non-negative integer, a name, "
                        : "a size (a non-negative integer, a dimension, ")
                        + "[:+ …], [:* …], [:- a b], [:quot a b], [:mod a b], [:/ a b], "
                        + "[:min a b] or [:max a b])", form);
            };
        }

        private Size name(String name) {
            scope.check(name);
            return new Size.Name(name);
        }

        private Size call(String name, List<?> list) {
            Size.Op op = switch (name) {
                case "+" -> Size.Op.ADD;
                case "*" -> Size.Op.MUL;
                case "-" -> Size.Op.SUB;
                case "quot" -> Size.Op.QUOT;
                case "/" -> Size.Op.DIV;
                case "min" -> Size.Op.MIN;
                case "max" -> Size.Op.MAX;
                case "mod" -> Size.Op.MOD;
                default -> null;
            };
            if (op == null) {
                throw where.bad("no operation :" + name + (index ? " in an index" : " in a size"));
            }
            boolean many = op == Size.Op.ADD || op == Size.Op.MUL;
            if (many ? list.size() < 2 : list.size() != 3) {
                throw where.expected(many ? "one or more operands of :" + name : "two operands of :"
                        + name, list);
            }
            return halved(op, list.subList(1, list.size()).stream().map(this::parse).toList());
        }

        /** So that walks over long sums do not go deep. */
        private static Size halved(Size.Op op, List<Size> operands) {
            int n = operands.size();
            return n == 1 ? operands.get(0) : new Size.Call(op,
                    halved(op, operands.subList(0, (n + 1) / 2)),
                    halved(op, operands.subList((n + 1) / 2, n)));
        }
    }
}
