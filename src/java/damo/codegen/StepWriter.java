package damo.codegen;

import damo.program.Program;
import damo.program.Step;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** Steps of a program, one after the other, in one function that has the call's parameters. */
final class StepWriter {
    private final Program program;
    private final Kernels kernels;
    private final Lines lines;
    private final Map<String, String> dims = new HashMap<>();
    /** Addresses of buffers, loaded anew for each step: held over a long program, they would all
     * be live at once, and most of LLVM's time would go into keeping them. */
    private final Map<Integer, String> loaded = new HashMap<>();
    private final SizeWriter sizes;
    private final ProductWriter products;
    private final RoutineWriter routines;
    private final Outside outside;
    private final CountWriter counts;
    private final Function<List<Step>, String> functions;

    /**
     * Writes to {@code lines}; loads the dimensions that are known by then, for all steps. {@code
     * functions} gives the call of a function that runs the steps inside of a step.
     */
    StepWriter(Program program, Kernels kernels, Outside outside, Products products,
               CountWriter counts, Lines lines, Function<List<Step>, String> functions) {
        this.program = program;
        this.kernels = kernels;
        this.lines = lines;
        this.sizes = new SizeWriter(lines, dims);
        this.products = new ProductWriter(lines, sizes, this::buffer, products);
        this.routines = new RoutineWriter(lines, sizes, this::buffer, outside);
        this.counts = counts;
        this.outside = outside;
        this.functions = functions;
        // LLVM drops those that nothing uses.
        for (int i = 0; i < program.dims().size(); i++) {
            dims.put(program.dims().get(i), load("i64", "%dims", i));
        }
        loadCounted();
    }

    /** Appends a step, which has that number. */
    void write(int number, Step step) {
        loaded.clear();
        switch (step) {
            case Step.RunKernel s -> kernel(s);
            case Step.Gemm s -> products.write(s);
            case Step.Count s -> counts.write(s, lines, sizes, dims, buffer(s.buffer()));
            case Step.RunHost ignored -> {
                outside.call("", Foreign.HOST, "i32 @" + Foreign.HOST + "(i32)");
                lines.returnUnlessZero(lines.value("call i32 @", Foreign.HOST, "(i32 ",
                        Integer.toString(number), ")"));
            }
            case Step.Call s -> routines.write(s);
            case Step.Block s -> {
                lines.returnUnlessZero(lines.value("call i32 ", functions.apply(s.inner())));
                loadCounted();
            }
        }
    }

    /** Dimensions that the steps so far have counted, in other functions too. */
    private void loadCounted() {
        for (int i = 0; i < counts.counted(); i++) {
            int position = program.dims().size() + i;
            dims.computeIfAbsent(program.counted().get(i).dim(),
                    dim -> load("i64", "%dims", position));
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

    private void kernel(Step.RunKernel step) {
        Usage usage = kernels.usage(step.number());
        StringBuilder args = new StringBuilder();
        for (int buffer : step.args()) {
            args.append(args.isEmpty() ? "" : ", ").append("ptr ").append(buffer(buffer));
        }
        for (String dim : usage.dims()) {
            args.append(args.isEmpty() ? "" : ", ").append("i64 ").append(dims.get(dim));
        }
        String name = kernels.name(step.number());
        if (!usage.stops()) {
            lines.add("call void ", name, "(", args.toString(), ")");
            return;
        }
        args.append(args.isEmpty() ? "" : ", ").append("ptr %failure");
        lines.returnUnlessZero(lines.value("call i32 ", name, "(", args.toString(), ")"));
    }
}
