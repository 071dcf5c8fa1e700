package damo.codegen;

import damo.program.FailureRecord;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.function.UnaryOperator;

/**
 * The body of one LLVM function while it is written: instructions in order, fresh names, and the
 * stack slots of its mutable scalars, which all stand in the entry block so that LLVM turns them
 * into registers.
 */
final class Lines {
    /** The slot of the status with which a round ended. */
    private static final String STATUS = "%status";
    private static final String STATUS_SLOT = "  " + STATUS + " = alloca i32\n";

    private final StringBuilder body = new StringBuilder();
    private final List<String> slots = new ArrayList<>();
    /** Where a status other than 0 goes, the innermost first; it leaves the function where none. */
    private final Deque<String> exits = new ArrayDeque<>();
    /** The record that says whether the call shall stop. */
    private final String asked;
    private int names;
    private String label = "entry";

    Lines() {
        this("%failure");
    }

    /** Of a function that looks into another record than its own whether it shall stop. */
    Lines(String asked) {
        this.asked = asked;
    }

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

    /** How many threads this call may use: an i64 operand, in a function of a call. */
    String threads() {
        return loaded("i64", "%failure", Integer.toString(FailureRecord.THREADS));
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
        leave("1");
        label(fine);
    }

    /** Appends a stop of the function with status 2 when the record's fourth word is not 0. */
    void stopIfAsked() {
        String go = freshLabel("go");
        String stop = freshLabel("stop");
        String address = value("getelementptr inbounds i64, ptr ", asked, ", i64 ",
                Integer.toString(FailureRecord.STOP));
        String word = value("load volatile i64, ptr ", address);
        add("br i1 ", value("icmp eq i64 ", word, ", 0"), ", label %", go, ", label %", stop);
        label(stop);
        leave("2");
        label(go);
    }

    /** The same where the number of a round is a multiple of {@code every}, a power of two. */
    void stopIfAskedEvery(int every, String round) {
        String look = freshLabel("look");
        String after = freshLabel("after");
        String part = value("and i64 ", round, ", ", Integer.toString(every - 1));
        add("br i1 ", value("icmp eq i64 ", part, ", 0"), ", label %", look, ", label %", after);
        label(look);
        stopIfAsked();
        add("br label %", after);
        label(after);
    }

    /** Appends a stop of the function with that status, an i32, unless it is 0. */
    void returnUnlessZero(String status) {
        String ok = value("icmp eq i32 ", status, ", 0");
        String fine = freshLabel("fine");
        String fail = freshLabel("fail");
        add("br i1 ", ok, ", label %", fine, ", label %", fail);
        label(fail);
        leave(status);
        label(fine);
    }

    /** Appends the end of the function with that status, by way of the loops around. */
    void leave(String status) {
        if (exits.isEmpty()) {
            add("ret i32 ", status);
        } else {
            add("store i32 ", status, ", ptr ", STATUS);
            add("br label %", exits.peek());
        }
    }

    /** Appends the address of a word of a table, and what it holds. */
    String loaded(String type, String table, String i) {
        return value("load ", type, ", ptr ", value("getelementptr inbounds ", type, ", ptr ",
                table, ", i64 ", i));
    }

    /** A new stack slot of that type; returns its address. */
    String slot(String name, String type) {
        slots.add("  " + name + " = alloca " + type + "\n");
        return name;
    }

    /**
     * A new array on the stack, all zeros from here on, or, when {@code early}, from where the
     * function begins.
     */
    void array(String name, String type, int size, int bytes, boolean early) {
        String clear = "  call void @llvm.memset.p0.i64(ptr align 64 " + name + ", i8 0, i64 "
                + (long) size * bytes + ", i1 false)\n";
        slots.add("  " + name + " = alloca [" + size + " x " + type + "], align 64\n"
                + (early ? clear : ""));
        body.append(early ? "" : clear);
    }

    /**
     * Appends a loop in which the i64 value {@code variable} runs from 0 to {@code extent}-1 around
     * what {@code body} appends. The test stands at the bottom, as LLVM's loop passes want it; an
     * empty loop is stepped over, and so is one without {@code worth}, an i1, unless that is null.
     */
    void loop(String variable, String extent, String worth, Runnable body) {
        loop(variable, extent, worth, "", body);
    }

    /** The same, where the branch back carries {@code sort}, of {@link Attributes}. */
    void loop(String variable, String extent, String worth, String sort, Runnable body) {
        loop(variable, "0", extent, worth, sort, body);
    }

    /** The same from {@code first} on. */
    void loop(String variable, String first, String extent, String worth, String sort,
              Runnable body) {
        String start = freshLabel("loop");
        String done = freshLabel("done");
        String latch = freshLabel("next");
        String before = label;
        String next = fresh();
        String rounds = value("icmp sgt i64 ", extent, ", ", first);
        String some = worth == null ? rounds : value("and i1 ", rounds, ", ", worth);
        add("br i1 ", some, ", label %", start, ", label %", done);
        label(start);
        add(variable, " = phi i64 [ ", first, ", %", before, " ], [ ", next, ", %", latch, " ]");
        body.run();
        add("br label %", latch);
        label(latch);
        add(next, " = add nuw nsw i64 ", variable, ", 1");
        String more = value("icmp slt i64 ", next, ", ", extent);
        add("br i1 ", more, ", label %", start, ", label %", done, sort);
        label(done);
    }

    /**
     * Appends a loop of at most {@code extent} rounds around what {@code body} appends, which is
     * told the number of the round and gives an i1 that ends the loop, or null. Where a round ends
     * with another status than 0 the record gets the round, behind those of loops inside, of step
     * number {@code step}. Returns the number of rounds made.
     */
    String rounds(String extent, int step, UnaryOperator<String> body) {
        if (exits.isEmpty() && !slots.contains(STATUS_SLOT)) {
            slots.add(STATUS_SLOT);
        }
        String start = freshLabel("round");
        String done = freshLabel("done");
        String failed = freshLabel("failed");
        String before = label;
        String round = fresh();
        String next = fresh();
        add("br i1 ", value("icmp sgt i64 ", extent, ", 0"), ", label %", start, ", label %", done);
        label(start);
        int phi = this.body.length();
        exits.push(failed);
        String end = body.apply(round);
        exits.pop();
        add(next, " = add nuw nsw i64 ", round, ", 1");
        String more = value("icmp slt i64 ", next, ", ", extent);
        if (end != null) {
            more = value("and i1 ", more, ", ", value("xor i1 ", end, ", true"));
        }
        String latch = label;
        this.body.insert(phi, "  " + round + " = phi i64 [ 0, %" + before + " ], [ " + next
                + ", %" + latch + " ]\n");
        add("br i1 ", more, ", label %", start, ", label %", done);
        label(failed);
        tell(step, round);
        leave(value("load i32, ptr ", STATUS));
        label(done);
        return value("phi i64 [ 0, %", before, " ], [ ", next, ", %", latch, " ]");
    }

    private void tell(int step, String round) {
        String count = value("getelementptr inbounds i64, ptr %failure, i64 ",
                Integer.toString(FailureRecord.ROUNDS));
        String told = value("load i64, ptr ", count);
        String place = value("getelementptr inbounds i64, ptr ", count, ", i64 ",
                value("mul nuw nsw i64 ", told, ", 2"));
        for (String word : new String[] {Integer.toString(step), round}) {
            place = value("getelementptr inbounds i64, ptr ", place, ", i64 1");
            add("store i64 ", word, ", ptr ", place);
        }
        add("store i64 ", value("add nuw nsw i64 ", told, ", 1"), ", ptr ", count);
    }

    /** Appends what {@code body} appends, which is stepped over unless the i1 holds. */
    void when(String condition, Runnable body) {
        either(condition, body, () -> { });
    }

    /** Appends the one for when the i1 holds, and the other. */
    void either(String condition, Runnable yes, Runnable no) {
        String first = freshLabel("yes");
        String second = freshLabel("no");
        String after = freshLabel("after");
        add("br i1 ", condition, ", label %", first, ", label %", second);
        label(first);
        yes.run();
        add("br label %", after);
        label(second);
        no.run();
        add("br label %", after);
        label(after);
    }

    /** Appends what {@code body} appends for each of {@code cases}, of which one is chosen. */
    void choose(String number, int cases, IntConsumer body) {
        String after = freshLabel("after");
        List<String> labels = new ArrayList<>();
        StringBuilder targets = new StringBuilder();
        for (int i = 0; i < cases; i++) {
            labels.add(freshLabel("case"));
            targets.append(" i64 ").append(i).append(", label %").append(labels.get(i));
        }
        add("switch i64 ", number, ", label %", labels.get(cases - 1), " [", targets.toString(),
                " ]");
        for (int i = 0; i < cases; i++) {
            label(labels.get(i));
            body.accept(i);
            add("br label %", after);
        }
        label(after);
    }

    /** The finished body, without braces. */
    String text() {
        return "entry:\n" + String.join("", slots) + body;
    }
}
