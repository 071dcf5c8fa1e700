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

/** Steps of a program, one after the other, in one function that has the call's parameters. */
final class StepWriter {
    private final CallParts parts;
    private final Lines lines;
    private final Map<String, String> dims = new HashMap<>();
    /** Addresses of buffers, loaded anew for each step: held over a long program, they would all
     * be live at once, and most of LLVM's time would go into keeping them. */
    private final Map<Integer, String> loaded = new HashMap<>();
    private final SizeWriter sizes;
    private final ProductWriter products;
    private final RoutineWriter routines;
    private final Outside outside;
    private final Place place;

    /** The function in which steps stand: where it has buffers, and steps inside of steps. */
    interface Place {
        /** Appends what gives the address of a buffer. */
        String buffer(int id, Lines lines);

        /** Appends the steps that a step holds. */
        void list(List<Step> steps, StepWriter writer);

        /** Appends a loop, step number {@code number}. */
        void loop(int number, Loop loop, StepWriter writer);

        /** Whether that kernel becomes a part of the function when it is called. */
        boolean inlines(int kernel);
    }

    /** Writes to {@code lines}; loads the dimensions that are known by then, for all steps. */
    StepWriter(CallParts parts, Outside outside, Products products, Lines lines, Place place) {
        this.parts = parts;
        this.lines = lines;
        this.sizes = new SizeWriter(lines, dims);
        this.products = new ProductWriter(lines, sizes, this::buffer, parts, products);
        this.routines = new RoutineWriter(lines, sizes, this::buffer, outside);
        this.outside = outside;
        this.place = place;
        // LLVM drops those that nothing uses.
        loadBound();
    }

    /** Where it writes. */
    Lines lines() {
        return lines;
    }

    /** Appends a step, which has that number. */
    void write(int number, Step step) {
        loaded.clear();
        switch (step) {
            case Step.RunKernel s -> kernel(s);
            case Step.Gemm s -> products.write(number, s);
            case Step.Count s -> parts.counts.write(s, lines, sizes, dims, buffer(s.buffer()));
            case Step.RunHost ignored -> {
                outside.call("", Foreign.HOST, "i32 @" + Foreign.HOST + "(i32)");
                lines.returnUnlessZero(lines.value("call i32 @", Foreign.HOST, "(i32 ",
                        Integer.toString(number), ")"));
            }
            case Step.Call s -> routines.write(s);
            case Step.Block s -> place.list(s.steps(), this);
            case Loop s -> place.loop(number, s, this);
            case Branch s -> branch(s);
        }
    }

    /** Dimensions that the steps so far have bound, in other functions too. */
    void loadBound() {
        for (String dim : parts.table.bound()) {
            dims.computeIfAbsent(dim, d -> lines.loaded("i64", "%dims", parts.table.position(d)));
        }
    }

    private String buffer(int id) {
        return loaded.computeIfAbsent(id, i -> place.buffer(i, lines));
    }

    /**
     * Appends the rounds of a loop as part of this function; {@code body} appends a round. With
     * {@code stored}, the number of the round stands in the table for other functions.
     */
    void rounds(int number, Loop loop, boolean stored, Runnable body) {
        String extent = loop.extent() == null ? Long.toString(Loop.MOST_ROUNDS)
                : sizes.write(loop.extent());
        if (loop.unless() >= 0) {
            extent = lines.select(truth(loop.unless()), "i64", "0", extent);
        }
        String made = lines.rounds(extent, number, round -> {
            if (stored) {
                lines.add("store i64 ", round, ", ptr ", lines.value(
                        "getelementptr inbounds i64, ptr %dims, i64 ",
                        parts.table.position(loop.var())));
            }
            scope(loop.var(), loop.counted(), loop.steps(), () -> {
                dims.put(loop.var(), round);
                body.run();
            });
            if (parts.polls.rounds(number, loop)) {
                lines.stopIfAskedEvery(parts.polls.every(loop), round);
            }
            return loop.until() < 0 ? null : truth(loop.until());
        });
        loaded.clear();
        if (loop.count() != null) {
            parts.counts.bind(loop.count(), made, loop.note(), lines, sizes, dims);
        }
    }

    /** A list of steps that binds dimensions: they are forgotten at its end. */
    private void scope(String turn, List<Program.Counted> counted, List<Step> steps,
                       Runnable body) {
        Map<String, String> before = Map.copyOf(dims);
        parts.table.enter(turn, counted, steps);
        body.run();
        parts.table.leave();
        dims.keySet().retainAll(before.keySet());
        loaded.clear();
    }

    private String truth(int buffer) {
        loaded.clear();
        return lines.value("icmp ne i8 ", lines.value("load i8, ptr ", buffer(buffer)), ", 0");
    }

    private void branch(Branch branch) {
        String number = lines.value("load i64, ptr ", buffer(branch.test()));
        String cases = Integer.toString(branch.cases().size());
        lines.stopUnless(lines.value("icmp ult i64 ", number, ", ", cases), branch.note(), number,
                cases);
        lines.choose(number, branch.cases().size(), i -> scope(null, branch.counted(),
                branch.cases().get(i), () -> place.list(branch.cases().get(i), this)));
    }

    private void kernel(Step.RunKernel step) {
        Usage usage = parts.kernels.usage(step.number());
        List<String> args = new ArrayList<>();
        for (int i = 0; i < step.args().size(); i++) {
            args.add("ptr " + address(step.args().get(i), step.kernel().params().get(i).dtype()));
        }
        for (String dim : usage.dims()) {
            args.add("i64 " + dims.get(dim));
        }
        String name = parts.kernels.name(step.number());
        if (!place.inlines(step.number())) {
            outside.inside(name, parts.kernels.declaration(step.number()));
            if (parts.kernels.threads(step.number())) {
                args.add("i64 " + lines.threads());
            }
        }
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
