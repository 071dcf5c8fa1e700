package damo.codegen;

import damo.program.Program;
import damo.program.Step;
import java.util.ArrayList;
import java.util.List;

/** {@code damo_call}, which runs a program's steps in order, and {@code damo_repeat} around it. */
final class CallWriter {
    private static final String REPEAT = """
            define i32 @damo_repeat(ptr %buffers, ptr %dims, ptr %failure, i64 %n) #2 {
            entry:
              %some = icmp sgt i64 %n, 0
              br i1 %some, label %loop, label %done
            loop:
              %i = phi i64 [ 0, %entry ], [ %next, %look ]
              %status = call i32 @damo_call(ptr %buffers, ptr %dims, ptr %failure)
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

    /**
     * How many steps, or parts of the call, one function holds. LLVM's time and the stack that a
     * function takes grow with its length: so long programs are trees of functions.
     */
    private static final int MANY = 64;

    private static final String PARAMETERS = "(ptr %buffers, ptr %dims, ptr %failure) ";

    private final Program program;
    private final Kernels kernels;
    private final Polls polls;
    private final Outside outside;
    private final Products products;
    private final DimTable table;
    private final CountWriter counts;
    private final List<String> parts = new ArrayList<>();
    /** How many steps are written: they are, in preorder. */
    private int written;

    private CallWriter(Program program, Kernels kernels, Polls polls, Outside outside,
                       Products products) {
        this.program = program;
        this.kernels = kernels;
        this.polls = polls;
        this.outside = outside;
        this.products = products;
        this.table = new DimTable(program);
        this.counts = new CountWriter(program, table);
    }

    /** The text of both functions. */
    static String write(Program program, Kernels kernels, Polls polls, Outside outside,
                        Products products) {
        CallWriter writer = new CallWriter(program, kernels, polls, outside, products);
        Lines call = writer.all(program.steps());
        return String.join("\n", writer.parts) + (writer.parts.isEmpty() ? "" : "\n")
                + "define i32 @damo_call" + PARAMETERS + "#2 {\n" + call.text() + "}\n\n" + REPEAT;
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
            StepWriter writer = new StepWriter(program, kernels, outside, products, counts, table,
                    lines, inner -> function(all(inner)));
            for (Step step : steps) {
                int number = written++;
                if (polls.before(number)) {
                    lines.stopIfAsked();
                }
                writer.write(number, step);
            }
        } else {
            for (int i = 0; i < steps.size(); i += span) {
                String call = function(range(steps.subList(i, Math.min(steps.size(), i + span)),
                        span / MANY));
                lines.returnUnlessZero(lines.value("call i32 ", call));
            }
        }
        lines.add("ret i32 0");
        return lines;
    }

    /** Writes a function with that body, and gives a call of it without the type. */
    private String function(Lines body) {
        String name = "@damo_steps." + parts.size();
        parts.add("define internal i32 " + name + PARAMETERS + "#0 {\n" + body.text() + "}\n");
        return name + PARAMETERS;
    }
}
