package damo.program;

import damo.tensor.DType;
import java.util.List;
import java.util.stream.Stream;

/** A small imperative program over buffers: the loop IR of docs/program.md. */
public record Kernel(String name, List<Param> params, List<Stmt> body) {
    /** Whether some statement may end the call. */
    public boolean fails() {
        return fails(body);
    }

    /** The dimensions in its sizes and indices. */
    public java.util.Set<String> mentions() {
        return Mentions.of(this);
    }

    /** How many memories it addresses: its parameters, and behind them its local arrays. */
    public int memories() {
        return params.size() + locals(body);
    }

    private static int locals(List<Stmt> body) {
        return body.stream().mapToInt(s -> s instanceof Local ? 1 : locals(s.inner())).sum();
    }

    /** The dtypes that it sorts. */
    public java.util.Set<DType> sorts() {
        java.util.Set<DType> found = new java.util.TreeSet<>();
        sorts(body, found);
        return found;
    }

    private static void sorts(List<Stmt> body, java.util.Set<DType> found) {
        for (Stmt s : body) {
            if (s instanceof Sort sort) {
                found.add(sort.dtype);
            }
            sorts(s.inner(), found);
        }
    }

    private static boolean fails(List<Stmt> body) {
        return body.stream().anyMatch(s -> s instanceof Require || s instanceof Index
                || fails(s.inner()));
    }

    /** How a kernel uses a parameter. */
    public enum Access { IN, OUT, INOUT }

    /** A buffer as the kernel sees it. */
    public record Param(DType dtype, Access access) { }

    /** A statement. */
    public sealed interface Stmt {
        /** The values that it computes itself; those of inner statements are not among them. */
        default List<Expr> values() {
            return switch (this) {
                case For s -> List.of();
                case Let s -> List.of(s.value);
                case Var s -> List.of(s.init);
                case Set s -> List.of(s.value);
                case Acc s -> List.of(s.value);
                case Store s -> List.of(s.value);
                case Index s -> List.of(s.value);
                case Require s -> Stream.concat(Stream.of(s.condition), s.report.stream()).toList();
                case If s -> List.of(s.condition);
                case Local s -> List.of();
                case Sort s -> List.of(new SizeOf(s.wanted));
            };
        }

        /** The statements inside of it. */
        default List<Stmt> inner() {
            return switch (this) {
                case For s -> s.body;
                case If s -> s.body;
                case Sort s -> s.touches();
                default -> List.of();
            };
        }
    }

    /** for (var = 0; var &lt; extent; var++) body. */
    public record For(String var, Size extent, List<Stmt> body) implements Stmt { }

    /** Names a value. */
    public record Let(String name, Expr value) implements Stmt { }

    /** Declares an array of its scope; loads and stores address it as {@code param}. */
    public record Local(String name, int param, DType dtype, int size) implements Stmt { }

    /** Declares a mutable scalar. */
    public record Var(String name, Expr init) implements Stmt { }

    /** Assigns a mutable scalar. */
    public record Set(String name, Expr value) implements Stmt { }

    /** name = name op value, in any order. */
    public record Acc(String op, String name, Expr value) implements Stmt { }

    /** Writes one element. */
    public record Store(int param, Size index, Expr value) implements Stmt { }

    /** Checks a value and makes it an index variable. */
    public record Index(String name, Expr value, Size extent, int note) implements Stmt { }

    /**
     * Puts the first {@code count} elements of a memory of i32 or i64 in another order, in which
     * the first {@code wanted} are the smallest, from the smallest on; {@code room} has as many.
     * {@code var} is a name that nothing else has.
     */
    public record Sort(DType dtype, int param, Size count, Size wanted, int room, String var)
            implements Stmt {
        /** A loop that touches the elements that it touches, for who asks which these are. */
        private List<Stmt> touches() {
            Size i = new Size.Name(var);
            return List.of(new For(var, count, List.of(
                    new Store(room, i, new Load(param, i, dtype)),
                    new Store(param, i, new Load(room, i, dtype)))));
        }
    }

    /** Fails unless the condition holds; {@code report} has up to two i64 values to report. */
    public record Require(Expr condition, int note, List<Expr> report) implements Stmt { }

    /** Runs the body when the condition holds. */
    public record If(Expr condition, List<Stmt> body) implements Stmt { }

    /** A value of one dtype. */
    public sealed interface Expr {
        /** The dtype, as the reader derived it. */
        DType dtype();

        /** The values that it is computed from. */
        default List<Expr> operands() {
            return switch (this) {
                case Cast e -> List.of(e.value);
                case Apply e -> e.args;
                case Native e -> e.args;
                case Ref e -> List.of();
                case Const e -> List.of();
                case Load e -> List.of();
                case SizeOf e -> List.of();
            };
        }
    }

    /** A named value, or a loop or index variable. */
    public record Ref(String name, DType dtype) implements Expr { }

    /** A literal: {@code bits} is the value of an integer or bool, or the raw bits of a double. */
    public record Const(DType dtype, long bits) implements Expr { }

    /** One element of a parameter, of the dtype that the parameter's is computed in. */
    public record Load(int param, Size index, DType dtype) implements Expr { }

    /** An index expression as an I64. */
    public record SizeOf(Size size) implements Expr {
        @Override
        public DType dtype() {
            return DType.I64;
        }
    }

    /** A conversion; to f16 or bf16 it rounds an f32. */
    public record Cast(DType to, Expr value) implements Expr {
        @Override
        public DType dtype() {
            return to.computed();
        }
    }

    /** A native function that the application registered for the op {@code op}. */
    public record Native(String op, List<Expr> args, DType dtype) implements Expr { }

    /** An instruction of the scalar table. */
    public record Apply(String op, List<Expr> args, DType dtype) implements Expr { }
}
