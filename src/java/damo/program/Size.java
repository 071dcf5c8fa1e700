package damo.program;

/**
 * An integer expression over names: a program's dimensions and, in an index, a kernel's loop and
 * index variables. Evaluated exactly; see docs/program.md.
 */
public sealed interface Size {
    /** A literal. */
    record Int(long value) implements Size { }

    /** A dimension, loop variable or index variable. */
    record Name(String name) implements Size { }

    /** What a {@link Call} does; DIV is a quotient that must come out even. */
    enum Op { ADD, SUB, MUL, QUOT, DIV, MOD, MIN, MAX }

    /** An operation on two operands; longer sums and products are halved. */
    record Call(Op op, Size x, Size y) implements Size { }
}
