package damo.codegen;

import damo.program.Kernel;
import damo.program.Size;
import damo.tensor.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Loops of a kernel that may run on several threads: a function for a range of rounds of each, and
 * in the kernel what decides, by the sizes of the moment, who runs them.
 */
final class RangeWriter {
    /** The parameter of a kernel that says how many threads there are. */
    static final String THREADS = "%threads";
    private static final String RANGES = "damo.ranges";
    private static final String NAME = "@{function}";
    private static final String LIBC = "libc.so.6";
    private static final int WORDS = 4;
    /** Parts of a line, or of tiles, are of so many, so that none but the last has an odd end. */
    private static final int ELEMENTS = 64;
    /** The same where each part has a piece of each line: to begin one costs as much as 2 KiB. */
    private static final int COLUMNS = 4096;

    private final Kernel kernel;
    private final Usage usage;
    private final Lines lines;
    private final ExprWriter exprs;
    private final Function<Lines, KernelWriter> writers;
    private final StringBuilder functions = new StringBuilder();
    /** Memory that loops one after the other share, by what it is for and its length. */
    private final Map<String, String> slots = new HashMap<>();
    private int number;

    /**
     * Of a kernel, whose own function is written to {@code lines}, with the names of {@code exprs};
     * {@code writers} write statements of the kernel to others.
     */
    RangeWriter(Kernel kernel, Usage usage, Lines lines, ExprWriter exprs,
                Function<Lines, KernelWriter> writers) {
        this.kernel = kernel;
        this.usage = usage;
        this.writers = writers;
        this.lines = lines;
        this.exprs = exprs;
    }

    /** Tells of what {@link #declarations} may name. */
    static void tell(Outside outside, int vectorBits) {
        outside.share(RANGES, "void @" + RANGES + "(ptr, i64)", () ->
                Parallel.module(vectorBits));
        outside.call(LIBC, "calloc");
        outside.call(LIBC, "free");
    }

    /** The declarations that a text of kernels needs. */
    static String declarations(String text) {
        return (text.contains("@" + RANGES + "(") ? "declare void @" + RANGES + "(ptr, i64)\n" : "")
                + (text.contains("@calloc(") ? "declare ptr @calloc(i64, i64)\n"
                + "declare void @free(ptr)\n" : "");
    }

    /** A text in which the functions of a kernel are named after it. */
    static String named(String text, String kernel) {
        boolean quoted = kernel.endsWith("\"");
        String stem = quoted ? kernel.substring(0, kernel.length() - 1) : kernel;
        return text.replaceAll("@\\{function\\}(\\.[a-z]+\\.[0-9]+)",
                java.util.regex.Matcher.quoteReplacement(stem) + "$1" + (quoted ? "\"" : ""));
    }

    /** The functions for ranges, as definitions. */
    String functions() {
        return functions.toString();
    }

    /** Appends a loop, and what gives its sums their values. */
    void write(ParallelLoop loop) {
        RangeFunction range = new RangeFunction(loop, kernel, usage,
                NAME + ".range." + number, writers);
        String part = NAME + ".part." + number++;
        RangeContext context = context(loop);
        functions.append(range.text()).append(partText(part, range, context, loop));
        String rounds = rounds(loop);
        String after = lines.freshLabel("after");
        String look = lines.freshLabel("look");
        String several = lines.freshLabel("several");
        String one = lines.freshLabel("one");
        if (loop.sums().isEmpty()) {
            lines.add("br i1 ", lines.value("icmp sgt i64 ", THREADS, ", 1"), ", label %", look,
                    ", label %", one);
            lines.label(look);
        }
        String work = new LoopCost(kernel.params(), range.bound(), lines, exprs.sizes())
                .write(List.of(loop.nest().getFirst()));
        lines.add("br i1 ", lines.value("fcmp oge double ", work, ", ", LoopCost.least()),
                ", label %", several, ", label %", one);
        lines.label(several);
        several(loop, context, part, rounds, work, one);
        lines.add("br label %", after);
        lines.label(one);
        one(loop, context, range, rounds);
        lines.add("br label %", after);
        lines.label(after);
    }

    /** The arguments of the range form. */
    private RangeContext context(ParallelLoop loop) {
        RangeContext context = new RangeContext();
        for (int i = 0; i < kernel.params().size(); i++) {
            context.argument("ptr", "%p" + i);
        }
        usage.dims().forEach(dim -> context.argument("i64", Names.dimension(dim)));
        RangeFunction.free(loop, usage).forEach((name, t) -> context.argument(
                t == null ? "i64" : Types.value(t), exprs.named(name, t)));
        return context;
    }

    private String rounds(ParallelLoop loop) {
        String rounds = null;
        for (Kernel.For f : loop.divided()) {
            String extent = exprs.sizes().extent(f.extent());
            rounds = rounds == null ? extent : lines.value("mul i64 ", rounds, ", ", extent);
        }
        return rounds;
    }

    // ## The call of one thread

    private void one(ParallelLoop loop, RangeContext context, RangeFunction range, String rounds) {
        List<String> args = new ArrayList<>(context.arguments());
        if (usage.stops()) {
            args.add("ptr %failure");
            args.add("ptr %failure");
        }
        args.add("i64 0");
        args.add("i64 " + rounds);
        String partials = null;
        if (!loop.sums().isEmpty()) {
            partials = words("sums", loop.sums().size());
            args.add("ptr " + partials);
        }
        String call = "call " + usage.resultType() + " " + range.name() + "("
                + String.join(", ", args) + ")";
        if (usage.stops()) {
            lines.returnUnlessZero(lines.value(call));
        } else {
            lines.add(call);
        }
        if (partials != null) {
            add(loop, partials);
        }
    }

    /** Adds what a part has added up to the sums. */
    private void add(ParallelLoop loop, String partials) {
        int i = 0;
        for (Map.Entry<String, Kernel.Acc> sum : loop.sums().entrySet()) {
            DType t = sum.getValue().value().dtype();
            String slot = exprs.slot(sum.getKey());
            String type = Types.value(t);
            String old = lines.value("load ", type, ", ptr ", slot);
            String more = RangeContext.get(lines, partials, i++, type);
            lines.add("store ", type, " ", Arithmetic.write(lines, sum.getValue().op(), t,
                    List.of(old, more), ""), ", ptr ", slot);
        }
    }

    // ## The call of several

    private void several(ParallelLoop loop, RangeContext context, String part, String rounds,
                         String work, String one) {
        String step = step(loop, rounds, work);
        String threads = THREADS;
        String slot = words("context", context.words());
        context.fill(lines, slot);
        if (!loop.scratch().isEmpty()) {
            threads = lines.call("i64", "llvm.smin.i64", "i64", THREADS, "64");
            blocks(loop, slot, threads, one);
        }
        RangeContext.put(lines, slot, RangeContext.FUNCTION, "ptr", part);
        RangeContext.put(lines, slot, RangeContext.STEP, "i64", step);
        RangeContext.put(lines, slot, RangeContext.ROUNDS, "i64", rounds);
        RangeContext.put(lines, slot, RangeContext.FIRST, "i64", "-1");
        if (usage.stops()) {
            RangeContext.put(lines, slot, RangeContext.RECORDS, "ptr", records());
            RangeContext.put(lines, slot, RangeContext.ASKED, "ptr", "%failure");
        }
        if (!loop.sums().isEmpty()) {
            RangeContext.put(lines, slot, RangeContext.PARTIALS, "ptr", partials(loop));
        }
        lines.add("call void @", RANGES, "(ptr ", slot, ", i64 ", threads, ")");
        if (!loop.scratch().isEmpty()) {
            lines.add("call void @free(ptr ", RangeContext.get(lines, slot, RangeContext.BLOCKS,
                    "ptr"), ")");
        }
        if (usage.stops()) {
            failure(slot, records());
        }
        if (!loop.sums().isEmpty()) {
            addAll(loop, ceiling(rounds, step));
        }
    }

    /** How many rounds a part has: they follow from sizes alone. */
    private String step(ParallelLoop loop, String rounds, String work) {
        String wished = lines.value("fptosi double ", lines.value("call double @llvm.minnum.f64("
                + "double ", lines.value("fdiv double ", work, ", ", LoopCost.part()),
                ", double ", Integer.toString(LoopCost.MOST_PARTS), ".0)"), " to i64");
        String parts = lines.call("i64", "llvm.smax.i64", "i64", wished, "1");
        String step = ceiling(rounds, parts);
        if (lines(loop) || writers.apply(new Lines()).tiled(loop.divided().getFirst())) {
            String elements = Integer.toString(loop.outer() > 0 ? COLUMNS : ELEMENTS);
            step = lines.value("mul i64 ", ceiling(step, elements), ", ", elements);
        }
        // There may be no rounds.
        return lines.call("i64", "llvm.smax.i64", "i64", step, "1");
    }

    private String records() {
        return words("records", WORDS * LoopCost.MOST_PARTS);
    }

    private String partials(ParallelLoop loop) {
        return words("partials", loop.sums().size() * LoopCost.MOST_PARTS);
    }

    /** Adds what so many parts have added up to the sums, in order. */
    private void addAll(ParallelLoop loop, String parts) {
        String i = lines.fresh();
        lines.loop(i, parts, null, () -> add(loop, lines.value("getelementptr inbounds i64, ptr ",
                partials(loop), ", i64 ", lines.value("mul i64 ", i, ", ",
                        Integer.toString(loop.sums().size())))));
    }

    /** Words of 64 bits of the kernel's frame. */
    private String words(String use, int count) {
        return slots.computeIfAbsent(use + count, u -> lines.slot(lines.fresh(),
                "[" + count + " x i64]"));
    }

    /** Whether rounds are elements of a line. */
    private static boolean lines(ParallelLoop loop) {
        return loop.count() == 1 && loop.body().stream().noneMatch(s -> s instanceof Kernel.For);
    }

    private String ceiling(String n, String by) {
        String less = lines.value("sub i64 ", by, ", 1");
        return lines.value("udiv i64 ", lines.value("add i64 ", n, ", ", less), ", ", by);
    }

    /** Gives each thread a block of memory for the scratch of a round; to {@code one} without. */
    private void blocks(ParallelLoop loop, String slot, String threads, String one) {
        String bytes = null;
        for (Map.Entry<Integer, Size> scratch : loop.scratch().entrySet()) {
            String own = bytes(scratch.getValue(), scratch.getKey(), exprs, lines);
            bytes = bytes == null ? own : lines.value("add i64 ", bytes, ", ", own);
        }
        // Cleared, as a sort of one element leaves its room as it was.
        String block = lines.value("call ptr @calloc(i64 ", bytes, ", i64 ", threads, ")");
        String some = lines.freshLabel("some");
        lines.add("br i1 ", lines.value("icmp eq ptr ", block, ", null"), ", label %", one,
                ", label %", some);
        lines.label(some);
        RangeContext.put(lines, slot, RangeContext.BLOCKS, "ptr", block);
        RangeContext.put(lines, slot, RangeContext.BLOCK, "i64", bytes);
        String free = lines.value("sub i64 64, ", threads);
        RangeContext.put(lines, slot, RangeContext.FREE, "i64", lines.value("lshr i64 -1, ", free));
    }

    /** The bytes of so many elements of a parameter, in whole cache lines. */
    private String bytes(Size extent, int param, ExprWriter exprs, Lines lines) {
        String bytes = lines.value("mul i64 ", exprs.sizes().extent(extent), ", ",
                Integer.toString(kernel.params().get(param).dtype().bytes()));
        return lines.value("and i64 ", lines.value("add i64 ", bytes, ", 127"), ", -64");
    }

    /** Leaves with the failure of the first part that has one. */
    private void failure(String slot, String records) {
        String first = RangeContext.get(lines, slot, RangeContext.FIRST, "i64");
        String fine = lines.freshLabel("fine");
        String failed = lines.freshLabel("failed");
        lines.add("br i1 ", lines.value("icmp eq i64 ", first, ", -1"), ", label %", fine,
                ", label %", failed);
        lines.label(failed);
        String record = lines.value("getelementptr inbounds i64, ptr ", records, ", i64 ",
                lines.value("mul i64 ", first, ", ", Integer.toString(WORDS)));
        for (int word = 0; word < WORDS - 1; word++) {
            RangeContext.put(lines, "%failure", word, "i64",
                    RangeContext.get(lines, record, word, "i64"));
        }
        lines.leave(lines.value("trunc i64 ", RangeContext.get(lines, record, WORDS - 1, "i64"),
                " to i32"));
        lines.label(fine);
    }

    // ## What each thread runs

    /** {@code void part(ptr context, i64 from, i64 to)}. */
    private String partText(String name, RangeFunction range, RangeContext context,
                            ParallelLoop loop) {
        Lines body = new Lines();
        List<String> args = new ArrayList<>(context.found(body));
        String part = body.value("udiv i64 %from, ", RangeContext.get(body, "%context",
                RangeContext.STEP, "i64"));
        String record = null;
        if (usage.stops()) {
            record = body.value("getelementptr inbounds i64, ptr ", RangeContext.get(body,
                    "%context", RangeContext.RECORDS, "ptr"), ", i64 ", body.value("mul i64 ",
                    part, ", ", Integer.toString(WORDS)));
            args.add("ptr " + record);
            args.add("ptr " + RangeContext.get(body, "%context", RangeContext.ASKED, "ptr"));
        }
        args.add("i64 %from");
        args.add("i64 %to");
        if (!loop.sums().isEmpty()) {
            args.add("ptr " + body.value("getelementptr inbounds i64, ptr ", RangeContext.get(body,
                    "%context", RangeContext.PARTIALS, "ptr"), ", i64 ", body.value("mul i64 ",
                    part, ", ", Integer.toString(loop.sums().size()))));
        }
        ScratchBlocks scratch = loop.scratch().isEmpty() ? null : ScratchBlocks.take(body);
        if (scratch != null) {
            scratch(loop, scratch, args, body);
        }
        String call = "call " + usage.resultType() + " " + range.name() + "("
                + String.join(", ", args) + ")";
        String status = usage.stops() ? body.value(call) : null;
        if (status == null) {
            body.add(call);
        }
        if (scratch != null) {
            scratch.giveBack();
        }
        if (status != null) {
            tell(body, part, record, status);
        }
        body.add("ret void");
        return "\ndefine internal void " + name + "(ptr %context, i64 %from, i64 %to) #2 {\n"
                + body.text() + "}\n";
    }

    /** Puts blocks in the place of the parameters that are scratch. */
    private void scratch(ParallelLoop loop, ScratchBlocks scratch, List<String> args, Lines body) {
        String at = "0";
        ExprWriter there = writers.apply(body).exprs();
        int dim = kernel.params().size();
        for (String d : usage.dims()) {
            there.bind(d, args.get(dim++).substring("i64 ".length()));
        }
        for (Map.Entry<Integer, Size> s : loop.scratch().entrySet()) {
            args.set(s.getKey(), "ptr " + scratch.address(at, args.get(s.getKey())));
            at = body.value("add i64 ", at, ", ", bytes(s.getValue(), s.getKey(), there, body));
        }
    }

    private static void tell(Lines body, String part, String record, String status) {
        String fine = body.freshLabel("fine");
        String failed = body.freshLabel("failed");
        body.add("br i1 ", body.value("icmp eq i32 ", status, ", 0"), ", label %", fine,
                ", label %", failed);
        body.label(failed);
        RangeContext.put(body, record, WORDS - 1, "i64", body.value("zext i32 ", status,
                " to i64"));
        body.value("atomicrmw umin ptr ", RangeContext.address(body, "%context",
                RangeContext.FIRST), ", i64 ", part, " acq_rel, align 8");
        body.add("br label %", fine);
        body.label(fine);
    }
}
