package damo.codegen;

import damo.program.Loop;
import damo.program.Step;
import damo.verify.CallTable;
import java.util.List;

/** {@code damo_call}, which runs a program's steps in order, and {@code damo_repeat} around it. */
final class CallWriter implements StepWriter.Place {
    private static final String REPEAT = """
            define i32 @damo_repeat(ptr %buffers, ptr %dims, ptr %failure, i64 %n) #2 {
            entry:
              %some = icmp sgt i64 %n, 0
              br i1 %some, label %loop, label %done
            loop:
              %i = phi i64 [ 0, %entry ], [ %next, %look ]
            {round}  %status = call i32 @damo_call(ptr %buffers, ptr %dims, ptr %failure)
              %ok = icmp eq i32 %status, 0
              br i1 %ok, label %fine, label %done
            fine:
              %next = add nuw nsw i64 %i, 1
              %more = icmp slt i64 %next, %n
              br i1 %more, label %look, label %done
            look:
              %address = getelementptr inbounds i64, ptr %failure, i64 3
              %word = load volatile i64, ptr %address
              %go = icmp eq i64 %word, 0
              br i1 %go, label %loop, label %done
            done:
              %result = phi i32 [ 0, %entry ], [ 0, %fine ], [ %status, %loop ], [ 2, %look ]
              ret i32 %result
            }
            """;

    private static final String ROUND = """
              %%behind = add nuw nsw i64 %%i, 1
              %%follow = icmp slt i64 %%behind, %%n
              %%follows = zext i1 %%follow to i64
              %%follows.at = getelementptr inbounds i64, ptr %%dims, i64 %d
              store i64 %%follows, ptr %%follows.at
            """;

    /**
     * How many steps, or parts of the call, one function holds. LLVM's time and the stack that a
     * function takes grow with its length: so long programs are trees of functions.
     */
    private static final int MANY = 64;

    private final CallParts parts;
    private final Outside outside;
    private final Products products;

    private CallWriter(CallParts parts, Outside outside, Products products) {
        this.parts = parts;
        this.outside = outside;
        this.products = products;
    }

    /** The text of both functions, and of those that they call, but for loops. */
    static String write(CallParts parts, Outside outside, Products products) {
        CallWriter writer = new CallWriter(parts, outside, products);
        Lines call = writer.all(parts.program.steps());
        return parts.functions() + "define i32 @damo_call" + CallParts.PARAMETERS + " #2 {\n"
                + call.text() + "}\n\n" + REPEAT.replace("{round}", round(parts.words));
    }

    /** What a round tells the call: whether others follow. */
    private static String round(CallTable words) {
        return words.deferrals().isEmpty() ? "" : ROUND.formatted(words.more());
    }

    /** The body of a function for all of these steps. */
    private Lines all(List<Step> steps) {
        int span = 1;
        while (steps.size() > (long) span * MANY) {
            span *= MANY;
        }
        return range(steps, span);
    }

    /**
     * The body of a function for these steps: the steps, when {@code span} is 1; else calls of
     * functions for {@code span} steps each, which are written before.
     */
    private Lines range(List<Step> steps, int span) {
        Lines lines = new Lines();
        if (span == 1) {
            StepWriter writer = new StepWriter(parts, outside, products, lines, this);
            for (Step step : steps) {
                int number = parts.nextNumber();
                if (parts.polls.before(number) && !parts.words.done(number)) {
                    lines.stopIfAsked();
                }
                writer.write(number, step);
            }
        } else {
            for (int i = 0; i < steps.size(); i += span) {
                List<Step> some = steps.subList(i, Math.min(steps.size(), i + span));
                function("internal", lines, range(some, span / MANY));
            }
        }
        lines.add("ret i32 0");
        return lines;
    }

    /** Appends the call of a new function with that body; returns its name, without {@code @}. */
    private String function(String linkage, Lines lines, Lines body) {
        String name = parts.nextName("damo_steps");
        parts.define(linkage, name, body);
        lines.returnUnlessZero(lines.value("call i32 @", name, CallParts.PARAMETERS));
        return name;
    }

    @Override
    public String buffer(int id, Lines lines) {
        return lines.loaded("ptr", "%buffers", Integer.toString(id));
    }

    /** Each list is a function. */
    @Override
    public void list(List<Step> steps, StepWriter writer) {
        function("internal", writer.lines(), all(steps));
        writer.loadBound();
    }

    /** The same for a function of another text. */
    void list(List<Step> steps, StepWriter writer, Outside there) {
        String name = function("hidden", writer.lines(), all(steps));
        there.inside(name, "hidden i32 @" + name + "(ptr, ptr, ptr)");
        writer.loadBound();
    }

    @Override
    public void loop(int number, Loop loop, StepWriter writer) {
        LoopFunction.write(number, loop, parts, this, outside, products, writer);
        writer.loadBound();
    }

    @Override
    public boolean inlines(int kernel) {
        return false;
    }
}
