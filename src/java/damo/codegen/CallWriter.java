package damo.codegen;

import damo.program.Kernel;
import damo.program.Program;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

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

    /** Steps from which on the calls are not optimised. */
    private static final int MANY = 64;

    private final Program program;
    private final List<Usage> usages;
    private final ProductWriter products;
    private final Lines lines = new Lines();
    private final Map<String, String> dims = new HashMap<>();
    /** Addresses of buffers, loaded anew for each step: held over a long program, they would all
     * be live at once, and most of LLVM's time would go into keeping them. */
    private final Map<Integer, String> loaded = new HashMap<>();
    private final SizeWriter sizes = new SizeWriter(lines, dims);
    private final CountWriter counts;

    private CallWriter(Program program, List<Usage> usages, Products products) {
        this.program = program;
        this.usages = usages;
        this.products = new ProductWriter(lines, sizes, this::buffer, products);
        this.counts = new CountWriter(program, lines, sizes, dims, this::buffer);
    }

    /** The text of both functions; {@code usages} are those of the program's kernels. */
    static String write(Program program, List<Usage> usages, Polls polls, Products products) {
        CallWriter writer = new CallWriter(program, usages, products);
        writer.prologue();
        for (int i = 0; i < program.steps().size(); i++) {
            writer.loaded.clear();
            if (polls.before(i)) {
                writer.lines.stopIfAsked();
            }
            switch (program.steps().get(i)) {
                case Program.RunKernel s -> writer.kernel(s);
                case Program.Gemm s -> writer.products.write(s);
                case Program.Count s -> writer.counts.write(s);
                case Program.RunHost ignored -> writer.host(i);
            }
        }
        writer.lines.add("ret i32 0");
        String attribute = program.steps().size() < MANY ? "#2" : "#3";
        return "define i32 @damo_call(ptr %buffers, ptr %dims, ptr %failure) " + attribute + " {\n"
                + writer.lines.text() + "}\n\n" + REPEAT;
    }

    /** Loads every dimension once; LLVM drops those that nothing uses. */
    private void prologue() {
        for (int i = 0; i < program.dims().size(); i++) {
            dims.put(program.dims().get(i), load("i64", "%dims", i));
        }
    }

    private String buffer(int i) {
        return loaded.computeIfAbsent(i, key -> load("ptr", "%buffers", key));
    }

    private String load(String type, String table, int i) {
        String address = lines.value("getelementptr inbounds ", type, ", ptr ", table, ", i64 ",
                Integer.toString(i));
        return lines.value("load ", type, ", ptr ", address);
    }

    private void kernel(Program.RunKernel step) {
        Kernel kernel = program.kernels().get(step.kernel());
        Usage usage = usages.get(step.kernel());
        StringBuilder args = new StringBuilder();
        for (int buffer : step.args()) {
            args.append(args.isEmpty() ? "" : ", ").append("ptr ").append(buffer(buffer));
        }
        for (String dim : usage.dims()) {
            args.append(args.isEmpty() ? "" : ", ").append("i64 ").append(dims.get(dim));
        }
        String name = Codegen.kernelName(step.kernel(), kernel);
        if (!usage.stops()) {
            lines.add("call void ", name, "(", args.toString(), ")");
            return;
        }
        args.append(args.isEmpty() ? "" : ", ").append("ptr %failure");
        returnUnlessZero(lines.value("call i32 ", name, "(", args.toString(), ")"));
    }

    private void host(int step) {
        returnUnlessZero(lines.value("call i32 @", Foreign.HOST, "(i32 ", Integer.toString(step),
                ")"));
    }

    private void returnUnlessZero(String status) {
        String ok = lines.value("icmp eq i32 ", status, ", 0");
        String fine = lines.freshLabel("fine");
        String fail = lines.freshLabel("fail");
        lines.add("br i1 ", ok, ", label %", fine, ", label %", fail);
        lines.label(fail);
        lines.add("ret i32 ", status);
        lines.label(fine);
    }
}
