package damo.codegen;

import damo.program.Branch;
import damo.program.Loop;
import damo.program.Program;
import damo.program.Size;
import damo.program.Step;
import damo.program.Window;
import damo.tensor.DType;
import java.util.ArrayList;
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
    private final DimTable table;
    private final Function<List<Step>, String> functions;

    /**
     * Writes to {@code lines}; loads the dimensions that are known by then, for all steps. {@code
     * functions} gives the call of a function that runs the steps inside of a step.
     */
    StepWriter(Program program, Kernels kernels, Outside outside, Products products,
               CountWriter counts, DimTable table, Lines lines,
               Function<List<Step>, String> functions) {
        this.program = program;
        this.kernels = kernels;
        this.lines = lines;
        this.sizes = new SizeWriter(lines, dims);
        this.products = new ProductWriter(lines, sizes, this::buffer, products);
        this.routines = new RoutineWriter(lines, sizes, this::buffer, outside);
        this.counts = counts;
        this.table = table;
        this.outside = outside;
        this.functions = functions;
        // LLVM drops those that nothing uses.
        loadBound();
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
                lines.returnUnlessZero(lines.value("call i32 ", functions.apply(s.steps())));
                loadBound();
            }
            case Loop s -> loop(number, s);
            case Branch s -> branch(s);
        }
    }

    /** Dimensions that the steps so far have bound, in other functions too. */
    private void loadBound() {
        for (String dim : table.bound()) {
            dims.computeIfAbsent(dim, d -> load("i64", "%dims", table.position(d)));
        }
    }

    private String buffer(int i) {
        return loaded.computeIfAbsent(i, key -> load("ptr", "%buffers", Integer.toString(key)));
    }

    private String load(String type, String table, String i) {
        String address = lines.value("getelementptr inbounds ", type, ", ptr ", table, ", i64 ",
                i);
        return lines.value("load ", type, ", ptr ", address);
    }

    private void loop(int number, Loop loop) {
        String extent = loop.extent() == null ? Long.toString(Loop.MOST_ROUNDS)
                : sizes.write(loop.extent());
        if (loop.unless() >= 0) {
            extent = lines.select(truth(loop.unless()), "i64", "0", extent);
        }
        String made = lines.rounds(extent, round -> {
            lines.add("store i64 ", round, ", ptr ", lines.value(
                    "getelementptr inbounds i64, ptr %dims, i64 ", table.position(loop.var())));
            table.enter(loop.var(), loop.counted());
            lines.tellUnlessZero(lines.value("call i32 ", functions.apply(loop.steps())),
                    number, round);
            table.leave();
            loaded.clear();
            return loop.until() < 0 ? null : truth(loop.until());
        });
        loaded.clear();
        if (loop.count() != null) {
            counts.bind(loop.count(), made, loop.note(), lines, sizes, dims);
        }
    }

    private String truth(int buffer) {
        return lines.value("icmp ne i8 ", lines.value("load i8, ptr ", buffer(buffer)), ", 0");
    }

    private void branch(Branch branch) {
        String number = lines.value("load i64, ptr ", buffer(branch.test()));
        String cases = Integer.toString(branch.cases().size());
        lines.stopUnless(lines.value("icmp ult i64 ", number, ", ", cases), branch.note(), number,
                cases);
        lines.choose(number, branch.cases().size(), i -> {
            table.enter(null, branch.counted());
            lines.returnUnlessZero(lines.value("call i32 ",
                    functions.apply(branch.cases().get(i))));
            table.leave();
        });
    }

    private void kernel(Step.RunKernel step) {
        Usage usage = kernels.usage(step.number());
        List<String> args = new ArrayList<>();
        for (int i = 0; i < step.args().size(); i++) {
            args.add("ptr " + address(step.args().get(i), step.kernel().params().get(i).dtype()));
        }
        for (String dim : usage.dims()) {
            args.add("i64 " + dims.get(dim));
        }
        String name = kernels.name(step.number());
        if (!usage.stops()) {
            lines.add("call void ", name, "(", String.join(", ", args), ")");
            return;
        }
        args.add("ptr %failure");
        lines.returnUnlessZero(lines.value("call i32 ", name, "(", String.join(", ", args), ")"));
    }

    private String address(Window w, DType dtype) {
        String start = buffer(w.buffer());
        return w.offset().equals(new Size.Int(0)) ? start : lines.value("getelementptr inbounds ",
                Types.memory(dtype), ", ptr ", start, ", i64 ", sizes.write(w.offset()));
    }
}
