package damo.codegen;

import damo.program.Kernel;
import damo.program.Size;
import damo.tensor.DType;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * One kernel as a hidden LLVM function: a pointer for each parameter, an i64 for each dimension
 * that it mentions, the failure record last when it may stop. It returns nothing, or an i32 status
 * when it may stop.
 *
 * <p>Pointers carry no alignment beyond the element's: on aligned data vector loads are as fast
 * without the promise, and a buffer that a caller supplies cannot break one.
 */
final class KernelWriter {
    private final Kernel kernel;
    private final Usage usage;
    private final int vectorBits;
    /** How many loops are around. */
    private int depth;
    private final Lines lines;
    private final ExprWriter exprs;
    /** The parameters, and behind them the local arrays so far. */
    private final List<Kernel.Param> memories;
    private final Extremes extremes;

    /** Of a function of the kernel that is written to {@code lines}. */
    KernelWriter(Kernel kernel, Usage usage, MathLibrary library, int vectorBits, Lines lines) {
        this.kernel = kernel;
        this.vectorBits = vectorBits;
        this.usage = usage;
        this.lines = lines;
        this.extremes = new Extremes(lines);
        this.memories = new ArrayList<>(kernel.params());
        this.exprs = new ExprWriter(lines, memories, library);
        for (String dim : usage.dims()) {
            exprs.bind(dim, Names.dimension(dim));
        }
    }

    /** The text of the function after its name. */
    static String write(Kernel kernel, Usage usage, MathLibrary library, int vectorBits) {
        KernelWriter writer = new KernelWriter(kernel, usage, library, vectorBits, new Lines());
        writer.statements(kernel.body());
        return writer.finished("");
    }

    /**
     * The same with loops on several threads, and one more parameter, how many, before the record;
     * what are functions of their own has names that {@link RangeWriter#named} makes final.
     */
    static String write(Kernel kernel, Usage usage, MathLibrary library, int vectorBits,
                        Map<Kernel.For, ParallelLoop> loops) {
        Lines lines = new Lines();
        KernelWriter writer = new KernelWriter(kernel, usage, library, vectorBits, lines);
        RangeWriter ranges = new RangeWriter(kernel, usage, lines, writer.exprs, there ->
                new KernelWriter(kernel, usage, library, vectorBits, there));
        for (Kernel.Stmt s : kernel.body()) {
            if (s instanceof Kernel.For f && loops.containsKey(f)) {
                ranges.write(loops.get(f));
            } else {
                writer.statements(List.of(s));
            }
        }
        return writer.finished("i64 " + RangeWriter.THREADS) + ranges.functions();
    }

    private String finished(String more) {
        lines.add(usage.stops() ? "ret i32 0" : "ret void");
        return "(" + parameters(usage, kernel.params().size(), more) + ") #0 {\n" + lines.text()
                + "}\n";
    }

    /** Where names of the kernel are bound. */
    ExprWriter exprs() {
        return exprs;
    }

    /**
     * What declares it where it is called from another module, but for the first word. It touches
     * what its parameters point to, and nothing else, unless it calls the application's functions.
     */
    static String declaration(String name, Kernel kernel, Usage usage, boolean threads) {
        List<String> types = new ArrayList<>();
        for (int i = 0; i < kernel.params().size(); i++) {
            types.add("ptr nocapture " + usage.access(i).strip());
        }
        types.addAll(Collections.nCopies(usage.dims().size() + (threads ? 1 : 0), "i64"));
        if (usage.stops()) {
            types.add("ptr nocapture");
        }
        return "hidden " + usage.resultType() + " " + name + "(" + String.join(", ",
                types.stream().map(String::strip).toList()) + ") nounwind"
                + (usage.foreign() || threads ? "" : " memory(argmem: readwrite)");
    }

    /**
     * The parameters of a function of the kernel, with more before the record. What is given on to
     * other threads, where there is more, is captured.
     */
    static String parameters(Usage usage, int count, String more) {
        List<String> all = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            all.add("ptr noalias " + (more.equals("i64 " + RangeWriter.THREADS) ? "" : "nocapture ")
                    + usage.access(i) + "%p" + i);
        }
        usage.dims().forEach(dim -> all.add("i64 " + Names.dimension(dim)));
        if (!more.isEmpty()) {
            all.add(more);
        }
        if (usage.stops()) {
            all.add(usage.polls() ? "ptr nocapture %failure" : "ptr noalias nocapture %failure");
        }
        return String.join(", ", all);
    }

    /** Appends statements. */
    void statements(List<Kernel.Stmt> body) {
        for (Kernel.Stmt statement : body) {
            switch (statement) {
                case Kernel.For s -> loop(s);
                case Kernel.Let s -> exprs.bind(s);
                case Kernel.Var s -> declare(s);
                case Kernel.Local s -> array(s);
                case Kernel.Set s -> assign(s.name(), s.value().dtype(), exprs.write(s.value()));
                case Kernel.Acc s -> accumulate(s);
                case Kernel.Store s -> store(s);
                case Kernel.Index s -> index(s);
                case Kernel.Require s -> require(s);
                case Kernel.If s -> branch(s);
                case Kernel.Sort s -> sort(s);
            }
        }
    }

    private void loop(Kernel.For s) {
        loop(s, "0", exprs.size(s.extent()));
    }

    /** Appends the rounds of a loop from {@code from} to {@code to}-1. */
    void loop(Kernel.For s, String from, String to) {
        TurnedCopy copy = TurnedCopy.of(lines, exprs, memories, kernel.params().size(), s,
                vectorBits);
        if (copy != null) {
            copy.write(from, to, () -> plainLoop(s, from, to, () -> statements(s.body())),
                    () -> poll(s));
            return;
        }
        LineCopy line = depth == 0 ? null : LineCopy.of(lines, exprs, memories, s, vectorBits);
        if (line != null) {
            line.write(from, to);
            return;
        }
        LineSum sum = depth == 0 ? LineSum.of(lines, exprs, memories, s, vectorBits) : null;
        if (sum != null) {
            LineSum.Part part = sum.write(from, to);
            combine(sum.sum(), part.sum());
            plainLoop(s, lines.value("add nsw i64 ", from, ", ", part.count()), to,
                    () -> statements(s.body()));
            return;
        }
        Map<String, Kernel.Acc> found = extremes.found(s);
        found.forEach((name, acc) -> extremes.begin(name, acc, s.extent(), depth > 0));
        plainLoop(s, from, to, () -> statements(s.body()));
        found.forEach((name, acc) -> combine(acc, extremes.end(name)));
    }

    /** Whether a loop is a copy by tiles. */
    boolean tiled(Kernel.For s) {
        return TurnedCopy.of(lines, exprs, memories, kernel.params().size(), s,
                vectorBits) != null;
    }

    /** The same round by round, with what {@code body} appends in each. */
    void plainLoop(Kernel.For s, String from, String to, Runnable body) {
        String variable = Names.local("n", s.var());
        if (depth > 0 && vectorBits >= Attributes.MASKS && Rest.apart(s)) {
            String count = lines.value("sub nsw i64 ", to, ", ", from);
            String whole = lines.value("and i64 ", count, ", ", Integer.toString(-Rest.ROUND));
            String end = lines.value("add nsw i64 ", from, ", ", whole);
            blocks(s, variable, from, end, body);
            rounds(s, variable + ".rest", end, to, Rest.ofEnds(s), body);
        } else {
            blocks(s, variable, from, to, body);
        }
    }

    /** Appends the rounds of a loop: those of each block as its arguments are. */
    private void blocks(Kernel.For s, String variable, String from, String to, Runnable body) {
        NearLoop near = NearLoop.of(s);
        if (near == null) {
            rounds(s, variable, from, to, Rest.sort(s), body);
            return;
        }
        String last = Integer.toString(NearLoop.BLOCK - 1);
        String count = lines.value("sub nsw i64 ", lines.value("add nsw i64 ", to, ", ", last),
                ", ", from);
        String blocks = lines.value("sdiv i64 ", count, ", ", Integer.toString(NearLoop.BLOCK));
        String block = variable + ".block";
        lines.loop(block, "0", blocks, worthwhile(s), "", () -> {
            String start = lines.value("add nsw i64 ", from, ", ", lines.value("mul nsw i64 ",
                    block, ", ", Integer.toString(NearLoop.BLOCK)));
            String end = lines.call("i64", "llvm.smin.i64", "i64", to, lines.value(
                    "add nsw i64 ", start, ", ", Integer.toString(NearLoop.BLOCK)));
            lines.either(far(s, near, variable + ".look", start, end),
                    () -> rounds(s, variable, start, end, Rest.sort(s), body), () -> {
                exprs.nearby(near.calls());
                rounds(s, variable + ".near", start, end, Rest.sort(s), body);
                exprs.nearby(Set.of());
            });
        });
    }

    /** Appends what gives an i1: whether arguments of a block are not near. */
    private String far(Kernel.For s, NearLoop near, String variable, String start, String end) {
        String far = lines.slot(lines.fresh(), "i32");
        lines.add("store i32 0, ptr ", far);
        exprs.bind(s.var(), variable);
        lines.loop(variable, start, end, null, "", () -> {
            String one = lines.value("zext i1 ", near.far(lines, exprs), " to i32");
            lines.add("store i32 ", lines.value("or i32 ", lines.value("load i32, ptr ", far),
                    ", ", one), ", ptr ", far);
        });
        return lines.value("icmp ne i32 ", lines.value("load i32, ptr ", far), ", 0");
    }

    private void rounds(Kernel.For s, String variable, String from, String to, String sort,
                        Runnable body) {
        exprs.bind(s.var(), variable);
        lines.loop(variable, from, to, worthwhile(s), sort, () -> {
            poll(s);
            depth++;
            body.run();
            depth--;
        });
    }

    /** Appends a look whether the call shall stop, at the beginning of a round of a loop. */
    void poll(Kernel.For s) {
        if (usage.polls() && Polls.around(s)) {
            lines.stopIfAsked();
        }
    }

    /** The condition on which the loop does anything; null when it always does. */
    String worthwhile(Kernel.For s) {
        List<Size> sizes = Idle.unless(s);
        if (sizes == null) {
            return null;
        }
        String any = "false";
        for (Size size : sizes) {
            String some = lines.value("icmp sgt i64 ", exprs.sizes().ahead(size), ", 0");
            any = any.equals("false") ? some : lines.value("or i1 ", any, ", ", some);
        }
        return any;
    }

    private void declare(Kernel.Var s) {
        DType t = s.init().dtype();
        String init = exprs.write(s.init());
        exprs.bindSlot(s.name(), lines.slot(Names.local("v", s.name()), Types.value(t)));
        assign(s.name(), t, init);
    }

    /** What an array holds before it is written is no more than zeros, or what it held before. */
    private void array(Kernel.Local s) {
        while (memories.size() <= s.param()) {
            memories.add(null);
        }
        memories.set(s.param(), new Kernel.Param(s.dtype(), Kernel.Access.INOUT));
        lines.array("%p" + s.param(), Types.memory(s.dtype()), s.size(), s.dtype().bytes(),
                depth > 0);
    }

    private void assign(String name, DType t, String operand) {
        lines.add("store ", Types.value(t), " ", operand, ", ptr ", exprs.slot(name));
    }

    private void accumulate(Kernel.Acc s) {
        String term = exprs.term(s.value());
        if (extremes.has(s.name())) {
            extremes.add(s.name(), term);
        } else {
            combine(s, term);
        }
    }

    private void combine(Kernel.Acc s, String term) {
        DType t = s.value().dtype();
        String old = lines.value("load ", Types.value(t), ", ptr ", exprs.slot(s.name()));
        String sum = Arithmetic.write(lines, s.op(), t, List.of(old, term),
                ExprWriter.REDUCTION_FLAGS);
        assign(s.name(), t, sum);
    }

    private void store(Kernel.Store s) {
        DType t = memories.get(s.param()).dtype();
        String element = exprs.element(t, s.value());
        lines.add("store ", Types.memory(t), " ", element, ", ptr ",
                exprs.address(s.param(), s.index()));
    }

    private void index(Kernel.Index s) {
        String operand = exprs.write(s.value());
        String extent = exprs.size(s.extent());
        String inside = lines.value("icmp ult i64 ", operand, ", ", extent);
        lines.stopUnless(inside, s.note(), operand, extent);
        exprs.bind(s.name(), operand);
    }

    private void require(Kernel.Require s) {
        String[] words = {"0", "0"};
        for (int i = 0; i < s.report().size(); i++) {
            words[i] = exprs.write(s.report().get(i));
        }
        lines.stopUnless(exprs.write(s.condition()), s.note(), words[0], words[1]);
    }

    private void sort(Kernel.Sort s) {
        String count = exprs.size(s.count());
        lines.add("call void @", Sorts.name(s.dtype(), vectorBits), "(ptr %p",
                Integer.toString(s.param()), ", ptr %p", Integer.toString(s.room()), ", i64 ",
                count, ", i64 ", exprs.size(s.wanted()), ")");
    }

    private void branch(Kernel.If s) {
        String then = lines.freshLabel("then");
        String after = lines.freshLabel("after");
        lines.add("br i1 ", exprs.write(s.condition()), ", label %", then, ", label %", after);
        lines.label(then);
        statements(s.body());
        lines.add("br label %", after);
        lines.label(after);
    }
}
