package damo.codegen;

import damo.program.Kernel;
import damo.program.Program;
import damo.program.Size;
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
              %i = phi i64 [ 0, %entry ], [ %next, %fine ]
              %status = call i32 @damo_call(ptr %buffers, ptr %dims, ptr %failure)
              %ok = icmp eq i32 %status, 0
              br i1 %ok, label %fine, label %done
            fine:
              %next = add nuw nsw i64 %i, 1
              %more = icmp slt i64 %next, %n
              br i1 %more, label %loop, label %done
            done:
              %result = phi i32 [ 0, %entry ], [ 0, %fine ], [ %status, %loop ]
              ret i32 %result
            }
            """;

    private final Program program;
    private final List<Usage> usages;
    private final Products products;
    private final Lines lines = new Lines();
    private final Map<String, String> dims = new HashMap<>();
    private final Map<Integer, String> buffers = new HashMap<>();
    private final SizeWriter sizes = new SizeWriter(lines, dims);

    private CallWriter(Program program, List<Usage> usages, Products products) {
        this.program = program;
        this.usages = usages;
        this.products = products;
    }

    /** The text of both functions; {@code usages} are those of the program's kernels. */
    static String write(Program program, List<Usage> usages, Products products) {
        CallWriter writer = new CallWriter(program, usages, products);
        writer.prologue();
        for (Program.Step step : program.steps()) {
            switch (step) {
                case Program.RunKernel s -> writer.kernel(s);
                case Program.Gemm s -> writer.product(s);
            }
        }
        writer.lines.add("ret i32 0");
        return "define i32 @damo_call(ptr %buffers, ptr %dims, ptr %failure) #2 {\n"
                + writer.lines.text() + "}\n\n" + REPEAT;
    }

    /** Loads every dimension and buffer address once; LLVM drops those that nothing uses. */
    private void prologue() {
        for (int i = 0; i < program.dims().size(); i++) {
            dims.put(program.dims().get(i), load("i64", "%dims", i));
        }
        for (int i = 0; i < program.buffers().size(); i++) {
            buffers.put(i, load("ptr", "%buffers", i));
        }
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
            args.append(args.isEmpty() ? "" : ", ").append("ptr ").append(buffers.get(buffer));
        }
        for (String dim : usage.dims()) {
            args.append(args.isEmpty() ? "" : ", ").append("i64 ").append(dims.get(dim));
        }
        String name = Codegen.kernelName(step.kernel(), kernel);
        if (!usage.fails()) {
            lines.add("call void ", name, "(", args.toString(), ")");
            return;
        }
        args.append(args.isEmpty() ? "" : ", ").append("ptr %failure");
        String status = lines.value("call i32 ", name, "(", args.toString(), ")");
        String ok = lines.value("icmp eq i32 ", status, ", 0");
        String fine = lines.freshLabel("fine");
        String fail = lines.freshLabel("fail");
        lines.add("br i1 ", ok, ", label %", fine, ", label %", fail);
        lines.label(fail);
        lines.add("ret i32 1");
        lines.label(fine);
    }

    private void product(Program.Gemm g) {
        String type = Types.value(g.dtype());
        String function = products.require(g.dtype());
        String sizesText = "i64 " + sizes.write(g.m()) + ", i64 " + sizes.write(g.n()) + ", i64 "
                + sizes.write(g.k());
        String alpha = type + " " + scale(g.alpha(), g);
        String beta = type + " " + scale(g.beta(), g);
        String a = strides(g.a());
        String b = strides(g.b());
        String c = "i64 " + sizes.write(g.c().rowStride());
        batch(g, 0, sizes.write(g.a().offset()), sizes.write(g.b().offset()),
                sizes.write(g.c().offset()), (x, y, z) ->
                lines.add("call void ", function, "(", sizesText, ", ", alpha, ", ptr ",
                        element(g, g.a(), x), ", ", a, ", ptr ", element(g, g.b(), y), ", ", b,
                        ", ", beta, ", ptr ", element(g, g.c(), z), ", ", c, ")"));
    }

    /** What to write inside the batch loops, given the offsets of the three matrices. */
    @FunctionalInterface
    private interface Innermost {
        void write(String a, String b, String c);
    }

    /** The batch loops from number {@code depth} on. */
    private void batch(Program.Gemm g, int depth, String a, String b, String c, Innermost inner) {
        if (depth == g.batch().size()) {
            inner.write(a, b, c);
            return;
        }
        Program.Batch batch = g.batch().get(depth);
        String extent = sizes.write(batch.extent());
        String body = lines.freshLabel("batch");
        String done = lines.freshLabel("done");
        String before = lines.currentLabel();
        String i = lines.fresh();
        String next = lines.fresh();
        String latch = lines.freshLabel("next");
        String some = lines.value("icmp sgt i64 ", extent, ", 0");
        lines.add("br i1 ", some, ", label %", body, ", label %", done);
        lines.label(body);
        lines.add(i, " = phi i64 [ 0, %", before, " ], [ ", next, ", %", latch, " ]");
        batch(g, depth + 1, advance(a, i, batch.a()), advance(b, i, batch.b()),
                advance(c, i, batch.c()), inner);
        lines.add("br label %", latch);
        lines.label(latch);
        lines.add(next, " = add nuw nsw i64 ", i, ", 1");
        String more = lines.value("icmp slt i64 ", next, ", ", extent);
        lines.add("br i1 ", more, ", label %", body, ", label %", done);
        lines.label(done);
    }

    private String advance(String offset, String i, Size stride) {
        String step = lines.value("mul nsw i64 ", i, ", ", sizes.write(stride));
        return lines.value("add nsw i64 ", offset, ", ", step);
    }

    private String strides(Program.Operand o) {
        return "i64 " + sizes.write(o.rowStride()) + ", i64 " + sizes.write(o.colStride());
    }

    private String element(Program.Gemm g, Program.Operand o, String offset) {
        return lines.value("getelementptr inbounds ", Types.memory(g.dtype()), ", ptr ",
                buffers.get(o.buffer()), ", i64 ", offset);
    }

    private String scale(Program.Scale s, Program.Gemm g) {
        return s.buffer() < 0 ? Types.literal(g.dtype(), Double.doubleToRawLongBits(s.value()))
                : lines.value("load ", Types.memory(g.dtype()), ", ptr ", buffers.get(s.buffer()));
    }
}
