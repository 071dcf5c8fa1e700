package damo.codegen;

import damo.program.Kernel;
import damo.program.Size;
import damo.tensor.DType;
import java.util.List;

/**
 * A loop in another one that copies a line of elements as they lie, of a length that only a call
 * knows. Lines are copied by vectors, of which the last overlaps the one before, and short ones by
 * two that are as wide as the largest power of 2 that fits: no line has a rest that goes element by
 * element, which of short lines is all there is.
 */
final class LineCopy {
    /** Vectors of a round. */
    private static final int SEVERAL = 4;
    /** The bytes from which on the function of the system is faster. */
    private static final int LONG = 1 << 14;

    private final Lines lines;
    private final ExprWriter exprs;
    private final Kernel.For loop;
    private final Kernel.Store store;
    private final Kernel.Load load;
    private final DType type;
    private final int side;

    private LineCopy(Lines lines, ExprWriter exprs, Kernel.For loop, Kernel.Store store,
                     Kernel.Load load, DType type, int vectorBits) {
        this.lines = lines;
        this.exprs = exprs;
        this.loop = loop;
        this.store = store;
        this.load = load;
        this.type = type;
        this.side = vectorBits / 8 / type.bytes();
    }

    /** The copy that a loop is; null when it is none of such lines. */
    static LineCopy of(Lines lines, ExprWriter exprs, List<Kernel.Param> memories, Kernel.For loop,
                       int vectorBits) {
        if (loop.extent() instanceof Size.Int || loop.body().isEmpty()
                || !(loop.body().getLast() instanceof Kernel.Store store)) {
            return null;
        }
        Kernel.Load load = loaded(loop.body(), store.value());
        if (load == null || load.param() == store.param()
                || memories.get(load.param()).dtype() != memories.get(store.param()).dtype()
                || !along(store.index(), loop.var()) || !along(load.index(), loop.var())) {
            return null;
        }
        return new LineCopy(lines, exprs, loop, store, load,
                memories.get(store.param()).dtype(), vectorBits);
    }

    /** What the only statements of a body load and store; null of others. */
    static Kernel.Load loaded(List<Kernel.Stmt> body, Kernel.Expr value) {
        if (body.size() == 1) {
            return value instanceof Kernel.Load l ? l : null;
        }
        return body.size() == 2 && body.getFirst() instanceof Kernel.Let let
                && let.value() instanceof Kernel.Load l && value instanceof Kernel.Ref r
                && r.name().equals(let.name()) ? l : null;
    }

    /** Whether an index goes from element to element with a variable. */
    static boolean along(Size index, String variable) {
        return Coefficients.of(index, variable) instanceof Size.Int i && i.value() == 1;
    }

    /** Appends the copy of rounds {@code from} to {@code end}-1. */
    void write(String from, String end) {
        String n = from.equals("0") ? end : lines.value("sub nsw i64 ", end, ", ", from);
        exprs.bind(loop.var(), from);
        String source = exprs.address(load.param(), load.index());
        String target = exprs.address(store.param(), store.index());
        String done = lines.freshLabel("copied");
        piece(n, LONG / type.bytes(), done, () -> lines.add("call void @llvm.memcpy.p0.p0.i64(ptr ",
                target, ", ptr ", source, ", i64 ", lines.value("mul nuw nsw i64 ", n, ", "
                        + type.bytes()), ", i1 false)"));
        piece(n, side, done, () -> vectors(source, target, n));
        for (int few = side / 2; few >= 1; few /= 2) {
            int length = few;
            piece(n, few, done, () -> {
                move(source, target, "0", length);
                move(source, target, lines.value("sub nsw i64 ", n, ", " + length), length);
            });
        }
        lines.add("br label %", done);
        lines.label(done);
    }

    /** What is done with lines of at least so many elements, and all that are left then. */
    private void piece(String n, int least, String done, Runnable body) {
        lines.when(lines.value("icmp sge i64 ", n, ", " + least), () -> {
            body.run();
            lines.add("br label %", done);
            lines.label(lines.freshLabel("none"));
        });
    }

    /** Whole vectors, several in a round, then one by one, then the last, where the line ends. */
    private void vectors(String source, String target, String n) {
        String some = lines.fresh();
        lines.loop(some, lines.value("udiv i64 ", n, ", " + side * SEVERAL), null,
                Attributes.PLAIN_LOOP, () -> {
                    String start = lines.value("mul nuw nsw i64 ", some, ", " + side * SEVERAL);
                    for (int k = 0; k < SEVERAL; k++) {
                        move(source, target, lines.value("add nuw nsw i64 ", start, ", "
                                + k * side), side);
                    }
                });
        String last = lines.value("udiv i64 ", n, ", " + side);
        String one = lines.fresh();
        lines.loop(one, lines.value("and i64 ", last, ", " + -SEVERAL), last, null,
                Attributes.PLAIN_LOOP, () -> move(source, target,
                        lines.value("mul nuw nsw i64 ", one, ", " + side), side));
        lines.when(lines.value("icmp ne i64 ", lines.value("and i64 ", n, ", " + (side - 1)),
                ", 0"), () -> move(source, target,
                        lines.value("sub nsw i64 ", n, ", " + side), side));
    }

    private void move(String source, String target, String start, int length) {
        String element = Types.memory(type);
        String vector = "<" + length + " x " + element + ">";
        String align = ", align " + type.bytes();
        String value = lines.value("load ", vector, ", ptr ", at(source, element, start), align);
        lines.add("store ", vector, " ", value, ", ptr ", at(target, element, start), align);
    }

    private String at(String base, String element, String index) {
        return lines.value("getelementptr inbounds ", element, ", ptr ", base, ", i64 ", index);
    }
}
