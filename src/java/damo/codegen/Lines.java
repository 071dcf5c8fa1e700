package damo.codegen;

import java.util.ArrayList;
import java.util.List;

/**
 * The body of one LLVM function while it is written: instructions in order, fresh names, and the
 * stack slots of its mutable scalars, which all stand in the entry block so that LLVM turns them
 * into registers.
 */
final class Lines {
    private final StringBuilder body = new StringBuilder();
    private final List<String> slots = new ArrayList<>();
    private int names;
    private String label = "entry";

    /** A name that is not yet used in the function, for a value: {@code %t3}. */
    String fresh() {
        return "%t" + names++;
    }

    /** A label that is not yet used in the function, with a readable beginning. */
    String freshLabel(String base) {
        return base + "." + names++;
    }

    /** Appends one instruction; {@code parts} are joined as they are. */
    void add(String... parts) {
        body.append("  ");
        for (String part : parts) {
            body.append(part);
        }
        body.append('\n');
    }

    /** Appends {@code %t = parts} and returns {@code %t}. */
    String value(String... parts) {
        String name = fresh();
        body.append("  ").append(name).append(" = ");
        for (String part : parts) {
            body.append(part);
        }
        body.append('\n');
        return name;
    }

    /** Appends a call of an intrinsic or function with operands of one type; returns the result. */
    String call(String type, String function, String operandType, String... operands) {
        StringBuilder args = new StringBuilder();
        for (String operand : operands) {
            args.append(args.isEmpty() ? "" : ", ").append(operandType).append(' ').append(operand);
        }
        return value("call ", type, " @", function, "(", args.toString(), ")");
    }

    /** Appends a choice between two values of one type; returns the chosen one. */
    String select(String condition, String type, String yes, String no) {
        return value("select i1 ", condition, ", ", type, " ", yes, ", ", type, " ", no);
    }

    /** Starts a new basic block. */
    void label(String name) {
        body.append(name).append(":\n");
        label = name;
    }

    /** The label of the block being written, for phi nodes. */
    String currentLabel() {
        return label;
    }

    /** A new stack slot of that type; returns its address. */
    String slot(String name, String type) {
        slots.add("  " + name + " = alloca " + type + "\n");
        return name;
    }

    /** The finished body, without braces. */
    String text() {
        return "entry:\n" + String.join("", slots) + body;
    }
}
