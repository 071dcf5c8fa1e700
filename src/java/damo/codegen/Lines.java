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

    /** Appends a stop of the function with the failure record filled in unless the i1 holds. */
    void stopUnless(String condition, int note, String value, String extent) {
        String fine = freshLabel("fine");
        String fail = freshLabel("fail");
        add("br i1 ", condition, ", label %", fine, ", label %", fail);
        label(fail);
        add("store i64 ", Integer.toString(note), ", ptr %failure");
        int word = 1;
        for (String part : new String[] {value, extent}) {
            String address = value("getelementptr inbounds i64, ptr %failure, i64 ",
                    Integer.toString(word++));
            add("store i64 ", part, ", ptr ", address);
        }
        add("ret i32 1");
        label(fine);
    }

    /** Appends a stop of the function with status 2 when the record's fourth word is not 0. */
    void stopIfAsked() {
        String go = freshLabel("go");
        String stop = freshLabel("stop");
        String address = value("getelementptr inbounds i64, ptr %failure, i64 3");
        String word = value("load volatile i64, ptr ", address);
        add("br i1 ", value("icmp eq i64 ", word, ", 0"), ", label %", go, ", label %", stop);
        label(stop);
        add("ret i32 2");
        label(go);
    }

    /** Appends a stop of the function with that status, an i32, unless it is 0. */
    void returnUnlessZero(String status) {
        String ok = value("icmp eq i32 ", status, ", 0");
        String fine = freshLabel("fine");
        String fail = freshLabel("fail");
        add("br i1 ", ok, ", label %", fine, ", label %", fail);
        label(fail);
        add("ret i32 ", status);
        label(fine);
    }

    /** A new stack slot of that type; returns its address. */
    String slot(String name, String type) {
        slots.add("  " + name + " = alloca " + type + "\n");
        return name;
    }

    /**
     * Appends a loop in which the i64 value {@code variable} runs from 0 to {@code extent}-1 around
     * what {@code body} appends. The test stands at the bottom, as LLVM's loop passes want it; an
     * empty loop is stepped over, and so is one without {@code worth}, an i1, unless that is null.
     */
    void loop(String variable, String extent, String worth, Runnable body) {
        String start = freshLabel("loop");
        String done = freshLabel("done");
        String latch = freshLabel("next");
        String before = label;
        String next = fresh();
        String rounds = value("icmp sgt i64 ", extent, ", 0");
        String some = worth == null ? rounds : value("and i1 ", rounds, ", ", worth);
        add("br i1 ", some, ", label %", start, ", label %", done);
        label(start);
        add(variable, " = phi i64 [ 0, %", before, " ], [ ", next, ", %", latch, " ]");
        body.run();
        add("br label %", latch);
        label(latch);
        add(next, " = add nuw nsw i64 ", variable, ", 1");
        String more = value("icmp slt i64 ", next, ", ", extent);
        add("br i1 ", more, ", label %", start, ", label %", done);
        label(done);
    }

    /** The finished body, without braces. */
    String text() {
        return "entry:\n" + String.join("", slots) + body;
    }
}
