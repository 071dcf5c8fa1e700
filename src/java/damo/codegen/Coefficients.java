package damo.codegen;

import damo.program.Size;

/** How an index depends on a variable: what it grows by when the variable grows by 1. */
final class Coefficients {
    private static final Size ZERO = new Size.Int(0);
    private static final Size ONE = new Size.Int(1);

    private Coefficients() { }

    /** The factor of the variable, which mentions it no more; null where there is none. */
    static Size of(Size index, String variable) {
        return switch (index) {
            case Size.Int i -> ZERO;
            case Size.Name n -> n.name().equals(variable) ? ONE : ZERO;
            case Size.Call c -> of(c, of(c.x(), variable), of(c.y(), variable));
        };
    }

    private static Size of(Size.Call c, Size x, Size y) {
        if (ZERO.equals(x) && ZERO.equals(y)) {
            return ZERO;
        }
        if (x == null || y == null) {
            return null;
        }
        return switch (c.op()) {
            case ADD -> ZERO.equals(x) ? y : ZERO.equals(y) ? x : new Size.Call(c.op(), x, y);
            case SUB -> ZERO.equals(y) ? x : new Size.Call(c.op(), x, y);
            case MUL -> ZERO.equals(x) ? times(c.x(), y) : ZERO.equals(y) ? times(c.y(), x) : null;
            default -> null;
        };
    }

    private static Size times(Size factor, Size x) {
        return ONE.equals(x) ? factor : ONE.equals(factor) ? x
                : new Size.Call(Size.Op.MUL, factor, x);
    }
}
