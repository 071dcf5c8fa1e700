package damo.codegen;

import damo.program.Kernel;
import damo.program.Program;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Steps of a program, one after the other, in one function that has the call's parameters. */
final class StepWriter {
    private final Program program;
    private final List<Usage> usages;
    private final Lines lines;
    private final Map<String, String> dims = new HashMap<>();
    /** Addresses of buffers, loaded anew for each step: held over a long program, they would all
     * be live at once, and most of LLVM's time would go into keeping them. */
    private final Map<Integer, String> loaded = new HashMap<>();
    private final SizeWriter sizes;
    private final ProductWriter products;
    private final CountWriter counts;

    /** Writes to {@code lines}; loads the dimensions that are known by then, for all steps. */
    StepWriter(Program program, List<Usage> usages, Products products, CountWriter counts,
               Lines lines) {
        this.program = program;
        this.usages = usages;
        this.lines = lines;
        this.sizes = new SizeWriter(lines, dims);
        this.products = new ProductWriter(lines, sizes, this::buffer, products);
        this.counts = counts;
        // LLVM drops those that nothing uses.
        for (int i = 0; i < program.dims().size(); i++) {
            dims.put(program.dims().get(i), load("i64", "%dims", i));
        }
        for (int i = 0; i < counts.counted(); i++) {
            dims.put(program.counted().get(i).dim(),
                    load("i64", "%dims", program.dims().size() + i));
        }
    }

    /** Appends step number {@code i} of the program. */
    void write(int i) {
        loaded.clear();
        switch (program.steps().get(i)) {
            case Program.RunKernel s -> kernel(s);
            case Program.Gemm s -> products.write(s);
            case Program.Count s -> counts.write(s, lines, sizes, dims, buffer(s.buffer()));
            case Program.RunHost ignored -> lines.returnUnlessZero(lines.value("call i32 @",
                    Foreign.HOST, "(i32 ", Integer.toString(i), ")"));
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
        lines.returnUnlessZero(lines.value("call i32 ", name, "(", args.toString(), ")"));
    }
}
